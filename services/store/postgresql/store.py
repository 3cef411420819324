"""The store on PostgreSQL."""

from collections.abc import Collection, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Final, LiteralString

import numpy as np
import numpy.typing as npt
from psycopg import sql

from plant import times
from plant.aggregates import COLUMNS
from plant.batch import Int64Column, SampleBatch, TextBatch
from plant.compression_report import CompressionReport
from plant.errors import ConfigurationError, Problem, StoreUnavailable, Unstorable
from plant.event import Event
from plant.ledger import Gap, GapCause, Position
from plant.quality import ANY_QUALITY, QualityRange
from plant.tag import Tag
from services.store.interface import (
    BEFORE_ALL,
    Account,
    Authorship,
    Commit,
    CommitReport,
    DueHours,
    Edit,
    EditReport,
    GapKey,
    InputChange,
    Place,
    Revisions,
    RollUps,
)
from services.store.metadata import Metadata
from services.store.postgresql.connections import Connections
from services.store.postgresql.continuous import refresh, want_refresh
from services.store.postgresql.due import due_hours, give_back, kept_from, mark_due, mark_made_otherwise, remember_thinned, still_taken, take_back, take_due
from services.store.postgresql.edits import delete_rows, edit_rows, read_revisions
from services.store.postgresql.gathering import read_samples
from services.store.postgresql.marks import DueMarks, hours_of
from services.store.postgresql.moments import moment_of
from services.store.postgresql.partitions import days_of, make_partitions, partitions_for, present_partitions
from services.store.postgresql.retention import bytes_of, drop_old
from services.store.postgresql.roll_ups import MINUTES, WHOLE_HOURS, read_roll_ups, replace_roll_ups
from services.store.postgresql.schema import SCHEMA_LOCK, Found, bring_up, look
from services.store.postgresql.sizing import sizing_of
from services.store.postgresql.spans import read_spans
from services.store.postgresql.write import (
    catch_up_snapshot,
    forget_in_snapshot,
    lock_revisions,
    remove_samples,
    write_gaps,
    write_positions,
    write_samples,
    write_snapshot,
    write_texts,
)
from services.store.rows import FIRST_TIME, check_gap, check_storable, distinct, rows_in

_PARTITIONS_A_COMMIT: Final = 240
"""Partitions that one commit may make: each takes locks, and a server has so many."""

_PAGE: Final = 50_000
"""Rows of a scan that are in memory at once."""

_COLUMNS: Final[LiteralString] = "SELECT tag_id, ts, value, quality FROM "
_BOUNDS: Final[LiteralString] = " WHERE tag_id = %s AND ts >= %s AND ts < %s ORDER BY ts LIMIT %s"
_BEFORE: Final[LiteralString] = " WHERE tag_id = %s AND ts <= %s AND quality BETWEEN %s AND %s ORDER BY ts DESC LIMIT 1"
_AFTER: Final[LiteralString] = " WHERE tag_id = %s AND ts > %s AND quality BETWEEN %s AND %s ORDER BY ts LIMIT 1"


