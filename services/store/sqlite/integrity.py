"""Whether the files are whole and of this program's schema, looked at before anything is written."""

import logging
import sqlite3
import time
from contextlib import closing
from pathlib import Path
from typing import Final

from plant.errors import ConfigurationError, Problem
from services.store.sqlite.connections import open_file, translated
from services.store.sqlite.month_files import MonthFiles, companions
from services.store.sqlite.schema import MONTH_VERSION

_log = logging.getLogger(__name__)

_SECONDS: Final = 20.0
"""For looking through the main file, and for all months together; what is larger is looked at as far as that goes."""

_STEPS: Final = 100_000
_NEWEST: Final = 2
_DAMAGE: Final = (sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB)


def check_main(file: Path) -> None:
    """Raises ``ConfigurationError`` when the main file is damaged. One that is not there yet is whole."""
    damage = damage_of(file, time.monotonic() + _SECONDS) if file.exists() and file.stat().st_size else None
    if damage is not None:
        mend = "stop everything, move it and what stands beside it away, and copy the newest backup in its place"
        raise ConfigurationError([Problem(str(file), None, None, f"the file is damaged: {damage}", mend)])


def check_months(files: MonthFiles) -> None:
    """Sets damaged months aside: of every month its head is read, the newest and those that were not closed are looked through.

    Raises:
        ConfigurationError: a month is a newer program's.
    """
    months = files.existing()[::-1]
    deadline = time.monotonic() + _SECONDS
    damaged = []
    for month in months:
        file = files.file(month)
        unclosed = any(part.exists() and part.stat().st_size for part in companions(file)[:1])
        damage = _head_of(file)
        if damage is None and (unclosed or month in months[:_NEWEST]):
            damage = damage_of(file, deadline)
        if damage is not None:
            damaged.append((month, damage))
    for month, damage in damaged:
        _log.error("%s is damaged (%s); it is kept as %s, and the month begins anew", files.file(month), damage, files.set_aside(month))


def damage_of(file: Path, deadline: float) -> str | None:
    """What is wrong with a file, ``None`` if nothing was found until ``deadline`` (monotonic seconds)."""
    try:
        with closing(open_file(file, pragmas=())) as connection:
            connection.set_progress_handler(lambda: time.monotonic() > deadline, _STEPS)
            (found,) = connection.execute("PRAGMA quick_check(1)").fetchone()
    except sqlite3.DatabaseError as error:
        if error.sqlite_errorcode & 0xFF == sqlite3.SQLITE_INTERRUPT:
            _log.warning("%s is too large to be looked through at the start; what was seen of it is whole", file)
            return None
        return _damage(file, error)
    return None if found == "ok" else str(found)


def _head_of(file: Path) -> str | None:
    if not file.stat().st_size:
        return "it is empty"
    try:
        with closing(open_file(file, pragmas=())) as connection:
            (version,) = connection.execute("PRAGMA user_version").fetchone()
    except sqlite3.DatabaseError as error:
        return _damage(file, error)
    if version > MONTH_VERSION:
        mend = "start the program that last wrote it, or a newer one; to go back, restore a backup made before it was upgraded"
        raise ConfigurationError([Problem(str(file), None, None, f"the schema is {version}, this program knows it up to {MONTH_VERSION}", mend)])
    return None if version == MONTH_VERSION else "it holds no month of history"


def _damage(file: Path, error: sqlite3.DatabaseError) -> str:
    """The damage that an error tells of; any other error is raised as ``StoreUnavailable``."""
    if error.sqlite_errorcode & 0xFF not in _DAMAGE:
        with translated(file):
            raise error
    return str(error)
