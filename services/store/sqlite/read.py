"""Reading history month by month, in order of time."""

from collections.abc import Callable, Iterator
from contextlib import closing, suppress
from heapq import merge
from itertools import islice
from sqlite3 import Connection
from typing import Any, Final, TypeVar

import numpy as np

from plant.batch import Int64Column, SampleBatch, TextBatch, TextColumn
from plant.quality import ANY_QUALITY, QualityRange
from services.store.interface import Place, Revisions
from services.store.sqlite.columns import floats_of, newest_of_spans, samples_in_spans
from services.store.sqlite.month_files import MonthFiles, MonthGone
from services.store.sqlite.months import end_of, month_of, start_of
from services.store.sqlite.numbering import last_number

ROWS_A_BATCH: Final = 16_384

_BOUNDS: Final = "tag_id = ? AND ts >= ? AND ts < ? ORDER BY ts LIMIT ?"
_BEFORE: Final = "tag_id = ? AND ts <= ? AND quality BETWEEN ? AND ? ORDER BY ts DESC LIMIT 1"
_AFTER: Final = "tag_id = ? AND ts > ? AND quality BETWEEN ? AND ? ORDER BY ts LIMIT 1"
_REVISIONS: Final = (
    "SELECT id, ?1, 0, ts, revised_at, old_value, old_text, old_quality, new_value, new_text, new_quality, user, reason FROM sample_revision "
    "WHERE tag_id = ?2 AND ts >= ?3 AND ts < ?4 AND revised_at > ?5 "
)
_AS_MADE: Final = _REVISIONS + "AND id >= ?6 AND id <= ?8 AND (id, ?1) > (?6, ?7) ORDER BY id LIMIT ?9"
_BY_TIME: Final = _REVISIONS + "ORDER BY ts, id LIMIT ?6"

BatchT = TypeVar("BatchT", SampleBatch, TextBatch)
Kind = Callable[[Connection, int, str, tuple[int, ...], int], Iterator[BatchT]]
"""``samples_from`` or ``texts_from``."""


def between(files: MonthFiles, kind: Kind[BatchT], tag_id: int, start: int, end: int, limit: int) -> list[BatchT]:
    """Samples with ``start <= time < end``, oldest first, at most ``limit``."""
    found: list[BatchT] = []
    for month in files.between(start, end):
        if limit <= 0:
            break
        with suppress(MonthGone), files.reading(month) as connection:
            for batch in kind(connection, tag_id, _BOUNDS, (tag_id, start, end, limit), limit):
                found.append(batch)
                limit -= len(batch)
    return found


def scan(files: MonthFiles, kind: Kind[BatchT], tag_id: int, start: int, end: int) -> Iterator[BatchT]:
    """As ``between`` without a limit. Each month is seen in the state in which it is when it is reached."""
    for month in files.between(start, end):
        with (
            suppress(MonthGone),
            files.reading(month) as connection,
            closing(kind(connection, tag_id, _BOUNDS, (tag_id, start, end, -1), ROWS_A_BATCH)) as batches,  # type: ignore[type-var]
        ):
            yield from batches


def scan_spans(files: MonthFiles, tag_id: int, start: Int64Column, end: Int64Column) -> Iterator[SampleBatch]:
    """As ``scan``, of spans that are disjoint and ascending."""
    for month in files.between(int(start[0]), int(end[-1])) if len(start) else []:
        with (
            suppress(MonthGone),
            files.reading(month) as connection,
            closing(samples_in_spans(connection, tag_id, start, end, ROWS_A_BATCH)) as batches,  # type: ignore[type-var]
        ):
            yield from batches


