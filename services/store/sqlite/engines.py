"""SQLAlchemy over a SQLite file, with real transactions: ``open_file`` makes connections that begin none of themselves."""

from pathlib import Path
from typing import Final

from sqlalchemy import Connection, Engine, Pool, create_engine, event

from services.store.metadata import READS
from services.store.sqlite.connections import open_file

_BEGIN: Final = "BEGIN IMMEDIATE"
"""A transaction that writes has the file from its begin: one that asks for it later, having read, may be refused without a wait."""


def engine_of(file: Path, pool: type[Pool], mode: str = "rw") -> Engine:
    """An engine whose ``begin`` begins a transaction: one that reads beside others if the execution option ``READS`` says so, else one that writes.

    ``mode`` is that of ``open_file``.
    """
    engine = create_engine("sqlite://", creator=lambda: open_file(file, mode), poolclass=pool)
    event.listen(engine, "begin", _begin)
    return engine


def _begin(connection: Connection) -> None:
    connection.exec_driver_sql("BEGIN" if connection.get_execution_options().get(READS) else _BEGIN)
