"""Writing history: a commit of the store against the fastest bare way into a table of the same shape."""

import contextlib
import sqlite3
import struct
import tempfile
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Final

import numpy as np
import psycopg

from benchmarks.comparison import Comparison, compare
from plant import SampleBatch, TextBatch, reference_site
from services.store import Commit, Store, open_store
from tests.postgres import PostgresServer

ROWS: Final = 10_000
COMMITS: Final = 10
_START: Final = 1_790_000_000_000_000
_SECOND: Final = 1_000_000
_POSTGRES_EPOCH: Final = 946_684_800_000_000


def batches(round_number: int) -> list[SampleBatch]:
    """What ``COMMITS`` commits of a round bring: all tags of the reference plant, second by second; no row of another round."""
    tag_id = np.array([tag.id for tag in reference_site().tags if not tag.data_type.is_text], np.int32)
    seconds = -(-ROWS // len(tag_id))
    made = []
    for number in range(COMMITS):
        first = _START + (round_number * COMMITS + number) * seconds * _SECOND
        time = np.repeat(first + np.arange(seconds) * _SECOND, len(tag_id))[:ROWS]
        made.append(SampleBatch(np.tile(tag_id, seconds)[:ROWS], time, np.sin(np.arange(ROWS) / 50.0), np.zeros(ROWS, np.int16)))
    return made


def comparisons() -> Iterator[Comparison]:
    with tempfile.TemporaryDirectory() as folder:
        yield _sqlite(Path(folder))
    server = PostgresServer()
    try:
        server.start()
        yield _postgresql(server.dsn)
    finally:
        server.close()


def _sqlite(folder: Path) -> Comparison:
    bare = sqlite3.connect(folder / "bare.sqlite", isolation_level=None)
    bare.executescript(
        "PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL; "
        "CREATE TABLE sample (tag_id INTEGER, ts INTEGER, value REAL, quality INTEGER, PRIMARY KEY (tag_id, ts)) WITHOUT ROWID"
    )

    def baseline(material: Sequence[SampleBatch]) -> None:
        for batch in material:
            rows = zip(batch.tag_id.tolist(), batch.time.tolist(), batch.value.tolist(), batch.quality.tolist(), strict=True)
            bare.execute("BEGIN")
            bare.executemany("INSERT INTO sample VALUES (?, ?, ?, ?)", rows)
            bare.execute("COMMIT")

    with contextlib.closing(bare), contextlib.closing(open_store(f"sqlite:///{folder}/history.sqlite")) as store:
        store.prepare(reference_site().tags)
        return compare("historian writer, SQLite", "bare executemany", "rows/s", 0.7, ROWS * COMMITS, batches, _committing(store), baseline)


def _postgresql(dsn: str) -> Comparison:
    with psycopg.connect(dsn, autocommit=True) as admin:
        admin.execute("CREATE DATABASE bare")
        admin.execute("CREATE DATABASE history")
    with psycopg.connect(dsn.replace("/postgres", "/bare")) as bare, contextlib.closing(open_store(dsn.replace("/postgres", "/history"))) as store:
        bare.execute("CREATE TABLE sample (tag_id integer, ts timestamptz, value double precision, quality smallint, PRIMARY KEY (tag_id, ts))")
        bare.commit()

        def baseline(material: Sequence[SampleBatch]) -> None:
            for batch in material:
                with bare.cursor().copy("COPY sample FROM STDIN (FORMAT BINARY)") as copy:
                    copy.write(_binary(batch))
                bare.commit()

        store.prepare(reference_site().tags)
        return compare("historian writer, PostgreSQL", "raw binary COPY", "rows/s", 0.75, ROWS * COMMITS, batches, _committing(store), baseline)


def _committing(store: Store) -> Callable[[Sequence[SampleBatch]], None]:
    def commit(material: Sequence[SampleBatch]) -> None:
        for batch in material:
            store.commit(Commit(batch, TextBatch.empty()))

    return commit


def _binary(batch: SampleBatch) -> bytes:
    """Rows of PostgreSQL's binary COPY format, from one structured array. Source: PostgreSQL manual, COPY, "Binary Format"."""
    fields = [("n", ">i2"), ("l1", ">i4"), ("id", ">i4"), ("l2", ">i4"), ("ts", ">i8"), ("l3", ">i4"), ("v", ">f8"), ("l4", ">i4"), ("q", ">i2")]
    rows = np.empty(len(batch), np.dtype(fields))
    rows["n"], rows["l1"], rows["l2"], rows["l3"], rows["l4"] = 4, 4, 8, 8, 2
    rows["id"], rows["ts"], rows["v"], rows["q"] = batch.tag_id, batch.time - _POSTGRES_EPOCH, batch.value, batch.quality
    return b"PGCOPY\n\xff\r\n\0" + struct.pack(">ii", 0, 0) + rows.tobytes() + struct.pack(">h", -1)
