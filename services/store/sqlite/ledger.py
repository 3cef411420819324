"""Positions, gaps and the snapshot: what the main file holds of a commit, inside a transaction of the caller."""

import json
import sqlite3
from collections.abc import Sequence
from contextlib import suppress
from typing import Final

from plant.batch import SampleBatch, TextBatch
from plant.ledger import Gap, Position
from services.store.sqlite.columns import rows_of
from services.store.sqlite.connections import Connections
from services.store.sqlite.month_files import MonthFiles, MonthGone
from services.store.sqlite.months import end_of

_REPLACE: Final = " ON CONFLICT (tag_id) DO UPDATE SET ts = excluded.ts, value = excluded.value, quality = excluded.quality"
_NEWEST: Final = (
    "SELECT s.tag_id, s.ts, s.value, s.quality FROM json_each(?) t JOIN {0} s ON s.tag_id = t.value AND s.ts = (SELECT max(ts) FROM {0} WHERE tag_id = t.value)"
)


def positions_in(connection: sqlite3.Connection) -> list[Position]:
    return [Position(*row) for row in connection.execute("SELECT device, epoch, sequence, last_time FROM position").fetchall()]


def write_positions(connection: sqlite3.Connection, positions: Sequence[Position]) -> None:
    connection.executemany(
        "INSERT OR REPLACE INTO position VALUES (?, ?, ?, ?)",
        [(position.device, position.epoch, position.sequence, position.last_time) for position in positions],
    )


def write_gaps(connection: sqlite3.Connection, gaps: Sequence[Gap]) -> None:
    connection.executemany(
        "INSERT INTO gap VALUES (?, ?, ?, ?, ?) ON CONFLICT (device, cause, start_ts) "
        "DO UPDATE SET end_ts = COALESCE(excluded.end_ts, gap.end_ts), recovered = gap.recovered OR excluded.recovered",
        [(gap.device, gap.cause.value, gap.start, gap.end, gap.recovered) for gap in gaps],
    )


def write_snapshot(connection: sqlite3.Connection, samples: SampleBatch, texts: TextBatch) -> None:
    connection.executemany("INSERT INTO snapshot VALUES (?, ?, ?, ?)" + _REPLACE, rows_of(samples))
    connection.executemany("INSERT INTO snapshot_text VALUES (?, ?, ?, ?)" + _REPLACE, rows_of(texts))


def forget_in_snapshot(connection: sqlite3.Connection, tag_id: int, start: int, end: int) -> bool:
    """Takes the sample or text of a tag with ``start <= time < end`` out of the snapshot; whether it was there."""
    where = "WHERE tag_id = ? AND ts >= ? AND ts < ?"
    return sum(connection.execute(f"DELETE FROM {table} {where}", (tag_id, start, end)).rowcount for table in ("snapshot", "snapshot_text")) > 0


def catch_up_snapshot(main: Connections, files: MonthFiles, tag_id: int | None = None) -> None:
    """Brings the snapshot to the newest sample of every tag, or of one: it is saved some time after the samples, and a kill may fall in between.

    Looks no further back than the month of the snapshot's own sample.
    """
    for table, snapshot in (("sample", "snapshot"), ("sample_text", "snapshot_text")):
        with main.reading() as connection:
            query = f"SELECT t.id, s.ts FROM tag t LEFT JOIN {snapshot} s ON s.tag_id = t.id WHERE t.id = COALESCE(?, t.id)"
            known = dict(connection.execute(query, (tag_id,)).fetchall())
        newest = []
        for month in reversed(files.existing()):
            asked = [tag_id for tag_id, time in known.items() if time is None or time < end_of(month)]
            if not asked:
                break
            with suppress(MonthGone), files.reading(month) as connection:
                rows = connection.execute(_NEWEST.format(table), (json.dumps(asked),)).fetchall()
                newest += [row for row in rows if known[row[0]] is None or row[1] >= known[row[0]]]
                for row in rows:
                    del known[row[0]]
        with main.writing() as connection:
            connection.executemany(f"INSERT INTO {snapshot} VALUES (?, ?, ?, ?)" + _REPLACE, newest)
