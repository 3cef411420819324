"""From a URL to a store."""

from pathlib import Path

from plant.errors import ConfigurationError, Problem
from services.store.interface import Store
from services.store.postgresql import PostgresqlStore
from services.store.sqlite import SqliteStore


def open_store(url: str) -> Store:
    """``sqlite:///FILE`` (an absolute path has four slashes) or ``postgresql://USER:PASSWORD@HOST/DATABASE``. A database that is away is no error here.

    Raises:
        ConfigurationError: the URL names no store.
    """
    if url.startswith("sqlite:///") and len(url) > len("sqlite:///"):
        return SqliteStore(Path(url.removeprefix("sqlite:///")))
    if url.startswith("postgresql://"):
        return PostgresqlStore(url)
    scheme = url.partition(":")[0]
    problem = Problem("MONAZITE_STORE", None, None, f"{scheme!r} is no kind of store", "write sqlite:///FILE or postgresql://USER:PASSWORD@HOST/DATABASE")
    raise ConfigurationError([problem])