def newest_in_spans(files: MonthFiles, tag_id: int, start: Int64Column, end: Int64Column) -> Int64Column:
    """Times of the newest sample of each span that holds one; the newest month is looked into first."""
    found = [start[:0]]
    for month in reversed(files.between(int(start.min()), int(end.max())) if len(start) else []):
        inside = np.flatnonzero((start < end_of(month)) & (end > start_of(month)))
        with suppress(MonthGone), files.reading(month) as connection:
            number, time = newest_of_spans(connection, tag_id, start[inside], end[inside])
            found.append(time)
            start, end = np.delete(start, inside[number]), np.delete(end, inside[number])
    return np.concatenate(found)


def before(files: MonthFiles, kind: Kind[BatchT], tag_id: int, time: int, quality: QualityRange = ANY_QUALITY) -> list[BatchT]:
    """The newest sample at or before ``time`` of a quality in this range, if there is one."""
    first = month_of(time)
    return _first(files, kind, _BEFORE, (tag_id, time, *quality), [month for month in reversed(files.existing()) if month <= first])


def after(files: MonthFiles, kind: Kind[BatchT], tag_id: int, time: int, quality: QualityRange = ANY_QUALITY) -> list[BatchT]:
    """The oldest sample after ``time`` of a quality in this range, if there is one."""
    first = month_of(time)
    return _first(files, kind, _AFTER, (tag_id, time, *quality), [month for month in files.existing() if month >= first])


def _first(files: MonthFiles, kind: Kind[BatchT], condition: str, wanted: tuple[int, ...], months: list[int]) -> list[BatchT]:
    for month in months:
        with suppress(MonthGone), files.reading(month) as connection:
            found = list(kind(connection, wanted[0], condition, wanted, 1))
            if found:
                return found
    return []


def revisions(files: MonthFiles, tag_id: int, start: int, end: int, since: int, behind: Place, limit: int | None, *, is_text: bool) -> Revisions:
    """Revisions of one tag by their numbers; a place is the number and the month, since months that were begun by an older program have the same ones.

    Months are read one after the other, while others are written: what is newer than this read is left out, as it might be seen without what came before.
    """
    last = last_number(files)
    made = []
    for month in files.between(start, end):
        with suppress(MonthGone), files.reading(month) as connection:
            parameters = (month, tag_id, start, end, since, *behind[:2], last, -1 if limit is None else limit)
            made.append(connection.execute(_AS_MADE, parameters).fetchall())
    return _revisions_of(list(islice(merge(*made, key=lambda row: row[:2]), limit)), is_text=is_text)


def revisions_by_time(files: MonthFiles, tag_id: int, start: int, end: int, since: int, limit: int, *, is_text: bool) -> Revisions:
    """Revisions of one tag by the times of its samples, and by their numbers."""
    rows: list[Any] = []
    for month in files.between(start, end):
        if len(rows) >= limit:
            break
        with suppress(MonthGone), files.reading(month) as connection:
            rows += connection.execute(_BY_TIME, (month, tag_id, start, end, since, limit - len(rows))).fetchall()
    return _revisions_of(rows, is_text=is_text)


def _revisions_of(rows: list[Any], *, is_text: bool) -> Revisions:
    number, of_month, rest, time, revised_at, old_value, old_text, old_quality, new_value, new_text, new_quality, user, reason = (
        zip(*rows, strict=True) if rows else ((),) * 13
    )
    was = np.array([quality is not None for quality in old_quality], np.bool_)
    is_now = np.array([quality is not None for quality in new_quality], np.bool_)
    return Revisions(
        np.array([number, of_month, rest], np.int64).T,
        np.array(time, np.int64),
        np.array(revised_at, np.int64),
        was,
        _texts(old_text) if is_text else floats_of(old_value),
        np.array([quality or 0 for quality in old_quality], np.int16),
        is_now,
        _texts(new_text) if is_text else floats_of(new_value),
        np.array([quality or 0 for quality in new_quality], np.int16),
        _texts(user),
        _texts(reason),
    )


def _texts(column: tuple[str | None, ...]) -> TextColumn:
    texts = np.empty(len(column), np.object_)
    texts[:] = [text or "" for text in column]
    return texts
