"""The store on SQLite: a main file, and beside it a file a month of source time (docs/formats/history.md)."""

import sqlite3
import threading
from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any, Final

import numpy as np
import numpy.typing as npt
from sqlalchemy.pool import QueuePool

from plant.aggregates import COLUMNS
from plant.batch import Int64Column, SampleBatch, TextBatch
from plant.compression_report import CompressionReport
from plant.errors import ConfigurationError, Problem, Unstorable
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
from services.store.rows import FIRST_TIME, check_gap, check_storable, distinct
from services.store.sqlite import read
from services.store.sqlite.backup import back_up
from services.store.sqlite.columns import samples_from, texts_from
from services.store.sqlite.connections import Connections
from services.store.sqlite.due import DueMarks, kept_from
from services.store.sqlite.engines import engine_of
from services.store.sqlite.integrity import check_main, check_months
from services.store.sqlite.ledger import catch_up_snapshot, forget_in_snapshot, positions_in, write_gaps, write_positions, write_snapshot
from services.store.sqlite.month_files import MonthFiles, MonthGone, companions
from services.store.sqlite.months import by_month, end_of, months_of, name_of
from services.store.sqlite.roll_ups import read_hours, read_minutes, save_roll_ups, thin, thinned_among
from services.store.sqlite.upgrading import bring_up, require_schema
from services.store.sqlite.write import delete_history, edit_history, hours_between, write_history

_READERS: Final = 8
_MONTHS_A_COMMIT: Final = 240
"""Files that one commit may make: each takes some milliseconds."""


