"""Tables of a month of history, and how every file is opened (docs/formats/history.md). Those of the main file are in ``migrations/``.

Times are UTC microseconds. SQLite has no NaN: a value that is NaN is stored as NULL. In a revision a quality that is NULL says that there was no sample.
"""

from typing import Final

PRAGMAS: Final = (
    "PRAGMA journal_mode = WAL",
    "PRAGMA synchronous = FULL",  # an acknowledged commit survives a power cut
    "PRAGMA busy_timeout = 10000",
    "PRAGMA foreign_keys = ON",
)

WRITER_PRAGMAS: Final = (
    "PRAGMA cache_size = -16384",
    "PRAGMA wal_autocheckpoint = 4096",
)
"""Of the connection that writes: 16 MB of pages, so that those at the end of every tag and those that late samples change stay in memory; and a page that is
changed again and again goes from the log into the file once in 16 MB, not once in 4."""

MAIN_VERSION: Final = "0003"
"""Newest script in ``migrations/versions/``."""

MONTH_VERSION: Final = 1
"""``user_version`` of a month's file."""

MONTH_TABLES: Final = (
    """CREATE TABLE sample (
        tag_id INTEGER NOT NULL, ts INTEGER NOT NULL, value REAL, quality INTEGER NOT NULL,
        PRIMARY KEY (tag_id, ts)
    ) WITHOUT ROWID""",
    """CREATE TABLE sample_text (
        tag_id INTEGER NOT NULL, ts INTEGER NOT NULL, value TEXT NOT NULL, quality INTEGER NOT NULL,
        PRIMARY KEY (tag_id, ts)
    ) WITHOUT ROWID""",
    """CREATE TABLE sample_revision (
        id INTEGER PRIMARY KEY, tag_id INTEGER NOT NULL, ts INTEGER NOT NULL, revised_at INTEGER NOT NULL,
        old_value REAL, old_text TEXT, old_quality INTEGER, new_value REAL, new_text TEXT, new_quality INTEGER,
        user TEXT NOT NULL DEFAULT '', reason TEXT NOT NULL DEFAULT ''
    )""",
    "CREATE INDEX sample_revision_of ON sample_revision (tag_id, ts)",
    "CREATE TABLE roll_up_minute (tag_id INTEGER NOT NULL, ts INTEGER NOT NULL, summary BLOB NOT NULL, PRIMARY KEY (tag_id, ts)) WITHOUT ROWID",
    "CREATE TABLE thinned (hour INTEGER NOT NULL, tag_id INTEGER NOT NULL, PRIMARY KEY (hour, tag_id)) WITHOUT ROWID",
    f"PRAGMA user_version = {MONTH_VERSION}",
)

WRITER_TABLES: Final = (
    "CREATE TEMP TABLE author (user TEXT NOT NULL, reason TEXT NOT NULL, revised_at INTEGER NOT NULL)",
    "CREATE TEMP TABLE incoming (row INTEGER PRIMARY KEY, tag_id INTEGER NOT NULL, ts INTEGER NOT NULL, value, quality INTEGER NOT NULL)",
    """CREATE TEMP TRIGGER sample_replaced AFTER UPDATE ON main.sample BEGIN
        INSERT INTO sample_revision (tag_id, ts, revised_at, old_value, old_quality, new_value, new_quality, user, reason)
            SELECT old.tag_id, old.ts, revised_at, old.value, old.quality, new.value, new.quality, user, reason FROM author;
    END""",
    """CREATE TEMP TRIGGER sample_text_replaced AFTER UPDATE ON main.sample_text BEGIN
        INSERT INTO sample_revision (tag_id, ts, revised_at, old_text, old_quality, new_text, new_quality, user, reason)
            SELECT old.tag_id, old.ts, revised_at, old.value, old.quality, new.value, new.quality, user, reason FROM author;
    END""",
)
"""What the connection that writes a month has beside: who changes history, the rows of an edit, and that what is replaced is kept."""
