"""Connections to one SQLite file: one that writes, a few that read. SQLite's own errors become ``StoreUnavailable``, which names the file and the mend."""

import sqlite3
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from queue import Empty, Full, LifoQueue
from typing import Final

from plant.errors import StoreUnavailable
from services.store.sqlite.schema import PRAGMAS, WRITER_PRAGMAS

_MENDS: Final = {
    sqlite3.SQLITE_CANTOPEN: "; if it is missing, the historian makes it",
    sqlite3.SQLITE_CORRUPT: "; start the historian again, it checks its files and says what to do",
    sqlite3.SQLITE_FULL: "; free space on its disk",
    sqlite3.SQLITE_NOTADB: "; start the historian again, it checks its files and says what to do",
    sqlite3.SQLITE_READONLY: "; let this user write the file and its folder",
}


class Connections:
    """Makes connections when they are needed; safe to use from any thread. ``writer_tables`` are made on the connection that writes, for itself."""

    def __init__(self, file: Path, *, readers: int, writer_tables: Sequence[str] = ()) -> None:
        self.file = file
        self._idle: LifoQueue[sqlite3.Connection] = LifoQueue(readers)
        self._writer: sqlite3.Connection | None = None
        self._writer_tables = writer_tables
        self._one_writes = threading.Lock()
        self._closed = False

    @contextmanager
    def writing(self) -> Iterator[sqlite3.Connection]:
        """A transaction: committed at the end, rolled back on any error."""
        with self._one_writes, translated(self.file):
            connection = self._writer or self._open_writer()
            self._writer = None  # kept if it did its work: one that was opened while the file was read-only stays so for ever
            try:
                connection.execute("BEGIN IMMEDIATE")
                yield connection
                connection.execute("COMMIT")
                self._writer = connection
            finally:
                if self._writer is None:
                    connection.close()

    def _open_writer(self) -> sqlite3.Connection:
        connection = self._open()
        for statement in (*WRITER_PRAGMAS, *self._writer_tables):
            connection.execute(statement)
        return connection

    @contextmanager
    def reading(self) -> Iterator[sqlite3.Connection]:
        """A connection that sees what is committed. Cursors are read to their end or closed."""
        with translated(self.file):
            try:
                connection = self._idle.get_nowait()
            except Empty:
                connection = self._open()
            try:
                yield connection
            finally:
                self._give_back(connection)

    def _give_back(self, connection: sqlite3.Connection) -> None:
        try:
            if self._closed:
                raise Full
            self._idle.put_nowait(connection)
        except Full:
            connection.close()

    def _open(self) -> sqlite3.Connection:
        return open_file(self.file)

    def close(self) -> None:
        """Closes what is not in use; a reader's connection is closed when it comes back."""
        self._closed = True
        with self._one_writes:
            if self._writer is not None:
                self._writer.close()
                self._writer = None
        while True:
            try:
                self._idle.get_nowait().close()
            except Empty:
                return


def open_file(file: Path, mode: str = "rw", pragmas: Sequence[str] = PRAGMAS) -> sqlite3.Connection:
    """A connection without transactions of its own. ``mode`` is SQLite's: ``ro``, ``rw`` or ``rwc``, which makes the file."""
    connection = sqlite3.connect(f"{file.absolute().as_uri()}?mode={mode}", uri=True, isolation_level=None, check_same_thread=False, timeout=10)
    try:
        for pragma in pragmas:
            connection.execute(pragma)
    except sqlite3.Error:
        connection.close()
        raise
    return connection


@contextmanager
def translated(file: Path) -> Iterator[None]:
    """Errors of SQLite and of the operating system as ``StoreUnavailable``."""
    try:
        yield
    except sqlite3.DatabaseError as error:
        code = getattr(error, "sqlite_errorcode", 0) & 0xFF
        raise StoreUnavailable(f"{file}: {error}{_MENDS.get(code, '')}") from error
    except OSError as error:
        raise StoreUnavailable(f"{error.filename or file}: {error.strerror or error}") from error
