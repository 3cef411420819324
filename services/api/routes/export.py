"""Whole histories in one answer of any length, made while it is sent."""

import asyncio
import logging
from collections.abc import AsyncIterator, Iterator
from typing import Annotated, Final

from fastapi import APIRouter, Query, Request
from fastapi.responses import StreamingResponse
from starlette.types import Message, Receive, Scope, Send

from plant.batch import Batch
from plant.tag import Tag
from services.api.auth import CurrentUser
from services.api.columns import accepted, media_type_of
from services.api.problems import ApiProblem
from services.api.state import state_of, tags_wanted
from services.api.time_range import time_range
from services.retrieval.tables import pieces
from services.store import Store

_log = logging.getLogger(__name__)

router = APIRouter(tags=["history"])

AT_ONCE: Final = 2
"""Exports that are made at the same time."""

TAKEN_WITHIN: Final = 60.0
"""Seconds in which a client takes a piece."""

_ROWS_A_READ: Final = 16_384


@router.get("/export")
async def export(
    request: Request,
    user: CurrentUser,
    tag: Annotated[list[str] | None, Query(max_length=1000)] = None,
    prefix: Annotated[str | None, Query(max_length=200)] = None,
    start: Annotated[str, Query(alias="from", max_length=50)] = "-1h",
    end: Annotated[str, Query(alias="to", max_length=50, description="not included")] = "now",
) -> StreamingResponse:
    """All samples of the tags named by ``tag`` or ``prefix``, tag after tag, oldest first, as ``Accept`` says. Numbers and texts do not go into one table:
    ask for them apart. An answer that ends before its end was cut off: the store went away while it was sent."""
    state = state_of(request)
    tags = tags_wanted(state, tag or [], prefix)
    first, last = time_range(start, end)
    kinds = {each.data_type.is_text for each in tags}
    if len(kinds) != 1:
        detail = "there are numbers and texts among the tags; ask for each kind apart" if kinds else "no tag has this prefix"
        raise ApiProblem(422 if kinds else 404, detail)
    kind = accepted(request)
    if state.exports.locked():
        raise ApiProblem(429, f"{AT_ONCE} exports are under way already; try again when one has ended", {"Retry-After": "10"})
    await state.exports.acquire()  # at once: nobody came between
    try:
        table = pieces(kind, _rows(state.store, tags, first, last), is_text=kinds.pop())
        begin = await asyncio.to_thread(next, table)  # a store that is away is told before the answer has begun
    except BaseException:
        state.exports.release()
        raise
    return _Export(_made(begin, table), state.exports, media_type_of(kind))


async def _made(begin: bytes, table: Iterator[bytes]) -> AsyncIterator[bytes]:
    """In a thread, piece by piece, as fast as the client takes it."""
    yield begin
    while (piece := await asyncio.to_thread(next, table, None)) is not None:
        yield piece


class _NotTaken(Exception):
    """The client is connected and takes nothing. No ``OSError``, which would be a client that went away."""


class _Export(StreamingResponse):
    """Gives its place back at the end, whatever that is. A client that is connected and takes nothing is no longer served."""

    def __init__(self, content: AsyncIterator[bytes], places: asyncio.Semaphore, media_type: str) -> None:
        super().__init__(content, media_type=media_type)
        self._places = places

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        async def send_in_time(message: Message) -> None:
            try:
                async with asyncio.timeout(TAKEN_WITHIN):
                    await send(message)
            except TimeoutError:
                raise _NotTaken from None

        try:
            await super().__call__(scope, receive, send_in_time)
        except* _NotTaken:
            _log.warning("an export was cut off: the client took nothing of it for %g s", TAKEN_WITHIN)
        finally:
            self._places.release()


def _rows(store: Store, tags: list[Tag], start: int, end: int) -> Iterator[tuple[Tag, Batch]]:
    """Page after page: between two of them nothing of the store is held, however slowly the client reads. What is written meanwhile behind the last page
    is in the next one."""
    for tag in tags:
        first = start
        while True:
            batch = store.texts(tag.id, first, end, _ROWS_A_READ) if tag.data_type.is_text else store.samples(tag.id, first, end, _ROWS_A_READ)
            if len(batch):
                yield tag, batch
            if len(batch) < _ROWS_A_READ:
                break
            first = int(batch.time[-1]) + 1
