"""Streams so many samples of the month as the API does, as a process of its own, and prints what it held and sent.

``python -m benchmarks.streamed_export URL FORMAT ROWS DAYS``
"""

import json
import resource
import sys
import time
from collections.abc import Iterator

from benchmarks.month_tag import DAY, START, TAG
from plant.batch import Batch
from plant.tag import Tag
from services.retrieval import pieces
from services.store import Store, open_store


def samples(store: Store, rows: int, days: int) -> Iterator[tuple[Tag, Batch]]:
    """The month over and over, as if it were many tags."""
    left = rows
    while left > 0:
        for batch in store.scan(TAG.id, START, START + days * DAY):
            yield TAG, batch.select(slice(0, left))
            left -= len(batch)
            if left <= 0:
                return


def main(url: str, kind: str, rows: int, days: int) -> None:
    store = open_store(url)
    begun = time.monotonic()
    sent = sum(map(len, pieces(kind, samples(store, rows, days), is_text=False)))
    took = time.monotonic() - begun
    megabytes = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    json.dump({"rows": rows, "bytes": sent, "seconds": round(took, 1), "megabytes": round(megabytes, 1)}, sys.stdout)


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2], int(sys.argv[3]), int(sys.argv[4]))
