"""An export's place among the few that are made at once."""

import asyncio
from collections.abc import AsyncIterator

import pytest
from starlette.types import Message

from services.api.routes import export


async def _endless() -> AsyncIterator[bytes]:
    while True:
        yield b"piece"


async def _nothing_more() -> Message:
    await asyncio.Event().wait()
    raise AssertionError


@pytest.mark.parametrize("spec_version", ["2.3", "2.4"])
async def test_a_client_that_is_connected_and_takes_nothing_gives_its_place_to_others(spec_version: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(export, "TAKEN_WITHIN", 0.2)
    places, sent = asyncio.Semaphore(1), list[Message]()
    await places.acquire()

    async def send(message: Message) -> None:
        sent.append(message)
        if len(sent) > 3:
            await asyncio.Event().wait()

    async with asyncio.timeout(5):
        await export._Export(_endless(), places, "text/csv")({"type": "http", "asgi": {"spec_version": spec_version}}, _nothing_more, send)
    assert not places.locked()
    assert sent[-1]["more_body"], "what was sent does not look like a whole answer"


async def test_an_export_that_is_cancelled_gives_its_place_back() -> None:
    places = asyncio.Semaphore(1)
    await places.acquire()

    async def send(message: Message) -> None:
        await asyncio.sleep(0)

    sending = asyncio.create_task(export._Export(_endless(), places, "text/csv")({"type": "http", "asgi": {"spec_version": "2.4"}}, _nothing_more, send))
    await asyncio.sleep(0.05)
    sending.cancel()
    await asyncio.gather(sending, return_exceptions=True)
    assert not places.locked()
