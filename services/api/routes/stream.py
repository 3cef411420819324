"""Live values as server-sent events, for scripts.

Each message of the bus has a number; it is the event's id, so that a client which comes back with ``Last-Event-ID`` misses nothing that is still kept.
Without one, or when it was away for too long, the current values come first.
"""

from collections.abc import AsyncIterator
from typing import Annotated, Any, Final

import orjson
from fastapi import APIRouter, Header, Query, Request
from fastapi.responses import StreamingResponse

from plant import times
from plant.event import Event
from plant.link import DeviceStatus
from plant.quality import quality_name
from services.api.auth import CurrentUser, User
from services.api.columns import shown
from services.api.live_hub import Item, LiveValue, values_of
from services.api.state import ApiState, state_of, tags_wanted

router = APIRouter(tags=["live"])

_HEARTBEAT: Final = 5.0


@router.get("/stream")
async def stream(
    request: Request,
    user: CurrentUser,
    tag: Annotated[list[str] | None, Query(max_length=1000)] = None,
    prefix: Annotated[str | None, Query(max_length=200)] = None,
    last_event_id: Annotated[str, Header(max_length=30)] = "",
) -> StreamingResponse:
    """Events ``sample``, ``command`` and ``device``, until the token is over: come back with another and ``Last-Event-ID``."""
    state = state_of(request)
    tag_ids = frozenset(each.id for each in tags_wanted(state, tag or [], prefix))
    seen = int(last_event_id) if last_event_id.isascii() and last_event_id.isdigit() else None
    headers = {"Cache-Control": "no-store", "X-Accel-Buffering": "no"}
    return StreamingResponse(_events(state, tag_ids, seen, user), media_type="text/event-stream", headers=headers)


async def _events(state: ApiState, tag_ids: frozenset[int], seen: int | None, user: User) -> AsyncIterator[bytes]:
    hub = state.hub
    kept = hub.since(0)
    if seen is None or not kept or seen < kept[0][0] - 1:
        seen = hub.number
        for event in _current(state, tag_ids, seen):
            yield event
    while user.seconds_left() > 0:
        items = hub.since(seen)
        if items and items[0][0] > seen + 1:  # so slow that some are not kept any more
            hub.missed(items[0][0] - seen - 1)
            for event in _current(state, tag_ids, items[0][0] - 1):
                yield event
        for number, item in items:
            for event in _of_item(state, item, tag_ids, number):
                yield event
            seen = number
        if not items:
            yield b": heartbeat\n\n"
        await hub.changed(_HEARTBEAT)


def _current(state: ApiState, tag_ids: frozenset[int], number: int) -> list[bytes]:
    return [_event("sample", _sample(state, value), number) for batch in state.hub.current(tag_ids) for value in values_of(batch)]


def _of_item(state: ApiState, item: Item, tag_ids: frozenset[int], number: int) -> list[bytes]:
    if isinstance(item, DeviceStatus):
        return [_event("device", {"name": item.device, "state": item.state.value, "last_error": item.last_error}, number)]
    if isinstance(item, Event):
        if not item.kind.startswith("command."):
            return []
        content = {"id": item.id, "time": times.format_time(item.time), "kind": item.kind, "tag": item.subject, "user": item.user, "detail": dict(item.detail)}
        return [_event("command", content, number)]
    values = [value for value in values_of(item) if value.tag_id in tag_ids]
    # Only the last sample of a batch bears its number: a client cut off in its middle gets the whole batch again.
    return [_event("sample", _sample(state, value), number if value is values[-1] else number - 1) for value in values]


def _sample(state: ApiState, value: LiveValue) -> dict[str, Any]:
    return {
        "tag": state.site.by_id[value.tag_id].name,
        "time": times.format_time(value.time),
        "value": shown(value.value),
        "quality": quality_name(value.quality),
    }


def _event(kind: str, content: dict[str, Any], number: int) -> bytes:
    return b"id: %d\nevent: %s\ndata: %s\n\n" % (number, kind.encode(), orjson.dumps(content))
