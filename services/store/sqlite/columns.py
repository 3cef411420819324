"""Rows of SQLite from and to columns, without a loop over rows in Python where the values are numbers."""

import json
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from itertools import islice
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from plant.batch import Int64Column, SampleBatch, TextBatch

_SAMPLE: Final = np.dtype([("time", np.int64), ("value", np.float64), ("quality", np.int16), ("is_nan", np.bool_)])

_COLUMNS: Final = "SELECT ts, COALESCE(sample.value, 0.0), quality, sample.value IS NULL FROM "
SAMPLES: Final = _COLUMNS + "sample WHERE "
_SPANS: Final = _COLUMNS + (
    "json_each(?) AS span CROSS JOIN sample WHERE tag_id = ? AND ts >= json_extract(span.value, '$[0]') AND ts < json_extract(span.value, '$[1]')"
)
"""SQLite joins in the order in which it is written, and walks each table in order: span after span, by time."""

_NEWEST: Final = (
    "SELECT span.key, (SELECT ts FROM sample WHERE tag_id = ? AND ts >= json_extract(span.value, '$[0]') AND ts < json_extract(span.value, '$[1]') "
    "ORDER BY ts DESC LIMIT 1) AS newest FROM json_each(?) AS span WHERE newest IS NOT NULL"
)

TEXTS: Final = "SELECT ts, value, quality FROM sample_text WHERE "


def samples_from(connection: sqlite3.Connection, tag_id: int, condition: str, parameters: tuple[int, ...], rows_a_batch: int) -> Iterator[SampleBatch]:
    """What ``SAMPLES`` with ``condition`` finds of one tag, in batches; they see one state."""
    yield from _batches(connection.execute(SAMPLES + condition, parameters), tag_id, rows_a_batch)


def samples_in_spans(connection: sqlite3.Connection, tag_id: int, start: Int64Column, end: Int64Column, rows_a_batch: int) -> Iterator[SampleBatch]:
    """Samples with ``start[i] <= time < end[i]``, spans ascending, as ``samples_from`` gives them."""
    yield from _batches(connection.execute(_SPANS, (_told(start, end), tag_id)), tag_id, rows_a_batch)


def newest_of_spans(connection: sqlite3.Connection, tag_id: int, start: Int64Column, end: Int64Column) -> tuple[Int64Column, Int64Column]:
    """Numbers of the spans that hold a sample, and the time of the newest in each."""
    rows = np.array(connection.execute(_NEWEST, (tag_id, _told(start, end))).fetchall(), np.int64).reshape(-1, 2)
    return rows[:, 0], rows[:, 1]


def _told(start: Int64Column, end: Int64Column) -> str:
    return json.dumps(list(zip(start.tolist(), end.tolist(), strict=True)))


def _batches(rows_found: sqlite3.Cursor, tag_id: int, rows_a_batch: int) -> Iterator[SampleBatch]:
    with closing(rows_found) as cursor:
        while len(rows := np.fromiter(islice(cursor, rows_a_batch), _SAMPLE)):
            value = np.where(rows["is_nan"], np.nan, rows["value"])
            yield SampleBatch(np.full(len(rows), tag_id, np.int32), rows["time"].copy(), value, rows["quality"].copy())


def texts_from(connection: sqlite3.Connection, tag_id: int, condition: str, parameters: tuple[int, ...], rows_a_batch: int) -> Iterator[TextBatch]:
    """As ``samples_from``, with ``TEXTS``."""
    with closing(connection.execute(TEXTS + condition, parameters)) as cursor:
        while rows := cursor.fetchmany(rows_a_batch):
            time, value, quality = zip(*rows, strict=True)
            yield TextBatch.of([tag_id] * len(rows), time, value, quality)


def floats_of(column: tuple[Any, ...]) -> npt.NDArray[np.float64]:
    """A column in which NULL is NaN."""
    return np.array(column, np.float64)


def rows_of(batch: SampleBatch | TextBatch) -> list[tuple[Any, ...]]:
    """(tag id, time, value, quality) rows; ``sqlite3`` turns a NaN into NULL."""
    return list(zip(batch.tag_id.tolist(), batch.time.tolist(), batch.value.tolist(), batch.quality.tolist(), strict=True))
