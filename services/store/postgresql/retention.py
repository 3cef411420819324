"""Dropping what is old and measuring what is there, inside a transaction of the caller."""

from collections.abc import Sequence
from typing import Final, LiteralString

from psycopg import Connection

from plant import times
from services.store.interface import HOUR
from services.store.postgresql.moments import moment_of
from services.store.postgresql.partitions import drop_partitions, end_of, ending_before, present_partitions
from services.store.postgresql.schema import Found

_HYPERTABLES: Final = ("sample", "sample_text", "roll_up_minute")
_DROP_CHUNKS: Final[LiteralString] = "SELECT drop_chunks(%s::text::regclass, older_than => %s::timestamptz)"
_OLDEST: Final[LiteralString] = "SELECT min(range_start) FROM timescaledb_information.chunks WHERE hypertable_name = 'sample'"
_HOLD: Final[LiteralString] = "SELECT kept_from FROM retention FOR UPDATE"
_FORGET: Final[LiteralString] = "DELETE FROM roll_up_due WHERE hour < %s"
_SIZE: Final[LiteralString] = """
    SELECT COALESCE(sum(pg_total_relation_size(oid)), 0)::bigint FROM pg_class
    WHERE relkind IN ('r', 'm') AND relnamespace IN (current_schema()::regnamespace, to_regnamespace('_timescaledb_internal'))
"""


def drop_old(connection: Connection, found: Found, time: int) -> Sequence[str]:
    """Drops what ends before ``time``; the names. Hours of it are due no more and never again: their samples are gone, and their roll-ups stay."""
    connection.execute(_HOLD)  # before any table, as who saves roll-ups does
    if found.timescaledb is None:
        old = ending_before(present_partitions(connection), times.to_datetime(time))
        names = drop_partitions(connection, old)
        end = max((times.from_datetime(moment) for moment in map(end_of, old) if moment is not None), default=None)
    else:
        tables = [*_HYPERTABLES, *(["sample_minute_aggregate"] if found.has_columnstore else [])]
        names = [str(row[0]) for table in tables for row in connection.execute(_DROP_CHUNKS, (table, moment_of(time))).fetchall()]
        (oldest,) = connection.execute(_OLDEST).fetchone() or (None,)
        end = None if not names else (time if oldest is None else min(time, times.from_datetime(oldest))) // HOUR * HOUR
    if end is not None:
        connection.execute("UPDATE retention SET kept_from = GREATEST(kept_from, %s)", (end,))
        connection.execute(_FORGET, (moment_of(end),))
    return names


def bytes_of(connection: Connection) -> int:
    """With indexes, and chunks that are compressed."""
    row = connection.execute(_SIZE).fetchone()
    return 0 if row is None else int(row[0])
