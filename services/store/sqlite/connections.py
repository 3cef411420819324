"""Connections to one SQLite file: one that writes, a few that read. SQLite's own errors become ``StoreUnavailable``."""

import sqlite3
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from queue import Empty, LifoQueue
from typing import Final

from plant.errors import StoreUnavailable
from services.store.sqlite.schema import PRAGMAS

_READERS: Final = 8


class Connections:
    """Makes connections when they are needed; safe to use from any thread."""

    def __init__(self, file: Path) -> None:
        self._file = file
        self._idle: LifoQueue[sqlite3.Connection] = LifoQueue(_READERS)
        self._writer: sqlite3.Connection | None = None
        self._one_writes = threading.Lock()

    @contextmanager
    def writing(self) -> Iterator[sqlite3.Connection]:
        """A transaction: committed at the end, rolled back on any error."""
        with self._one_writes, _translated(self._file):
            connection = self._writer or self._open()
            self._writer = None  # kept if it did its work: one that was opened while the file was read-only stays so for ever
            try:
                connection.execute("BEGIN IMMEDIATE")
                yield connection
                connection.execute("COMMIT")
                self._writer = connection
            finally:
                if self._writer is None:
                    connection.close()

    @contextmanager
    def reading(self) -> Iterator[sqlite3.Connection]:
        """A connection that sees what is committed."""
        with _translated(self._file):
            try:
                connection = self._idle.get_nowait()
            except Empty:
                connection = self._open()
            try:
                yield connection
            finally:
                if self._idle.full():
                    connection.close()
                else:
                    self._idle.put(connection)

    def _open(self) -> sqlite3.Connection:
        connection = sqlite3.connect(self._file, isolation_level=None, check_same_thread=False, timeout=10)
        for pragma in PRAGMAS:
            connection.execute(pragma)
        return connection

    def close(self) -> None:
        if self._writer is not None:
            self._writer.close()
            self._writer = None
        while not self._idle.empty():
            self._idle.get_nowait().close()


@contextmanager
def _translated(file: Path) -> Iterator[None]:
    try:
        yield
    except sqlite3.DatabaseError as error:
        raise StoreUnavailable(f"{file}: {error}") from error
