"""Writing history to SQLite, inside a transaction of the caller.

Rule: insert what is new; if anything was there already, compare: what differs goes to ``sample_revision`` before it is replaced.
"""

import sqlite3
from collections.abc import Sequence
from typing import Any, Final

from plant import times
from plant.batch import SampleBatch, TextBatch
from plant.ledger import Gap, Position
from services.store.interface import CommitReport

_INCOMING: Final = "CREATE TEMP TABLE IF NOT EXISTS incoming (tag_id INTEGER NOT NULL, ts INTEGER NOT NULL, value, quality INTEGER NOT NULL)"

_REPLACE: Final = " ON CONFLICT (tag_id) DO UPDATE SET ts = excluded.ts, value = excluded.value, quality = excluded.quality"
_NEWEST: Final = (
    "SELECT s.tag_id, s.ts, s.value, s.quality FROM tag t JOIN {0} s ON s.tag_id = t.id AND s.ts = (SELECT max(ts) FROM {0} WHERE tag_id = t.id) WHERE true"
)


def rows_of(batch: SampleBatch | TextBatch) -> list[tuple[Any, ...]]:
    """(tag id, time, value, quality) rows; ``sqlite3`` turns a NaN into NULL."""
    return list(zip(batch.tag_id.tolist(), batch.time.tolist(), batch.value.tolist(), batch.quality.tolist(), strict=True))


def write_history(connection: sqlite3.Connection, batch: SampleBatch | TextBatch) -> CommitReport:
    """Writes a batch in which each (tag, time) stands once."""
    table = "sample" if isinstance(batch, SampleBatch) else "sample_text"
    rows = rows_of(batch)
    before = connection.total_changes
    connection.executemany(f"INSERT OR IGNORE INTO {table} VALUES (?, ?, ?, ?)", rows)
    inserted = connection.total_changes - before
    revised = 0 if inserted == len(rows) else _revise(connection, table, rows)
    return CommitReport(inserted, len(rows) - inserted - revised, revised)


def _revise(connection: sqlite3.Connection, table: str, rows: Sequence[tuple[Any, ...]]) -> int:
    old, new = ("old_value", "new_value") if table == "sample" else ("old_text", "new_text")
    connection.execute(_INCOMING)
    connection.execute("DELETE FROM incoming")
    connection.executemany("INSERT INTO incoming VALUES (?, ?, ?, ?)", rows)
    differs = "FROM incoming i WHERE i.tag_id = s.tag_id AND i.ts = s.ts AND (i.value IS NOT s.value OR i.quality <> s.quality)"
    connection.execute(
        f"INSERT INTO sample_revision (tag_id, ts, revised_at, {old}, old_quality, {new}, new_quality) "
        f"SELECT s.tag_id, s.ts, ?, s.value, s.quality, i.value, i.quality FROM incoming i JOIN {table} s USING (tag_id, ts) "
        "WHERE i.value IS NOT s.value OR i.quality <> s.quality",
        (times.now(),),
    )
    return connection.execute(f"UPDATE {table} AS s SET value = i.value, quality = i.quality {differs}").rowcount


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


def catch_up_snapshot(connection: sqlite3.Connection) -> None:
    """Brings the snapshot to the newest sample of every tag: it is saved some time after the samples, and a kill may fall in between."""
    connection.execute("INSERT INTO snapshot " + _NEWEST.format("sample") + _REPLACE)
    connection.execute("INSERT INTO snapshot_text " + _NEWEST.format("sample_text") + _REPLACE)
