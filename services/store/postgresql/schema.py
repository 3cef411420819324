"""Tables and views of history in PostgreSQL (docs/formats/history.md).

With TimescaleDB ``sample`` and ``sample_text`` are hypertables with a columnstore; without it they are partitioned by month, and a month's partition
is made when its first sample comes. Everything else is the same.
"""

from collections.abc import Iterable
from typing import Final, LiteralString

from psycopg import Connection, sql

from plant.quality import Quality

SCHEMA_LOCK: Final = 0x4D6F6E61
"""Advisory lock under which the schema is made, so that two services may start at once."""

_TABLES: Final[LiteralString] = """
CREATE TABLE IF NOT EXISTS sample_revision (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, tag_id integer NOT NULL, ts timestamptz NOT NULL, revised_at timestamptz NOT NULL DEFAULT now(),
    old_value double precision, old_text text, old_quality smallint NOT NULL,
    new_value double precision, new_text text, new_quality smallint NOT NULL,
    "user" text NOT NULL DEFAULT '', reason text NOT NULL DEFAULT ''
);
CREATE INDEX IF NOT EXISTS sample_revision_of ON sample_revision (tag_id, ts);
CREATE TABLE IF NOT EXISTS snapshot (
    tag_id integer PRIMARY KEY, ts timestamptz NOT NULL, value double precision NOT NULL, quality smallint NOT NULL
) WITH (fillfactor = 50);
CREATE TABLE IF NOT EXISTS snapshot_text (
    tag_id integer PRIMARY KEY, ts timestamptz NOT NULL, value text NOT NULL, quality smallint NOT NULL
) WITH (fillfactor = 50);
CREATE TABLE IF NOT EXISTS position (
    device text PRIMARY KEY, epoch bigint NOT NULL, sequence bigint NOT NULL, last_time bigint NOT NULL
);
CREATE TABLE IF NOT EXISTS gap (
    device text NOT NULL, cause text NOT NULL, start_ts timestamptz NOT NULL, end_ts timestamptz, recovered boolean NOT NULL,
    PRIMARY KEY (device, cause, start_ts)
);
CREATE TABLE IF NOT EXISTS quality (code smallint PRIMARY KEY, name text NOT NULL, severity text NOT NULL);
"""

_HISTORY: Final[LiteralString] = """
CREATE TABLE IF NOT EXISTS sample (
    tag_id integer NOT NULL, ts timestamptz NOT NULL, value double precision NOT NULL, quality smallint NOT NULL, PRIMARY KEY (tag_id, ts)
) {partitions};
CREATE TABLE IF NOT EXISTS sample_text (
    tag_id integer NOT NULL, ts timestamptz NOT NULL, value text NOT NULL, quality smallint NOT NULL, PRIMARY KEY (tag_id, ts)
) {partitions};
"""

_VALUES: Final[LiteralString] = """
CREATE OR REPLACE VIEW {view} AS
    SELECT s.ts AS time, t.name AS tag, t.area, t.engineering_unit AS unit, s.value, s.quality,
        COALESCE(q.name, s.quality::text) AS quality_name, COALESCE(q.severity, CASE WHEN s.quality < 0 THEN 'Bad' ELSE 'Uncertain' END) AS severity
    FROM {table} s JOIN tag t ON t.id = s.tag_id LEFT JOIN quality q ON q.code = s.quality;
"""

_RECORDS: Final[LiteralString] = """
CREATE OR REPLACE VIEW gap_view AS
    SELECT start_ts AS time, end_ts AS end_time, device, cause, recovered, COALESCE(end_ts, now()) - start_ts AS duration FROM gap;
CREATE OR REPLACE VIEW event_view AS
    SELECT to_timestamp(time / 1e6) AS time, kind, subject, "user", detail FROM event;
"""

_HYPERTABLES: Final[LiteralString] = """
SELECT create_hypertable('sample', by_range('ts', INTERVAL '1 day'), if_not_exists => TRUE);
SELECT create_hypertable('sample_text', by_range('ts', INTERVAL '30 days'), if_not_exists => TRUE);
ALTER TABLE sample SET (timescaledb.enable_columnstore, timescaledb.segmentby = 'tag_id', timescaledb.orderby = 'ts');
CALL add_columnstore_policy('sample', after => INTERVAL '7 days', if_not_exists => TRUE);
"""

