"""What the database is, and bringing it to what this program needs (docs/formats/history.md).

With TimescaleDB the tables of history are hypertables with a columnstore; without it they are partitioned by month or day, and a partition is made when
its first sample comes. A history stays what it was made as, whatever is installed later. The tables and views are made by ``migrations``.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Final

from psycopg import Connection, sql
from sqlalchemy import Connection as AlchemyConnection

from plant.quality import UNCERTAIN_FLOOR, Quality
from plant.tag import Tag
from services.store.migration import upgrade
from services.store.postgresql.due import take_back
from services.store.postgresql.sizing import Sizing, rate_of, sizing_of

SCHEMA_LOCK: Final = 0x4D6F6E61
"""Advisory lock under which the schema is made, so that two services may start at once."""

SCRIPTS: Final = Path(__file__).parent / "migrations"

READER: Final = "monazite_reader"
"""Role that may read history and no account, where the database has it."""

_READABLE: Final = (
    "sample", "sample_text", "sample_revision", "snapshot", "snapshot_text", "gap", "event", "tag", "quality", "roll_up_minute", "roll_up_hour",
    "sample_view", "snapshot_view", "gap_view", "event_view", "sample_minute", "sample_hour",
)  # fmt: skip

_TIMESCALEDB_ROWS: Final = {"sample": 1.0, "roll_up_minute": 60.0}
"""Hypertables whose chunks follow the rate of the plant, and the samples that one of their rows stands for at a scan each second."""


@dataclass(frozen=True, slots=True)
class Found:
    """What the database is. ``timescaledb`` is its version, ``None`` where history is in native partitions; ``has_columnstore`` with what goes with it:
    compression and continuous aggregates, which its free edition lacks."""

    version: str
    timescaledb: str | None
    has_columnstore: bool
    sizing: Sizing

    @property
    def features(self) -> dict[str, str]:
        chunk = str(self.sizing.chunk) if self.timescaledb else "1 day" if self.sizing.is_daily else "1 month"
        return {
            "product": "PostgreSQL",
            "version": self.version,
            "timescaledb": self.timescaledb or "none",
            "columnstore": f"after {self.sizing.compress_after}" if self.has_columnstore else "none",
            "roll-ups": "minutes and hours; SQL reads continuous aggregates" if self.has_columnstore else "minutes and hours",
            "chunk": chunk,
        }


def bring_up(connection: AlchemyConnection, driver: Connection, tags: Sequence[Tag], name: str) -> Found:
    """Brings the schema and its settings to what this program and these tags need, in the caller's transaction, and makes due what was in hand.

    ``driver`` is the same connection as psycopg has it; ``name`` is the database's, for errors.

    Raises:
        ConfigurationError: the schema is a newer program's.
    """
    driver.execute("SET LOCAL lock_timeout = '60s'")
    driver.execute("SELECT pg_advisory_xact_lock(%s)", (SCHEMA_LOCK,))
    _install_timescaledb(driver)
    upgrade(connection, SCRIPTS, name)
    with driver.cursor() as cursor:
        cursor.executemany("INSERT INTO quality VALUES (%s, %s, %s) ON CONFLICT (code) DO NOTHING", [_row(quality) for quality in Quality])
    found = look(driver, sizing_of(rate_of(tags)))
    if found.timescaledb is not None:
        _set_chunks(driver, found, rate_of(tags))
    _grant(driver)
    take_back(driver)
    return found


def _install_timescaledb(connection: Connection) -> None:
    """If the server has it, the role may, and there is no history yet."""
    available = connection.execute(
        "SELECT 1 FROM pg_available_extensions WHERE name = 'timescaledb' AND installed_version IS NULL AND to_regclass('sample') IS NULL "
        "AND current_setting('shared_preload_libraries') LIKE '%timescaledb%' AND (SELECT rolsuper FROM pg_roles WHERE rolname = current_user)"
    ).fetchone()
    if available is not None:
        connection.execute("CREATE EXTENSION IF NOT EXISTS timescaledb")


def look(connection: Connection, sizing: Sizing) -> Found:
    """What a database is that was brought up."""
    version = str(connection.info.parameter_status("server_version"))
    if connection.execute("SELECT relkind = 'p' FROM pg_class WHERE oid = 'sample'::regclass").fetchone() == (True,):
        return Found(version, None, False, sizing)
    row = connection.execute("SELECT extversion FROM pg_extension WHERE extname = 'timescaledb'").fetchone()
    has_columnstore = connection.execute("SELECT to_regclass('sample_minute_aggregate') IS NOT NULL").fetchone() == (True,)
    return Found(version, None if row is None else str(row[0]), has_columnstore, sizing)


def _set_chunks(connection: Connection, found: Found, rate: float) -> None:
    """Chunks that are there keep the time they cover; the next one is cut anew."""
    for table, samples in _TIMESCALEDB_ROWS.items():
        sizing = sizing_of(rate / samples)
        now = connection.execute("SELECT time_interval FROM timescaledb_information.dimensions WHERE hypertable_name = %s", (table,)).fetchone()
        if now != (sizing.chunk,):
            connection.execute("SELECT set_chunk_time_interval(%s::text::regclass, %s::interval)", (table, sizing.chunk))
        if found.has_columnstore:
            _set_columnstore(connection, table, sizing.compress_after)


def _set_columnstore(connection: Connection, table: str, after: timedelta) -> None:
    now = connection.execute(
        "SELECT (config ->> 'compress_after')::interval FROM timescaledb_information.jobs WHERE proc_name = 'policy_compression' AND hypertable_name = %s",
        (table,),
    ).fetchone()
    if now == (after,):
        return
    statement = sql.SQL("CALL remove_columnstore_policy({table}, if_exists => TRUE); CALL add_columnstore_policy({table}, after => {after}::interval)")
    connection.execute(statement.format(table=sql.Literal(table), after=sql.Literal(f"{after // timedelta(seconds=1)} seconds")))


def _grant(connection: Connection) -> None:
    if connection.execute("SELECT 1 FROM pg_roles WHERE rolname = %s", (READER,)).fetchone() is not None:
        relations = sql.SQL(", ").join(map(sql.Identifier, _READABLE))
        connection.execute(sql.SQL("GRANT SELECT ON {} TO {}").format(relations, sql.Identifier(READER)))


def _row(quality: Quality) -> tuple[int, str, str]:
    return quality.value, quality.symbol, "Bad" if quality < 0 else "Uncertain" if quality >= UNCERTAIN_FLOOR else "Good"
