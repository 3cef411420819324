"""Samples in many short spans of time, such as the minutes that edges of intervals cut out of a month."""

from collections.abc import Iterator
from itertools import pairwise
from typing import Final, LiteralString

import numpy as np
from psycopg import Connection, sql

from plant.batch import Int64Column, SampleBatch
from services.store.postgresql.gathering import MOMENT, SAMPLE_COLUMNS, read_columns
from services.store.postgresql.moments import moment_of
from services.store.postgresql.parameters import moments_of

_SPANS: Final[LiteralString] = """
    SELECT found.* FROM unnest(%s::timestamptz[], %s::timestamptz[]) AS spans (start_ts, end_ts)
    CROSS JOIN LATERAL (
        SELECT ts, value, quality FROM sample
        WHERE tag_id = %s AND ts >= start_ts AND ts < end_ts AND ts >= %s AND ts < %s ORDER BY ts OFFSET 0
    ) found LIMIT %s
"""
"""``OFFSET 0`` keeps the two apart: span after span, each in order of time. With the outer bounds no other partition or chunk is looked at,
if the planner knows their values: a plan that is kept for any values looks at all of them, for each span."""

_COLUMNS: Final = {name: kind for name, kind in SAMPLE_COLUMNS.items() if name != "tag_id"}
_CHUNK_ENDS: Final[LiteralString] = (
    "SELECT range_end FROM timescaledb_information.chunks WHERE hypertable_name = 'sample' AND range_end > %s AND range_end < %s ORDER BY range_end"
)
_MANY: Final = 64
"""From so many spans on it pays to ask where chunks end."""

_A_PIECE: Final = 32
"""Spans that are worth a query of their own."""


def read_spans(connection: Connection, tag_id: int, start: Int64Column, end: Int64Column, page: int, *, is_chunked: bool) -> Iterator[SampleBatch]:
    """Samples with ``start[i] <= time < end[i]``, spans disjoint and ascending, at most ``page`` a batch, in the caller's transaction. ``is_chunked``: they
    are in chunks of TimescaleDB, each span of a query looks at every chunk of that query, and so a query keeps to one chunk where it can."""
    ends = _chunk_ends(connection, int(start[0]), int(end[-1])) if is_chunked and len(start) >= _MANY else start[:0]
    borders = [0, *_borders(np.searchsorted(start, ends).tolist(), len(start)), len(start)]
    for first, behind in pairwise(borders):
        yield from _pages(connection, tag_id, start[first:behind], end[first:behind], page)


def _chunk_ends(connection: Connection, start: int, end: int) -> Int64Column:
    found: Int64Column = read_columns(connection, sql.SQL(_CHUNK_ENDS), (moment_of(start), moment_of(end)), {"range_end": MOMENT})["range_end"]
    return found


def _borders(ends: list[int], count: int) -> list[int]:
    """Those numbers of spans at which a chunk ends that leave enough on both sides."""
    borders: list[int] = []
    last = 0
    for border in ends:
        if border - last >= _A_PIECE and count - border >= _A_PIECE:
            borders.append(border)
            last = border
    return borders


def _pages(connection: Connection, tag_id: int, start: Int64Column, end: Int64Column, size: int) -> Iterator[SampleBatch]:
    query = sql.SQL(_SPANS)
    while len(start):
        bounds = moment_of(int(start[0])), moment_of(int(end[-1]))
        found = read_columns(connection, query, (moments_of(start), moments_of(end), tag_id, *bounds, size), _COLUMNS, prepare=False)
        time = found["ts"]
        if len(time):
            yield SampleBatch(np.full(len(time), tag_id, np.int32), time, found["value"], found["quality"])
        if len(time) < size:
            return
        left = end > time[-1] + 1
        start, end = np.maximum(start[left], time[-1] + 1), end[left]
