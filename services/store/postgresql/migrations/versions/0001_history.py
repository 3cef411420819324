"""The schema as it was before there were scripts; what is there already is left alone."""

from alembic import op

revision = "0001"
down_revision = None

_TABLES = """
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
CREATE TABLE IF NOT EXISTS tag (
    id integer NOT NULL PRIMARY KEY, name varchar NOT NULL UNIQUE, area varchar NOT NULL, unit varchar NOT NULL, description text NOT NULL,
    data_type varchar NOT NULL, engineering_unit varchar NOT NULL, eu_low double precision, eu_high double precision, stepped boolean NOT NULL,
    device varchar NOT NULL
);
CREATE TABLE IF NOT EXISTS event (
    id varchar NOT NULL PRIMARY KEY, time bigint NOT NULL, kind varchar NOT NULL, subject varchar NOT NULL, "user" varchar NOT NULL, detail text NOT NULL
);
CREATE INDEX IF NOT EXISTS ix_event_time ON event (time);
CREATE TABLE IF NOT EXISTS account (name varchar NOT NULL PRIMARY KEY, password_hash varchar NOT NULL, role varchar NOT NULL)
"""

_HISTORY = """
CREATE TABLE IF NOT EXISTS sample (
    tag_id integer NOT NULL, ts timestamptz NOT NULL, value double precision NOT NULL, quality smallint NOT NULL, PRIMARY KEY (tag_id, ts)
) {partitions};
CREATE TABLE IF NOT EXISTS sample_text (
    tag_id integer NOT NULL, ts timestamptz NOT NULL, value text NOT NULL, quality smallint NOT NULL, PRIMARY KEY (tag_id, ts)
) {partitions}
"""

_HYPERTABLES = """
SELECT create_hypertable('sample', by_range('ts', INTERVAL '1 day'), if_not_exists => TRUE);
SELECT create_hypertable('sample_text', by_range('ts', INTERVAL '30 days'), if_not_exists => TRUE)
"""

_VIEWS = """
CREATE OR REPLACE VIEW sample_view AS
    SELECT s.ts AS time, t.name AS tag, t.area, t.engineering_unit AS unit, s.value, s.quality,
        COALESCE(q.name, s.quality::text) AS quality_name, COALESCE(q.severity, CASE WHEN s.quality < 0 THEN 'Bad' ELSE 'Uncertain' END) AS severity
    FROM sample s JOIN tag t ON t.id = s.tag_id LEFT JOIN quality q ON q.code = s.quality;
CREATE OR REPLACE VIEW snapshot_view AS
    SELECT s.ts AS time, t.name AS tag, t.area, t.engineering_unit AS unit, s.value, s.quality,
        COALESCE(q.name, s.quality::text) AS quality_name, COALESCE(q.severity, CASE WHEN s.quality < 0 THEN 'Bad' ELSE 'Uncertain' END) AS severity
    FROM snapshot s JOIN tag t ON t.id = s.tag_id LEFT JOIN quality q ON q.code = s.quality;
CREATE OR REPLACE VIEW gap_view AS
    SELECT start_ts AS time, end_ts AS end_time, device, cause, recovered, COALESCE(end_ts, now()) - start_ts AS duration FROM gap;
CREATE OR REPLACE VIEW event_view AS
    SELECT to_timestamp(time / 1e6) AS time, kind, subject, "user", detail FROM event
"""


def upgrade() -> None:
    timescaledb = op.get_bind().exec_driver_sql("SELECT 1 FROM pg_extension WHERE extname = 'timescaledb'").first() is not None
    op.execute(_HISTORY.format(partitions="" if timescaledb else "PARTITION BY RANGE (ts)"))
    op.execute(_TABLES)
    if timescaledb and op.get_bind().exec_driver_sql("SELECT relkind = 'r' FROM pg_class WHERE oid = 'sample'::regclass").scalar():
        op.execute(_HYPERTABLES)
    op.execute(_VIEWS)
