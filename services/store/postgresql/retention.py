"""Dropping what is old and measuring what is there, inside a transaction of the caller."""

from collections.abc import Sequence
from typing import Final, LiteralString

from psycopg import Connection

from plant import times
from services.store.postgresql.moments import moment_of
from services.store.postgresql.partitions import drop_partitions, end_of, ending_before, present_partitions
from services.store.postgresql.schema import Found

_HYPERTABLES: Final = ("sample", "sample_text", "roll_up_minute")
_DROP_CHUNKS: Final[LiteralString] = "SELECT drop_chunks(%s::text::regclass, older_than => %s::timestamptz)"
_OLDEST: Final[LiteralString] = "SELECT min(range_start) FROM timescaledb_information.chunks WHERE hypertable_name = 'sample'"
_FORGET: Final[LiteralString] = "DELETE FROM roll_up_due WHERE hour < %s"
_SIZE: Final[LiteralString] = """
    SELECT COALESCE(sum(pg_total_relation_size(oid)), 0)::bigint FROM pg_class
    WHERE relkind IN ('r', 'm') AND relnamespace IN (current_schema()::regnamespace, to_regnamespace('_timescaledb_internal'))
"""


def drop_old(connection: Connection, found: Found, time: int) -> Sequence[str]:
    """Drops what ends before ``time``; the names. Hours of it that are due are due no more: their samples are gone, and their roll-ups stay."""
    if found.timescaledb is None:
        old = ending_before(present_partitions(connection), times.to_datetime(time))
        names = drop_partitions(connection, old)
        if old:
            connection.execute(_FORGET, (end_of(old[-1]),))
        return names
    tables = [*_HYPERTABLES, *(["sample_minute_aggregate"] if found.has_columnstore else [])]
    names = [str(row[0]) for table in tables for row in connection.execute(_DROP_CHUNKS, (table, moment_of(time))).fetchall()]
    (oldest,) = connection.execute(_OLDEST).fetchone() or (None,)
    connection.execute(_FORGET, (moment_of(time) if oldest is None else oldest,))
    return names


def bytes_of(connection: Connection) -> int:
    """With indexes, and chunks that are compressed."""
    row = connection.execute(_SIZE).fetchone()
    return 0 if row is None else int(row[0])
