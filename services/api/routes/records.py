"""The loss ledger and the audit trail."""

import asyncio
from typing import Annotated, Final

from fastapi import APIRouter, Query, Request
from pydantic import BaseModel

from plant import times
from plant.ledger import Gap
from services.api.auth import CurrentUser
from services.api.state import state_of
from services.api.time_range import time_range
from services.retrieval import reconciled

router = APIRouter(tags=["records"])

_MOST: Final = 1_000

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


class GapPage(BaseModel):
    """``next`` is the cursor of the next page, null at the end."""

    items: list[GapView]
    next: str | None


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
    counts: Annotated[bool, Query(description="count what was due, came after all, and is lost")] = False,
    limit: Annotated[int, Query(ge=1, le=_MOST)] = _MOST,
    cursor: Annotated[str | None, Query(max_length=500)] = None,
) -> GapPage:
    """Intervals in which samples should have come and did not, oldest first; ``next`` is the cursor of the next page."""
    state = state_of(request)
    first, last = time_range(start, end)
    page = await asyncio.to_thread(state.records.gaps, first, last, limit, cursor)
    if not counts:
        return GapPage(items=[_view(gap, None) for gap in page.gaps], next=page.next)
    found = await asyncio.to_thread(reconciled, state.store, state.site, page.gaps, times.now())
    return GapPage(items=[_view(one.gap, Counts(**{name: getattr(one, name) for name in Counts.model_fields})) for one in found], next=page.next)


def _view(gap: Gap, samples: Counts | None) -> GapView:
    end = None if gap.end is None else times.format_time(gap.end)
    view = GapView(device=gap.device, start=times.format_time(gap.start), end=end, cause=gap.cause.value, recovered=gap.recovered)
    return view if samples is None else view.model_copy(update={"samples": samples})


@router.get("/audit")
async def list_events(
    request: Request, user: CurrentUser, start: _From = "-24h", end: _To = "now", limit: Annotated[int, Query(ge=1, le=_MOST)] = _MOST
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
