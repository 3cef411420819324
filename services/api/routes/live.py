"""Live values over one WebSocket a page.

A frame is a snapshot first, then what changed: ``{seq, server_time, values: [[tag, value, quality, time]], alarms, commands, devices}``, at most five a
second and at least one. A client whose frame is lost sees the gap in ``seq``.
"""

import asyncio
import contextlib
from collections.abc import Sequence
from typing import Annotated, Any, Final
from urllib.parse import urlsplit

import orjson
from fastapi import APIRouter, WebSocket, WebSocketDisconnect
from pydantic import BaseModel, ConfigDict, Field, ValidationError
from starlette.websockets import WebSocketState

from plant import times
from plant.event import Event
from plant.link import DeviceStatus
from plant.quality import quality_name
from services.api.auth import Authentication, User
from services.api.columns import shown
from services.api.live_hub import Listener, LiveValue
from services.api.problems import ApiProblem
from services.api.state import ApiState, tags_wanted

router = APIRouter(tags=["live"])

HEARTBEAT: Final = 1.0
_SHORTEST_FRAME: Final = 0.2
_FIRST_MESSAGE_WITHIN: Final = 10.0
_SEND_WITHIN: Final = 10.0
_UNAUTHORISED: Final = 4401
_BAD_REQUEST: Final = 4400
_TOO_SLOW: Final = 1013
"""Try again later (RFC 6455, registry of close codes)."""


class Subscription(BaseModel):
    """First message of a client; ``token`` where it could not send an Authorization header, as a browser cannot."""

    model_config = ConfigDict(extra="forbid", strict=True)
    token: str | None = None
    tags: Annotated[list[str], Field(max_length=10_000)] = []
    prefix: str | None = None


@router.websocket("/live")
async def live(socket: WebSocket) -> None:
    """Subscribe with ``{"token": …, "tags": […]}`` or ``{"token": …, "prefix": …}``; neither tags nor prefix: everything."""
    if not _same_origin(socket):
        await socket.close(_UNAUTHORISED, "another origin")
        return
    await socket.accept()
    try:
        user, tag_ids = await _subscribed(socket)
    except (ApiProblem, ValidationError, TimeoutError, KeyError) as error:  # a KeyError: a frame of bytes, which holds no text
        status = error.status if isinstance(error, ApiProblem) else 422
        detail = error.detail if isinstance(error, ApiProblem) else "send {token, tags} or {token, prefix} as the first message"
        await socket.send_json({"error": detail})
        await socket.close(_UNAUTHORISED if status == 401 else _BAD_REQUEST)
        return
    except WebSocketDisconnect:
        return
    state: ApiState = socket.app.state.monazite
    with state.hub.listener(tag_ids) as listener:
        tasks = {asyncio.create_task(_send(socket, state, listener)), asyncio.create_task(_until_it_leaves(socket))}
        try:
            await asyncio.wait(tasks, timeout=user.seconds_left(), return_when=asyncio.FIRST_COMPLETED)
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.wait(tasks)
    if socket.client_state is WebSocketState.CONNECTED:
        with contextlib.suppress(RuntimeError, WebSocketDisconnect):  # it left meanwhile
            await socket.close(_UNAUTHORISED if user.seconds_left() <= 0 else _TOO_SLOW)


async def _until_it_leaves(socket: WebSocket) -> None:
    """Nothing more is expected of the client."""
    while (await socket.receive())["type"] != "websocket.disconnect":
        pass


def _same_origin(socket: WebSocket) -> bool:
    origin = socket.headers.get("origin")
    return origin is None or urlsplit(origin).netloc == socket.headers.get("host")


async def _subscribed(socket: WebSocket) -> tuple[User, frozenset[int]]:
    async with asyncio.timeout(_FIRST_MESSAGE_WITHIN):
        text = await socket.receive_text()
    subscription = Subscription.model_validate_json(text)
    header = socket.headers.get("authorization", "").removeprefix("Bearer ")
    authentication: Authentication = socket.app.state.authentication
    user = authentication.user_of(subscription.token or header)
    return user, _ids(socket.app.state.monazite, subscription.tags, subscription.prefix)


def _ids(state: ApiState, names: list[str], prefix: str | None) -> frozenset[int]:
    return frozenset(tag.id for tag in tags_wanted(state, names, prefix))


async def _send(socket: WebSocket, state: ApiState, listener: Listener) -> None:
    sequence = 0
    try:
        while True:
            await listener.wait(HEARTBEAT)
            values, events, devices = listener.take()
            async with asyncio.timeout(_SEND_WITHIN):
                await socket.send_text(orjson.dumps(_frame(state, sequence, values, events, devices)).decode())
            sequence += 1
            await asyncio.sleep(_SHORTEST_FRAME)
    except (WebSocketDisconnect, RuntimeError, TimeoutError):
        return  # the client left, or takes nothing


def _frame(state: ApiState, sequence: int, values: Sequence[LiveValue], events: Sequence[Event], devices: Sequence[DeviceStatus]) -> dict[str, Any]:
    return {
        "seq": sequence,
        "server_time": times.format_time(times.now()),
        "values": [_row(state, value) for value in values],
        "alarms": [],
        "commands": [_event(event) for event in events if event.kind.startswith("command.")],
        "devices": [{"name": status.device, "state": status.state.value, "last_error": status.last_error} for status in devices],
    }


def _row(state: ApiState, value: LiveValue) -> list[Any]:
    return [state.site.by_id[value.tag_id].name, shown(value.value), quality_name(value.quality), times.format_time(value.time)]


def _event(event: Event) -> dict[str, Any]:
    return {"id": event.id, "time": times.format_time(event.time), "kind": event.kind, "tag": event.subject, "user": event.user, "detail": dict(event.detail)}
