"""Samples, texts and revisions of a single file moved into files by month.

Rule: copying is repeated from the start after a kill and changes nothing that was copied; the old tables go only when every month is committed, with the
transaction of the script that calls this.
"""

import logging
import sqlite3
import time
from collections import defaultdict
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Final

from services.store.interface import HOUR
from services.store.sqlite.connections import open_file, translated
from services.store.sqlite.month_files import MonthFiles
from services.store.sqlite.months import end_of, month_of, name_of, start_of

_log = logging.getLogger(__name__)

_TABLES: Final = {
    "sample": "tag_id, ts, value, quality",
    "sample_text": "tag_id, ts, value, quality",
    "sample_revision": "id, tag_id, ts, revised_at, old_value, old_text, old_quality, new_value, new_text, new_quality, user, reason",
}
_ROWS: Final = 100_000
"""Rows a transaction, about: memory and the write-ahead log stay small."""

_TELL_EVERY: Final = 5.0
_HOURS: Final = f"SELECT DISTINCT tag_id, ts - ((ts % {HOUR}) + {HOUR}) % {HOUR} FROM "


def move_into_months(main: Path, connection: sqlite3.Connection) -> None:
    """Copies all history that was committed in ``main`` into month files, and marks its hours due through ``connection``, in its transaction."""
    with closing(open_file(main, "ro", ())) as old:
        if old.execute("SELECT 1 FROM sqlite_master WHERE name = 'sample'").fetchone() is None:
            return
        held: defaultdict[int, list[tuple[str, int]]] = defaultdict(list)
        for table in _TABLES:
            for tag_id, month in _months_in(old, table):
                held[month].append((table, tag_id))
    if not held:
        return
    _log.info("moving history into files by month: %d months from %s to %s", len(held), name_of(min(held)), name_of(max(held)))
    files = MonthFiles(main)
    told = time.monotonic()
    for number, month in enumerate(sorted(held)):
        files.make(month)
        with translated(files.file(month)), closing(open_file(files.file(month))) as target:
            target.execute("ATTACH ? AS old", (f"{main.absolute().as_uri()}?mode=ro",))
            for part, (table, tag_id) in enumerate(held[month]):
                _copy(target, table, tag_id, month)
                if time.monotonic() > told + _TELL_EVERY:
                    told = time.monotonic()
                    share = (number + part / len(held[month])) / len(held)
                    _log.info("moving history into files by month: %s, %.0f %%", name_of(month), 100 * share)
            if target.in_transaction:
                target.execute("COMMIT")
            for table in ("sample", "sample_text"):
                connection.executemany("INSERT OR IGNORE INTO due_hour (tag_id, hour) VALUES (?, ?)", target.execute(_HOURS + table))
    _log.info("history is in files by month")


def _months_in(old: sqlite3.Connection, table: str) -> Iterator[tuple[int, int]]:
    """(tag id, month) of which the table holds a row, found by leaps in its index."""
    tag_id: int | None = None
    first = f"SELECT tag_id FROM {table} WHERE tag_id > ? ORDER BY tag_id LIMIT 1"
    following = f"SELECT ts FROM {table} WHERE tag_id = ? AND ts >= ? ORDER BY ts LIMIT 1"
    while (row := old.execute(first, (-(2**40) if tag_id is None else tag_id,)).fetchone()) is not None:
        tag_id = int(row[0])
        start = start_of(0)
        while (found := old.execute(following, (tag_id, start)).fetchone()) is not None:
            month = month_of(found[0])
            yield tag_id, month
            start = end_of(month)


def _copy(target: sqlite3.Connection, table: str, tag_id: int, month: int) -> None:
    """Copies one tag's month, committing now and then."""
    start, end = start_of(month), end_of(month)
    upper = f"SELECT ts FROM old.{table} WHERE tag_id = ? AND ts >= ? AND ts < ? ORDER BY ts LIMIT 1 OFFSET {_ROWS}"
    copy = f"INSERT OR IGNORE INTO main.{table} ({_TABLES[table]}) SELECT {_TABLES[table]} FROM old.{table} WHERE tag_id = ? AND ts >= ? AND ts < ?"
    before = target.total_changes
    while start < end:
        if not target.in_transaction:
            before = target.total_changes
            target.execute("BEGIN IMMEDIATE")
        row = target.execute(upper, (tag_id, start, end)).fetchone()
        stop = end if row is None else max(int(row[0]), start + 1)
        target.execute(copy, (tag_id, start, stop))
        start = stop
        if target.total_changes - before >= _ROWS:
            target.execute("COMMIT")
