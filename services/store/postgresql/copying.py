"""The binary COPY format from columns, without a loop over rows.

Source: PostgreSQL documentation, COPY, "Binary Format": a signature, then for each row a field count and each field's length and value, big-endian.
A ``timestamptz`` is microseconds since 2000-01-01.
"""

from collections.abc import Sequence
from functools import cache
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from plant.batch import Int64Column, SampleBatch

_SIGNATURE: Final = b"PGCOPY\n\xff\r\n\0" + bytes(8)
_TRAILER: Final = b"\xff\xff"
_EPOCH_2000: Final = 946_684_800_000_000


def to_copy(columns: Sequence[npt.NDArray[Any]]) -> bytes:
    """Bytes for ``COPY … FROM STDIN (FORMAT BINARY)`` of columns of one length; the type of each is that of the table's column, times are ``moments``."""
    layout = _row_of(tuple(column.dtype.str for column in columns))
    rows = np.empty(len(columns[0]), layout)
    rows["fields"] = len(columns)
    for number, column in enumerate(columns):
        rows[f"length{number}"] = column.dtype.itemsize
        rows[f"value{number}"] = column
    return _SIGNATURE + rows.tobytes() + _TRAILER


def moments(time: Int64Column) -> Int64Column:
    """Times as a ``timestamptz`` has them."""
    return time - _EPOCH_2000


def times_of(moment: Int64Column) -> Int64Column:
    """UTC microseconds of what a ``timestamptz`` has."""
    return moment + _EPOCH_2000


def samples_to_copy(batch: SampleBatch) -> bytes:
    """Bytes for ``COPY … (tag_id, ts, value, quality) FROM STDIN (FORMAT BINARY)``."""
    return to_copy([batch.tag_id, moments(batch.time), batch.value, batch.quality])


@cache
def _row_of(types: tuple[str, ...]) -> np.dtype[np.void]:
    fields: list[tuple[str, Any]] = [("fields", ">i2")]
    for number, name in enumerate(types):
        fields += [(f"length{number}", ">i4"), (f"value{number}", np.dtype(name).newbyteorder(">"))]
    return np.dtype(fields)
