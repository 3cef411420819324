"""Hours whose roll-ups are to be made (again), in the main file.

Rules:

1. An hour is marked, durably, before anything in it is written: no kill leaves a sample whose hour is not due.
2. What is marked is remembered, so that an ordinary commit, whose hours are marked already, writes nothing here. Marking and taking are done by one at a
   time, under the store's lock: an hour that is taken is forgotten, and the next commit marks it again.
3. What retention has gone past is never due: its samples are gone, and the roll-ups of its hours are all that tells of them.
4. While a backup is made nothing is taken off, so that the copy of the main file holds every hour that any copy of a month needs.
"""

import sqlite3
from collections.abc import Sequence
from typing import Final

import numpy as np
import numpy.typing as npt

from plant import times
from plant.batch import Int32Column, Int64Column, SampleBatch, TextBatch
from plant.tag import Tag
from services.store.interface import HOUR, DueHours
from services.store.sqlite.connections import Connections

_REMEMBERED: Final = 1_000_000
_AGAIN: Final = "ON CONFLICT (tag_id, hour) DO UPDATE SET taken = 0"
_MARK: Final = f"INSERT INTO due_hour (tag_id, hour) SELECT ?1, ?2 WHERE ?2 >= (SELECT kept_from FROM retention) {_AGAIN}"
_MARK_ALL: Final = (
    f"INSERT INTO due_hour (tag_id, hour) SELECT tag_id, ts FROM roll_up_hour WHERE tag_id = ? AND ts >= (SELECT kept_from FROM retention) {_AGAIN}"
)
_TAKE: Final = "SELECT tag_id, hour FROM due_hour WHERE taken = 0 AND hour <= ? ORDER BY hour, tag_id LIMIT ?"
_IS_TAKEN: Final = "SELECT 1 FROM due_hour WHERE tag_id = ? AND hour = ? AND taken"
_BETWEEN: Final = "SELECT hour FROM due_hour WHERE tag_id = ? AND hour > ? AND hour < ? ORDER BY hour"

_BACKUP_LIVES: Final = 120 * times.MICROSECONDS
"""A backup that has not said for so long that it is at work was killed."""


class DueMarks:
    """Not for several threads at a time."""

    def __init__(self, main: Connections) -> None:
        self._main = main
        self._marked: set[int] = set()

    def mark(self, *batches: SampleBatch | TextBatch) -> None:
        """Makes the hours of what is going to be written due."""
        self._mark({hour for batch in batches for hour in _hours_of(batch)})

    def mark_hours(self, tag_id: Int32Column, hour: Int64Column) -> None:
        """Makes hours due, by their begins."""
        self._mark(set(_packed(tag_id, hour // HOUR).tolist()))

    def _mark(self, hours: set[int]) -> None:
        new = hours - self._marked
        if not new:
            return
        tag_id, hour = _unpacked(new)
        with self._main.writing() as connection:
            connection.executemany(_MARK, zip(tag_id.tolist(), hour.tolist(), strict=True))
        if len(self._marked) + len(new) > _REMEMBERED:
            self._marked.clear()  # marking again changes nothing
        self._marked |= new

    def take(self, before: int, limit: int) -> tuple[Int32Column, Int64Column]:
        """Tags and hours that end at or before ``before``, oldest first; they are in the caller's hands."""
        with self._main.writing() as connection:
            if is_backed_up(connection):
                return np.empty(0, np.int32), np.empty(0, np.int64)
            rows = connection.execute(_TAKE, (before - HOUR, limit)).fetchall()
            connection.executemany("UPDATE due_hour SET taken = 1 WHERE tag_id = ? AND hour = ?", rows)
            tag_id, hour = (np.array(column, dtype) for column, dtype in zip(zip(*rows, strict=True) if rows else ((), ()), (np.int32, np.int64), strict=True))
            self._marked.difference_update(_packed(tag_id, hour // HOUR).tolist())
        return tag_id, hour

    def take_back(self) -> None:
        """Hours in hand are due again."""
        with self._main.writing() as connection:
            connection.execute("UPDATE due_hour SET taken = 0 WHERE taken")

    def mark_made_otherwise(self, tags: Sequence[Tag]) -> None:
        """Makes due the hours that were rolled up while a tag was continuous and is stepped now, or the other way; before the tags are registered."""
        with self._main.writing() as connection:
            was_stepped = {tag_id: bool(stepped) for tag_id, stepped in connection.execute("SELECT id, stepped FROM tag").fetchall()}
            changed = [(tag.id,) for tag in tags if was_stepped.get(tag.id, tag.is_stepped) is not tag.is_stepped]
            connection.executemany(_MARK_ALL, changed)

    def keep_from(self, time: int) -> None:
        """Hours before ``time`` are not due from here on: their samples go."""
        self._marked.clear()
        with self._main.writing() as connection:
            connection.execute("UPDATE retention SET kept_from = max(kept_from, ?)", (time,))
            connection.execute("DELETE FROM due_hour WHERE hour < ?", (time,))

    def between(self, tag_id: int, start: int, end: int) -> Int64Column:
        """Hours of a tag that touch ``start <= time < end`` and are due or in hand; ascending."""
        with self._main.reading() as connection:
            rows = connection.execute(_BETWEEN, (tag_id, start - HOUR, end)).fetchall()
        return np.array(rows, np.int64).reshape(-1)


def take_off(connection: sqlite3.Connection, done: DueHours) -> None:
    """Takes hours that are still in hand off, in the caller's transaction. While a backup is made they become due once more instead."""
    statement = "UPDATE due_hour SET taken = 0" if is_backed_up(connection) else "DELETE FROM due_hour"
    connection.executemany(f"{statement} WHERE tag_id = ? AND hour = ? AND taken", zip(done.tag_id.tolist(), done.hour.tolist(), strict=True))


def kept_from(connection: sqlite3.Connection) -> int:
    """Where retention has gone to: the samples of hours before are gone."""
    return int(connection.execute("SELECT kept_from FROM retention").fetchone()[0])


def still_taken(connection: sqlite3.Connection, hours: DueHours) -> npt.NDArray[np.bool_]:
    """Which hours are in hand and have not changed since they were taken."""
    pairs = zip(hours.tag_id.tolist(), hours.hour.tolist(), strict=True)
    return np.array([connection.execute(_IS_TAKEN, pair).fetchone() is not None for pair in pairs], np.bool_)


def is_backed_up(connection: sqlite3.Connection) -> bool:
    """Whether a backup is being made."""
    return connection.execute("SELECT 1 FROM backup WHERE alive > ?", (times.now() - _BACKUP_LIVES,)).fetchone() is not None


def _hours_of(batch: SampleBatch | TextBatch) -> list[int]:
    """Tags and hours of a batch, packed; runs of one tag and hour once."""
    if not len(batch):
        return []
    packed = _packed(batch.tag_id, batch.time // HOUR)
    return list(packed[np.append(True, packed[1:] != packed[:-1])].tolist())


def _packed(tag_id: Int32Column, number: Int64Column) -> Int64Column:
    """Tag and number of the hour since 1970 as one integer."""
    return (number << 32) | (tag_id.astype(np.int64) & 0xFFFF_FFFF)


def _unpacked(packed: set[int]) -> tuple[Int32Column, Int64Column]:
    numbers = np.array(sorted(packed), np.int64)
    return (numbers & 0xFFFF_FFFF).astype(np.uint32).view(np.int32), (numbers >> 32) * HOUR
