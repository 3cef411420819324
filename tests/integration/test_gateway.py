"""The gateway between a real Modbus device and a real nats-server."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from itertools import groupby
from pathlib import Path

import numpy as np
import pytest
from prometheus_client import CollectorRegistry

from plant import times
from plant.batch import Batch, SampleBatch, TextBatch
from plant.command import Command, CommandResult, CommandState
from plant.envelope import Envelope, unseal
from plant.event import Event
from plant.ledger import GAP_EVENT, GapCause, gap_of_event
from plant.quality import Quality
from plant.site import Site
from services.bus import Bus, NoResponder, provision, subjects
from services.bus.messages import decode_command_result, decode_device_status, decode_event, encode_command
from services.gateway import Gateway
from services.gateway.line import Line
from services.gateway.metrics import GatewayMetrics
from services.gateway.outbox import Outbox
from tests.modbus_device import LOT, PRESSURE, SET_POINT, TAGS, ModbusTestDevice
from tests.nats_server import NatsServer


class Heard:
    """Everything that came on the bus, in order."""

    def __init__(self) -> None:
        self.batches: list[tuple[Batch, Envelope]] = []
        self.gaps: list[Event] = []
        self.read_backs: list[Event] = []
        self.states: list[str] = []
        self.registry = CollectorRegistry()

    async def sample(self, subject: str, data: bytes) -> None:
        self.batches.append(unseal(data))

    async def event(self, subject: str, data: bytes) -> None:
        event = decode_event(data)
        if event.kind == GAP_EVENT:
            self.gaps.append(event)
        if event.kind == "command.read_back":
            self.read_backs.append(event)

    async def status(self, subject: str, data: bytes) -> None:
        self.states.append(decode_device_status(data).state.value)

    def samples(self, tag_id: int) -> list[tuple[int, float, int]]:
        """(time, value, quality) of a tag."""
        rows = []
        for batch, _ in self.batches:
            if isinstance(batch, SampleBatch):
                mine = batch.select(batch.tag_id == tag_id)
                rows += list(zip(mine.time.tolist(), mine.value.tolist(), mine.quality.tolist(), strict=True))
        return rows


async def until(condition: Callable[[], bool], deadline: float = 30.0) -> None:
    async with asyncio.timeout(deadline):
        while not condition():
            await asyncio.sleep(0.02)


@asynccontextmanager
async def gateway_of(device: ModbusTestDevice, server: NatsServer) -> AsyncIterator[tuple[Bus, Heard]]:
    heard = Heard()
    async with await server.connect("listener") as bus, await server.connect("gateway") as its_bus:
        await provision(bus)
        await bus.subscribe(subjects.ALL_SAMPLES, heard.sample)
        await bus.subscribe(subjects.ALL_EVENTS, heard.event)
        await bus.subscribe(subjects.ALL_STATUS, heard.status)
        stop = asyncio.Event()
        gateway = Gateway(Site("test", {"MB-TST-01": device.device}, TAGS), its_bus, heard.registry, Path("no pki"))
        task = asyncio.create_task(gateway.run(stop, lambda: None))
        try:
            yield bus, heard
        finally:
            stop.set()
            await asyncio.wait_for(task, 30)


@pytest.fixture
async def device() -> AsyncIterator[ModbusTestDevice]:
    async with ModbusTestDevice() as running:
        yield running


def command(value: float, *, identity: str = "c1", expires_in: float = 30.0) -> bytes:
    expires = times.now() + round(expires_in * times.MICROSECONDS)
    return encode_command(Command(identity, SET_POINT.name, value, "test", "admin", expires))


async def ask(bus: Bus, request: bytes) -> CommandResult:
    return decode_command_result(await bus.request(subjects.command("SEP", "MB-TST-01"), request, deadline=10))


async def test_values_arrive_with_quality_and_sequence(device: ModbusTestDevice, server: NatsServer) -> None:
    async with gateway_of(device, server) as (_, heard):
        await until(lambda: len(heard.batches) >= 2)
    assert [(value, quality) for _, value, quality in heard.samples(PRESSURE.id)][:1] == [(5.25, Quality.GOOD)]
    texts = [batch for batch, _ in heard.batches if isinstance(batch, TextBatch)]
    assert (texts[0].tag_id.tolist(), texts[0].value.tolist()) == ([LOT.id], ["LOT-0001"])
    assert [envelope.sequence for _, envelope in heard.batches] == list(range(len(heard.batches)))
    assert len({envelope.epoch for _, envelope in heard.batches}) == 1


async def test_a_confirmed_write_is_read_back_and_comes_as_a_sample(device: ModbusTestDevice, server: NatsServer) -> None:
    async with gateway_of(device, server) as (bus, heard):
        await until(lambda: bool(heard.batches))
        result = await ask(bus, command(8.0))
        assert (result.state, result.read_back) == (CommandState.DONE, 8.0)
        await until(lambda: heard.samples(SET_POINT.id)[-1][1] == 8.0)
    assert device.writes == 1


async def test_a_value_that_the_device_took_and_does_not_show_is_accepted(device: ModbusTestDevice, server: NatsServer) -> None:
    async with gateway_of(device, server) as (bus, heard):
        await until(lambda: bool(heard.batches))
        device.keeps_values = True
        result = await ask(bus, command(8.0))
        assert (result.state, result.read_back) == (CommandState.ACCEPTED, 9.5)
        assert "the device took it, and reads 9.5" in result.detail
    assert device.writes == 1


async def test_a_slow_device_has_the_time_for_a_write_that_its_answers_take(server: NatsServer) -> None:
    async with ModbusTestDevice(timeout=3.0) as slow, gateway_of(slow, server) as (bus, heard):
        await until(lambda: bool(heard.batches))
        slow.write_time = 2.5
        result = await ask(bus, command(8.0))
        assert (result.state, result.read_back) == (CommandState.DONE, 8.0)
        assert heard.states[-1] == "up"


async def test_the_state_of_a_device_is_measured(device: ModbusTestDevice, server: NatsServer) -> None:
    def states() -> dict[str, float | None]:
        return {state: heard.registry.get_sample_value("monazite_device_state", {"device": "MB-TST-01", "state": state}) for state in ("up", "down")}

    async with gateway_of(device, server) as (_, heard):
        await until(lambda: states() == {"up": 1.0, "down": 0.0})
        await device.stop()
        await until(lambda: states() == {"up": 0.0, "down": 1.0})


async def test_a_command_asked_for_twice_is_written_once(device: ModbusTestDevice, server: NatsServer) -> None:
    async with gateway_of(device, server) as (bus, heard):
        await until(lambda: bool(heard.batches))
        request = command(8.0)
        first, second = await asyncio.gather(ask(bus, request), ask(bus, request))
        third = await ask(bus, request)
    assert first == second == third
    assert device.writes == 1


@pytest.mark.parametrize(
    ("request_of", "state"),
    [
        (lambda: command(8.0, expires_in=-0.001), CommandState.EXPIRED),
        (lambda: command(100.5), CommandState.REJECTED),
        (lambda: encode_command(Command("c", PRESSURE.name, 1.0, "", "admin", times.now() + 10_000_000)), CommandState.REJECTED),
        (lambda: encode_command(Command("c", "SEP.COL101.XX101", 1.0, "", "admin", times.now() + 10_000_000)), CommandState.REJECTED),
        (lambda: b"garbage", CommandState.REJECTED),
    ],
)
async def test_what_may_not_be_written_is_not_written(
    device: ModbusTestDevice, server: NatsServer, request_of: Callable[[], bytes], state: CommandState
) -> None:
    async with gateway_of(device, server) as (bus, heard):
        await until(lambda: bool(heard.batches))
        assert (await ask(bus, request_of())).state is state
    assert device.writes == 0


async def test_with_the_device_cut_off_nothing_is_written_now_or_later(device: ModbusTestDevice, server: NatsServer) -> None:
    async with gateway_of(device, server) as (bus, heard):
        await until(lambda: bool(heard.batches))
        await device.stop()
        await until(lambda: heard.states[-1:] == ["down"])
        assert (await ask(bus, command(8.0))).state is CommandState.FAILED
        await device.start()
        await until(lambda: heard.states[-1:] == ["up"], 60)
        await until(lambda: heard.samples(SET_POINT.id)[-1][1:] == (9.5, Quality.GOOD))
    assert device.writes == 0


async def test_what_a_tag_shows_after_a_write_of_which_nothing_is_known_is_told_and_the_write_not_repeated(server: NatsServer) -> None:
    async with ModbusTestDevice(timeout=0.5) as slow, gateway_of(slow, server) as (bus, heard):
        await until(lambda: bool(heard.batches))
        slow.write_time = 1.5
        assert (await ask(bus, command(8.0))).state is CommandState.UNKNOWN
        await until(lambda: len(heard.read_backs) == 1)
        shown = heard.samples(SET_POINT.id)[-1]
        assert shown[2] == Quality.GOOD
        (event,) = heard.read_backs
        assert (event.subject, event.user) == (SET_POINT.name, "admin")
        assert event.detail["id"] == "c1"
        assert (event.detail["value"], event.detail["read_back"], event.detail["quality"]) == (8.0, shown[1], "Good")
        assert slow.writes == 1


async def test_a_lost_link_is_one_bad_sample_a_tag_and_a_row_of_the_ledger(device: ModbusTestDevice, server: NatsServer) -> None:
    async with gateway_of(device, server) as (_, heard):
        await until(lambda: bool(heard.batches))
        await device.stop()
        await until(lambda: len(heard.gaps) == 1)
        await device.start()
        await until(lambda: len(heard.gaps) == 2, 60)
        await until(lambda: heard.samples(PRESSURE.id)[-1][2] == Quality.GOOD)
    qualities = [quality for _, _, quality in heard.samples(PRESSURE.id)]
    assert [quality for quality, _ in groupby(qualities)] == [Quality.GOOD, Quality.BAD_NO_COMMUNICATION, Quality.GOOD]
    (bad,) = (value for _, value, quality in heard.samples(PRESSURE.id) if quality == Quality.BAD_NO_COMMUNICATION)
    assert np.isnan(bad), "the last good value is not told again"
    lost, back = (gap_of_event(event) for event in heard.gaps)
    assert (lost.cause, lost.end, lost.start) == (GapCause.LINK_LOST, None, back.start)
    assert back.end is not None
    assert back.end > back.start


async def test_a_loss_in_which_the_gateway_ended_is_closed_by_the_next_one(device: ModbusTestDevice, server: NatsServer) -> None:
    async with gateway_of(device, server) as (_, heard):
        await until(lambda: bool(heard.batches))
        await device.stop()
        await until(lambda: len(heard.gaps) == 1)
    await device.start()
    async with gateway_of(device, server) as (_, again):
        await until(lambda: len(again.gaps) == 1)
        await until(lambda: bool(again.samples(PRESSURE.id)))
    lost, back = gap_of_event(heard.gaps[0]), gap_of_event(again.gaps[0])
    assert (back.start, back.cause) == (lost.start, GapCause.LINK_LOST)
    assert lost.end is None
    assert back.end is not None


async def test_a_gateway_that_ended_with_its_links_up_leaves_nothing_to_close(device: ModbusTestDevice, server: NatsServer) -> None:
    for _ in range(2):
        async with gateway_of(device, server) as (_, heard):
            await until(lambda: len(heard.batches) >= 2)
        assert heard.gaps == []


async def test_while_the_bus_takes_nothing_for_long_the_device_waits_and_that_is_one_gap(device: ModbusTestDevice, server: NatsServer) -> None:
    told: list[Event] = []

    async def nobody_listens(batch: SampleBatch) -> None:
        pass

    async with await server.connect("gateway") as bus:
        await provision(bus)
        metrics = GatewayMetrics(CollectorRegistry())
        outbox = Outbox(bus, "SEP", "MB-TST-01", 1, metrics, capacity=10_000)
        line = Line(device.device, TAGS, outbox, metrics, nobody_listens, told.append)
        await server.kill()
        running = asyncio.create_task(outbox.run())
        begun = times.now()
        puts = [asyncio.create_task(line.take(SampleBatch.of_one_time([PRESSURE.id], begun + number, number, Quality.GOOD))) for number in range(100)]
        await until(lambda: len(told) == 1)
        await asyncio.sleep(0.5)
        assert not all(put.done() for put in puts), "the device is read no further"
        await server.start()
        await asyncio.wait_for(asyncio.gather(*puts), 60)
        await asyncio.wait_for(outbox.drained(), 30)
        await line.take(SampleBatch.of_one_time([PRESSURE.id], times.now(), 100.0, Quality.GOOD))
        await asyncio.wait_for(outbox.drained(), 30)
        running.cancel()
        assert (await bus.streams.stream_info(subjects.SAMPLES_STREAM)).state.messages == 101
    opened, closed = map(gap_of_event, told)
    assert (opened.cause, opened.end) == (GapCause.BUS_REFUSED, None)
    assert closed.start == opened.start >= begun
    assert closed.end is not None


async def test_a_batch_longer_than_a_message_arrives_in_parts_and_a_text_longer_than_one_is_bad(server: NatsServer) -> None:
    heard = Heard()
    async with await server.connect("listener") as bus:
        await provision(bus)
        await bus.subscribe(subjects.ALL_SAMPLES, heard.sample)
        outbox = Outbox(bus, "SEP", "MB-TST-01", 1, GatewayMetrics(CollectorRegistry()))
        running = asyncio.create_task(outbox.run())
        many = SampleBatch.of_one_time(np.arange(450_000), 1, np.arange(450_000.0), Quality.GOOD)
        texts = TextBatch.of([1, 2, 3], [1, 1, 1], ["short", "x" * 9_000_000, "also short"], [0, 0, 0])
        for batch in (many, texts):
            await outbox.put(batch, 1)
        await asyncio.wait_for(outbox.drained(), 30)
        await until(lambda: sum(len(batch) for batch, _ in heard.batches) == 450_003)
        running.cancel()
    numbers = SampleBatch.concatenate([batch for batch, _ in heard.batches if isinstance(batch, SampleBatch)])
    np.testing.assert_array_equal(numbers.value, many.value)
    said = [(value, quality) for batch, _ in heard.batches if isinstance(batch, TextBatch) for value, quality in zip(batch.value, batch.quality, strict=True)]
    assert said == [("short", 0), ("", Quality.BAD_ENCODING_LIMITS_EXCEEDED), ("also short", 0)]
    assert [envelope.sequence for _, envelope in heard.batches] == list(range(len(heard.batches)))


async def test_what_the_bus_does_not_take_waits_and_arrives_in_order(device: ModbusTestDevice, server: NatsServer) -> None:
    async with gateway_of(device, server) as (bus, heard):
        await until(lambda: bool(heard.batches))
        await server.kill()
        await asyncio.sleep(1.5)
        await server.start()
        await until(lambda: bus.connected)
        await ask_until_done(bus, command(7.0))
        await until(lambda: heard.samples(SET_POINT.id)[-1][1] == 7.0)
        info = await bus.streams.stream_info(subjects.SAMPLES_STREAM)
        stored = [unseal((await bus.streams.get_msg(subjects.SAMPLES_STREAM, number)).data or b"")[1] for number in range(1, info.state.messages + 1)]
    assert [envelope.sequence for envelope in stored] == list(range(len(stored)))


async def ask_until_done(bus: Bus, request: bytes) -> None:
    async with asyncio.timeout(30):
        while True:
            try:
                assert (await ask(bus, request)).state is CommandState.DONE
            except NoResponder:
                await asyncio.sleep(0.1)
            else:
                return
