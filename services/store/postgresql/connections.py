"""Connections to PostgreSQL: a pool, transactions, and what an error of the server means."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Final, LiteralString

import psycopg
from psycopg import Connection, sql
from psycopg.conninfo import make_conninfo
from psycopg_pool import ConnectionPool
from sqlalchemy import Connection as AlchemyConnection
from sqlalchemy import Engine, create_engine
from sqlalchemy.exc import DBAPIError
from sqlalchemy.exc import TimeoutError as PoolTimeout

from plant.errors import StoreUnavailable, Unstorable
from services.store.refusals import is_refusal

_DEADLINE: Final = 5
"""Seconds to get a connection."""

_KEEPALIVE: Final = {"keepalives_idle": 5, "keepalives_interval": 2, "keepalives_count": 3, "tcp_user_timeout": 10_000}
"""A server that vanished without a word is noticed within about ten seconds, not when TCP gives up after a quarter of an hour."""

_OPTIONS: Final = (
    "-c timezone=UTC -c lock_timeout=5s -c statement_timeout=60s -c idle_in_transaction_session_timeout=10min "
    "-c max_parallel_workers_per_gather=0 -c jit=off -c timescaledb.max_tuples_decompressed_per_dml_transaction=0"
)
"""No parallel workers: arrays gathered by several of them are out of order. The last one: late and corrected samples may touch as many rows of the
columnstore as they need; a server without TimescaleDB has no use for it."""

_READ_TIMEOUT: Final = "SET LOCAL statement_timeout = '15s'"
_ONE_STATE: Final = "SET TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY"

Statement = LiteralString | sql.Composed


class Connections:
    """Connects when it is first used; a database that comes back is used again. What the server refuses is ``Unstorable``, all else ``StoreUnavailable``."""

    def __init__(self, url: str) -> None:
        self.address = url.rpartition("@")[2]
        url = make_conninfo(url, application_name="monazite", connect_timeout=_DEADLINE, options=_OPTIONS, **_KEEPALIVE)
        self._pool = ConnectionPool(
            url, min_size=0, max_size=8, open=False, timeout=_DEADLINE, reconnect_timeout=0.5, max_idle=60, check=ConnectionPool.check_connection
        )
        self._pool.open(wait=False)
        self.engine: Engine = create_engine("postgresql+psycopg://", creator=lambda: psycopg.connect(url), pool_size=2, max_overflow=4, pool_pre_ping=True)

    @contextmanager
    def transaction(self, *, reads: bool = False, one_state: bool = False) -> Iterator[Connection]:
        """``reads`` has a shorter deadline for each statement; ``one_state`` reads, and sees nothing that is committed after its first statement."""
        with self._told(), self._pool.connection() as connection, connection.transaction():
            if one_state:
                connection.execute(_ONE_STATE)
            if reads:
                connection.execute(_READ_TIMEOUT)
            yield connection

    @contextmanager
    def alone(self) -> Iterator[Connection]:
        """A connection on which each statement is a transaction of its own, for procedures that commit and take their time."""
        with self._told(), self._pool.connection() as connection:
            connection.autocommit = True
            try:
                connection.execute("SET statement_timeout = '5min'")
                yield connection
            finally:
                if not connection.closed:
                    connection.execute("RESET statement_timeout")
                    connection.autocommit = False

    @contextmanager
    def scripts(self) -> Iterator[tuple[AlchemyConnection, Connection]]:
        """One transaction of one connection, as SQLAlchemy and as psycopg see it."""
        with self._told(), self.engine.begin() as connection:
            driver = connection.connection.driver_connection
            assert isinstance(driver, Connection)
            yield connection, driver

    def rows(self, query: Statement, *parameters: object) -> list[tuple[Any, ...]]:
        with self.transaction(reads=True) as connection:
            return connection.execute(query, parameters).fetchall()

    def close(self) -> None:
        self._pool.close()

    @contextmanager
    def _told(self) -> Iterator[None]:
        try:
            yield
        except psycopg.errors.UndefinedTable as error:
            raise StoreUnavailable(f"{self.address}: the historian has not made the tables yet") from error
        except psycopg.errors.CheckViolation as error:
            raise StoreUnavailable(f"{self.address}: a partition was dropped by another process") from error  # nothing else has a check
        except DBAPIError as error:
            raise (Unstorable if is_refusal(error.orig) else StoreUnavailable)(f"{self.address}: {str(error).splitlines()[0]}") from error
        except (psycopg.Error, PoolTimeout) as error:
            raise (Unstorable if is_refusal(error) else StoreUnavailable)(f"{self.address}: {str(error).splitlines()[0]}") from error
