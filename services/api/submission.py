"""Samples that a client sends, as JSON, CSV or Arrow: what of them can be written, and what is wrong with the rest.

Rules:

1. A sample that cannot be is rejected alone, with the reason; the rest is taken.
2. Of one tag and time the last one counts.
3. What this API exports it takes back: the columns are those of its own answers, and ``unit`` is passed over.
"""

import asyncio
import csv
import io
import math
import re
import struct
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated, Final

import numpy as np
import pyarrow as pa
from fastapi import Request
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from plant import times
from plant.batch import SampleBatch, TextBatch
from plant.edit import EditMode
from plant.quality import Quality, is_bad, quality_from_name
from plant.site import Site
from plant.site_tags import REACH
from plant.tag import DataType, Tag
from services.api.arrow_bodies import RefusedBody, record_batches
from services.api.problems import ApiProblem
from services.retrieval.tables import ARROW, CSV, JSON
from services.store import FIRST_TIME

MOST: Final = 20_000
"""Samples of one request."""

_AHEAD: Final = 5 * 60 * times.MICROSECONDS
_COLUMNS: Final = ("tag", "time", "value")
_NUMBER: Final = re.compile(r"\s*[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?\s*", re.ASCII)
_LONGEST_TEXT: Final = 4000

_Name = Annotated[str, Field(max_length=200)]
_Text = Annotated[str, Field(max_length=_LONGEST_TEXT)]


class Series(BaseModel):
    """Samples of one tag; ``time`` RFC 3339 with a zone, ``quality`` OPC UA StatusCode names, Good where it is left out. ``null`` is no value: Bad only."""

    model_config = ConfigDict(extra="forbid", strict=True, allow_inf_nan=False)
    tag: _Name
    time: list[Annotated[str, Field(max_length=50)]]
    value: list[float | bool | _Text | None]
    quality: list[_Name] | None = None


class SampleSubmission(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True, allow_inf_nan=False)
    series: Annotated[list[Series], Field(max_length=1000)]
    reason: Annotated[str, Field(max_length=500)] = ""
    mode: Annotated[EditMode, Field(strict=False)] = EditMode.UPDATE


@dataclass(frozen=True, slots=True)
class Rejection:
    """``time`` as the client wrote it; ``None`` where the whole series is rejected."""

    tag: str
    time: str | None
    reason: str


@dataclass(frozen=True, slots=True)
class Submitted:
    samples: SampleBatch
    texts: TextBatch
    rejected: Sequence[Rejection]
    reason: str
    mode: EditMode


class _Refused(Exception):
    """Why a sample cannot be written."""


class _Sorting:
    """Sorts samples into numbers, texts, and what is rejected."""

    def __init__(self, site: Site) -> None:
        self._site = site
        self._latest = times.now() + _AHEAD
        self._numbers: dict[tuple[int, int], tuple[float, int]] = {}
        self._texts: dict[tuple[int, int], tuple[str, int]] = {}
        self.rejected: list[Rejection] = []
        self._count = 0

    def add(self, name: str, time: str, value: object, quality: str) -> None:
        """Raises ``ApiProblem`` 413 at the first sample that is too many."""
        self._count += 1
        if self._count > MOST:
            raise ApiProblem(413, f"a request takes {MOST} samples; send the rest in another one")
        try:
            self._add(name, time, value, quality)
        except _Refused as refused:
            self.rejected.append(Rejection(name, time, str(refused)))

    def _add(self, name: str, time: str, value: object, quality: str) -> None:
        tag = self._site.by_name.get(name)
        if tag is None:
            raise _Refused("there is no such tag; GET /api/v1/tags?q=… finds tags")
        moment, stored = _moment(time, self._latest), _stored(quality)
        if tag.data_type.is_text:
            self._texts[tag.id, moment] = (_text(value, stored), stored)
        else:
            self._numbers[tag.id, moment] = (_number(tag, value, stored), stored)

    def submitted(self, reason: str, mode: EditMode) -> Submitted:
        numbers, texts = self._numbers, self._texts
        samples = SampleBatch(
            np.array([tag_id for tag_id, _ in numbers], np.int32),
            np.array([time for _, time in numbers], np.int64),
            np.array([value for value, _ in numbers.values()], np.float64),
            np.array([quality for _, quality in numbers.values()], np.int16),
        )
        text_batch = TextBatch.of(
            [tag_id for tag_id, _ in texts], [time for _, time in texts], [text for text, _ in texts.values()], [quality for _, quality in texts.values()]
        )
        return Submitted(samples, text_batch, self.rejected, reason, mode)


async def submitted(request: Request, site: Site, reason: str, mode: EditMode) -> Submitted:
    """Reads a request's body by its ``Content-Type``; ``reason`` and ``mode`` are the query's, which the JSON body can say itself.

    Raises:
        ApiProblem: 415, 422 or 413: nothing of the body can be used.
    """
    kind = request.headers.get("content-type", JSON).split(";")[0].strip().lower()
    return await asyncio.to_thread(_sorted, kind, await request.body(), site, reason, mode)


def _sorted(kind: str, body: bytes, site: Site, reason: str, mode: EditMode) -> Submitted:
    sorting = _Sorting(site)
    if kind == JSON:
        submission = _validated(body)
        for series in submission.series:
            _add_series(sorting, series)
        return sorting.submitted(submission.reason or reason, submission.mode if "mode" in submission.model_fields_set else mode)
    if kind == CSV:
        _add_csv(sorting, body)
    elif kind == ARROW:
        _add_arrow(sorting, body)
    else:
        raise ApiProblem(415, f"samples come as {JSON}, {CSV} or {ARROW}, not as {kind[:100]!r}")
    return sorting.submitted(reason, mode)