class PostgresqlStore:
    """Satisfies ``services.store.interface.Store``. Connects when it is first used; a database that comes back is used again."""

    def __init__(self, url: str) -> None:
        self._connections = Connections(url)
        self._metadata = Metadata(self._connections.engine)
        self._found: Found | None = None
        self._partitions: set[str] = set()
        self._marks = DueMarks()
        self._is_replay = False

    @property
    def features(self) -> Mapping[str, str]:
        return {} if self._found is None else self._found.features

    def prepare(self, tags: Sequence[Tag]) -> None:
        with self._connections.scripts() as (connection, driver):
            self._found = bring_up(connection, driver, tags, self._connections.address)
            self._partitions = present_partitions(driver)
        self._marks.forget_all()
        with self._connections.transaction() as connection:
            mark_made_otherwise(connection, tags)
        self._metadata.register_tags(tags)
        with self._connections.transaction() as connection:
            catch_up_snapshot(connection)

    def commit(self, commit: Commit) -> CommitReport:
        check_storable(commit.samples)
        check_storable(commit.texts)
        samples, texts = distinct(commit.samples), distinct(commit.texts)
        self._make_partitions(np.concatenate([samples.time, texts.time]))
        keys = np.union1d(hours_of(samples.tag_id, samples.time), hours_of(texts.tag_id, texts.time)) if len(texts) else hours_of(samples.tag_id, samples.time)
        try:
            with self._marks.writing():
                with self._connections.transaction() as connection:
                    numbers = write_samples(connection, samples, is_replay=self._is_replay)
                    words = write_texts(connection, texts)
                    write_positions(connection, commit.positions)
                    write_gaps(connection, commit.gaps)
                    report = CommitReport(numbers.inserted + words.inserted, numbers.unchanged + words.unchanged, numbers.revised + words.revised)
                    unmarked = self._marks.missing(keys) if report.inserted or report.revised else keys[:0]
                    mark_due(connection, unmarked)
                self._marks.add(unmarked)
        except StoreUnavailable:
            self._partitions = set()  # another process may have dropped some: the next try looks
            raise
        self._is_replay = numbers.unchanged + numbers.revised > 0
        return report

    def _make_partitions(self, time: Int64Column) -> None:
        """In a transaction of its own: it is remembered only when it is there for good."""
        found = self._known()
        if found.timescaledb is not None or not len(time):
            return
        lacking = partitions_for(days_of(time), self._partitions, is_daily=found.sizing.is_daily)
        if len(lacking) > _PARTITIONS_A_COMMIT:
            kind = "days" if found.sizing.is_daily else "months"
            raise Unstorable(f"{len(lacking)} {kind} at once, from {lacking[0]} to {lacking[-1]}: a device whose clock is at random")
        if lacking:
            with self._connections.transaction() as connection:
                connection.execute("SELECT pg_advisory_xact_lock(%s)", (SCHEMA_LOCK,))
                self._partitions = present_partitions(connection)
                make_partitions(connection, partitions_for(days_of(time), self._partitions, is_daily=found.sizing.is_daily))
            self._partitions = self._partitions | set(lacking)

    def positions(self) -> Mapping[str, Position]:
        return {row[0]: Position(*row) for row in self._connections.rows("SELECT device, epoch, sequence, last_time FROM position")}

    def save_snapshot(self, samples: SampleBatch, texts: TextBatch) -> None:
        with self._connections.transaction() as connection:
            write_snapshot(connection, samples, texts)

    def snapshot(self) -> tuple[SampleBatch, TextBatch]:
        return self._samples(_COLUMNS + "snapshot ORDER BY tag_id"), self._texts(_COLUMNS + "snapshot_text ORDER BY tag_id")

    def samples(self, tag_id: int, start: int, end: int, limit: int) -> SampleBatch:
        return self._samples(_COLUMNS + "sample" + _BOUNDS, tag_id, moment_of(start), moment_of(end), limit)

    def texts(self, tag_id: int, start: int, end: int, limit: int) -> TextBatch:
        return self._texts(_COLUMNS + "sample_text" + _BOUNDS, tag_id, moment_of(start), moment_of(end), limit)

    def sample_before(self, tag_id: int, time: int, quality: QualityRange = ANY_QUALITY) -> SampleBatch:
        return self._samples(_COLUMNS + "sample" + _BEFORE, tag_id, moment_of(time), *quality)

    def sample_after(self, tag_id: int, time: int, quality: QualityRange = ANY_QUALITY) -> SampleBatch:
        return self._samples(_COLUMNS + "sample" + _AFTER, tag_id, moment_of(time), *quality)

    def text_before(self, tag_id: int, time: int) -> TextBatch:
        return self._texts(_COLUMNS + "sample_text" + _BEFORE, tag_id, moment_of(time), *ANY_QUALITY)

    def text_after(self, tag_id: int, time: int) -> TextBatch:
        return self._texts(_COLUMNS + "sample_text" + _AFTER, tag_id, moment_of(time), *ANY_QUALITY)

    def scan(self, tag_id: int, start: int, end: int) -> Iterator[SampleBatch]:
        query = sql.SQL(_COLUMNS + "sample" + _BOUNDS)
        with self._connections.transaction(reads=True, one_state=True) as connection:
            while len(page := read_samples(connection, query, (tag_id, moment_of(start), moment_of(end), _PAGE))):
                yield page
                if len(page) < _PAGE:
                    return
                start = int(page.time[-1]) + 1

    def scan_spans(self, tag_id: int, start: Int64Column, end: Int64Column) -> Iterator[SampleBatch]:
        is_chunked = self._known().timescaledb is not None
        with self._connections.transaction(reads=True, one_state=True) as connection:
            if len(start):
                yield from read_spans(connection, tag_id, start, end, _PAGE, is_chunked=is_chunked)

    def scan_texts(self, tag_id: int, start: int, end: int) -> Iterator[TextBatch]:
        with self._connections.transaction(reads=True, one_state=True) as connection:
            while rows := connection.execute(_COLUMNS + "sample_text" + _BOUNDS, (tag_id, moment_of(start), moment_of(end), _PAGE)).fetchall():
                page = _text_batch(rows)
                yield page
                if len(page) < _PAGE:
                    return
                start = int(page.time[-1]) + 1

    def edit(self, edit: Edit) -> EditReport:
        check_storable(edit.samples)
        check_storable(edit.texts)
        self._partitions = self._present()
        self._make_partitions(np.concatenate([edit.samples.time, edit.texts.time]))
        hours = [hours_of(batch.tag_id, batch.time) for batch in (edit.samples, edit.texts)]
        with self._connections.transaction() as connection:
            numbers = edit_rows(connection, edit.samples, edit.mode, edit.author)
            words = edit_rows(connection, edit.texts, edit.mode, edit.author)
            if numbers.changed or words.changed:
                mark_due(connection, np.union1d(*hours))
        return EditReport(
            numbers.inserted + words.inserted, numbers.replaced + words.replaced, numbers.unchanged + words.unchanged, numbers.rejected, words.rejected
        )

    def delete(self, tag_id: int, start: int, end: int, author: Authorship) -> int:
        with self._connections.transaction() as connection:
            deleted = delete_rows(connection, tag_id, start, end, author)
            if forget_in_snapshot(connection, tag_id, start, end):
                catch_up_snapshot(connection, tag_id)
            return deleted

    def revisions(self, tag_id: int, start: int, end: int, since: int, *, behind: Place = BEFORE_ALL, limit: int | None = None) -> Revisions:
        with self._connections.transaction(reads=True) as connection:
            return read_revisions(connection, tag_id, start, end, since, behind, limit)

    def take_due(self, before: int, limit: int) -> DueHours:
        with self._marks.taking():
            with self._connections.transaction() as connection:
                due = take_due(connection, before, limit)
            self._marks.discard(hours_of(due.tag_id, due.hour))
        return due

    def take_back(self) -> None:
        with self._marks.taking(), self._connections.transaction() as connection:
            take_back(connection)

    def due_hours(self, tag_id: int, start: int, end: int) -> Int64Column:
        with self._connections.transaction(reads=True) as connection:
            return due_hours(connection, tag_id, start, end)

    def save_roll_ups(self, minutes: RollUps, hours: RollUps, done: DueHours) -> None:
        found = self._known()
        if found.timescaledb is None:
            self._make_partitions(minutes.start)
        with self._connections.transaction() as connection:
            start = kept_from(connection, holds=True)
            kept = done.select(done.hour >= start)
            replace_roll_ups(connection, MINUTES, minutes.select(minutes.start >= start), kept)
            replace_roll_ups(connection, WHOLE_HOURS, hours.select(hours.start >= start), kept)
            give_back(connection, done)
            if found.has_columnstore:
                want_refresh(connection, done.hour)
        if found.has_columnstore:
            with self._connections.alone() as connection:
                refresh(connection)

    def minutes(self, tag_id: int, start: int, end: int, columns: Collection[str] = COLUMNS) -> RollUps:
        with self._connections.transaction(reads=True) as connection:
            return read_roll_ups(connection, MINUTES, tag_id, start, end, columns)

    def hours(self, tag_id: int, start: int, end: int, columns: Collection[str] = COLUMNS) -> RollUps:
        with self._connections.transaction(reads=True) as connection:
            return read_roll_ups(connection, WHOLE_HOURS, tag_id, start, end, columns)

    def thin(self, samples: SampleBatch, done: DueHours) -> npt.NDArray[np.bool_]:
        with self._connections.transaction() as connection:
            lock_revisions(connection)  # first, as whoever corrects history does: neither waits for the other
            in_hand = still_taken(connection, done)
            thinned = done.select(in_hand)
            remove_samples(connection, samples.select(rows_in(thinned, samples.tag_id, samples.time)))
            remember_thinned(connection, thinned)
        return in_hand

    def add_compression(self, reports: Sequence[CompressionReport]) -> None:
        self._metadata.add_compression(reports)

    def compression(self, tag_id: int) -> CompressionReport | None:
        return self._metadata.compression(tag_id)

    def drop_before(self, time: int) -> Sequence[str]:
        found = self._known()
        with self._marks.taking():
            with self._connections.transaction() as connection:
                names = drop_old(connection, found, time)
            self._marks.forget_all()
        self._partitions = self._present()
        return names

    def kept_from(self) -> int:
        with self._connections.transaction(reads=True) as connection:
            return kept_from(connection)

    def size(self) -> int:
        with self._connections.transaction(reads=True) as connection:
            return bytes_of(connection)

    def backup(self, folder: Path) -> None:
        mend = "copy it with pg_dump (one database) or pg_basebackup (the whole server), while the historian runs"
        raise ConfigurationError([Problem(self._connections.address, None, None, f"PostgreSQL has its own tools for a backup into {folder}", mend)])

    def gaps(self, start: int, end: int, *, behind: GapKey | None = None, limit: int | None = None) -> Sequence[Gap]:
        start_behind, device_behind, cause_behind = behind or (FIRST_TIME - 1, "", "")
        rows = self._connections.rows(
            "SELECT device, start_ts, end_ts, cause, recovered FROM gap WHERE start_ts < %s AND (end_ts IS NULL OR end_ts >= %s) "
            "AND (start_ts, device, cause) > (%s, %s, %s) ORDER BY start_ts, device, cause LIMIT %s",
            moment_of(end),
            moment_of(start),
            moment_of(start_behind),
            device_behind,
            cause_behind,
            limit,
        )
        return [
            Gap(device, times.from_datetime(begin), None if finish is None else times.from_datetime(finish), GapCause(cause), recovered)
            for device, begin, finish, cause, recovered in rows
        ]

    def save_gap(self, gap: Gap) -> None:
        check_gap(gap)
        with self._connections.transaction() as connection:
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

    def _known(self) -> Found:
        """What the database is, also where another process prepared it."""
        if self._found is None:
            with self._connections.transaction(reads=True) as connection:
                self._found = look(connection, sizing_of(0))
                self._partitions = present_partitions(connection)
        return self._found

    def _present(self) -> set[str]:
        with self._connections.transaction(reads=True) as connection:
            return present_partitions(connection)

    def _samples(self, query: LiteralString, *parameters: object) -> SampleBatch:
        with self._connections.transaction(reads=True) as connection:
            return read_samples(connection, sql.SQL(query), parameters)

    def _texts(self, query: LiteralString, *parameters: object) -> TextBatch:
        return _text_batch(self._connections.rows(query, *parameters))


def _text_batch(rows: Sequence[tuple[Any, ...]]) -> TextBatch:
    return TextBatch.of([row[0] for row in rows], [times.from_datetime(row[1]) for row in rows], [row[2] for row in rows], [row[3] for row in rows])
