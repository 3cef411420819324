"""Tag configuration."""

from typing import Annotated

from fastapi import APIRouter, Query, Request
from pydantic import BaseModel

from plant.tag import Tag
from services.api.auth import CurrentUser
from services.api.problems import ApiProblem
from services.api.state import state_of, tag_named

router = APIRouter(tags=["tags"])


class AlarmLimitsView(BaseModel):
    low_low: float | None
    low: float | None
    high: float | None
    high_high: float | None


class TagView(BaseModel):
    """``range`` is (low, high) in ``unit``; ``scan_ms`` the period of scanning or sampling; ``compression`` how far, in ``unit``, thinned history may be
    from what was received, null for a tag whose every sample is kept."""

    id: int
    name: str
    area: str
    process_unit: str
    description: str
    kind: str
    data_type: str
    unit: str
    range: tuple[float, float] | None
    device: str
    scan_ms: int
    deadband: float | None
    compression: float | None
    stepped: bool
    writable: bool
    alarm_limits: AlarmLimitsView
    priority: str | None


class TagPage(BaseModel):
    items: list[TagView]
    next: str | None


@router.get("/tags")
async def list_tags(
    request: Request,
    user: CurrentUser,
    prefix: Annotated[str | None, Query(max_length=200)] = None,
    area: Annotated[str | None, Query(max_length=50)] = None,
    q: Annotated[str | None, Query(max_length=200, description="found in the name or the description")] = None,
    limit: Annotated[int, Query(ge=1, le=1000)] = 1000,
    cursor: Annotated[str | None, Query(max_length=20)] = None,
) -> TagPage:
    """Tags in order of id."""
    if cursor is not None and not (cursor.isascii() and cursor.isdigit()):
        raise ApiProblem(422, "cursor: not one that this service gave out; begin again without it")
    wanted = (q or "").casefold()
    found = [
        tag
        for tag in sorted(state_of(request).site.tags, key=lambda tag: tag.id)
        if (cursor is None or tag.id > int(cursor))
        and (prefix is None or tag.name.startswith(prefix))
        and (area is None or tag.area == area)
        and (wanted in tag.name.casefold() or wanted in tag.description.casefold())
    ]
    page = found[:limit]
    return TagPage(items=[_view(tag) for tag in page], next=str(page[-1].id) if len(found) > limit else None)


@router.get("/tags/{name}")
async def get_tag(request: Request, user: CurrentUser, name: str) -> TagView:
    """One tag."""
    return _view(tag_named(state_of(request), name))


def _view(tag: Tag) -> TagView:
    limits = tag.alarm_limits
    return TagView(
        id=tag.id,
        name=tag.name,
        area=tag.area,
        process_unit=tag.unit,
        description=tag.description,
        kind=tag.kind.value,
        data_type=tag.data_type.value,
        unit=tag.engineering_unit,
        range=tag.eu_range,
        device=tag.device,
        scan_ms=tag.scan_ms,
        deadband=tag.deadband,
        compression=tag.compression_deviation,
        stepped=tag.is_stepped,
        writable=tag.writable,
        alarm_limits=AlarmLimitsView(low_low=limits.low_low, low=limits.low, high=limits.high, high_high=limits.high_high),
        priority=tag.priority.value if tag.priority else None,
    )
