"""The loss ledger and the audit trail."""

import asyncio
from typing import Annotated

from fastapi import APIRouter, Query, Request
from pydantic import BaseModel

from plant import times
from services.api.auth import CurrentUser
from services.api.state import state_of
from services.api.time_range import time_range

router = APIRouter(tags=["records"])

_From = Annotated[str, Query(alias="from", max_length=50)]
_To = Annotated[str, Query(alias="to", max_length=50)]


class GapView(BaseModel):
    """``to`` is null while the gap lasts."""

    device: str
    start: str
    end: str | None
    cause: str
    recovered: bool


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


@router.get("/gaps")
async def list_gaps(request: Request, user: CurrentUser, start: _From = "-24h", end: _To = "now") -> GapList:
    """Intervals in which samples should have come and did not."""
    first, last = time_range(start, end)
    gaps = await asyncio.to_thread(state_of(request).store.gaps, first, last)
    return GapList(
        items=[
            GapView(
                device=gap.device,
                start=times.format_time(gap.start),
                end=None if gap.end is None else times.format_time(gap.end),
                cause=gap.cause.value,
                recovered=gap.recovered,
            )
            for gap in gaps
        ]
    )


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
