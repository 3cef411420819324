"""History in PostgreSQL, with TimescaleDB where it is installed and with native partitions where it is not."""

from services.store.postgresql.store import PostgresqlStore

__all__ = ["PostgresqlStore"]
