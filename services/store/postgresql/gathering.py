"""Columns of a query's rows, which the server gathers into one string of bytes each: one row comes back, and it is read without a loop.

A COPY to the client sends a message for each row, and reading them costs more than everything else; an array costs the server half as much again as a string.
Source: PostgreSQL documentation, "Binary String Functions": ``string_agg`` of ``bytea``; what ``int8send`` and its like give is big-endian.
"""

from collections.abc import Mapping, Sequence
from typing import Any, Final

import numpy as np
import numpy.typing as npt
from psycopg import Connection, sql

from plant.batch import SampleBatch
from services.store.postgresql.copying import times_of

MOMENT: Final = np.dtype("M8[us]")
"""The kind of a column of ``timestamptz``; it is read as int64 UTC microseconds."""

SAMPLE_COLUMNS: Final[Mapping[str, npt.DTypeLike]] = {"tag_id": np.int32, "ts": MOMENT, "value": np.float64, "quality": np.int16}
_SEND: Final = {
    np.dtype(np.int16): sql.SQL("int2send"),
    np.dtype(np.int32): sql.SQL("int4send"),
    np.dtype(np.int64): sql.SQL("int8send"),
    np.dtype(np.float64): sql.SQL("float8send"),
    MOMENT: sql.SQL("timestamptz_send"),
}


def gathered(columns: Mapping[str, npt.DTypeLike]) -> sql.Composed:
    """What to select of a relation for ``take_columns``: the columns by name and kind, in the order of its rows; none may hold a null."""
    each = sql.SQL("string_agg({}({}), '')")
    return sql.SQL(", ").join(each.format(_SEND[np.dtype(kind)], sql.Identifier(name)) for name, kind in columns.items())


def take_columns(result: Any, columns: Mapping[str, npt.DTypeLike], *, behind: int = 0) -> dict[str, npt.NDArray[Any]]:
    """The columns in the one row of a binary result, ``behind`` so many other fields."""
    return {name: _column(result.get_value(0, behind + number), np.dtype(kind)) for number, (name, kind) in enumerate(columns.items())}


def read_columns(
    connection: Connection, query: sql.Composable, parameters: Sequence[object], columns: Mapping[str, npt.DTypeLike], *, prepare: bool | None = None
) -> dict[str, npt.NDArray[Any]]:
    """The columns of ``query``. ``prepare``: False has it planned each time, for the values that are asked for; unsaid, the driver decides."""
    statement = sql.SQL("SELECT {} FROM ({}) AS rows").format(gathered(columns), query)
    with connection.cursor(binary=True) as cursor:
        cursor.execute(statement, parameters, prepare=prepare)
        return take_columns(cursor.pgresult, columns)


def read_samples(connection: Connection, query: sql.Composable, parameters: Sequence[object]) -> SampleBatch:
    """The batch of a query of ``tag_id, ts, value, quality``."""
    found = read_columns(connection, query, parameters, SAMPLE_COLUMNS)
    return SampleBatch(found["tag_id"], found["ts"], found["value"], found["quality"])


def _column(data: bytes | None, kind: np.dtype[Any]) -> npt.NDArray[Any]:
    """A string of nothing is null."""
    if kind == MOMENT:
        return times_of(np.frombuffer(data or b"", ">i8").astype(np.int64))
    return np.frombuffer(data or b"", kind.newbyteorder(">")).astype(kind)
