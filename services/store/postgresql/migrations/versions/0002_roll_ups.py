"""Edits and deletions as revisions, hours that are due, roll-ups, and the views of minutes and hours."""

from alembic import op

revision = "0002"
down_revision = "0001"

_REVISIONS = """
ALTER TABLE sample_revision ALTER COLUMN old_quality DROP NOT NULL, ALTER COLUMN new_quality DROP NOT NULL;
CREATE TABLE roll_up_due (
    tag_id integer NOT NULL, hour timestamptz NOT NULL,
    due boolean NOT NULL DEFAULT TRUE, taken boolean NOT NULL DEFAULT FALSE, thinned boolean NOT NULL DEFAULT FALSE, PRIMARY KEY (tag_id, hour)
) WITH (fillfactor = 70);
CREATE INDEX roll_up_due_next ON roll_up_due (hour, tag_id) WHERE due AND NOT taken
"""

_SUMMARIES = """
    tag_id integer NOT NULL, ts timestamptz NOT NULL,
    first_time bigint NOT NULL, first_value double precision NOT NULL, first_quality smallint NOT NULL,
    last_time bigint NOT NULL, last_value double precision NOT NULL, last_quality smallint NOT NULL,
    first_usable_time bigint NOT NULL, first_usable_value double precision NOT NULL,
    last_usable_time bigint NOT NULL, last_usable_value double precision NOT NULL,
    good_count bigint NOT NULL, uncertain_count bigint NOT NULL, bad_count bigint NOT NULL, mean double precision NOT NULL, squares double precision NOT NULL,
    minimum double precision NOT NULL, minimum_time bigint NOT NULL, maximum double precision NOT NULL, maximum_time bigint NOT NULL,
    good_duration bigint NOT NULL, uncertain_duration bigint NOT NULL, firm_duration bigint NOT NULL, zero_duration bigint NOT NULL,
    integral double precision NOT NULL, line_integral double precision NOT NULL, transitions bigint NOT NULL, worst_quality smallint NOT NULL,
    bad_time bigint NOT NULL, PRIMARY KEY (tag_id, ts)
"""

_ROLL_UPS = """
CREATE TABLE roll_up_minute ({summaries}) {partitions};
CREATE TABLE roll_up_hour ({summaries})
"""

_PARTITIONS = """
SELECT 'CREATE TABLE ' || replace(c.relname, 'sample', 'roll_up_minute') || ' PARTITION OF roll_up_minute ' || pg_get_expr(c.relpartbound, c.oid)
    FROM pg_inherits i JOIN pg_class c ON c.oid = i.inhrelid WHERE i.inhparent = 'sample'::regclass
"""

_HYPERTABLES = """
SELECT create_hypertable('roll_up_minute', by_range('ts', INTERVAL '7 days'));
SELECT create_hypertable('roll_up_hour', by_range('ts', INTERVAL '90 days'))
"""

_GOOD = "quality BETWEEN 0 AND 16383 AND value > '-Infinity' AND value < 'Infinity'"  # NaN is greater than all
_AGGREGATES = """
CREATE MATERIALIZED VIEW sample_minute_aggregate WITH (timescaledb.continuous, timescaledb.materialized_only = FALSE) AS
    SELECT tag_id, time_bucket(INTERVAL '1 minute', ts) AS time, count(*) AS count,
        count(*) FILTER (WHERE {good}) AS good,
        min(value) FILTER (WHERE {good}) AS minimum, max(value) FILTER (WHERE {good}) AS maximum,
        sum(value) FILTER (WHERE {good}) AS total,
        first(value, ts) FILTER (WHERE {good}) AS first, last(value, ts) FILTER (WHERE {good}) AS last
    FROM sample GROUP BY 1, 2 WITH NO DATA;
CREATE MATERIALIZED VIEW sample_hour_aggregate WITH (timescaledb.continuous, timescaledb.materialized_only = FALSE) AS
    SELECT tag_id, time_bucket(INTERVAL '1 hour', time) AS time, sum(count)::bigint AS count, sum(good)::bigint AS good,
        min(minimum) AS minimum, max(maximum) AS maximum, sum(total) AS total,
        first(first, time) FILTER (WHERE good > 0) AS first, last(last, time) FILTER (WHERE good > 0) AS last
    FROM sample_minute_aggregate GROUP BY 1, 2 WITH NO DATA;
ALTER MATERIALIZED VIEW sample_minute_aggregate SET (timescaledb.enable_columnstore, timescaledb.segmentby = 'tag_id', timescaledb.orderby = 'time');
ALTER MATERIALIZED VIEW sample_hour_aggregate SET (timescaledb.enable_columnstore, timescaledb.segmentby = 'tag_id', timescaledb.orderby = 'time');
SELECT add_continuous_aggregate_policy('sample_minute_aggregate', start_offset => INTERVAL '12 hours', end_offset => INTERVAL '1 minute',
    schedule_interval => INTERVAL '5 minutes');
SELECT add_continuous_aggregate_policy('sample_hour_aggregate', start_offset => INTERVAL '12 hours', end_offset => INTERVAL '1 hour',
    schedule_interval => INTERVAL '30 minutes');
CALL add_columnstore_policy('sample_minute_aggregate', after => INTERVAL '7 days');
CALL add_columnstore_policy('sample_hour_aggregate', after => INTERVAL '90 days');
CREATE TABLE aggregate_due (start_ts timestamptz NOT NULL, end_ts timestamptz NOT NULL, PRIMARY KEY (start_ts, end_ts));
INSERT INTO aggregate_due SELECT range_start, range_end FROM timescaledb_information.chunks WHERE hypertable_name = 'sample' AND range_end < now()
"""