def _validated(body: bytes) -> SampleSubmission:
    try:
        return SampleSubmission.model_validate_json(body)
    except ValidationError as error:
        rows = error.errors(include_url=False, include_input=False, include_context=False)[:5]
        raise ApiProblem(422, "; ".join(f"{'.'.join(map(str, row['loc'])) or 'body'}: {row['msg']}" for row in rows)) from None


def _add_series(sorting: _Sorting, series: Series) -> None:
    qualities = [Quality.GOOD.symbol] * len(series.time) if series.quality is None else series.quality
    if not len(series.time) == len(series.value) == len(qualities):
        lengths = f"{len(series.time)} times, {len(series.value)} values and {len(qualities)} qualities"
        sorting.rejected.append(Rejection(series.tag, None, f"{lengths}: send as many of each"))
        return
    for time, value, quality in zip(series.time, series.value, qualities, strict=True):
        sorting.add(series.tag, time, value, quality)


def _add_csv(sorting: _Sorting, body: bytes) -> None:
    try:
        rows = csv.DictReader(io.StringIO(body.decode("utf-8-sig"), newline=""), strict=True)
        if rows.fieldnames is None or not set(_COLUMNS) <= set(rows.fieldnames):
            raise ApiProblem(422, f"the first line names the columns: {', '.join(_COLUMNS)} and, if you like, quality")
        for row in rows:
            sorting.add(row["tag"] or "", row["time"] or "", row["value"], row.get("quality") or Quality.GOOD.symbol)
    except (UnicodeDecodeError, csv.Error) as error:
        raise ApiProblem(422, f"the body is no CSV in UTF-8: {error}") from None


def _add_arrow(sorting: _Sorting, body: bytes) -> None:
    try:
        for record in record_batches(body, (*_COLUMNS, "quality"), MOST):
            names = record.schema.names
            if not set(_COLUMNS) <= set(names) or len(names) != len(set(names)):
                raise ApiProblem(422, f"the columns are {', '.join(_COLUMNS)} and, if you like, quality, each once; of these there are {', '.join(names)}")
            _add_record(sorting, record)
    except RefusedBody as error:
        raise ApiProblem(413 if "takes" in str(error) else 422, str(error)) from None
    except (pa.ArrowException, OSError, ValueError, TypeError, KeyError, OverflowError, struct.error) as error:
        raise ApiProblem(422, f"the body is no whole Arrow stream of samples: {str(error)[:200]}") from None


def _add_record(sorting: _Sorting, record: pa.RecordBatch) -> None:
    time = record["time"].cast(pa.timestamp("us", tz="UTC")).cast(pa.int64()).to_pylist()
    quality = record["quality"].cast(pa.string()).to_pylist() if "quality" in record.schema.names else [None] * record.num_rows
    for name, moment, value, status in zip(record["tag"].cast(pa.string()).to_pylist(), time, record["value"].to_pylist(), quality, strict=True):
        sorting.add(name or "", _written(moment), value, status or Quality.GOOD.symbol)


def _written(moment: int | None) -> str:
    try:
        return "" if moment is None else times.format_time(moment)
    except OverflowError:
        return str(moment)


def _moment(text: str, latest: int) -> int:
    try:
        moment = times.parse_time(text, 0) if text[:1].isdigit() else None
    except (ValueError, OverflowError):
        moment = None
    if moment is None:
        raise _Refused("its time is none; write it as in 2026-11-23T04:00:00Z")
    if moment < FIRST_TIME:
        raise _Refused("its time lies before the year 1")
    if moment > latest:
        raise _Refused("its time lies ahead; history takes what was")
    return moment


def _stored(quality: str) -> int:
    try:
        return quality_from_name(quality)
    except ValueError as error:
        raise _Refused(str(error)) from None


def _text(value: object, quality: int) -> str:
    if isinstance(value, str) and "\0" not in value and len(value) <= _LONGEST_TEXT:
        return value
    if value is None and is_bad(quality):
        return ""
    raise _Refused("the tag is text; send a string of at most 4000 characters without NUL, or null with a Bad quality")


def _number(tag: Tag, value: object, quality: int) -> float:
    number = _as_number(value)
    if not math.isfinite(number):
        if is_bad(quality):
            return math.nan
        raise _Refused("it has no value, and its quality is not Bad")
    low, high = REACH.get(tag.data_type, (-math.inf, math.inf))
    if tag.data_type in REACH and not (number.is_integer() and low <= number <= high):
        what = "0 or 1" if tag.data_type is DataType.BOOLEAN else f"a whole number from {low:g} to {high:g}"
        raise _Refused(f"the tag is {tag.data_type.value}; send {what}")
    return number


def _as_number(value: object) -> float:
    if value is None or value == "":
        return math.nan
    if isinstance(value, str) and _NUMBER.fullmatch(value) is None:
        raise _Refused(f"{value[:50]!r} is no number")
    try:
        return float(value)  # type: ignore[arg-type]  # whatever float() takes is a number, and the rest is refused
    except (TypeError, ValueError, OverflowError):
        raise _Refused(f"{str(value)[:50]!r} is no number") from None


__all__ = ["MOST", "Rejection", "SampleSubmission", "Submitted", "submitted"]
