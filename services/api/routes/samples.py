"""History of a tag: raw samples, and the value at a time."""

import asyncio
from typing import Annotated, Any

from fastapi import APIRouter, Query, Request, Response
from pydantic import BaseModel

from plant import times
from plant.quality import quality_name
from services.api.auth import CurrentUser
from services.api.columns import accepted, columns_of, json_response, shown, table_response
from services.api.problems import ApiProblem
from services.api.state import state_of, tag_named
from services.api.time_range import parsed, time_range
from services.retrieval.tables import JSON, quality_names, time_texts
from services.store import FIRST_TIME

router = APIRouter(tags=["history"])

_MOST = 11_000


class CompressionView(BaseModel):
    """``deviation`` that the tag allows and ``worst_error`` in its engineering unit; ``ratio``: samples received for each one that is kept."""

    deviation: float | None
    raw: int
    kept: int
    ratio: float | None
    worst_error: float | None


@router.get("/tags/{name}/samples")
async def get_samples(
    request: Request,
    user: CurrentUser,
    name: str,
    start: Annotated[str, Query(alias="from", max_length=50, description="RFC 3339, or an offset from now such as -1h")] = "-1h",
    end: Annotated[str, Query(alias="to", max_length=50, description="as from; not included")] = "now",
    limit: Annotated[int, Query(ge=1, le=_MOST)] = 1000,
    bounds: Annotated[bool, Query(description="also the sample before from and the one at or after to")] = False,
    cursor: Annotated[str | None, Query(max_length=50)] = None,
    known_at: Annotated[str | None, Query(max_length=50, description="history as it was known then: without what was changed since")] = None,
) -> Response:
    """Raw samples, oldest first; ``next`` is the cursor of the next page. JSON, CSV, Arrow or Parquet, as ``Accept`` says."""
    state = state_of(request)
    tag = tag_named(state, name)
    first, last = time_range(start, end)
    known = None if known_at is None else parsed(known_at, "known_at")
    if bounds and known is not None:
        raise ApiProblem(422, "bounds: not given of history as it was known; ask for a longer time instead")
    page = await asyncio.to_thread(state.history.page, tag, first, last, limit, cursor=cursor, bounds=bounds, known_at=known)
    kind = accepted(request)
    if kind != JSON:
        return table_response(kind, tag, page.batch, page.next)
    return json_response({"tag": tag.name, "unit": tag.engineering_unit, **columns_of(page.batch), "next": page.next})


@router.get("/tags/{name}/at")
async def get_value_at(
    request: Request, user: CurrentUser, name: str, time: Annotated[str, Query(max_length=50, description="RFC 3339, or an offset from now")] = "now"
) -> Response:
    """The value at a time, interpolated or stepped as the tag says."""
    state = state_of(request)
    tag = tag_named(state, name)
    point = await asyncio.to_thread(state.history.at, tag, parsed(time, "time"))
    answer: dict[str, Any] = {
        "tag": tag.name,
        "unit": tag.engineering_unit,
        "time": times.format_time(point.time),
        "value": shown(point.value),
        "quality": quality_name(point.quality),
    }
    return json_response(answer)


@router.get("/tags/{name}/revisions")
async def get_revisions(
    request: Request,
    user: CurrentUser,
    name: str,
    start: Annotated[str, Query(alias="from", max_length=50)] = "-24h",
    end: Annotated[str, Query(alias="to", max_length=50, description="not included")] = "now",
    since: Annotated[str | None, Query(max_length=50, description="only changes made after this time")] = None,
    limit: Annotated[int, Query(ge=1, le=_MOST)] = 1000,
    cursor: Annotated[str | None, Query(max_length=50)] = None,
) -> Response:
    """What was changed in the samples of a span, in the order of the changes: old and new, who, when and why; null where there was no sample, or is none.
    ``next`` is the cursor of the next page."""
    state = state_of(request)
    tag = tag_named(state, name)
    first, last = time_range(start, end)
    changed_after = FIRST_TIME if since is None else parsed(since, "since")
    page = await asyncio.to_thread(state.records.revisions, tag, first, last, changed_after, limit, cursor)
    found = page.revisions
    items = [
        {
            "time": time,
            "revised_at": revised_at,
            "old": _side(was, old_value, old_quality),
            "new": _side(is_now, new_value, new_quality),
            "user": who,
            "reason": why,
        }
        for time, revised_at, was, old_value, old_quality, is_now, new_value, new_quality, who, why in zip(
            time_texts(found.time).tolist(),
            time_texts(found.revised_at).tolist(),
            found.was.tolist(),
            found.old_value.tolist(),
            quality_names(found.old_quality),
            found.is_now.tolist(),
            found.new_value.tolist(),
            quality_names(found.new_quality),
            found.user.tolist(),
            found.reason.tolist(),
            strict=True,
        )
    ]
    return json_response({"tag": tag.name, "unit": tag.engineering_unit, "items": items, "next": page.next})


def _side(is_there: bool, value: float | str, quality: str) -> dict[str, Any] | None:
    return {"value": shown(value), "quality": quality} if is_there else None


@router.get("/tags/{name}/compression")
async def get_compression(request: Request, user: CurrentUser, name: str) -> CompressionView:
    """What the swinging door did to a tag so far: samples it was given, samples it kept, and the worst distance of one that it left out."""
    state = state_of(request)
    tag = tag_named(state, name)
    report = await asyncio.to_thread(state.store.compression, tag.id)
    if report is None:
        return CompressionView(deviation=tag.compression_deviation, raw=0, kept=0, ratio=None, worst_error=None)
    ratio = shown(report.ratio)
    assert not isinstance(ratio, str)  # it was a float
    return CompressionView(deviation=tag.compression_deviation, raw=report.raw, kept=report.kept, ratio=ratio, worst_error=report.worst_error)
