"""History in one SQLite file: embedded, one writer, several readers beside it."""

from services.store.sqlite.store import SqliteStore

__all__ = ["SqliteStore"]
