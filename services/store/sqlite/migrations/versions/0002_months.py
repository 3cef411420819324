"""Samples, texts and revisions go to a file a month beside the main one; hours that are due and roll-ups of hours are in the main one."""

import sqlite3
from pathlib import Path

from alembic import op

from services.store.sqlite.moving import move_into_months

revision = "0002"
down_revision = "0001"

_TABLES = """
CREATE TABLE due_hour (tag_id INTEGER NOT NULL, hour INTEGER NOT NULL, taken INTEGER NOT NULL DEFAULT 0, PRIMARY KEY (tag_id, hour)) WITHOUT ROWID;
CREATE INDEX due_hour_of ON due_hour (hour, tag_id) WHERE taken = 0;
CREATE TABLE roll_up_hour (
    tag_id INTEGER NOT NULL, ts INTEGER NOT NULL,
    first_time INTEGER NOT NULL, first_value REAL, first_quality INTEGER NOT NULL,
    last_time INTEGER NOT NULL, last_value REAL, last_quality INTEGER NOT NULL,
    first_usable_time INTEGER NOT NULL, first_usable_value REAL, last_usable_time INTEGER NOT NULL, last_usable_value REAL,
    good_count INTEGER NOT NULL, uncertain_count INTEGER NOT NULL, bad_count INTEGER NOT NULL, mean REAL, squares REAL,
    minimum REAL, minimum_time INTEGER NOT NULL, maximum REAL, maximum_time INTEGER NOT NULL,
    good_duration INTEGER NOT NULL, uncertain_duration INTEGER NOT NULL, firm_duration INTEGER NOT NULL, zero_duration INTEGER NOT NULL,
    integral REAL, line_integral REAL, transitions INTEGER NOT NULL, worst_quality INTEGER NOT NULL, bad_time INTEGER NOT NULL,
    PRIMARY KEY (tag_id, ts)
) WITHOUT ROWID;
CREATE TABLE backup (id INTEGER PRIMARY KEY CHECK (id = 1), alive INTEGER NOT NULL)
"""


def upgrade() -> None:
    for statement in _TABLES.split(";"):
        op.execute(statement)
    connection = op.get_bind()
    connection.exec_driver_sql("PRAGMA secure_delete = OFF")  # the pages of what is dropped need not be written once more
    file = connection.exec_driver_sql("PRAGMA database_list").scalars(2).first()
    driver = connection.connection.driver_connection
    assert isinstance(driver, sqlite3.Connection)
    move_into_months(Path(str(file)), driver)
    for table in ("sample", "sample_text", "sample_revision"):
        op.drop_table(table)