_COLUMNSTORE_OF_SAMPLES = "ALTER TABLE sample SET (timescaledb.enable_columnstore, timescaledb.segmentby = 'tag_id', timescaledb.orderby = 'ts')"
_HAS_COLUMNSTORE = "SELECT compression_enabled FROM timescaledb_information.hypertables WHERE hypertable_name = 'sample'"
_COLUMNSTORE = """
ALTER TABLE roll_up_minute SET (timescaledb.enable_columnstore, timescaledb.segmentby = 'tag_id', timescaledb.orderby = 'ts');
ALTER TABLE roll_up_hour SET (timescaledb.enable_columnstore, timescaledb.segmentby = 'tag_id', timescaledb.orderby = 'ts');
CALL add_columnstore_policy('roll_up_hour', after => INTERVAL '90 days')
"""

_VIEW_OF_AGGREGATE = """
CREATE VIEW sample_{bucket} AS
    SELECT a.time, t.name AS tag, t.area, t.engineering_unit AS unit, a.minimum, a.maximum, a.total / NULLIF(a.good, 0) AS average, a.first, a.last,
        a.count, a.good, 100.0::double precision * a.good / a.count AS percent_good
    FROM sample_{bucket}_aggregate a JOIN tag t ON t.id = a.tag_id
"""

_VIEW_OF_ROLL_UP = """
CREATE VIEW sample_{bucket} AS
    SELECT r.ts AS time, t.name AS tag, t.area, t.engineering_unit AS unit, NULLIF(r.minimum, 'NaN') AS minimum, NULLIF(r.maximum, 'NaN') AS maximum,
        CASE WHEN r.good_count > 0 THEN r.mean END AS average,
        CASE WHEN r.good_count > 0 THEN r.first_usable_value END AS first, CASE WHEN r.good_count > 0 THEN r.last_usable_value END AS last,
        r.good_count + r.uncertain_count + r.bad_count AS count, r.good_count AS good,
        100.0::double precision * r.good_count / NULLIF(r.good_count + r.uncertain_count + r.bad_count, 0) AS percent_good
    FROM roll_up_{bucket} r JOIN tag t ON t.id = r.tag_id
"""


def upgrade() -> None:
    bind = op.get_bind()
    op.execute(_REVISIONS)
    is_partitioned = bind.exec_driver_sql("SELECT relkind = 'p' FROM pg_class WHERE oid = 'sample'::regclass").scalar()
    op.execute(_ROLL_UPS.format(summaries=_SUMMARIES, partitions="PARTITION BY RANGE (ts)" if is_partitioned else ""))
    has_aggregates = False
    if is_partitioned:
        for statement in bind.exec_driver_sql(_PARTITIONS).scalars().all():
            bind.exec_driver_sql(statement)
    else:
        op.execute(_HYPERTABLES)
        # The free edition of TimescaleDB has hypertables only: the rest is under the Timescale licence.
        has_aggregates = bind.exec_driver_sql("SELECT current_setting('timescaledb.license')").scalar() == "timescale"
    if has_aggregates:
        if not bind.exec_driver_sql(_HAS_COLUMNSTORE).scalar():
            op.execute(_COLUMNSTORE_OF_SAMPLES)
        op.execute(_COLUMNSTORE)
        op.execute(_AGGREGATES.format(good=_GOOD))
    for bucket in ("minute", "hour"):
        op.execute((_VIEW_OF_AGGREGATE if has_aggregates else _VIEW_OF_ROLL_UP).format(bucket=bucket))
