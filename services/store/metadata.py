"""Tags, events, accounts and changes to recompute: the tables that are not history, the same on every database, through SQLAlchemy."""

import json
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Final

from sqlalchemy import BigInteger, Boolean, Column, Connection, Engine, Float, Integer, MetaData, String, Table, Text, delete, insert, select, update
from sqlalchemy.dialects.postgresql import insert as postgresql_insert
from sqlalchemy.dialects.sqlite import insert as sqlite_insert
from sqlalchemy.exc import DBAPIError
from sqlalchemy.exc import TimeoutError as PoolTimeout

from plant.compression_report import CompressionReport
from plant.errors import ConfigurationError, Problem, StoreUnavailable, Unstorable
from plant.event import Event
from plant.tag import Tag
from services.store.interface import Account, InputChange
from services.store.refusals import is_refusal
from services.store.rows import check_event

READS: Final = "reads"
"""Execution option of a connection whose transaction only reads."""

_metadata = MetaData()

_tag = Table(
    "tag",
    _metadata,
    Column("id", Integer, primary_key=True, autoincrement=False),
    Column("name", String, nullable=False, unique=True),
    Column("area", String, nullable=False),
    Column("unit", String, nullable=False),
    Column("description", Text, nullable=False),
    Column("data_type", String, nullable=False),
    Column("engineering_unit", String, nullable=False),
    Column("eu_low", Float),
    Column("eu_high", Float),
    Column("stepped", Boolean, nullable=False),
    Column("device", String, nullable=False),
)

_event = Table(
    "event",
    _metadata,
    Column("id", String, primary_key=True),
    Column("time", BigInteger, nullable=False, index=True),
    Column("kind", String, nullable=False),
    Column("subject", String, nullable=False),
    Column("user", String, nullable=False),
    Column("detail", Text, nullable=False),
)

_account = Table(
    "account",
    _metadata,
    Column("name", String, primary_key=True),
    Column("password_hash", String, nullable=False),
    Column("role", String, nullable=False),
)

_input_change = Table(
    "input_change",
    _metadata,
    Column("tag_id", Integer, primary_key=True, autoincrement=False),
    Column("start_time", BigInteger, primary_key=True, autoincrement=False),
    Column("end_time", BigInteger, nullable=False),
    Column("by_hand", Boolean, nullable=False),
)


_compression = Table(
    "compression",
    _metadata,
    Column("tag_id", Integer, primary_key=True, autoincrement=False),
    Column("raw", BigInteger, nullable=False),
    Column("kept", BigInteger, nullable=False),
    Column("worst_error", Float, nullable=False),
)


