"""Live values, over WebSocket and as server-sent events, from services as processes."""

import asyncio
import json
import signal
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import httpx
import pytest
import pytest_asyncio
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed, InvalidStatus

from plant import times
from plant.envelope import Envelope, seal
from services.bus import subjects
from tests.modbus_device import PRESSURE, SET_POINT, TAGS
from tests.modbus_plant import ModbusPlant, modbus_plant
from tests.samples import batch_of

pytestmark = pytest.mark.asyncio(loop_scope="module")

NAMES = {tag.name for tag in TAGS}


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def plant(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[ModbusPlant]:
    folder = tmp_path_factory.mktemp("live")
    async with modbus_plant(folder, f"sqlite:///{folder}/history.sqlite") as running:
        yield running


def token_of(plant: ModbusPlant) -> str:
    return plant.client.headers["Authorization"].removeprefix("Bearer ")


def url_of(plant: ModbusPlant) -> str:
    return str(plant.client.base_url).replace("http:", "ws:") + "live"


@asynccontextmanager
async def live(plant: ModbusPlant, **subscription: Any) -> AsyncIterator[ClientConnection]:
    async with connect(url_of(plant)) as socket:
        await socket.send(json.dumps({"token": token_of(plant), **subscription}))
        yield socket


async def frame(socket: ClientConnection) -> dict[str, Any]:
    return dict(json.loads(await asyncio.wait_for(socket.recv(), 10)))


@asynccontextmanager
async def stream(plant: ModbusPlant, last: int | None = None, **query: str) -> AsyncIterator[AsyncIterator[tuple[int, str, dict[str, Any]]]]:
    """(id, event, data) of the server-sent events; heartbeats are passed over."""

    async def events(answer: httpx.Response) -> AsyncIterator[tuple[int, str, dict[str, Any]]]:
        lines: dict[str, str] = {}
        async for line in answer.aiter_lines():
            if line and not line.startswith(":"):
                name, _, content = line.partition(": ")
                lines[name] = content
            elif lines:
                yield int(lines["id"]), lines["event"], json.loads(lines["data"])
                lines = {}

    headers = {} if last is None else {"Last-Event-ID": str(last)}
    async with plant.client.stream("GET", "/stream", params=query, headers=headers) as answer:
        assert answer.headers["content-type"].startswith("text/event-stream")
        yield events(answer)


async def test_a_page_gets_all_current_values_first_and_then_what_changes(plant: ModbusPlant) -> None:
    async with live(plant) as socket:
        first = await frame(socket)
        while {row[0] for row in first["values"]} != NAMES:  # the devices may have been read only now
            first = await frame(socket)
        assert [device["name"] for device in first["devices"]] in (["MB-TST-01"], [])
        await plant.written(6.25)
        numbers, commands = [first["seq"]], []
        async with asyncio.timeout(10):
            while True:
                got = await frame(socket)
                numbers.append(got["seq"])
                commands += [command["kind"] for command in got["commands"]]
                if any(row[:3] == [SET_POINT.name, 6.25, "Good"] for row in got["values"]):
                    break
        assert numbers == list(range(numbers[0], numbers[0] + len(numbers))), "a frame that is missing would show"
        assert "command.prepared" in commands


@pytest.mark.parametrize("subscription", [{"tags": [PRESSURE.name]}, {"prefix": "SEP.COL101.PT"}])
async def test_a_page_gets_what_it_asked_for_and_no_more(plant: ModbusPlant, subscription: dict[str, Any]) -> None:
    async with live(plant, **subscription) as socket:
        for _ in range(5):
            assert {row[0] for row in (await frame(socket))["values"]} <= {PRESSURE.name}


@pytest.mark.parametrize(
    ("first", "code", "says"),
    [
        ('{"token": "forged"}', 4401, "log in"),
        ("{}", 4401, "log in"),
        ("no JSON", 4400, "first message"),
        ('{"token": "TOKEN", "tags": ["SEP.COL999.PT101"]}', 4400, "SEP.COL999.PT101"),
        ('{"token": "TOKEN", "tag": ["SEP.COL101.PT101"]}', 4400, "first message"),
    ],
)
async def test_a_page_that_may_not_listen_is_told_why(plant: ModbusPlant, first: str, code: int, says: str) -> None:
    async with connect(url_of(plant)) as socket:
        await socket.send(first.replace("TOKEN", token_of(plant)))
        assert says in (await frame(socket))["error"]
        with pytest.raises(ConnectionClosed):
            await asyncio.wait_for(socket.recv(), 10)
        assert socket.close_code == code


async def test_a_page_of_another_origin_does_not_get_in(plant: ModbusPlant) -> None:
    with pytest.raises(InvalidStatus):
        async with connect(url_of(plant), additional_headers={"Origin": "http://elsewhere.example"}):
            pass


async def test_a_script_gets_current_values_first_and_then_samples_and_commands(plant: ModbusPlant) -> None:
    async with stream(plant, tag=SET_POINT.name) as events, asyncio.timeout(20):
        number, kind, data = await anext(events)
        assert (kind, data["tag"]) == ("sample", SET_POINT.name)
        assert set(data) == {"tag", "time", "value", "quality"}
        await plant.written(7.125)
        kinds = set()
        async for later, kind, data in events:
            assert later >= number
            kinds.add(kind)
            assert data["tag"] == SET_POINT.name
            if kind == "sample" and data["value"] == 7.125:
                break
        assert kinds == {"sample", "command"}


async def test_a_script_that_comes_back_misses_nothing(plant: ModbusPlant) -> None:
    async with stream(plant, prefix="SEP.COL101.PT") as events, asyncio.timeout(20):
        seen = [await anext(events) for _ in range(5)]
    last, _, newest = seen[-1]
    await asyncio.sleep(1.0)
    async with stream(plant, last, prefix="SEP.COL101.PT") as events, asyncio.timeout(20):
        again = [await anext(events) for _ in range(5)]
    stored = (await plant.client.get(f"/tags/{PRESSURE.name}/samples", params={"from": newest["time"], "to": "+1h", "limit": "6"})).json()["time"]
    told = [data["time"] for _, kind, data in again if kind == "sample" and data["time"] > newest["time"]]
    assert told, "something new came"
    assert told == stored[1 : 1 + len(told)], "from where it was cut off, without a hole"


async def test_a_number_that_is_no_longer_kept_begins_with_the_current_values(plant: ModbusPlant) -> None:
    async with stream(plant, 1) as events, asyncio.timeout(20):
        assert {(await anext(events))[2].get("tag") for _ in TAGS} == NAMES


async def test_a_device_that_goes_is_told_live_and_its_values_are_bad(plant: ModbusPlant) -> None:
    async with live(plant) as socket:
        states: list[str] = []
        qualities: dict[str, str] = {}
        await plant.device.stop()
        async with asyncio.timeout(20):
            while "down" not in states or set(qualities.values()) != {"BadNoCommunication"} or len(qualities) < len(TAGS):
                got = await frame(socket)
                states += [device["state"] for device in got["devices"]]
                qualities |= {row[0]: row[2] for row in got["values"]}
        await plant.device.start()
        async with asyncio.timeout(30):
            while set(qualities.values()) != {"Good"}:
                qualities |= {row[0]: row[2] for row in (await frame(socket))["values"]}


async def test_values_of_a_gateway_that_stands_still_are_in_doubt_until_it_goes_on(plant: ModbusPlant) -> None:
    async def snapshot() -> set[str]:
        return {item["quality"] for item in (await plant.client.get("/snapshot", params={"prefix": ""})).json()["items"]}

    async with live(plant) as socket:
        qualities: dict[str, str] = {}
        plant.stack.signal("gateway", signal.SIGSTOP)
        try:
            async with asyncio.timeout(30):
                while set(qualities.values()) != {"UncertainNoCommunicationLastUsableValue"} or len(qualities) < len(TAGS):
                    qualities |= {row[0]: row[2] for row in (await frame(socket))["values"]}
            assert await snapshot() == {"UncertainNoCommunicationLastUsableValue"}
        finally:
            plant.stack.signal("gateway", signal.SIGCONT)
        async with asyncio.timeout(30):
            while set(qualities.values()) != {"Good"}:
                qualities |= {row[0]: row[2] for row in (await frame(socket))["values"]}
        assert await snapshot() == {"Good"}


async def test_a_first_message_of_bytes_is_refused_like_any_other_that_is_none(plant: ModbusPlant) -> None:
    async with connect(url_of(plant)) as socket:
        await socket.send(b"{}")
        assert "first message" in (await frame(socket))["error"]


async def test_garbage_on_the_bus_is_counted_and_the_pages_go_on(plant: ModbusPlant) -> None:
    async with live(plant) as socket, await plant.stack.nats.connect() as bus:
        subject = subjects.samples("SEP", "MB-TST-01")
        of_no_tag = seal(batch_of([(99_999, times.now(), 1.0, 0)]), Envelope("spare", 1, 0, times.now()))
        of_no_calendar = seal(batch_of([(PRESSURE.id, 2**62, 1.0, 0)]), Envelope("spare", 1, 1, times.now()))
        for number, garbage in enumerate((b"garbage", of_no_tag, of_no_calendar)):
            await bus.publish_durably(subjects.SAMPLES_STREAM, subject, garbage, f"garbage:{number}")
        await bus.publish_durably(subjects.EVENTS_STREAM, subjects.event("x"), b"{", "garbage:event")
        fresh = times.format_time(times.now())
        async with asyncio.timeout(20):
            while not any(row[0] == PRESSURE.name and row[3] > fresh for row in (await frame(socket))["values"]):
                pass
        metrics = (await plant.client.get(str(plant.client.base_url.join("/metrics")))).text
        assert "monazite_live_messages_refused_total 3.0" in metrics
