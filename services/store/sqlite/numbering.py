"""The numbers of revisions: one sequence over all months.

Rules:

1. Revisions are written one after the other, under the store's lock, and each has a larger number than every one before it, in whatever month: who read up
   to a number misses nothing of what is written later.
2. A number is at least the clock's microseconds: where a month with the largest ones was dropped or cannot be read, they are still not given again.
"""

from collections.abc import Iterator
from contextlib import contextmanager, suppress
from sqlite3 import Connection

from plant import times
from plant.errors import StoreUnavailable
from services.store.sqlite.month_files import MonthFiles, MonthGone


class RevisionNumbers:
    """Used by one at a time, under the store's lock."""

    def __init__(self, files: MonthFiles) -> None:
        self._files = files
        self._last: int | None = None

    @contextmanager
    def writing(self, month: int) -> Iterator[Connection]:
        """As that of ``MonthFiles``, with the sequence going on in it."""
        last = last_number(self._files) if self._last is None else self._last
        with self._files.writing(month) as connection:
            connection.execute("DELETE FROM numbering")
            connection.execute("INSERT INTO numbering VALUES (?)", (max(times.now(), last + 1),))
            yield connection
            self._last = max(last, _last_in(connection))


def last_number(files: MonthFiles) -> int:
    """The largest number that was given so far, 0 if there is none. A month that cannot be read stops nobody from writing another (rule 2)."""
    last = 0
    for month in files.existing():
        with suppress(MonthGone, StoreUnavailable), files.reading(month) as connection:
            last = max(last, _last_in(connection))
    return last


def _last_in(connection: Connection) -> int:
    return int(connection.execute("SELECT COALESCE(max(id), 0) FROM sample_revision").fetchone()[0])
