"""Columns of a query's rows, which the server gathers with ``array_agg``: one row comes back, and it is read without a loop.

A COPY to the client sends a message for each row, and reading them costs more than everything else.
Source: PostgreSQL sources, ``array_send`` (src/backend/utils/adt/arrayfuncs.c): dimensions, null flag, element type, length and lower bound, then for each
element its length and value, big-endian.
"""

from collections.abc import Mapping, Sequence
from typing import Any, Final

import numpy as np
import numpy.typing as npt
from psycopg import Connection, sql

from plant.batch import SampleBatch
from services.store.postgresql.copying import times_of

_HEADER: Final = 20
SAMPLE_COLUMNS: Final[Mapping[str, npt.DTypeLike]] = {"tag_id": np.int32, "ts": np.int64, "value": np.float64, "quality": np.int16}


def read_columns(connection: Connection, query: sql.Composable, parameters: Sequence[object], columns: Mapping[str, npt.DTypeLike]) -> list[npt.NDArray[Any]]:
    """The named columns of ``query``, in its order; none may hold a null, and ``timestamptz`` comes as ``copying.moments``."""
    gathered = sql.SQL(", ").join(sql.SQL("array_agg({})").format(sql.Identifier(name)) for name in columns)
    statement = sql.SQL("SELECT {} FROM ({}) AS rows").format(gathered, query)
    with connection.cursor(binary=True) as cursor:
        cursor.execute(statement, parameters)
        return take_columns(cursor.pgresult, columns)


def take_columns(result: Any, columns: Mapping[str, npt.DTypeLike]) -> list[npt.NDArray[Any]]:
    """The arrays in the one row of a binary result."""
    return [_column(result.get_value(0, number), np.dtype(kind)) for number, kind in enumerate(columns.values())]


def read_samples(connection: Connection, query: sql.Composable, parameters: Sequence[object]) -> SampleBatch:
    """The batch of a query of ``tag_id, ts, value, quality``."""
    tag_id, moment, value, quality = read_columns(connection, query, parameters, SAMPLE_COLUMNS)
    return SampleBatch(tag_id, times_of(moment), value, quality)


def _column(data: bytes | None, kind: np.dtype[Any]) -> npt.NDArray[Any]:
    if data is None:
        return np.empty(0, kind)
    element = np.dtype([("length", ">i4"), ("value", kind.newbyteorder(">"))])
    return np.frombuffer(data, element, offset=_HEADER)["value"].astype(kind)
