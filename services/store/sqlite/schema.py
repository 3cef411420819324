"""Tables of history in SQLite (docs/formats/history.md).

Times are UTC microseconds. SQLite has no NaN: a value that is NaN is stored as NULL.
"""

from typing import Final

PRAGMAS: Final = (
    "PRAGMA journal_mode = WAL",
    "PRAGMA synchronous = FULL",  # an acknowledged commit survives a power cut
    "PRAGMA busy_timeout = 10000",
    "PRAGMA foreign_keys = ON",
)

TABLES: Final = """
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
"""
