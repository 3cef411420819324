"""The store on SQLite."""

import sqlite3
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from sqlalchemy import create_engine

from plant.batch import SampleBatch, TextBatch
from plant.errors import ConfigurationError, Problem
from plant.event import Event
from plant.ledger import Gap, GapCause, Position
from plant.tag import Tag
from services.store.interface import Account, Commit, CommitReport, InputChange
from services.store.metadata import Metadata
from services.store.rows import check_gap, check_storable, distinct
from services.store.sqlite.connections import Connections
from services.store.sqlite.schema import TABLES
from services.store.sqlite.write import catch_up_snapshot, write_gaps, write_history, write_positions, write_snapshot

_BOUNDS = "tag_id = ? AND ts >= ? AND ts < ? ORDER BY ts LIMIT ?"
_BEFORE = "tag_id = ? AND ts <= ? ORDER BY ts DESC LIMIT 1"
_AFTER = "tag_id = ? AND ts > ? ORDER BY ts LIMIT 1"


class SqliteStore:
    """Satisfies ``services.store.interface.Store``."""

    def __init__(self, file: Path) -> None:
        if not file.parent.is_dir():
            raise ConfigurationError([Problem(str(file), None, None, "its folder does not exist", "make the folder or name another file")])
        self._connections = Connections(file)
        self._metadata = Metadata(create_engine(f"sqlite:///{file}", connect_args={"timeout": 10}))

    @property
    def features(self) -> Mapping[str, str]:
        return {"product": "SQLite", "version": sqlite3.sqlite_version, "timescaledb": "none"}

    def prepare(self, tags: Sequence[Tag]) -> None:
        with self._connections.writing() as connection:
            for statement in TABLES.split(";"):
                connection.execute(statement)
        self._metadata.create()
        self._metadata.register_tags(tags)
        with self._connections.writing() as connection:
            catch_up_snapshot(connection)

    def commit(self, commit: Commit) -> CommitReport:
        check_storable(commit.samples)
        check_storable(commit.texts)
        with self._connections.writing() as connection:
            numbers = write_history(connection, distinct(commit.samples))
            texts = write_history(connection, distinct(commit.texts))
            write_positions(connection, commit.positions)
            write_gaps(connection, commit.gaps)
        return CommitReport(numbers.inserted + texts.inserted, numbers.unchanged + texts.unchanged, numbers.revised + texts.revised)

    def positions(self) -> Mapping[str, Position]:
        return {row[0]: Position(*row) for row in self._rows("SELECT device, epoch, sequence, last_time FROM position")}

    def save_snapshot(self, samples: SampleBatch, texts: TextBatch) -> None:
        with self._connections.writing() as connection:
            write_snapshot(connection, samples, texts)

    def snapshot(self) -> tuple[SampleBatch, TextBatch]:
        return self._samples("snapshot", "1 = 1 ORDER BY tag_id", ()), self._texts("snapshot_text", "1 = 1 ORDER BY tag_id", ())

    def samples(self, tag_id: int, start: int, end: int, limit: int) -> SampleBatch:
        return self._samples("sample", _BOUNDS, (tag_id, start, end, limit))

    def texts(self, tag_id: int, start: int, end: int, limit: int) -> TextBatch:
        return self._texts("sample_text", _BOUNDS, (tag_id, start, end, limit))

    def sample_before(self, tag_id: int, time: int) -> SampleBatch:
        return self._samples("sample", _BEFORE, (tag_id, time))

    def sample_after(self, tag_id: int, time: int) -> SampleBatch:
        return self._samples("sample", _AFTER, (tag_id, time))

    def text_before(self, tag_id: int, time: int) -> TextBatch:
        return self._texts("sample_text", _BEFORE, (tag_id, time))

    def text_after(self, tag_id: int, time: int) -> TextBatch:
        return self._texts("sample_text", _AFTER, (tag_id, time))

    def gaps(self, start: int, end: int) -> Sequence[Gap]:
        rows = self._rows(
            "SELECT device, start_ts, end_ts, cause, recovered FROM gap WHERE start_ts < ? AND (end_ts IS NULL OR end_ts >= ?) ORDER BY start_ts, device",
            (end, start),
        )
        return [Gap(device, begin, finish, GapCause(cause), bool(recovered)) for device, begin, finish, cause, recovered in rows]

    def save_gap(self, gap: Gap) -> None:
        check_gap(gap)
        with self._connections.writing() as connection:
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
        self._connections.close()
        self._metadata.close()

    def _samples(self, table: str, condition: str, parameters: tuple[int, ...]) -> SampleBatch:
        rows = self._rows(f"SELECT tag_id, ts, value, quality FROM {table} WHERE {condition}", parameters)
        if not rows:
            return SampleBatch.empty()
        tag_id, time, value, quality = zip(*rows, strict=True)
        return SampleBatch(np.array(tag_id, np.int32), np.array(time, np.int64), np.array(value, np.float64), np.array(quality, np.int16))

    def _texts(self, table: str, condition: str, parameters: tuple[int, ...]) -> TextBatch:
        rows = self._rows(f"SELECT tag_id, ts, value, quality FROM {table} WHERE {condition}", parameters)
        return TextBatch.of([row[0] for row in rows], [row[1] for row in rows], [row[2] for row in rows], [row[3] for row in rows])

    def _rows(self, query: str, parameters: tuple[int, ...] = ()) -> list[tuple[Any, ...]]:
        with self._connections.reading() as connection:
            return connection.execute(query, parameters).fetchall()
