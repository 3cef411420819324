"""The loss ledger and the audit trail."""

import asyncio
from typing import Annotated, Final

from fastapi import APIRouter, Query, Request
from pydantic import BaseModel

from plant import times
from plant.ledger import Gap
from services.api.auth import CurrentUser
from services.api.problems import ApiProblem
from services.api.state import state_of
from services.api.time_range import time_range
from services.retrieval import reconciled

router = APIRouter(tags=["records"])

_MOST_COUNTED: Final = 1_000

_From = Annotated[str, Query(alias="from", max_length=50)]
_To = Annotated[str, Query(alias="to", max_length=50)]


class Counts(BaseModel):
    """Samples of the device's tags that report every one (``counted`` of ``tags``): due in the gap, came after all, and lost."""

    tags: int
    counted: int
    expected: int
    recovered: int
    lost: int


class GapView(BaseModel):
    """``end`` is null while the gap lasts; ``samples`` only where counts were asked for."""

    device: str
    start: str
    end: str | None
    cause: str
    recovered: bool
    samples: Counts | None = None


class GapList(BaseModel):
    items: list[GapView]


class EventView(BaseModel):
    id: str
    time: str
    kind: str
    subject: str
    user: str
    detail: dict[str, str | int | float | bool | None]


class EventList(BaseModel):
    items: list[EventView]


@router.get("/gaps", response_model_exclude_unset=True)
async def list_gaps(
    request: Request,
    user: CurrentUser,
    start: _From = "-24h",
    end: _To = "now",
    counts: Annotated[bool, Query(description="count what was due, came after all, and is lost; at most 1000 gaps")] = False,
) -> GapList:
    """Intervals in which samples should have come and did not."""
    state = state_of(request)
    first, last = time_range(start, end)
    gaps = await asyncio.to_thread(state.store.gaps, first, last)
    if not counts:
        return GapList(items=[_view(gap, None) for gap in gaps])
    if len(gaps) > _MOST_COUNTED:
        raise ApiProblem(422, f"{len(gaps)} gaps are more than the {_MOST_COUNTED} that are counted at once; ask for a shorter time")
    found = await asyncio.to_thread(reconciled, state.store, state.site, gaps, times.now())
    return GapList(items=[_view(one.gap, Counts(**{name: getattr(one, name) for name in Counts.model_fields})) for one in found])


def _view(gap: Gap, samples: Counts | None) -> GapView:
    end = None if gap.end is None else times.format_time(gap.end)
    view = GapView(device=gap.device, start=times.format_time(gap.start), end=end, cause=gap.cause.value, recovered=gap.recovered)
    return view if samples is None else view.model_copy(update={"samples": samples})


@router.get("/audit")
async def list_events(
    request: Request, user: CurrentUser, start: _From = "-24h", end: _To = "now", limit: Annotated[int, Query(ge=1, le=1000)] = 1000
) -> EventList:
    """What happened and who wanted it, oldest first."""
    first, last = time_range(start, end)
    events = await asyncio.to_thread(state_of(request).store.events, first, last, limit)
    return EventList(
        items=[
            EventView(id=event.id, time=times.format_time(event.time), kind=event.kind, subject=event.subject, user=event.user, detail=dict(event.detail))
            for event in events
        ]
    )