READER: Final = "monazite_reader"
"""Role that may read history and no account, where the database has it."""

_READABLE: Final = (
    "sample", "sample_text", "sample_revision", "snapshot", "snapshot_text", "gap", "event", "tag", "quality",
    "sample_view", "snapshot_view", "gap_view", "event_view",
)  # fmt: skip


def timescaledb_version(connection: Connection) -> str | None:
    """Version of TimescaleDB in this database, installing the extension if the server has it and the role may; ``None`` without it."""
    installed = connection.execute("SELECT extversion FROM pg_extension WHERE extname = 'timescaledb'").fetchone()
    if installed is not None:
        return str(installed[0])
    available = connection.execute(
        "SELECT default_version FROM pg_available_extensions WHERE name = 'timescaledb' "
        "AND current_setting('shared_preload_libraries') LIKE '%timescaledb%' AND (SELECT rolsuper FROM pg_roles WHERE rolname = current_user)"
    ).fetchone()
    if available is None:
        return None
    connection.execute("CREATE EXTENSION IF NOT EXISTS timescaledb")
    return str(available[0])


def make_tables(connection: Connection, *, timescaledb: bool) -> None:
    """Makes what is missing, in the caller's transaction. A history that is partitioned already stays so, whatever is installed later."""
    partitions = sql.SQL("" if timescaledb else "PARTITION BY RANGE (ts)")
    connection.execute(sql.SQL(_HISTORY).format(partitions=partitions))
    connection.execute(_TABLES)
    with connection.cursor() as cursor:
        cursor.executemany("INSERT INTO quality VALUES (%s, %s, %s) ON CONFLICT (code) DO NOTHING", [_row(quality) for quality in Quality])
    is_plain = connection.execute("SELECT relkind = 'r' FROM pg_class WHERE oid = 'sample'::regclass").fetchone() == (True,)
    if timescaledb and is_plain:
        connection.execute(_HYPERTABLES)


def make_views(connection: Connection) -> None:
    """Views for Grafana and analysts, and the reader's right to them. The tag and event tables must be there."""
    for table in ("sample", "snapshot"):
        connection.execute(sql.SQL(_VALUES).format(view=sql.Identifier(f"{table}_view"), table=sql.Identifier(table)))
    connection.execute(_RECORDS)
    if connection.execute("SELECT 1 FROM pg_roles WHERE rolname = %s", (READER,)).fetchone() is not None:
        relations = sql.SQL(", ").join(map(sql.Identifier, _READABLE))
        connection.execute(sql.SQL("GRANT SELECT ON {} TO {}").format(relations, sql.Identifier(READER)))


def is_partitioned(connection: Connection) -> bool:
    """Whether months need partitions made by us."""
    return connection.execute("SELECT relkind = 'p' FROM pg_class WHERE oid = 'sample'::regclass").fetchone() == (True,)


def make_partitions(connection: Connection, months: Iterable[str]) -> None:
    """Partitions of ``sample`` and ``sample_text`` for months ``YYYY-MM``."""
    for month in months:
        year, number = int(month[:-3]), int(month[-2:])
        following = f"{year + number // 12:04d}-{number % 12 + 1:02d}"
        upper = sql.SQL("MAXVALUE") if year + number // 12 > 9999 else sql.Literal(f"{following}-01 00:00:00+00")
        for table in ("sample", "sample_text"):
            connection.execute(
                sql.SQL("CREATE TABLE IF NOT EXISTS {} PARTITION OF {} FOR VALUES FROM ({}) TO ({})").format(
                    sql.Identifier(f"{table}_{month.replace('-', '_')}"), sql.Identifier(table), sql.Literal(f"{month}-01 00:00:00+00"), upper
                )
            )


def _row(quality: Quality) -> tuple[int, str, str]:
    return quality.value, quality.symbol, "Bad" if quality < 0 else "Uncertain" if quality >= Quality.UNCERTAIN else "Good"
