"""TimescaleDB's continuous aggregates, which SQL reads as ``sample_minute`` and ``sample_hour``, kept right where their policies do not look.

A policy refreshes what changed within the last twelve hours. An hour that is rolled up later than that had late samples, or corrected ones: it goes into
``aggregate_due`` with its roll-ups, and is refreshed once they are committed, since a refresh commits by itself.
"""

from typing import Final, LiteralString

import numpy as np
from psycopg import Connection
from psycopg.errors import LockNotAvailable, ObjectInUse, QueryCanceled

from plant import times
from plant.batch import Int64Column
from services.store.interface import HOUR
from services.store.postgresql.parameters import moments_of

_POLICY: Final = 11 * HOUR
"""An hour less than the policies' window, so that no hour falls between."""

_AT_ONCE: Final = 24
"""Windows refreshed in one go; what is left waits for the next."""

_LONGEST: Final = 24 * HOUR

_BUSY: Final = (LockNotAvailable, ObjectInUse, QueryCanceled)
_ADD: Final[LiteralString] = (
    "INSERT INTO aggregate_due SELECT * FROM unnest(%s::timestamptz[], %s::timestamptz[]) AS windows (start_ts, end_ts) ON CONFLICT DO NOTHING"
)
_NEXT: Final[LiteralString] = "SELECT start_ts, end_ts FROM aggregate_due ORDER BY start_ts LIMIT %s"
_DONE: Final[LiteralString] = "DELETE FROM aggregate_due WHERE start_ts = %s AND end_ts = %s"


def windows_of(hour: Int64Column, now: int) -> tuple[Int64Column, Int64Column]:
    """Begins and ends of the runs of hours that no policy refreshes any more, of a day at most; ``hour`` int64, UTC microseconds, in any order."""
    hours = np.unique(hour[hour < now - _POLICY])
    if not len(hours):
        return hours, hours
    breaks = np.flatnonzero((np.diff(hours) != HOUR) | (hours[1:] // _LONGEST != hours[:-1] // _LONGEST)) + 1
    return hours[np.concatenate([[0], breaks])], hours[np.concatenate([breaks - 1, [len(hours) - 1]])] + HOUR


def want_refresh(connection: Connection, hour: Int64Column) -> None:
    """In the transaction that saves the roll-ups of these hours."""
    start, end = windows_of(hour, times.now())
    if len(start):
        connection.execute(_ADD, [moments_of(start), moments_of(end)])


def refresh(connection: Connection) -> None:
    """Refreshes some of what is due, on a connection without a transaction. A policy that refreshes just now is left to end: the window stays due."""
    for start, end in connection.execute(_NEXT, (_AT_ONCE,)).fetchall():
        try:
            for view in ("sample_minute_aggregate", "sample_hour_aggregate"):
                connection.execute("CALL refresh_continuous_aggregate(%s::text::regclass, %s::timestamptz, %s::timestamptz)", (view, start, end))
        except _BUSY:
            continue
        connection.execute(_DONE, (start, end))