class SqliteStore:
    """Satisfies ``services.store.interface.Store``.

    An edit or a commit that spans months is a transaction in each of them, in order of time, and the main file's comes last: after a kill in between the
    commit's message comes again, and an edit is made again.
    """

    def __init__(self, file: Path) -> None:
        if not file.parent.is_dir():
            raise ConfigurationError([Problem(str(file), None, None, "its folder does not exist", "make the folder or name another file")])
        self._file = file
        self._connections = Connections(file, readers=_READERS)
        self._files = MonthFiles(file)
        self._due = DueMarks(self._connections)
        self._metadata = Metadata(engine_of(file, QueuePool))
        self._is_ready = False
        self._one_changes = threading.Lock()

    @property
    def features(self) -> Mapping[str, str]:
        found = {"product": "SQLite", "version": sqlite3.sqlite_version, "timescaledb": "none"}
        damaged = self._files.damaged()
        return {**found, "damaged": ", ".join(damaged)} if damaged else found

    def prepare(self, tags: Sequence[Tag]) -> None:
        with self._one_changes:
            check_main(self._file)
            check_months(self._files)
            bring_up(self._file)
            self._due.take_back()
            self._due.mark_made_otherwise(tags)
        self._metadata.register_tags(tags)
        catch_up_snapshot(self._main, self._files)

    def commit(self, commit: Commit) -> CommitReport:
        check_storable(commit.samples)
        check_storable(commit.texts)
        for gap in commit.gaps:
            check_gap(gap)
        reports = []
        with self._one_changes:
            for month, batches in self._due_by_month(distinct(commit.samples), distinct(commit.texts)).items():
                with self._files.writing(month) as connection:
                    reports += [write_history(connection, batch) for batch in batches]
            if commit.positions or commit.gaps:
                with self._main.writing() as connection:
                    write_positions(connection, commit.positions)
                    write_gaps(connection, commit.gaps)
        return CommitReport(*(sum(getattr(report, name) for report in reports) for name in ("inserted", "unchanged", "revised")))

    def positions(self) -> Mapping[str, Position]:
        with self._main.reading() as connection:
            return {position.device: position for position in positions_in(connection)}

    def save_snapshot(self, samples: SampleBatch, texts: TextBatch) -> None:
        with self._main.writing() as connection:
            write_snapshot(connection, samples, texts)

    def snapshot(self) -> tuple[SampleBatch, TextBatch]:
        numbers, texts = (self._rows(f"SELECT tag_id, ts, value, quality FROM {table} ORDER BY tag_id") for table in ("snapshot", "snapshot_text"))
        tag_id, time, value, quality = zip(*numbers, strict=True) if numbers else ((),) * 4
        return (
            SampleBatch(np.array(tag_id, np.int32), np.array(time, np.int64), np.array(value, np.float64), np.array(quality, np.int16)),
            TextBatch.of([row[0] for row in texts], [row[1] for row in texts], [row[2] for row in texts], [row[3] for row in texts]),
        )

    def samples(self, tag_id: int, start: int, end: int, limit: int) -> SampleBatch:
        return SampleBatch.concatenate(read.between(self._history, samples_from, tag_id, start, end, limit))

    def texts(self, tag_id: int, start: int, end: int, limit: int) -> TextBatch:
        return TextBatch.concatenate(read.between(self._history, texts_from, tag_id, start, end, limit))

    def sample_before(self, tag_id: int, time: int, quality: QualityRange = ANY_QUALITY) -> SampleBatch:
        return SampleBatch.concatenate(read.before(self._history, samples_from, tag_id, time, quality))

    def sample_after(self, tag_id: int, time: int, quality: QualityRange = ANY_QUALITY) -> SampleBatch:
        return SampleBatch.concatenate(read.after(self._history, samples_from, tag_id, time, quality))

    def text_before(self, tag_id: int, time: int) -> TextBatch:
        return TextBatch.concatenate(read.before(self._history, texts_from, tag_id, time))

    def text_after(self, tag_id: int, time: int) -> TextBatch:
        return TextBatch.concatenate(read.after(self._history, texts_from, tag_id, time))

    def scan(self, tag_id: int, start: int, end: int) -> Iterator[SampleBatch]:
        return read.scan(self._history, samples_from, tag_id, start, end)

    def scan_spans(self, tag_id: int, start: Int64Column, end: Int64Column) -> Iterator[SampleBatch]:
        return read.scan_spans(self._history, tag_id, start, end)

    def scan_texts(self, tag_id: int, start: int, end: int) -> Iterator[TextBatch]:
        return read.scan(self._history, texts_from, tag_id, start, end)

    def edit(self, edit: Edit) -> EditReport:
        check_storable(edit.samples)
        check_storable(edit.texts)
        counts = {"inserted": 0, "replaced": 0}
        with self._one_changes:
            rejected = [self._edit_part(edit, batch, counts) for batch in (edit.samples, edit.texts)]
        unchanged = len(edit.samples) + len(edit.texts) - sum(counts.values()) - sum(map(len, rejected))
        return EditReport(counts["inserted"], counts["replaced"], unchanged, *rejected)

    def delete(self, tag_id: int, start: int, end: int, author: Authorship) -> int:
        deleted = 0
        with self._one_changes:
            with self._main.writing() as connection:  # first: a kill in between leaves a tag without a current value, and the next start finds it
                was_current = forget_in_snapshot(connection, tag_id, start, end)
            for month in self._history.between(start, end):
                with suppress(MonthGone), self._files.reading(month) as connection:
                    hours = hours_between(connection, tag_id, start, end)
                if len(hours):
                    self._due.mark_hours(np.full(len(hours), tag_id, np.int32), hours)
                    with self._files.writing(month) as connection:
                        deleted += delete_history(connection, tag_id, start, end, author)
            if was_current:
                catch_up_snapshot(self._main, self._files, tag_id)
        return deleted

    def revisions(self, tag_id: int, start: int, end: int, since: int, *, behind: Place = BEFORE_ALL, limit: int | None = None) -> Revisions:
        is_text = self._rows("SELECT data_type = 'String' FROM tag WHERE id = ?", (tag_id,)) == [(1,)]
        return read.revisions(self._history, tag_id, start, end, since, behind, limit, is_text=is_text)

    def take_due(self, before: int, limit: int) -> DueHours:
        with self._one_changes:  # nothing is being written whose hour is taken here
            tag_id, hour = self._due.take(before, limit)
        return thinned_among(self._files, tag_id, hour)

    def take_back(self) -> None:
        with self._one_changes:
            self._due.take_back()

    def due_hours(self, tag_id: int, start: int, end: int) -> Int64Column:
        return self._due.between(tag_id, start, end)

    def save_roll_ups(self, minutes: RollUps, hours: RollUps, done: DueHours) -> None:
        with self._one_changes:
            save_roll_ups(self._main, self._history, minutes, hours, done)

    def minutes(self, tag_id: int, start: int, end: int, columns: Collection[str] = COLUMNS) -> RollUps:
        return read_minutes(self._main, self._history, tag_id, start, end, columns)

    def hours(self, tag_id: int, start: int, end: int, columns: Collection[str] = COLUMNS) -> RollUps:
        return read_hours(self._main, tag_id, start, end, columns)

    def thin(self, samples: SampleBatch, done: DueHours) -> npt.NDArray[np.bool_]:
        with self._one_changes:
            return thin(self._main, self._history, samples, done)

    def add_compression(self, reports: Sequence[CompressionReport]) -> None:
        self._metadata.add_compression(reports)

    def compression(self, tag_id: int) -> CompressionReport | None:
        return self._metadata.compression(tag_id)

    def drop_before(self, time: int) -> Sequence[str]:
        with self._one_changes:
            months = [month for month in self._history.existing() if end_of(month) <= time]
            if months:
                self._due.keep_from(end_of(months[-1]))  # first: a kill in between leaves files, which are old still
            return [self._files.drop(month) for month in months]

    def kept_from(self) -> int:
        with self._main.reading() as connection:
            return kept_from(connection)

    def size(self) -> int:
        files = [self._file, *map(self._files.file, self._files.existing())]
        return sum(part.stat().st_size for file in files for part in (file, *companions(file)) if part.exists())

    def backup(self, folder: Path) -> None:
        back_up(self._main, self._history, folder)

    def gaps(self, start: int, end: int, *, behind: GapKey | None = None, limit: int | None = None) -> Sequence[Gap]:
        rows = self._rows(
            "SELECT device, start_ts, end_ts, cause, recovered FROM gap WHERE start_ts < ? AND (end_ts IS NULL OR end_ts >= ?) "
            "AND (start_ts, device, cause) > (?, ?, ?) ORDER BY start_ts, device, cause LIMIT ?",
            (end, start, *(behind or (FIRST_TIME - 1, "", "")), -1 if limit is None else limit),
        )
        return [Gap(device, begin, finish, GapCause(cause), bool(recovered)) for device, begin, finish, cause, recovered in rows]

    def save_gap(self, gap: Gap) -> None:
        check_gap(gap)
        with self._main.writing() as connection:
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
        self._files.close()
        self._connections.close()
        self._metadata.close()

    @property
    def _main(self) -> Connections:
        """The main file, once it has this program's schema."""
        if not self._is_ready:
            require_schema(self._file)
            self._is_ready = True
        return self._connections

    @property
    def _history(self) -> MonthFiles:
        """The month files, once the main file has this program's schema: before, history may still be on its way into them."""
        if not self._is_ready:
            require_schema(self._file)
            self._is_ready = True
        return self._files

    def _due_by_month(self, *batches: SampleBatch | TextBatch) -> dict[int, list[SampleBatch | TextBatch]]:
        """The rows of each month, whose hours are due from here on.

        Raises:
            Unstorable: too many months that have no file.
        """
        parts: dict[int, list[SampleBatch | TextBatch]] = {}
        for batch in batches:
            for month, part in by_month(batch).items():
                parts.setdefault(month, []).append(part)
        if len(parts) > _MONTHS_A_COMMIT and len(new := sorted(set(parts) - set(self._history.existing()))) > _MONTHS_A_COMMIT:
            raise Unstorable(f"{len(new)} months at once, from {name_of(new[0])} to {name_of(new[-1])}: a device whose clock is at random")
        self._due.mark(*batches)
        return dict(sorted(parts.items()))

    def _edit_part(self, edit: Edit, batch: SampleBatch | TextBatch, counts: dict[str, int]) -> npt.NDArray[np.intp]:
        """Edits the samples or the texts; the positions that were rejected."""
        rejected: list[int] = []
        for month, (part,) in self._due_by_month(batch).items():
            (positions,) = np.nonzero(months_of(batch.time) == month)
            with self._files.writing(month) as connection:
                inserted, replaced, refused = edit_history(connection, part, edit)
            counts["inserted"] += inserted
            counts["replaced"] += replaced
            rejected += positions[refused].tolist()
        return np.array(sorted(rejected), np.intp)

    def _rows(self, query: str, parameters: tuple[int | str, ...] = ()) -> list[tuple[Any, ...]]:
        with self._main.reading() as connection:
            return connection.execute(query, parameters).fetchall()
