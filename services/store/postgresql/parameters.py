"""Columns as parameters of a statement: binary arrays for ``unnest``, made without a loop. The planner knows how many rows they are, no table is made.

Source: PostgreSQL sources, ``array_recv`` (src/backend/utils/adt/arrayfuncs.c); object ids of types: pg_type.dat.
"""

from struct import pack
from typing import Any, ClassVar, Final

import numpy as np
import numpy.typing as npt
import psycopg
from psycopg.adapt import Dumper
from psycopg.pq import Format

from plant.batch import Int64Column, SampleBatch
from services.store.postgresql.copying import moments


class ArrayParameter:
    """A column, encoded; made by the functions below."""

    array_oid: ClassVar[int]
    element_oid: ClassVar[int]

    def __init__(self, column: npt.NDArray[Any]) -> None:
        elements = np.empty(len(column), np.dtype([("length", ">i4"), ("value", column.dtype.newbyteorder(">"))]))
        elements["length"] = column.dtype.itemsize
        elements["value"] = column
        header = pack(">iiIii", 1, 0, self.element_oid, len(column), 1) if len(column) else pack(">iiI", 0, 0, self.element_oid)
        self.data = header + elements.tobytes()


class _Smallints(ArrayParameter):
    array_oid, element_oid = 1005, 21


class _Integers(ArrayParameter):
    array_oid, element_oid = 1007, 23


class _Doubles(ArrayParameter):
    array_oid, element_oid = 1022, 701


class _Moments(ArrayParameter):
    array_oid, element_oid = 1185, 1184


class _ArrayDumper(Dumper):
    format = Format.BINARY

    def dump(self, obj: ArrayParameter) -> bytes:
        return obj.data


_KINDS: Final = {np.dtype(np.int16): _Smallints, np.dtype(np.int32): _Integers, np.dtype(np.float64): _Doubles}

for _kind in (_Smallints, _Integers, _Doubles, _Moments):
    psycopg.adapters.register_dumper(_kind, type(f"{_kind.__name__}Dumper", (_ArrayDumper,), {"oid": _kind.array_oid}))


def array_of(column: npt.NDArray[Any]) -> ArrayParameter:
    """An array of ``smallint``, ``integer`` or ``double precision`` from int16, int32 or float64."""
    return _KINDS[column.dtype](column)


def moments_of(time: Int64Column) -> ArrayParameter:
    """An array of ``timestamptz`` from UTC microseconds."""
    return _Moments(moments(time))


def arrays_of(batch: SampleBatch) -> list[ArrayParameter]:
    """The four columns of a batch."""
    return [array_of(batch.tag_id), moments_of(batch.time), array_of(batch.value), array_of(batch.quality)]