class Metadata:
    """The tables over one engine. Errors of the database are ``StoreUnavailable``."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._reader = engine.execution_options(**{READS: True})
        self._insert = sqlite_insert if engine.dialect.name == "sqlite" else postgresql_insert

    def register_tags(self, tags: Sequence[Tag]) -> None:
        """Brings the tag table to ``tags``; tags that left the site stay, their history is readable by name.

        Raises:
            ConfigurationError: an id or a name is another tag's.
        """
        with self._transaction() as connection:
            names = {row.id: row.name for row in connection.execute(select(_tag.c.id, _tag.c.name))}
            ids = {name: tag_id for tag_id, name in names.items()}
            problems = []
            for tag in tags:
                if names.get(tag.id, tag.name) != tag.name:
                    mend = f"give {tag.name} an id that was never used"
                    problems.append(Problem("tags.csv", None, "id", f"id {tag.id} of {tag.name} keeps the history of {names[tag.id]}", mend))
                elif ids.get(tag.name, tag.id) != tag.id:
                    mend = f"give it back the id {ids[tag.name]}"
                    problems.append(Problem("tags.csv", None, "id", f"{tag.name} has id {tag.id}, its history is kept under {ids[tag.name]}", mend))
            if problems:
                raise ConfigurationError(problems)
            for tag in tags:
                row = _row_of(tag)
                if tag.id in names:
                    connection.execute(update(_tag).where(_tag.c.id == tag.id).values(**row))
            new = [_row_of(tag) for tag in tags if tag.id not in names]
            if new:
                connection.execute(insert(_tag), new)

    def save_events(self, events: Sequence[Event]) -> None:
        if not events:
            return
        for event in events:
            check_event(event)
        rows = [
            {
                "id": event.id,
                "time": event.time,
                "kind": event.kind,
                "subject": event.subject,
                "user": event.user,
                "detail": json.dumps(dict(event.detail), sort_keys=True),
            }
            for event in events
        ]
        with self._transaction() as connection:
            connection.execute(self._insert(_event).on_conflict_do_nothing(), rows)

    def events(self, start: int, end: int, limit: int) -> Sequence[Event]:
        query = select(_event).where(_event.c.time >= start, _event.c.time < end).order_by(_event.c.time, _event.c.id).limit(limit)
        with self._transaction(reads=True) as connection:
            return [Event(row.id, row.time, row.kind, row.subject, row.user, json.loads(row.detail)) for row in connection.execute(query)]

    def add_compression(self, reports: Sequence[CompressionReport]) -> None:
        """Adds up counts, and keeps the worst error."""
        with self._transaction() as connection:
            for report in reports:
                row = {"tag_id": report.tag_id, "raw": report.raw, "kept": report.kept, "worst_error": report.worst_error}
                before = connection.execute(select(_compression).where(_compression.c.tag_id == report.tag_id)).one_or_none()
                if before is None:
                    connection.execute(insert(_compression).values(**row))
                else:
                    sums = {"raw": before.raw + report.raw, "kept": before.kept + report.kept, "worst_error": max(before.worst_error, report.worst_error)}
                    connection.execute(update(_compression).where(_compression.c.tag_id == report.tag_id).values(**sums))

    def compression(self, tag_id: int) -> CompressionReport | None:
        with self._transaction(reads=True) as connection:
            row = connection.execute(select(_compression).where(_compression.c.tag_id == tag_id)).one_or_none()
        return None if row is None else CompressionReport(row.tag_id, row.raw, row.kept, row.worst_error)

    def account(self, name: str) -> Account | None:
        with self._transaction(reads=True) as connection:
            row = connection.execute(select(_account).where(_account.c.name == name)).one_or_none()
        return None if row is None else Account(row.name, row.password_hash, row.role)

    def save_account(self, account: Account) -> None:
        row = {"name": account.name, "password_hash": account.password_hash, "role": account.role}
        with self._transaction() as connection:
            connection.execute(self._insert(_account).values(**row).on_conflict_do_update(index_elements=["name"], set_=row))

    def save_input_changes(self, changes: Sequence[InputChange]) -> None:
        rows = [{"tag_id": one.tag_id, "start_time": one.start, "end_time": one.end, "by_hand": one.by_hand} for one in changes]
        with self._transaction() as connection:
            connection.execute(delete(_input_change))
            if rows:
                connection.execute(insert(_input_change), rows)

    def input_changes(self) -> Sequence[InputChange]:
        query = select(_input_change).order_by(_input_change.c.tag_id, _input_change.c.start_time)
        with self._transaction(reads=True) as connection:
            return [InputChange(row.tag_id, row.start_time, row.end_time, row.by_hand) for row in connection.execute(query)]

    def close(self) -> None:
        self._engine.dispose()

    @contextmanager
    def _transaction(self, *, reads: bool = False) -> Iterator[Connection]:
        try:
            with (self._reader if reads else self._engine).begin() as connection:
                yield connection
        except DBAPIError as error:
            raise (Unstorable if is_refusal(error.orig) else StoreUnavailable)(str(error).splitlines()[0]) from error
        except PoolTimeout as error:
            raise StoreUnavailable(str(error).splitlines()[0]) from error


def _row_of(tag: Tag) -> dict[str, object]:
    low, high = tag.eu_range or (None, None)
    return {
        "id": tag.id,
        "name": tag.name,
        "area": tag.area,
        "unit": tag.unit,
        "description": tag.description,
        "data_type": tag.data_type.value,
        "engineering_unit": tag.engineering_unit,
        "eu_low": low,
        "eu_high": high,
        "stepped": tag.is_stepped,
        "device": tag.device,
    }
