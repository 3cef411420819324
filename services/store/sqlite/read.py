"""Reading history month by month, in order of time."""

from collections.abc import Callable, Iterator
from contextlib import closing, suppress
from heapq import merge
from itertools import islice
from sqlite3 import Connection
from typing import Final, TypeVar

import numpy as np

from plant.batch import Int64Column, SampleBatch, TextBatch, TextColumn
from plant.quality import ANY_QUALITY, QualityRange
from services.store.interface import Place, Revisions
from services.store.sqlite.columns import floats_of, samples_in_spans
from services.store.sqlite.month_files import MonthFiles, MonthGone
from services.store.sqlite.months import month_of

ROWS_A_BATCH: Final = 16_384

_BOUNDS: Final = "tag_id = ? AND ts >= ? AND ts < ? ORDER BY ts LIMIT ?"
_BEFORE: Final = "tag_id = ? AND ts <= ? AND quality BETWEEN ? AND ? ORDER BY ts DESC LIMIT 1"
_AFTER: Final = "tag_id = ? AND ts > ? AND quality BETWEEN ? AND ? ORDER BY ts LIMIT 1"
_REVISIONS: Final = (
    "SELECT made, ?1, id, ts, revised_at, old_value, old_text, old_quality, new_value, new_text, new_quality, user, reason "
    "FROM (SELECT *, max(revised_at) OVER (ORDER BY id) AS made FROM sample_revision WHERE tag_id = ?2) "
    "WHERE ts >= ?3 AND ts < ?4 AND revised_at > ?5 AND (made, ?1, id) > (?6, ?7, ?8) ORDER BY id LIMIT ?9"
)
"""``made``: the latest time that an author named so far, which never runs backwards."""

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
    """Revisions of one tag: those of a month in the order they were made, whatever times their authors name; months put together by these times.

    A place is the latest time that an author in its month had named, the month, and the number there.
    """
    made = []
    for month in files.between(start, end):
        with suppress(MonthGone), files.reading(month) as connection:
            made.append(connection.execute(_REVISIONS, (month, tag_id, start, end, since, *behind, -1 if limit is None else limit)).fetchall())
    rows = list(islice(merge(*made, key=lambda row: row[:3]), limit))
    latest, of_month, number, time, revised_at, old_value, old_text, old_quality, new_value, new_text, new_quality, user, reason = (
        zip(*rows, strict=True) if rows else ((),) * 13
    )
    was = np.array([quality is not None for quality in old_quality], np.bool_)
    is_now = np.array([quality is not None for quality in new_quality], np.bool_)
    return Revisions(
        np.array([latest, of_month, number], np.int64).T,
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
