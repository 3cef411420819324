"""Writing a month of history, inside a transaction of the caller.

Rule: insert what is new; only if something was there already, go over the rows once more and replace what differs. A trigger of the connection keeps what is
replaced in ``sample_revision``, with the author that stands in ``author`` and a number not below the one in ``numbering``.
"""

import sqlite3
from typing import Final

import numpy as np

from plant import times
from plant.batch import Int64Column, SampleBatch, TextBatch
from plant.edit import EditMode
from services.store.interface import HOUR, Authorship, CommitReport, Edit
from services.store.sqlite.columns import rows_of
from services.store.sqlite.schema import NUMBER

_DIFFERS: Final = "{0}.value IS NOT {1}.value OR {0}.quality <> {1}.quality"
_REPLACING: Final = (
    "INSERT INTO {0} VALUES (?, ?, ?, ?) ON CONFLICT (tag_id, ts) DO UPDATE SET value = excluded.value, quality = excluded.quality WHERE "
    + _DIFFERS.format("excluded", "{0}")
)
_STORED: Final = "EXISTS (SELECT 1 FROM {0} s WHERE s.tag_id = incoming.tag_id AND s.ts = incoming.ts)"


def write_history(connection: sqlite3.Connection, batch: SampleBatch | TextBatch) -> CommitReport:
    """Writes a batch in which each (tag, time) stands once."""
    table, _ = _table_of(batch)
    rows = rows_of(batch)
    before = connection.total_changes
    connection.executemany(f"INSERT OR IGNORE INTO {table} VALUES (?, ?, ?, ?)", rows)
    inserted = connection.total_changes - before
    if inserted == len(rows):
        return CommitReport(inserted, 0, 0)
    _sign(connection, Authorship("", ""))
    before = connection.total_changes
    connection.executemany(_REPLACING.format(table), rows)
    revised = (connection.total_changes - before) // 2  # a row and its revision
    return CommitReport(inserted, len(rows) - inserted - revised, revised)


def edit_history(connection: sqlite3.Connection, batch: SampleBatch | TextBatch, edit: Edit) -> tuple[int, int, list[int]]:
    """Writes the part of an edit that is in this month; how many rows were inserted, how many replaced, and which positions in ``batch`` were rejected."""
    table, column = _table_of(batch)
    connection.execute("DELETE FROM incoming")
    connection.executemany("INSERT INTO incoming VALUES (?, ?, ?, ?, ?)", [(number, *row) for number, row in enumerate(rows_of(batch))])
    _sign(connection, edit.author)
    stored = _STORED.format(table)
    refused = {EditMode.INSERT: stored, EditMode.REPLACE: f"NOT {stored}", EditMode.UPDATE: "false"}[edit.mode]
    rejected = [row for (row,) in connection.execute(f"SELECT row FROM incoming WHERE {refused} ORDER BY row").fetchall()]
    connection.execute(f"DELETE FROM incoming WHERE {refused}")
    connection.execute(
        f"INSERT INTO sample_revision (id, tag_id, ts, revised_at, new_{column}, new_quality, user, reason) "
        f"SELECT {NUMBER} - 1 + row_number() OVER (ORDER BY row), tag_id, ts, revised_at, value, quality, user, reason "
        f"FROM incoming, author, numbering WHERE NOT {stored}"
    )
    replaced = connection.execute(
        f"UPDATE {table} AS s SET value = i.value, quality = i.quality FROM incoming i WHERE i.tag_id = s.tag_id AND i.ts = s.ts AND "
        f"({_DIFFERS.format('i', 's')})"
    ).rowcount
    inserted = connection.execute(f"INSERT OR IGNORE INTO {table} SELECT tag_id, ts, value, quality FROM incoming").rowcount
    return inserted, replaced, rejected


def delete_history(connection: sqlite3.Connection, tag_id: int, start: int, end: int, author: Authorship) -> int:
    """Deletes the samples and texts of a tag with ``start <= time < end``; how many."""
    _sign(connection, author)
    deleted = 0
    for table, column in (("sample", "value"), ("sample_text", "text")):
        connection.execute(
            f"INSERT INTO sample_revision (id, tag_id, ts, revised_at, old_{column}, old_quality, user, reason) "
            f"SELECT {NUMBER} - 1 + row_number() OVER (ORDER BY ts), tag_id, ts, revised_at, value, quality, user, reason "
            f"FROM {table}, author, numbering WHERE tag_id = ? AND ts >= ? AND ts < ?",
            (tag_id, start, end),
        )
        deleted += connection.execute(f"DELETE FROM {table} WHERE tag_id = ? AND ts >= ? AND ts < ?", (tag_id, start, end)).rowcount
    return deleted


def thin_history(connection: sqlite3.Connection, batch: SampleBatch) -> None:
    """Removes samples that are still as they are in ``batch``."""
    connection.executemany("DELETE FROM sample WHERE tag_id = ? AND ts = ? AND value IS ? AND quality = ?", rows_of(batch))


def hours_between(connection: sqlite3.Connection, tag_id: int, start: int, end: int) -> Int64Column:
    """Begins of the hours of a tag with samples or texts in ``start <= time < end``."""
    query = f"SELECT ts - ((ts % {HOUR}) + {HOUR}) % {HOUR} FROM {{}} WHERE tag_id = ?1 AND ts >= ?2 AND ts < ?3"
    found = connection.execute(f"{query.format('sample')} UNION {query.format('sample_text')}", (tag_id, start, end)).fetchall()
    return np.array(found, np.int64).reshape(-1)


def _table_of(batch: SampleBatch | TextBatch) -> tuple[str, str]:
    """The table, and the ending of its columns in ``sample_revision``."""
    return ("sample", "value") if isinstance(batch, SampleBatch) else ("sample_text", "text")


def _sign(connection: sqlite3.Connection, author: Authorship) -> None:
    """From here on, inside the transaction, revisions are this author's and of now: whoever read before saw what they replace."""
    connection.execute("DELETE FROM author")
    connection.execute("INSERT INTO author VALUES (?, ?, ?)", (author.user, author.reason, times.now()))
