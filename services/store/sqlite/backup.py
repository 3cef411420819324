"""A copy of all files, made while others write.

Rule: positions are read first, then the months are copied, then the main file, in whose copy the positions are those that were read: a batch of which a
month's copy lacks samples is never one that counts as stored. The main file comes after the months, so that every hour that they need is due in it.
"""

import sqlite3
import time
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Final

from plant import times
from plant.errors import ConfigurationError, Problem
from services.store.sqlite.connections import Connections, open_file, translated
from services.store.sqlite.ledger import positions_in, write_positions
from services.store.sqlite.month_files import MonthFiles, sync_folder

_PAGES: Final = 4_096
"""Pages a step."""

_SAY_EVERY: Final = 10.0


def back_up(main: Connections, files: MonthFiles, folder: Path) -> None:
    """Copies every file into ``folder``, the main one last: a folder without it is no backup."""
    with translated(folder):
        folder.mkdir(parents=True, exist_ok=True)
        if any(folder.iterdir()):
            raise ConfigurationError([Problem(str(folder), None, None, "the folder for the backup is not empty", "name one that is empty or does not exist")])
    alive = _Sign(main)
    alive.say()
    try:
        with main.reading() as connection:
            positions = positions_in(connection)
        for month in files.existing():
            _copy(files.file(month), folder, alive.say_now_and_then)
        copy = _copy(main.file, folder, alive.say_now_and_then)
        with translated(copy), closing(open_file(copy)) as connection:
            connection.execute("BEGIN")
            connection.execute("DELETE FROM position")
            write_positions(connection, positions)
            connection.execute("DELETE FROM backup")
            connection.execute("COMMIT")
        with translated(folder):
            sync_folder(folder)
    finally:
        alive.stop()


class _Sign:
    """Says in the main file that a backup is at work."""

    def __init__(self, main: Connections) -> None:
        self._main = main
        self._said = time.monotonic()

    def say(self) -> None:
        with self._main.writing() as connection:
            connection.execute("INSERT OR REPLACE INTO backup VALUES (1, ?)", (times.now(),))
        self._said = time.monotonic()

    def say_now_and_then(self) -> None:
        if time.monotonic() > self._said + _SAY_EVERY:
            self.say()

    def stop(self) -> None:
        with self._main.writing() as connection:
            connection.execute("DELETE FROM backup")


def _copy(file: Path, folder: Path, after_step: Callable[[], None]) -> Path:
    """Copies one file in the state in which it is now; a month that was dropped meanwhile is left out."""
    copy = folder / file.name
    with translated(file):
        try:
            source = open_file(file)
        except sqlite3.OperationalError:
            if not file.exists():
                return copy
            raise
        with closing(source), closing(sqlite3.connect(copy, isolation_level=None)) as target:
            source.execute("BEGIN")
            source.execute("SELECT 1 FROM sqlite_master").fetchone()  # from here on the source sees one state, whatever is written
            source.backup(target, pages=_PAGES, progress=lambda *_: after_step(), sleep=0)
            source.execute("ROLLBACK")
    return copy
