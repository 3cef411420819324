"""The main file brought to this program's schema."""

from pathlib import Path
from typing import Final

from sqlalchemy.exc import DBAPIError
from sqlalchemy.pool import NullPool

from plant.errors import StoreUnavailable
from services.store.migration import upgrade
from services.store.sqlite.connections import open_file, translated
from services.store.sqlite.engines import engine_of
from services.store.sqlite.schema import MAIN_VERSION

_SCRIPTS: Final = Path(__file__).with_name("migrations")
_WORTH_IT: Final = 1_000
"""Free pages from which on the file is made smaller."""


def bring_up(file: Path) -> None:
    """Makes the file if it is missing and runs the scripts it has not had, all in one transaction.

    Raises:
        ConfigurationError: the schema is a newer program's.
    """
    engine = engine_of(file, NullPool, "rwc")
    try:
        with translated(file), engine.begin() as connection:
            upgrade(connection, _SCRIPTS, str(file))
    except DBAPIError as error:
        raise StoreUnavailable(f"{file}: {error.orig}") from error
    _give_space_back(file)


def _give_space_back(file: Path) -> None:
    """A main file that is mostly free pages, because its samples went to month files, becomes small."""
    with translated(file):
        connection = open_file(file)
        try:
            (free,), (pages,) = (connection.execute(f"PRAGMA {name}").fetchone() for name in ("freelist_count", "page_count"))
            if free > max(_WORTH_IT, pages // 2):
                connection.execute("VACUUM")
        finally:
            connection.close()


def version_of(file: Path) -> str | None:
    """The schema that a file has, ``None`` without any."""
    with translated(file):
        connection = open_file(file)
        try:
            if connection.execute("SELECT 1 FROM sqlite_master WHERE name = 'alembic_version'").fetchone() is None:
                return None
            row = connection.execute("SELECT version_num FROM alembic_version").fetchone()
        finally:
            connection.close()
    return None if row is None else str(row[0])


def require_schema(file: Path) -> None:
    """Raises ``StoreUnavailable`` while the file has not this program's schema: it is missing, or being brought up, or a newer program's."""
    version = version_of(file)
    if version != MAIN_VERSION:
        has = "has no tables yet" if version is None else f"has schema {version!r}, not {MAIN_VERSION!r}"
        raise StoreUnavailable(f"{file}: it {has}; the historian brings it up when it starts, if it is of the same version as this program")
