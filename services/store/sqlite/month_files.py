"""The month files beside the main file: found, made, opened, dropped and set aside.

Rules:

1. A file is there whole or not at all: it is made under another name and renamed when it has its tables.
2. Other processes make, drop and set aside files too: the folder is looked at each time, and a connection is used only if it is to the file that is there
   now.
3. However many months there are, a bounded number is open.
"""

import os
import threading
from collections import OrderedDict
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from sqlite3 import Connection
from typing import Final

from services.store.sqlite.connections import Connections, open_file, translated
from services.store.sqlite.months import file_of, month_of, month_of_file
from services.store.sqlite.schema import MONTH_TABLES, WRITER_TABLES

_OPEN: Final = 32
"""Months that are open at a time, beyond those in use."""

_READERS: Final = 2
_COMPANIONS: Final = ("-wal", "-shm")
_DAMAGED: Final = ".damaged"


class MonthGone(Exception):
    """The month has no file (any more)."""


@dataclass(slots=True)
class _Opened:
    connections: Connections
    inode: int
    users: int = 0


class MonthFiles:
    """Safe to use from any thread; one at a time writes."""

    def __init__(self, main: Path) -> None:
        self._main = main
        self._opened: OrderedDict[int, _Opened] = OrderedDict()
        self._lock = threading.Lock()

    def file(self, month: int) -> Path:
        return file_of(self._main, month)

    def existing(self) -> list[int]:
        """Months that have a file, oldest first."""
        return sorted(month for name in self._names() if (month := month_of_file(self._main, name)) is not None)

    def between(self, start: int, end: int) -> list[int]:
        """Months that have a file and may hold ``start <= time < end``, oldest first."""
        if start >= end:
            return []
        first, last = month_of(start), month_of(end - 1)
        return [month for month in self.existing() if first <= month <= last]

    @contextmanager
    def reading(self, month: int) -> Iterator[Connection]:
        """A connection that sees what is committed.

        Raises:
            MonthGone: there is no such file.
        """
        with self._held(month) as connections, connections.reading() as connection:
            yield connection

    @contextmanager
    def writing(self, month: int) -> Iterator[Connection]:
        """A transaction in a month, whose file is made if it has none."""
        self.make(month)
        with self._held(month) as connections, connections.writing() as connection:
            yield connection

    def make(self, month: int) -> None:
        """Makes the file of a month if it has none."""
        file = self.file(month)
        if file.exists():
            return
        new = file.with_name(f"{file.name}.new")
        with translated(file):
            for left in (new, *companions(new), *companions(file)):  # of a kill in the middle of making or dropping one
                left.unlink(missing_ok=True)
            connection = open_file(new, "rwc")
            try:
                connection.execute("BEGIN")
                for statement in MONTH_TABLES:
                    connection.execute(statement)
                connection.execute("COMMIT")
            finally:
                connection.close()
            new.rename(file)
            sync_folder(file.parent)

    def drop(self, month: int) -> str:
        """Removes a month for good; its file's name."""
        file = self.file(month)
        self._forget(month)
        with translated(file):
            for part in (file, *companions(file)):
                part.unlink(missing_ok=True)
            sync_folder(file.parent)
        return file.name

    def set_aside(self, month: int) -> str:
        """Renames a damaged file, so that its month begins anew; the new name."""
        file = self.file(month)
        self._forget(month)
        number = 1
        while (aside := file.with_name(f"{file.name}{_DAMAGED}-{number}")).exists():
            number += 1
        with translated(file):
            for part, kept in zip((file, *companions(file)), (aside, *companions(aside)), strict=True):
                with suppress(FileNotFoundError):
                    part.rename(kept)
            sync_folder(file.parent)
        return aside.name

    def damaged(self) -> list[str]:
        """Names of the files that were set aside."""
        return sorted(name for name in self._names() if name.startswith(f"{self._main.stem}.") and _DAMAGED in name and not name.endswith(_COMPANIONS))

    def close(self) -> None:
        for month in list(self._opened):
            self._forget(month)

    def _names(self) -> list[str]:
        with translated(self._main.parent):
            return [path.name for path in self._main.parent.iterdir()]

    @contextmanager
    def _held(self, month: int) -> Iterator[Connections]:
        with self._lock:
            opened, left = self._take(month)
        for connections in left:
            connections.close()
        try:
            yield opened.connections
        finally:
            with self._lock:
                opened.users -= 1
                is_last = not opened.users and self._opened.get(month) is not opened
            if is_last:
                opened.connections.close()

    def _take(self, month: int) -> tuple[_Opened, list[Connections]]:
        """The month, opened to the file that is there now, and what is to be closed for it."""
        file = self.file(month)
        left: list[Connections] = []
        try:
            inode = file.stat().st_ino
        except FileNotFoundError:
            raise MonthGone from None
        opened = self._opened.pop(month, None)
        if opened is not None and opened.inode != inode:
            if not opened.users:
                left.append(opened.connections)
            opened = None
        if opened is None:
            opened = _Opened(Connections(file, readers=_READERS, writer_tables=WRITER_TABLES), inode)
        self._opened[month] = opened
        opened.users += 1
        unused = [number for number, one in self._opened.items() if not one.users]
        left += [self._opened.pop(number).connections for number in unused[: max(0, len(self._opened) - _OPEN)]]
        return opened, left

    def _forget(self, month: int) -> None:
        with self._lock:
            opened = self._opened.pop(month, None)
            in_use = opened is not None and opened.users > 0
        if opened is not None and not in_use:
            opened.connections.close()


def companions(file: Path) -> list[Path]:
    """What SQLite keeps beside a file that is open."""
    return [file.with_name(file.name + suffix) for suffix in _COMPANIONS]


def sync_folder(folder: Path) -> None:
    """Makes names in a folder survive a power cut."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
