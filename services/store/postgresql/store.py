"""The store on PostgreSQL."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any, Final, LiteralString

import numpy as np
import psycopg
from psycopg import Connection
from psycopg.conninfo import make_conninfo
from psycopg_pool import ConnectionPool
from sqlalchemy import create_engine

from plant import times
from plant.batch import SampleBatch, TextBatch
from plant.errors import StoreUnavailable, Unstorable
from plant.event import Event
from plant.ledger import Gap, GapCause, Position
from plant.tag import Tag
from services.store.interface import Account, Commit, CommitReport, InputChange
from services.store.metadata import Metadata
from services.store.postgresql.copying import from_copy
from services.store.postgresql.schema import SCHEMA_LOCK, is_partitioned, make_partitions, make_tables, make_views, timescaledb_version
from services.store.postgresql.write import catch_up_snapshot, write_gaps, write_positions, write_samples, write_snapshot, write_texts
from services.store.refusals import is_refusal
from services.store.rows import check_gap, check_storable, distinct

_DEADLINE: Final = 5
"""Seconds to get a connection."""

_KEEPALIVE: Final = {"keepalives_idle": 5, "keepalives_interval": 2, "keepalives_count": 3, "tcp_user_timeout": 10_000}
"""A server that vanished without a word is noticed within about ten seconds, not when TCP gives up after a quarter of an hour."""

_OPTIONS: Final = "-c timezone=UTC -c lock_timeout=5s -c statement_timeout=60s"
_MONTHS_A_COMMIT: Final = 240
"""Partitions that one commit may make: each takes locks, and a server has so many."""

_READ_TIMEOUT: Final = "SET LOCAL statement_timeout = '15s'"
_COLUMNS: Final[LiteralString] = "SELECT tag_id, ts, value, quality FROM "
_BOUNDS: Final[LiteralString] = " WHERE tag_id = %s AND ts >= %s AND ts < %s ORDER BY ts LIMIT %s"
_BEFORE: Final[LiteralString] = " WHERE tag_id = %s AND ts <= %s ORDER BY ts DESC LIMIT 1"
_AFTER: Final[LiteralString] = " WHERE tag_id = %s AND ts > %s ORDER BY ts LIMIT 1"


class PostgresqlStore:
    """Satisfies ``services.store.interface.Store``. Connects when it is first used; a database that comes back is used again."""

    def __init__(self, url: str) -> None:
        self._address = url.rpartition("@")[2]
        url = make_conninfo(url, application_name="monazite", connect_timeout=_DEADLINE, options=_OPTIONS, **_KEEPALIVE)
        self._pool = ConnectionPool(
            url, min_size=0, max_size=8, open=False, timeout=_DEADLINE, reconnect_timeout=0.5, max_idle=60, check=ConnectionPool.check_connection
        )
        self._pool.open(wait=False)
        self._metadata = Metadata(create_engine("postgresql+psycopg://", creator=lambda: psycopg.connect(url), pool_size=2, max_overflow=4, pool_pre_ping=True))
        self._features: dict[str, str] = {}
        self._partitions: set[str] | None = None

    @property
    def features(self) -> Mapping[str, str]:
        return self._features

    def prepare(self, tags: Sequence[Tag]) -> None:
        with self._transaction() as connection:
            connection.execute("SELECT pg_advisory_xact_lock(%s)", (SCHEMA_LOCK,))
            timescaledb = timescaledb_version(connection)
            make_tables(connection, timescaledb=timescaledb is not None)
            self._partitions = set() if is_partitioned(connection) else None
            version = str(connection.info.parameter_status("server_version"))
        self._features = {"product": "PostgreSQL", "version": version, "timescaledb": timescaledb or "none"}
        self._metadata.create()
        with self._transaction() as connection:
            connection.execute("SELECT pg_advisory_xact_lock(%s)", (SCHEMA_LOCK,))
            make_views(connection)
        self._metadata.register_tags(tags)
        with self._transaction() as connection:
            catch_up_snapshot(connection)

    def commit(self, commit: Commit) -> CommitReport:
        check_storable(commit.samples)
        check_storable(commit.texts)
        self._make_partitions(commit)
        with self._transaction() as connection:
            numbers = write_samples(connection, distinct(commit.samples))
            texts = write_texts(connection, distinct(commit.texts))
            write_positions(connection, commit.positions)
            write_gaps(connection, commit.gaps)
        return CommitReport(numbers.inserted + texts.inserted, numbers.unchanged + texts.unchanged, numbers.revised + texts.revised)

    def _make_partitions(self, commit: Commit) -> None:
        """In a transaction of its own: it is remembered only when it is there for good."""
        if self._partitions is None:
            return
        time = np.concatenate([commit.samples.time, commit.texts.time])
        months = sorted({str(month) for month in np.unique(time.view("datetime64[us]").astype("datetime64[M]"))} - self._partitions)
        if len(months) > _MONTHS_A_COMMIT:
            raise Unstorable(f"{len(months)} months at once, from {months[0]} to {months[-1]}: a device whose clock is at random")
        if months:
            with self._transaction() as connection:
                connection.execute("SELECT pg_advisory_xact_lock(%s)", (SCHEMA_LOCK,))
                make_partitions(connection, months)
            self._partitions.update(months)

    def positions(self) -> Mapping[str, Position]:
        return {row[0]: Position(*row) for row in self._rows("SELECT device, epoch, sequence, last_time FROM position")}

    def save_snapshot(self, samples: SampleBatch, texts: TextBatch) -> None:
        with self._transaction() as connection:
            write_snapshot(connection, samples, texts)

    def snapshot(self) -> tuple[SampleBatch, TextBatch]:
        return self._samples(_COLUMNS + "snapshot ORDER BY tag_id"), self._texts(_COLUMNS + "snapshot_text ORDER BY tag_id")

    def samples(self, tag_id: int, start: int, end: int, limit: int) -> SampleBatch:
        return self._samples(_COLUMNS + "sample" + _BOUNDS, tag_id, _moment(start), _moment(end), limit)

    def texts(self, tag_id: int, start: int, end: int, limit: int) -> TextBatch:
        return self._texts(_COLUMNS + "sample_text" + _BOUNDS, tag_id, _moment(start), _moment(end), limit)

    def sample_before(self, tag_id: int, time: int) -> SampleBatch:
        return self._samples(_COLUMNS + "sample" + _BEFORE, tag_id, _moment(time))

    def sample_after(self, tag_id: int, time: int) -> SampleBatch:
        return self._samples(_COLUMNS + "sample" + _AFTER, tag_id, _moment(time))

    def text_before(self, tag_id: int, time: int) -> TextBatch:
        return self._texts(_COLUMNS + "sample_text" + _BEFORE, tag_id, _moment(time))

    def text_after(self, tag_id: int, time: int) -> TextBatch:
        return self._texts(_COLUMNS + "sample_text" + _AFTER, tag_id, _moment(time))

    def gaps(self, start: int, end: int) -> Sequence[Gap]:
        rows = self._rows(
            "SELECT device, start_ts, end_ts, cause, recovered FROM gap WHERE start_ts < %s AND (end_ts IS NULL OR end_ts >= %s) ORDER BY start_ts, device",
            _moment(end),
            _moment(start),
        )
        return [
            Gap(device, times.from_datetime(begin), None if finish is None else times.from_datetime(finish), GapCause(cause), recovered)
            for device, begin, finish, cause, recovered in rows
        ]

    def save_gap(self, gap: Gap) -> None:
        check_gap(gap)
        with self._transaction() as connection:
            write_gaps(connection, [gap])

    def save_events(self, events: Sequence[Event]) -> None:
        self._metadata.save_events(events)

    def events(self, start: int, end: int, limit: int) -> Sequence[Event]:
        return self._metadata.events(start, end, limit)

    def save_input_changes(self, changes: Sequence[InputChange]) -> None:
        self._metadata.save_input_changes(changes)

    def input_changes(self) -> Sequence[InputChange]:
        return self._metadata.input_changes()

    def account(self, name: str) -> Account | None:
        return self._metadata.account(name)

    def save_account(self, account: Account) -> None:
        self._metadata.save_account(account)

    def close(self) -> None:
        self._pool.close()
        self._metadata.close()

    def _samples(self, query: LiteralString, *parameters: object) -> SampleBatch:
        copy_out = "COPY (" + query + ") TO STDOUT (FORMAT BINARY)"
        with self._transaction(reads=True) as connection, connection.cursor() as cursor, cursor.copy(copy_out, parameters) as copy:
            data = b"".join(bytes(part) for part in copy)
        return from_copy(data)

    def _texts(self, query: LiteralString, *parameters: object) -> TextBatch:
        rows = self._rows(query, *parameters)
        return TextBatch.of([row[0] for row in rows], [times.from_datetime(row[1]) for row in rows], [row[2] for row in rows], [row[3] for row in rows])

    def _rows(self, query: LiteralString, *parameters: object) -> list[tuple[Any, ...]]:
        with self._transaction(reads=True) as connection:
            return connection.execute(query, parameters).fetchall()

    @contextmanager
    def _transaction(self, *, reads: bool = False) -> Iterator[Connection]:
        try:
            with self._pool.connection() as connection, connection.transaction():
                if reads:
                    connection.execute(_READ_TIMEOUT)
                yield connection
        except psycopg.errors.UndefinedTable as error:
            raise StoreUnavailable(f"{self._address}: the historian has not made the tables yet") from error
        except psycopg.Error as error:
            kind = Unstorable if is_refusal(error) else StoreUnavailable
            raise kind(f"{self._address}: {str(error).splitlines()[0]}") from error


def _moment(time: int) -> object:
    """A time as a parameter; those outside the calendar stand for "ever"."""
    try:
        return times.to_datetime(time)
    except OverflowError:
        return "infinity" if time > 0 else "-infinity"
