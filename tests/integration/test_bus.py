"""The bus against a real nats-server."""

import asyncio
import time

import nats.js.errors
import pytest

from plant.errors import BusUnavailable, ConfigurationError
from plant.event import Event
from services.bus import Bus, NoAnswer, NoResponder, StreamBounds, provision, subjects
from services.bus.messages import decode_event
from tests.nats_server import NatsServer


async def messages_in(bus: Bus, stream: str) -> int:
    return (await bus.streams.stream_info(stream)).state.messages


async def test_what_is_published_twice_is_kept_once(bus: Bus) -> None:
    for identity in ("a:1:0", "a:1:1", "a:1:0"):
        await bus.publish_durably(subjects.SAMPLES_STREAM, subjects.samples("SEP", "a"), b"x", identity)
    assert await messages_in(bus, subjects.SAMPLES_STREAM) == 2


async def test_provisioning_again_keeps_what_is_there(bus: Bus) -> None:
    await bus.publish_durably(subjects.SAMPLES_STREAM, subjects.samples("SEP", "a"), b"x", "1")
    await provision(bus, StreamBounds(samples=64 * 1024**2))
    info = await bus.streams.stream_info(subjects.SAMPLES_STREAM)
    assert info.state.messages == 1
    assert info.config.max_bytes == 64 * 1024**2


async def test_a_full_stream_refuses_new_messages_and_keeps_the_old(bus: Bus) -> None:
    await provision(bus, StreamBounds(samples=100_000))
    published = 0

    async def publish_for_ever() -> None:
        nonlocal published
        while True:
            await bus.publish_durably(subjects.SAMPLES_STREAM, subjects.samples("SEP", "a"), bytes(10_000), str(published))
            published += 1

    with pytest.raises(BusUnavailable, match="maximum bytes"):
        await asyncio.wait_for(publish_for_ever(), 30)
    assert 0 < published < 11
    assert await messages_in(bus, subjects.SAMPLES_STREAM) == published


async def test_an_event_comes_back_as_it_was(bus: Bus) -> None:
    event = Event("e1", 5, "command.done", "SEP.COL101.FIC101.SP", "admin", {"value": 8.0, "text": "é", "none": None})
    await bus.publish_event(event)
    await bus.publish_event(event)
    assert await messages_in(bus, subjects.EVENTS_STREAM) == 1
    stored = await bus.streams.get_msg(subjects.EVENTS_STREAM, 1)
    assert decode_event(stored.data or b"") == event


async def test_acknowledged_messages_survive_a_kill(server: NatsServer, bus: Bus) -> None:
    for number in range(200):
        await bus.publish_durably(subjects.SAMPLES_STREAM, subjects.samples("SEP", "a"), bytes(1000), str(number))
    await server.kill()
    with pytest.raises(BusUnavailable):
        await bus.publish_durably(subjects.SAMPLES_STREAM, subjects.samples("SEP", "a"), b"x", "during")
    await server.start()
    async with asyncio.timeout(30):
        while True:
            try:
                await bus.publish_durably(subjects.SAMPLES_STREAM, subjects.samples("SEP", "a"), b"x", "during")
                break
            except BusUnavailable:
                await asyncio.sleep(0.1)
    assert await messages_in(bus, subjects.SAMPLES_STREAM) == 201


async def test_a_request_that_nobody_serves_is_answered_at_once(bus: Bus) -> None:
    begun = time.monotonic()
    with pytest.raises(NoResponder):
        await bus.request(subjects.command("SEP", "PLC-SEP-01"), b"x", deadline=20)
    assert time.monotonic() - begun < 10


async def test_a_request_that_is_not_answered_ends_at_its_deadline(bus: Bus) -> None:
    async def hang(data: bytes) -> bytes:
        await asyncio.sleep(60)
        return data

    await bus.serve("command.SEP.slow", hang)
    with pytest.raises(NoAnswer):
        await bus.request("command.SEP.slow", b"x", deadline=0.2)


async def test_a_slow_answer_does_not_hold_up_the_next(bus: Bus) -> None:
    release = asyncio.Event()

    async def answer(data: bytes) -> bytes:
        if data == b"slow":
            await release.wait()
        return data

    await bus.serve("command.SEP.a", answer)
    slow = asyncio.create_task(bus.request("command.SEP.a", b"slow", deadline=20))
    assert await bus.request("command.SEP.a", b"fast", deadline=20) == b"fast"
    release.set()
    assert await slow == b"slow"


async def test_live_messages_reach_every_listener(server: NatsServer, bus: Bus) -> None:
    heard: asyncio.Queue[tuple[str, bytes]] = asyncio.Queue(10)

    async def listen(subject: str, data: bytes) -> None:
        await heard.put((subject, data))

    async with await server.connect("listener") as other:
        for listener in (bus, other):
            await listener.subscribe(subjects.ALL_SAMPLES, listen)
        await other.publish_live("elsewhere", b"")
        await asyncio.sleep(0.1)
        await bus.publish_durably(subjects.SAMPLES_STREAM, subjects.samples("SEP", "a"), b"x", "1")
        for _ in range(2):
            assert await asyncio.wait_for(heard.get(), 10) == ("samples.SEP.a", b"x")


async def test_wrong_credentials_are_the_engineers_to_mend(server: NatsServer) -> None:
    with pytest.raises(ConfigurationError, match="set the user and password"):
        await Bus.connect(server.url, name="test", user="monazite", password="wrong", deadline=3)


async def test_no_server_is_said_within_the_deadline() -> None:
    with pytest.raises(BusUnavailable, match="no NATS server answers"):
        await Bus.connect("nats://127.0.0.1:1", name="test", deadline=1)


async def test_samples_are_a_work_queue_for_the_historian(bus: Bus) -> None:
    await bus.publish_durably(subjects.SAMPLES_STREAM, subjects.samples("SEP", "a"), b"x", "1")
    subscription = await bus.streams.pull_subscribe_bind(subjects.HISTORIAN, subjects.SAMPLES_STREAM)
    (message,) = await subscription.fetch(1, timeout=5)
    await message.ack_sync()
    assert await messages_in(bus, subjects.SAMPLES_STREAM) == 0
    with pytest.raises(nats.js.errors.BadRequestError):
        await bus.streams.pull_subscribe(subjects.ALL_SAMPLES, durable="another", stream=subjects.SAMPLES_STREAM)
