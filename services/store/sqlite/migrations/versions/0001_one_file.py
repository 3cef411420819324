"""The schema as it was before there were scripts: all history in one file. What is there already is left alone."""

from alembic import op

revision = "0001"
down_revision = None

_TABLES = """
CREATE TABLE IF NOT EXISTS sample (
    tag_id INTEGER NOT NULL, ts INTEGER NOT NULL, value REAL, quality INTEGER NOT NULL,
    PRIMARY KEY (tag_id, ts)
) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS sample_text (
    tag_id INTEGER NOT NULL, ts INTEGER NOT NULL, value TEXT NOT NULL, quality INTEGER NOT NULL,
    PRIMARY KEY (tag_id, ts)
) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS sample_revision (
    id INTEGER PRIMARY KEY, tag_id INTEGER NOT NULL, ts INTEGER NOT NULL, revised_at INTEGER NOT NULL,
    old_value REAL, old_text TEXT, old_quality INTEGER NOT NULL,
    new_value REAL, new_text TEXT, new_quality INTEGER NOT NULL,
    user TEXT NOT NULL DEFAULT '', reason TEXT NOT NULL DEFAULT ''
);
CREATE INDEX IF NOT EXISTS sample_revision_of ON sample_revision (tag_id, ts);
CREATE TABLE IF NOT EXISTS snapshot (
    tag_id INTEGER PRIMARY KEY, ts INTEGER NOT NULL, value REAL, quality INTEGER NOT NULL
);
CREATE TABLE IF NOT EXISTS snapshot_text (
    tag_id INTEGER PRIMARY KEY, ts INTEGER NOT NULL, value TEXT NOT NULL, quality INTEGER NOT NULL
);
CREATE TABLE IF NOT EXISTS position (
    device TEXT PRIMARY KEY, epoch INTEGER NOT NULL, sequence INTEGER NOT NULL, last_time INTEGER NOT NULL
) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS gap (
    device TEXT NOT NULL, cause TEXT NOT NULL, start_ts INTEGER NOT NULL, end_ts INTEGER, recovered INTEGER NOT NULL,
    PRIMARY KEY (device, cause, start_ts)
) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS tag (
    id INTEGER NOT NULL PRIMARY KEY, name VARCHAR NOT NULL UNIQUE, area VARCHAR NOT NULL, unit VARCHAR NOT NULL, description TEXT NOT NULL,
    data_type VARCHAR NOT NULL, engineering_unit VARCHAR NOT NULL, eu_low FLOAT, eu_high FLOAT, stepped BOOLEAN NOT NULL, device VARCHAR NOT NULL
);
CREATE TABLE IF NOT EXISTS event (
    id VARCHAR NOT NULL PRIMARY KEY, time BIGINT NOT NULL, kind VARCHAR NOT NULL, subject VARCHAR NOT NULL, user VARCHAR NOT NULL, detail TEXT NOT NULL
);
CREATE INDEX IF NOT EXISTS ix_event_time ON event (time);
CREATE TABLE IF NOT EXISTS account (name VARCHAR NOT NULL PRIMARY KEY, password_hash VARCHAR NOT NULL, role VARCHAR NOT NULL)
"""


def upgrade() -> None:
    for statement in _TABLES.split(";"):
        op.execute(statement)
