-- A database as version 0.2.0 made it on PostgreSQL without TimescaleDB, before there were scripts, with something in every table.
CREATE TABLE sample (
    tag_id integer NOT NULL, ts timestamptz NOT NULL, value double precision NOT NULL, quality smallint NOT NULL, PRIMARY KEY (tag_id, ts)
) PARTITION BY RANGE (ts);
CREATE TABLE sample_text (
    tag_id integer NOT NULL, ts timestamptz NOT NULL, value text NOT NULL, quality smallint NOT NULL, PRIMARY KEY (tag_id, ts)
) PARTITION BY RANGE (ts);
CREATE TABLE sample_revision (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, tag_id integer NOT NULL, ts timestamptz NOT NULL, revised_at timestamptz NOT NULL DEFAULT now(),
    old_value double precision, old_text text, old_quality smallint NOT NULL,
    new_value double precision, new_text text, new_quality smallint NOT NULL,
    "user" text NOT NULL DEFAULT '', reason text NOT NULL DEFAULT ''
);
CREATE INDEX sample_revision_of ON sample_revision (tag_id, ts);
CREATE TABLE snapshot (
    tag_id integer PRIMARY KEY, ts timestamptz NOT NULL, value double precision NOT NULL, quality smallint NOT NULL
) WITH (fillfactor = 50);
CREATE TABLE snapshot_text (
    tag_id integer PRIMARY KEY, ts timestamptz NOT NULL, value text NOT NULL, quality smallint NOT NULL
) WITH (fillfactor = 50);
CREATE TABLE position (device text PRIMARY KEY, epoch bigint NOT NULL, sequence bigint NOT NULL, last_time bigint NOT NULL);
CREATE TABLE gap (
    device text NOT NULL, cause text NOT NULL, start_ts timestamptz NOT NULL, end_ts timestamptz, recovered boolean NOT NULL,
    PRIMARY KEY (device, cause, start_ts)
);
CREATE TABLE quality (code smallint PRIMARY KEY, name text NOT NULL, severity text NOT NULL);
CREATE TABLE tag (
    id INTEGER NOT NULL, name VARCHAR NOT NULL, area VARCHAR NOT NULL, unit VARCHAR NOT NULL, description TEXT NOT NULL, data_type VARCHAR NOT NULL,
    engineering_unit VARCHAR NOT NULL, eu_low FLOAT, eu_high FLOAT, stepped BOOLEAN NOT NULL, device VARCHAR NOT NULL, PRIMARY KEY (id), UNIQUE (name)
);
CREATE TABLE event (
    id VARCHAR NOT NULL, time BIGINT NOT NULL, kind VARCHAR NOT NULL, subject VARCHAR NOT NULL, "user" VARCHAR NOT NULL, detail TEXT NOT NULL, PRIMARY KEY (id)
);
CREATE INDEX ix_event_time ON event (time);
CREATE TABLE account (name VARCHAR NOT NULL, password_hash VARCHAR NOT NULL, role VARCHAR NOT NULL, PRIMARY KEY (name));
CREATE TABLE sample_2026_11 PARTITION OF sample FOR VALUES FROM ('2026-11-01 00:00:00+00') TO ('2026-12-01 00:00:00+00');
CREATE TABLE sample_text_2026_11 PARTITION OF sample_text FOR VALUES FROM ('2026-11-01 00:00:00+00') TO ('2026-12-01 00:00:00+00');
CREATE TABLE sample_2026_12 PARTITION OF sample FOR VALUES FROM ('2026-12-01 00:00:00+00') TO ('2027-01-01 00:00:00+00');
CREATE TABLE sample_text_2026_12 PARTITION OF sample_text FOR VALUES FROM ('2026-12-01 00:00:00+00') TO ('2027-01-01 00:00:00+00');
CREATE VIEW sample_view AS
    SELECT s.ts AS time, t.name AS tag, t.area, t.engineering_unit AS unit, s.value, s.quality,
        COALESCE(q.name, s.quality::text) AS quality_name, COALESCE(q.severity, CASE WHEN s.quality < 0 THEN 'Bad' ELSE 'Uncertain' END) AS severity
    FROM sample s JOIN tag t ON t.id = s.tag_id LEFT JOIN quality q ON q.code = s.quality;
CREATE VIEW snapshot_view AS
    SELECT s.ts AS time, t.name AS tag, t.area, t.engineering_unit AS unit, s.value, s.quality,
        COALESCE(q.name, s.quality::text) AS quality_name, COALESCE(q.severity, CASE WHEN s.quality < 0 THEN 'Bad' ELSE 'Uncertain' END) AS severity
    FROM snapshot s JOIN tag t ON t.id = s.tag_id LEFT JOIN quality q ON q.code = s.quality;
CREATE VIEW gap_view AS
    SELECT start_ts AS time, end_ts AS end_time, device, cause, recovered, COALESCE(end_ts, now()) - start_ts AS duration FROM gap;
CREATE VIEW event_view AS
    SELECT to_timestamp(time / 1e6) AS time, kind, subject, "user", detail FROM event;
INSERT INTO tag VALUES (1, 'SEP.COL101.PT101', 'SEP', 'COL101', 'head pressure', 'Float', 'bar', 0, 100, false, 'PLC-SEP-01');
INSERT INTO sample VALUES
    (1, '2026-11-23 04:00:00+00', 1.5, 0), (1, '2026-11-23 04:01:00+00', 2.5, -32719), (1, '2026-12-23 04:00:00+00', 3.5, 0);
INSERT INTO sample_text VALUES (3, '2026-11-23 04:00:00+00', 'LOT-1', 0);
INSERT INTO sample_revision (tag_id, ts, old_value, old_quality, new_value, new_quality) VALUES (1, '2026-11-23 04:00:00+00', 1.0, 0, 1.5, 0);
INSERT INTO snapshot VALUES (1, '2026-12-23 04:00:00+00', 3.5, 0);
INSERT INTO position VALUES ('PLC-SEP-01', 1, 7, 0);
INSERT INTO gap VALUES ('PLC-SEP-01', 'link lost', '2026-11-23 04:00:00+00', NULL, false);
INSERT INTO event VALUES ('e1', 1795406400000000, 'gap', 'PLC-SEP-01', '', '{}');
INSERT INTO account VALUES ('admin', '$argon2id$1', 'admin');
