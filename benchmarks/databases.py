"""The databases that history is measured in, each fresh, and the bare driver beside the store."""

import contextlib
import os
import sqlite3
import tempfile
import uuid
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import psycopg
from psycopg import sql

from services.store import Store, open_store
from services.store.sqlite.months import file_of, month_of
from tests.postgres import PostgresServer

TIMESCALE: Final = "MONAZITE_TEST_TIMESCALE_DSN"

_OPTIONS: Final = "-c timezone=UTC -c max_parallel_workers_per_gather=0 -c jit=off"
"""What a reader that wants rows in order sets, as the store does."""


@dataclass(frozen=True, slots=True)
class Database:
    """``kind`` is its name in a table of results; ``url`` opens the store."""

    kind: str
    url: str

    @property
    def is_sqlite(self) -> bool:
        return self.url.startswith("sqlite:")

    @property
    def has_columnstore(self) -> bool:
        return self.kind == "TimescaleDB"

    @property
    def file(self) -> Path:
        """The main file of SQLite."""
        return Path(self.url.removeprefix("sqlite:///"))

    @contextlib.contextmanager
    def store(self) -> Iterator[Store]:
        with contextlib.closing(open_store(self.url)) as opened:
            yield opened

    @contextlib.contextmanager
    def bare(self, time: int | None = None) -> Iterator["Bare"]:
        """The bare driver; with SQLite at the file of the month of ``time``, or at the main file."""
        if self.is_sqlite:
            with contextlib.closing(sqlite3.connect(self.file if time is None else file_of(self.file, month_of(time)), isolation_level=None)) as connection:
                yield Bare(connection)
        else:
            with psycopg.connect(self.url, autocommit=True, options=_OPTIONS) as session:
                yield Bare(session)


class Bare:
    """``rows`` is ``fetchall`` of a query that is written with ``?`` for its parameters."""

    def __init__(self, connection: "sqlite3.Connection | psycopg.Connection[Any]") -> None:
        self._connection = connection

    def do(self, statement: str) -> None:
        """A statement that gives no rows."""
        self._connection.execute(statement) if isinstance(self._connection, sqlite3.Connection) else self._connection.execute(statement.encode())

    def copy(self, table: str, rows: Iterable[tuple[object, ...]]) -> None:
        """Rows into a table of PostgreSQL."""
        assert isinstance(self._connection, psycopg.Connection)
        with self._connection.cursor().copy(f"COPY {table} FROM STDIN".encode()) as copy:
            for row in rows:
                copy.write_row(row)

    def rows(self, query: str, *parameters: object) -> Sequence[tuple[Any, ...]]:
        if isinstance(self._connection, sqlite3.Connection):
            return self._connection.execute(query, parameters).fetchall()
        return self._connection.execute(query.replace("?", "%s").encode(), parameters).fetchall()


def databases() -> Iterator[Database]:
    """SQLite, plain PostgreSQL and, where ``MONAZITE_TEST_TIMESCALE_DSN`` names a server, TimescaleDB; gone once the next one is asked for."""
    with tempfile.TemporaryDirectory(prefix="monazite-bench-") as folder:
        yield Database("SQLite", f"sqlite:///{folder}/history.sqlite")
    with postgres() as server:
        yield from _fresh("PostgreSQL", server)
    if TIMESCALE in os.environ:
        yield from _fresh("TimescaleDB", os.environ[TIMESCALE])


@contextlib.contextmanager
def postgres() -> Iterator[str]:
    """DSN of a PostgreSQL server of our own."""
    server = PostgresServer()
    try:
        server.start()
        yield server.dsn
    finally:
        server.close()


def _fresh(kind: str, server: str) -> Iterator[Database]:
    name = f"monazite_bench_{uuid.uuid4().hex[:12]}"
    with psycopg.connect(server, autocommit=True) as connection:
        connection.execute(sql.SQL("CREATE DATABASE {}").format(sql.Identifier(name)))
        info = connection.info
        try:
            yield Database(kind, f"postgresql://{info.user}{f':{info.password}' if info.password else ''}@{info.host}:{info.port}/{name}")
        finally:
            connection.execute(sql.SQL("DROP DATABASE {} WITH (FORCE)").format(sql.Identifier(name)))
