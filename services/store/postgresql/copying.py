"""The binary COPY format from and to columns, without a loop over rows.

Source: PostgreSQL documentation, COPY, "Binary Format": a signature, then for each row a field count and each field's length and value, big-endian.
A ``timestamptz`` is microseconds since 2000-01-01.
"""

from typing import Final

import numpy as np

from plant.batch import SampleBatch

_SIGNATURE: Final = b"PGCOPY\n\xff\r\n\0" + bytes(8)
_TRAILER: Final = b"\xff\xff"
_EPOCH_2000: Final = 946_684_800_000_000

_ROW: Final = np.dtype(
    [
        ("fields", ">i2"),
        ("tag_id_length", ">i4"),
        ("tag_id", ">i4"),
        ("ts_length", ">i4"),
        ("ts", ">i8"),
        ("value_length", ">i4"),
        ("value", ">f8"),
        ("quality_length", ">i4"),
        ("quality", ">i2"),
    ]
)


def to_copy(batch: SampleBatch) -> bytes:
    """Bytes for ``COPY … (tag_id, ts, value, quality) FROM STDIN (FORMAT BINARY)``."""
    rows = np.empty(len(batch), _ROW)
    rows["fields"] = 4
    rows["tag_id_length"] = 4
    rows["ts_length"] = rows["value_length"] = 8
    rows["quality_length"] = 2
    rows["tag_id"] = batch.tag_id
    rows["ts"] = batch.time - _EPOCH_2000
    rows["value"] = batch.value
    rows["quality"] = batch.quality
    return _SIGNATURE + rows.tobytes() + _TRAILER


def from_copy(data: bytes) -> SampleBatch:
    """The batch of what ``COPY (SELECT tag_id, ts, value, quality …) TO STDOUT (FORMAT BINARY)`` sent; no column may be null."""
    count = (len(data) - len(_SIGNATURE) - len(_TRAILER)) // _ROW.itemsize
    rows = np.frombuffer(data, _ROW, count, len(_SIGNATURE))
    return SampleBatch(
        rows["tag_id"].astype(np.int32), rows["ts"].astype(np.int64) + _EPOCH_2000, rows["value"].astype(np.float64), rows["quality"].astype(np.int16)
    )
