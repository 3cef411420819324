"""Databases for tests: a real PostgreSQL, started once a run, with a fresh database for each test that asks for one."""

import gc
import os
import subprocess
import uuid
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest
from hypothesis import settings
from psycopg import sql
from psycopg.conninfo import make_conninfo

from tests.postgres import PostgresServer, install_folder

settings.register_profile("loaded", deadline=None)  # a busy machine is no failure; pytest-timeout ends what hangs
settings.load_profile("loaded")

READER = Path(__file__).parents[1] / "deploy" / "postgres" / "10-reader.sh"


def pytest_collection_finish() -> None:
    """What was imported stays for good: a collection that walks through it again and again takes longer than some tests do."""
    gc.collect()
    gc.freeze()


@pytest.fixture(scope="session")
def postgres_server_dsn() -> Iterator[str]:
    """A server that may create databases: the one named by ``MONAZITE_TEST_POSTGRES_DSN``, else one of our own."""
    given = os.environ.get("MONAZITE_TEST_POSTGRES_DSN")
    if given:
        yield given
        return
    server = PostgresServer()
    try:
        server.start()
        yield server.dsn
    finally:
        server.close()


@pytest.fixture(scope="session")
def reader_dsn(postgres_server_dsn: str) -> str:
    """The same server as the role that Grafana reads with, made by the script that makes it in the container."""
    with psycopg.connect(postgres_server_dsn) as connection:
        info = connection.info
        if connection.execute("SELECT 1 FROM pg_roles WHERE rolname = 'monazite_reader'").fetchone() is None:
            settings = {"POSTGRES_USER": info.user, "POSTGRES_DB": info.dbname, "READER_PASSWORD": "reader", "PGHOST": info.host, "PGPORT": str(info.port)}
            path = f"{install_folder() / 'bin'}:{os.environ['PATH']}"
            subprocess.run(["sh", READER], env={**os.environ, **settings, "PGPASSWORD": info.password, "PATH": path}, check=True, timeout=30)
        return f"postgresql://monazite_reader:reader@{info.host}:{info.port}"


@pytest.fixture
def postgres_url(postgres_server_dsn: str) -> Iterator[str]:
    """A fresh database on plain PostgreSQL, dropped afterwards."""
    yield from _fresh_database(postgres_server_dsn)


@pytest.fixture
def timescale_url() -> Iterator[str]:
    """A fresh database on PostgreSQL with TimescaleDB."""
    yield from _fresh_database(os.environ["MONAZITE_TEST_TIMESCALE_DSN"])


@pytest.fixture
def sqlite_url(tmp_path: Path) -> str:
    return f"sqlite:///{tmp_path}/history.sqlite"


STORES = ["sqlite", "postgres", *(["timescale"] if os.environ.get("MONAZITE_TEST_TIMESCALE_DSN") else [])]
"""TimescaleDB is in no package registry: the suite runs on it where ``MONAZITE_TEST_TIMESCALE_DSN`` names a server that has it."""


@pytest.fixture(params=STORES)
def store_url(request: pytest.FixtureRequest) -> str:
    """A fresh, empty store of each kind in turn."""
    url: str = request.getfixturevalue(f"{request.param}_url")
    return url


def _fresh_database(server: str) -> Iterator[str]:
    name = f"monazite_{uuid.uuid4().hex[:12]}"
    with psycopg.connect(server, autocommit=True) as connection:
        connection.execute(sql.SQL("CREATE DATABASE {}").format(sql.Identifier(name)))
        info = connection.info
        yield f"postgresql://{info.user}{f':{info.password}' if info.password else ''}@{info.host}:{info.port}/{name}"
    with psycopg.connect(make_conninfo(server), autocommit=True) as connection:
        connection.execute(sql.SQL("DROP DATABASE {} WITH (FORCE)").format(sql.Identifier(name)))
