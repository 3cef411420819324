"""Processed history: aggregates by interval, trends for a screen, and the same as rows for Grafana."""

import asyncio
from collections.abc import Callable
from typing import Annotated, Any, Final, TypeVar

import numpy as np
from fastapi import APIRouter, Query, Request, Response

from plant import times
from plant.aggregates import AggregateConfiguration, AggregateFunction, AggregateValues, TagSamples
from plant.batch import SampleBatch
from plant.tag import Tag
from services.api.auth import CurrentUser
from services.api.columns import accepted, columns_of, json_response, table_response
from services.api.problems import ApiProblem
from services.api.state import ApiState, state_of, tag_named, tags_wanted
from services.api.time_range import time_range
from services.retrieval import Intervals
from services.retrieval.tables import JSON, quality_names, time_texts

router = APIRouter(tags=["history"])

_MOST_PIXELS: Final = 4_000
_MOST_TAGS: Final = 50

_From = Annotated[str, Query(alias="from", max_length=50, description="RFC 3339, or an offset from now such as -1h")]
_To = Annotated[str, Query(alias="to", max_length=50, description="as from; not included")]
_Percent = Annotated[int, Query(ge=0, le=100)]
T = TypeVar("T")


@router.get("/tags/{name}/aggregates")
async def get_aggregates(
    request: Request,
    user: CurrentUser,
    name: str,
    function: AggregateFunction,
    start: _From = "-1h",
    end: _To = "now",
    interval: Annotated[str, Query(max_length=20, description="10s, 1m, 1h; 0s for one over the whole")] = "1m",
    treat_uncertain_as_bad: bool = True,
    percent_data_bad: _Percent = 100,
    percent_data_good: _Percent = 100,
) -> Response:
    """An OPC UA Part 13 aggregate of each interval, with its quality and the percentage of the interval in which the tag was Good."""
    state = state_of(request)
    tag = _numeric(tag_named(state, name))
    first, last = time_range(start, end)
    intervals = _valid(lambda: Intervals(first, last, times.parse_duration(interval)))
    configuration = _valid(lambda: AggregateConfiguration(treat_uncertain_as_bad, percent_data_bad, percent_data_good))
    found = await asyncio.to_thread(state.processed.aggregates, tag, function, intervals, configuration=configuration, known_until=_known_until(state, tag))
    kind = accepted(request)
    if kind != JSON:
        return table_response(kind, tag, SampleBatch(np.full(len(found), tag.id, np.int32), found.time, found.value, found.quality))
    return json_response({"tag": tag.name, "unit": tag.engineering_unit, "function": function.value, **_columns(found)})


@router.get("/trend")
async def get_trend(
    request: Request,
    user: CurrentUser,
    tag: Annotated[list[str], Query(min_length=1, max_length=_MOST_TAGS)],
    start: _From = "-1h",
    end: _To = "now",
    pixels: Annotated[int, Query(ge=1, le=_MOST_PIXELS)] = 1000,
) -> Response:
    """Curves for a screen: of each tag at most 4 samples a pixel, with every extreme and every gap. The value of a Bad sample is null."""
    state = state_of(request)
    tags = [_numeric(each) for each in tags_wanted(state, tag, None)]
    first, last = _span(start, end)
    items = []
    for each in tags:
        points = await asyncio.to_thread(state.processed.trend, each, first, last, pixels)
        items.append({"tag": each.name, "unit": each.engineering_unit, "stepped": each.is_stepped, **columns_of(_batch(each, points))})
    return json_response({"from": times.format_time(first), "to": times.format_time(last), "items": items})


@router.get("/grafana/series")
async def get_grafana_series(
    request: Request,
    user: CurrentUser,
    tags: Annotated[str, Query(max_length=10_000, description="names, with commas between them")],
    start: _From = "-1h",
    end: _To = "now",
    points: Annotated[int, Query(alias="maxPoints", ge=1, le=_MOST_PIXELS)] = 1000,
    function: Annotated[AggregateFunction | None, Query(alias="agg", description="an aggregate a point; without it the curve with its extremes")] = None,
) -> Response:
    """Rows ``{time, tag, value, quality, unit}`` for Grafana's Infinity data source."""
    state = state_of(request)
    names = [name.strip() for name in tags.split(",") if name.strip()]
    if not 1 <= len(names) <= _MOST_TAGS:
        raise ApiProblem(422, f"tags: {len(names)} names; send from 1 to {_MOST_TAGS}")
    first, last = _span(start, end)
    rows: list[dict[str, Any]] = []
    for each in [_numeric(tag) for tag in tags_wanted(state, names, None)]:
        if function is None:
            batch = _batch(each, await asyncio.to_thread(state.processed.trend, each, first, last, points))
        else:
            intervals = _valid(lambda: Intervals(first, last, -(-(last - first) // points)))
            found = await asyncio.to_thread(state.processed.aggregates, each, function, intervals, known_until=_known_until(state, each))
            batch = SampleBatch(np.full(len(found), each.id, np.int32), found.time, found.value, found.quality)
        value = np.where(np.isfinite(batch.value), batch.value, np.nan).tolist()
        for time, number, quality in zip(time_texts(batch.time).tolist(), value, quality_names(batch.quality), strict=True):
            rows.append({"time": time, "tag": each.name, "value": number, "quality": quality, "unit": each.engineering_unit})
    return json_response(rows)


def _columns(found: AggregateValues) -> dict[str, Any]:
    columns: dict[str, Any] = {
        "time": time_texts(found.time).tolist(),
        "value": found.value,
        "quality": quality_names(found.quality),
        "percent_good": found.percent_good,
        "partial": found.partial,
    }
    if (found.actual_time != found.time).any():
        columns["actual_time"] = time_texts(found.actual_time).tolist()
    return columns


def _batch(tag: Tag, points: TagSamples) -> SampleBatch:
    return SampleBatch(np.full(len(points), tag.id, np.int32), points.time, points.value, points.quality)


def _span(start: str, end: str) -> tuple[int, int]:
    first, last = time_range(start, end)
    if first == last:
        raise ApiProblem(422, "from and to are one time; ask for a span")
    return first, last


def _numeric(tag: Tag) -> Tag:
    if tag.data_type.is_text:
        raise ApiProblem(422, f"{tag.name} is text, which has no aggregates; GET its samples")
    return tag


def _known_until(state: ApiState, tag: Tag) -> int | None:
    """Now, for a tag whose device is watched: a value that is not sent again is still what it was."""
    status = state.hub.devices().get(tag.device)
    return times.now() if status is not None and status.state.is_up else None


def _valid(make: Callable[[], T]) -> T:
    """Raises ``ApiProblem`` 422 with what ``make`` complains of."""
    try:
        return make()
    except ValueError as error:
        raise ApiProblem(422, str(error)) from None
