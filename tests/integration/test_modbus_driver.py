"""The Modbus driver over real sockets: against a server that misbehaves as it is told, and against pymodbus."""

import asyncio
import itertools
import time
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import replace

import pytest
from prometheus_client import CollectorRegistry

from drivers import DeviceLink, DriverMetricFamilies
from drivers.backoff import Backoff
from drivers.modbus import ModbusDriver
from drivers.session import Session, WriteStatus
from plant.batch import Batch
from plant.command import CommandValue
from plant.device import BitWrites, ByteOrder, Encoding, ModbusAddress, ModbusDevice, ModbusTable, TcpLine, WriteStyle
from plant.errors import DeviceUnreachable
from plant.link import DeviceStatus, LinkState
from plant.quality import Quality
from plant.tag import DataType, Tag
from tests import modbus_device, rogue_modbus_server
from tests.modbus_device import ModbusTestDevice
from tests.rogue_modbus_server import Behaviour, RogueModbusServer, byte_by_byte, exception, late
from tests.samples import make_tag
from tests.supervised import supervised

DEVICE = "MB-TST-01"
TIMEOUT = 1.0
"""Seconds, for the tests in which a device does not answer in time."""


def modbus_tag(tag_id: int, point: str, address: ModbusAddress, data_type: DataType = DataType.FLOAT) -> Tag:
    return make_tag(tag_id, f"SEP.COL101.{point}", device=DEVICE, data_type=data_type, writable=address.table.is_writable, scan_ms=50, source=address)


FLOW = modbus_tag(1, "FIC101.SP", ModbusAddress(ModbusTable.HOLDING, 0, Encoding.INT16))
TOTAL = modbus_tag(2, "FQ101", ModbusAddress(ModbusTable.HOLDING, 2, Encoding.INT32, length=2))
LOT = modbus_tag(3, "UY101", ModbusAddress(ModbusTable.HOLDING, 6, Encoding.STRING, length=4), DataType.STRING)
TAGS = (FLOW, TOTAL, LOT)
"""One block: holding 0 to 9, with holes at 1 and at 4 to 5."""
PUMP = modbus_tag(4, "XS101", ModbusAddress(ModbusTable.COIL, 20, Encoding.BIT), DataType.BOOLEAN)
LEVEL = modbus_tag(5, "LT101", ModbusAddress(ModbusTable.INPUT, 0, Encoding.INT16))
RUNNING = modbus_tag(6, "XS102", ModbusAddress(ModbusTable.HOLDING, 1, Encoding.BIT, bit=3), DataType.BOOLEAN)
PRESSURE = modbus_tag(7, "PIC101.SP", ModbusAddress(ModbusTable.HOLDING, 4, Encoding.FLOAT32, length=2))


class Link:
    """A device link, with everything it said."""

    def __init__(self, device: ModbusDevice, tags: tuple[Tag, ...] = TAGS) -> None:
        self.tags = tags
        self.batches: list[Batch] = []
        self.statuses: list[DeviceStatus] = []
        self.registry = CollectorRegistry()
        metrics = DriverMetricFamilies(self.registry).of("modbus", device.name)
        self.driver = DeviceLink(
            device, tags, ModbusDriver().open, self._publish, self.statuses.append, metrics, backoff=Backoff(first=0.05, cap=0.1, floor=0.02)
        )

    async def _publish(self, batch: Batch) -> None:
        self.batches.append(batch)

    def of(self, tag: Tag) -> list[tuple[int, float | str, int]]:
        """(time, value, quality) of one tag, in order of arrival."""
        return [
            (int(at), value, int(quality))
            for batch in self.batches
            for tag_id, at, value, quality in zip(batch.tag_id, batch.time, batch.value, batch.quality, strict=True)
            if tag_id == tag.id
        ]

    def bad(self, tag: Tag) -> list[int]:
        return [quality for _, _, quality in self.of(tag) if quality < 0]

    def newest(self) -> list[int | None]:
        """Newest quality of each tag."""
        return [samples[-1][2] if (samples := self.of(tag)) else None for tag in self.tags]

    def metric(self, name: str, **labels: str) -> float:
        value = self.registry.get_sample_value(f"monazite_driver_{name}_total", {"driver": "modbus", "device": DEVICE, **labels})
        return value or 0.0

    async def until(self, *qualities: Quality) -> None:
        """Until the newest quality of each tag is the one named, or the only one named."""
        expected = list(qualities) * (len(self.tags) if len(qualities) == 1 else 1)
        await self.until_true(lambda: self.newest() == expected)

    async def until_true(self, condition: Callable[[], bool]) -> None:
        async with asyncio.timeout(20):
            while not condition():
                await asyncio.sleep(0.01)


@asynccontextmanager
async def linked(device: ModbusDevice, tags: tuple[Tag, ...] = TAGS) -> AsyncIterator[Link]:
    link = Link(device, tags)
    async with supervised(link.driver):
        yield link


@pytest.fixture
async def server() -> AsyncIterator[RogueModbusServer]:
    async with RogueModbusServer() as server:
        server.registers[0] = 111
        server.registers[2:4] = [1, 2]
        server.registers[6:10] = [0x4C4F, 0x542D, 0x3031, 0]
        yield server


def device_at(server: RogueModbusServer, timeout: float = 5.0) -> ModbusDevice:
    return ModbusDevice(DEVICE, "SEP", TcpLine("127.0.0.1", server.port), rogue_modbus_server.UNIT, timeout=timeout)


NO_ANSWER = (Quality.BAD_NO_COMMUNICATION, f"no answer within {TIMEOUT:g} s", "polls", {"result": "timeout"})
ENDED = (Quality.BAD_NO_COMMUNICATION, "the connection ended", "polls", {"result": "disconnected"})


def rejected(reason: str, text: str) -> tuple[Quality, str, str, dict[str, str]]:
    return Quality.BAD_COMMUNICATION_ERROR, text, "frames_rejected", {"reason": reason}


@pytest.mark.parametrize(
    ("behaviour", "consequence"),
    [
        (late(1.2 * TIMEOUT), NO_ANSWER),
        (rogue_modbus_server.HANGS, NO_ANSWER),
        (rogue_modbus_server.SHORT_THEN_SILENCE, NO_ANSWER),
        (byte_by_byte(TIMEOUT / 4), NO_ANSWER),
        (rogue_modbus_server.CLOSES, ENDED),
        (rogue_modbus_server.CLOSES_MID_FRAME, ENDED),
        (rogue_modbus_server.ANOTHER_TRANSACTION, rejected("transaction", "the answer is to transaction")),
        (rogue_modbus_server.EARLIER_TRANSACTION, rejected("transaction", "the answer is to transaction")),
        (rogue_modbus_server.ANOTHER_UNIT, rejected("unit", "the answer is of unit 8, the request was to 7")),
        (rogue_modbus_server.ANOTHER_PROTOCOL, rejected("header", "protocol 1")),
        (rogue_modbus_server.OVERSIZE_LENGTH, rejected("header", "length 65535")),
        (rogue_modbus_server.LENGTH_OF_NOTHING, rejected("header", "length 1")),
        (rogue_modbus_server.GARBAGE, rejected("header", "protocol")),
        (rogue_modbus_server.ANOTHER_FUNCTION, rejected("function", "the answer is of function 2, the request was 3")),
        (rogue_modbus_server.ONE_REGISTER_LESS, rejected("length", "18 bytes of data, 20 were asked for")),
        (rogue_modbus_server.ONE_REGISTER_MORE, rejected("length", "22 bytes of data, 20 were asked for")),
    ],
    ids=lambda value: str(value) if isinstance(value, Behaviour) else "",
)
async def test_a_wrong_answer_is_bad_once_for_every_tag_and_counted_and_ends_its_connection_and_the_next_one_is_good(
    server: RogueModbusServer, behaviour: Behaviour, consequence: tuple[Quality, str, str, dict[str, str]]
) -> None:
    quality, text, metric, labels = consequence
    timeout = TIMEOUT if consequence is NO_ANSWER else 5.0
    async with linked(device_at(server, timeout)) as link:
        await link.until(Quality.GOOD)
        server.next_read.append(behaviour)
        await link.until_true(lambda: bool(link.bad(LOT)))
        await link.until(Quality.GOOD)
        assert [link.bad(tag) for tag in TAGS] == [[quality]] * 3
        down = next(status for status in link.statuses if status.state is LinkState.DOWN)
        assert down.last_error is not None
        assert text in down.last_error
        assert link.metric(metric, **labels) == 1
        assert link.metric("polls", result="rejected") == (metric == "frames_rejected")
        assert link.metric("reconnects") == 1
        assert server.connections == 2
        (misbehaved,) = [row for row, request in enumerate(server.requests) if request.behaviour is behaviour]
        assert {request.connection for request in server.requests[: misbehaved + 1]} == {1}
        assert {request.connection for request in server.requests[misbehaved + 1 :]} == {2}
        times = [at for at, _, _ in link.of(FLOW)]
        assert times == sorted(set(times)), "the sample of the loss stands between the last Good one and the next"


async def test_a_device_that_answers_properly_counts_its_polls_and_nothing_else(server: RogueModbusServer) -> None:
    async with linked(device_at(server)) as link:
        await link.until_true(lambda: len(link.of(FLOW)) >= 5)
        polls = link.metric("polls", result="answered")
        assert len(server.requests) - 1 <= polls <= len(server.requests)
        counted = {sample.name for metric in link.registry.collect() for sample in metric.samples if sample.name.endswith("_total") and sample.value}
        assert counted <= {"monazite_driver_polls_total", "monazite_driver_poll_overruns_total"}, "a busy machine may miss a scan"
        status = link.driver.status
        assert status.latency is not None
        assert 0 < status.latency < 5
        assert status.clock_offset is None, "Modbus carries no time"


async def test_an_answer_that_comes_in_many_pieces_within_the_time_out_is_an_answer(server: RogueModbusServer) -> None:
    server.otherwise = byte_by_byte(0.001)
    async with linked(device_at(server)) as link:
        await link.until_true(lambda: len(link.of(FLOW)) >= 3)
        assert {(value, quality) for _, value, quality in link.of(FLOW)} == {(111.0, Quality.GOOD)}
        assert {(value, quality) for _, value, quality in link.of(LOT)} == {("LOT-01", Quality.GOOD)}
        assert server.connections == 1


async def test_a_late_answer_is_never_taken_for_that_of_the_next_request(server: RogueModbusServer) -> None:
    async with linked(device_at(server, TIMEOUT)) as link:
        await link.until(Quality.GOOD)
        server.next_read.append(late(1.2 * TIMEOUT))
        asked = len(server.requests)
        await link.until_true(lambda: len(server.requests) > asked)
        server.registers[0] = 222
        await link.until_true(lambda: link.bad(FLOW) != [] and link.of(FLOW)[-1][1] == 222.0)
        await asyncio.sleep(TIMEOUT)
        said = link.of(FLOW)
        (lost,) = [row for row, (_, _, quality) in enumerate(said) if quality < 0]
        assert {value for _, value, _ in said[:lost]} == {111.0}
        assert {value for _, value, _ in said[lost + 1 :]} == {222.0}


async def test_two_answers_to_one_request_end_the_connection_and_the_second_is_no_value(server: RogueModbusServer) -> None:
    async with linked(device_at(server)) as link:
        await link.until(Quality.GOOD)
        server.next_read.append(Behaviour("twice", lambda frame: frame + frame))
        await link.until_true(lambda: bool(link.bad(LOT)))
        await link.until(Quality.GOOD)
        assert link.metric("frames_rejected", reason="transaction") == 1
        assert server.connections == 2


@pytest.mark.parametrize(
    ("code", "quality"),
    [
        (1, Quality.BAD_NOT_SUPPORTED),
        (5, Quality.BAD_RESOURCE_UNAVAILABLE),
        (6, Quality.BAD_RESOURCE_UNAVAILABLE),
        (8, Quality.BAD_DEVICE_FAILURE),
        (0x63, Quality.BAD_UNKNOWN_RESPONSE),
    ],
)
async def test_an_exception_of_the_device_is_a_quality_and_the_connection_stays(server: RogueModbusServer, code: int, quality: Quality) -> None:
    async with linked(device_at(server)) as link:
        await link.until(Quality.GOOD)
        server.otherwise = exception(code)
        await link.until(quality)
        status = link.driver.status
        assert status.state is LinkState.DEGRADED
        assert f"the device answers exception {code:02X}" in (status.last_error or "")
        assert "to holding 0..9" in (status.last_error or "")
        server.otherwise = rogue_modbus_server.PROPER
        await link.until(Quality.GOOD)
        assert link.driver.status.state is LinkState.UP
        assert set(link.bad(LOT)) == {quality}
        assert {(request.address, request.argument) for request in server.requests} == {(0, 10)}, "the block is not split"
        assert [status.state for status in link.statuses] == [LinkState.UP]
        assert (server.connections, link.metric("reconnects"), link.metric("polls", result="timeout")) == (1, 0, 0)


async def test_a_register_that_fails_makes_its_own_tag_bad_and_no_other(server: RogueModbusServer) -> None:
    async with linked(device_at(server)) as link:
        await link.until(Quality.GOOD)
        server.failing = {3}
        await link.until(Quality.GOOD, Quality.BAD_DEVICE_FAILURE, Quality.GOOD)
        assert "exception 04, server device failure, to holding 2..3: " in (link.driver.status.last_error or "")
        assert [link.bad(tag) for tag in (FLOW, LOT)] == [[], []]
        assert (server.connections, [status.state for status in link.statuses]) == (1, [LinkState.UP])


async def test_a_device_that_fails_as_a_whole_is_not_asked_for_each_register_of_its_own(server: RogueModbusServer) -> None:
    tags = tuple(modbus_tag(1 + address, f"TT{address}", ModbusAddress(ModbusTable.INPUT, address, Encoding.INT16)) for address in range(100))
    async with linked(device_at(server), tags) as link:
        await link.until(Quality.GOOD)
        server.failing = set(range(100))
        await link.until(Quality.BAD_DEVICE_FAILURE)
        assert link.driver.status.state is LinkState.DEGRADED
        assert "exception 04, server device failure, to input 0 and fails at 16 other reads" in (link.driver.status.last_error or "")
        seen = len(link.of(tags[0]))
        await link.until_true(lambda: len(link.of(tags[0])) > seen + 1)
        asked = len(server.requests)
        seen = len(link.of(tags[0]))
        await link.until_true(lambda: len(link.of(tags[0])) == seen + 10)
        assert 10 <= (len(server.requests) - asked) / 10 <= 20, "sixteen halvings make seventeen blocks of one"


async def test_a_scan_of_many_blocks_goes_on_between_the_scans_of_a_faster_class(server: RogueModbusServer) -> None:
    many = tuple(
        replace(modbus_tag(1 + address, f"TT{address}", ModbusAddress(ModbusTable.INPUT, address, Encoding.INT16)), scan_ms=60_000) for address in range(100)
    )
    fast = replace(modbus_tag(900, "PT101", ModbusAddress(ModbusTable.HOLDING, 0, Encoding.INT16)), scan_ms=100)
    server.otherwise = late(0.02)
    async with linked(replace(device_at(server), max_registers=1, max_gap=0), (*many, fast)) as link:
        await link.until(Quality.GOOD)
        order = "".join("f" if request.function == 3 else "m" for request in server.requests)
    assert order.count("m") == len(many)
    assert order.count("f") >= 10, "two seconds of the many leave room for twenty"
    assert "m" * 20 not in order


async def test_a_fast_class_that_cannot_keep_up_does_not_keep_the_slow_one_from_being_read(server: RogueModbusServer) -> None:
    many = tuple(
        replace(modbus_tag(1 + address, f"TT{address}", ModbusAddress(ModbusTable.INPUT, address, Encoding.INT16)), scan_ms=60_000) for address in range(20)
    )
    fast = tuple(modbus_tag(100 + address, f"PT{address}", ModbusAddress(ModbusTable.HOLDING, address, Encoding.INT16)) for address in range(5))
    server.otherwise = late(0.02)
    async with linked(replace(device_at(server), max_registers=1, max_gap=0), (*many, *fast)) as link:
        await link.until(Quality.GOOD)


async def test_a_block_that_is_never_answered_is_named_in_what_ends_the_session(server: RogueModbusServer) -> None:
    tags = (FLOW, modbus_tag(2, "TT60", ModbusAddress(ModbusTable.HOLDING, 60, Encoding.INT32, length=2)))
    async with linked(device_at(server, TIMEOUT), tags) as link:
        await link.until(Quality.GOOD)
        server.otherwise = rogue_modbus_server.HANGS
        server.next_read.append(rogue_modbus_server.PROPER)
        await link.until(Quality.BAD_NO_COMMUNICATION)
        assert "to holding" in str(link.driver.status.last_error)


async def test_a_device_without_tags_whose_line_breaks_is_down(server: RogueModbusServer) -> None:
    async with linked(device_at(server), ()) as link:
        await link.until_true(lambda: server.open_connections == 1)
        await server.stop()
        await link.until_true(lambda: link.driver.status.state is LinkState.DOWN)


def _keeps_up(disturbed: list[float], undisturbed: list[float]) -> bool:
    """Nine in ten of the scans, and the middle one no more than 5 ms later."""
    later = disturbed[len(disturbed) // 2] - undisturbed[len(undisturbed) // 2]
    return len(disturbed) >= 0.9 * len(undisturbed) and later < 0.005


async def test_devices_that_hang_drip_reset_and_refuse_do_not_delay_the_scans_of_another() -> None:
    """Scans of a sound device beside eight that are not, against the same device alone. Each is on a line of its own."""

    async def intervals(link: Link) -> list[float]:
        begun = len(link.of(FLOW))
        await asyncio.sleep(3.0)
        times = [at for at, _, _ in link.of(FLOW)[begun:]]
        return sorted((later - earlier) / 1e6 for earlier, later in itertools.pairwise(times))

    faults = [rogue_modbus_server.HANGS, byte_by_byte(0.1), rogue_modbus_server.CLOSES, rogue_modbus_server.GARBAGE]
    async with AsyncExitStack() as stack:
        sound = await stack.enter_async_context(RogueModbusServer())
        bad = [await stack.enter_async_context(RogueModbusServer()) for _ in (*faults, *faults)]
        for server, fault in zip(bad, faults * 2, strict=True):
            server.otherwise = fault
        async with linked(device_at(sound)) as alone:
            await alone.until(Quality.GOOD)
            undisturbed = await intervals(alone)
        async with linked(device_at(sound)) as beside:
            for server in bad:
                await stack.enter_async_context(linked(device_at(server, 0.3)))
            await beside.until(Quality.GOOD)
            disturbed = await intervals(beside)
            for _ in range(2):  # the machine may have been busy with something else; a driver that lets others wait is late every time
                if _keeps_up(disturbed, undisturbed):
                    break
                disturbed = await intervals(beside)
    assert _keeps_up(disturbed, undisturbed)
    assert all(server.connections >= 2 for server in bad)


async def test_refused_addresses_are_no_overload(server: RogueModbusServer) -> None:
    server.absent = {2}
    async with linked(device_at(server)) as link:
        await link.until_true(lambda: link.driver.status.state is LinkState.DEGRADED)
        overloaded = link.registry.get_sample_value("monazite_driver_overloaded", {"driver": "modbus", "device": DEVICE})
        assert overloaded == 0.0


@pytest.mark.parametrize("code", [0x0A, 0x0B])
async def test_a_gateway_that_does_not_reach_the_unit_is_a_lost_link(server: RogueModbusServer, code: int) -> None:
    async with linked(device_at(server)) as link:
        await link.until(Quality.GOOD)
        server.otherwise = exception(code)
        await link.until(Quality.BAD_NO_COMMUNICATION)
        down = next(status for status in link.statuses if status.state is LinkState.DOWN)
        assert "a gateway does not reach the unit" in (down.last_error or "")
        server.otherwise = rogue_modbus_server.PROPER
        await link.until(Quality.GOOD)
        assert [link.bad(tag) for tag in TAGS] == [[Quality.BAD_NO_COMMUNICATION]] * 3


async def test_a_device_that_lacked_its_registers_for_a_while_is_asked_for_them_in_one_piece_again(
    server: RogueModbusServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("drivers.modbus.scanned_class._WHOLE_AGAIN_AFTER", 0.3)
    async with linked(device_at(server)) as link:
        await link.until(Quality.GOOD)
        server.absent = set(range(10))
        await link.until(Quality.BAD_CONFIGURATION_ERROR)
        server.absent = set()
        await link.until(Quality.GOOD)
        await asyncio.sleep(0.6)
        before = len(server.requests)
        await link.until_true(lambda: len(server.requests) >= before + 4)
        assert {(request.address, request.argument) for request in server.requests[before:]} == {(0, 10)}


async def test_a_device_that_lacks_all_its_registers_is_asked_for_them_in_one_piece_meanwhile(server: RogueModbusServer) -> None:
    server.absent = set(range(10))
    async with linked(device_at(server)) as link:
        await link.until(Quality.BAD_CONFIGURATION_ERROR)
        halved = len(server.requests)
        await link.until_true(lambda: len(server.requests) >= halved + 4)
        assert {(request.address, request.argument) for request in server.requests[halved:]} == {(0, 10)}
        server.absent = set()
        await link.until(Quality.GOOD)
        assert {quality for tag in TAGS for quality in link.bad(tag)} == {Quality.BAD_CONFIGURATION_ERROR}


async def test_a_scan_asks_around_an_address_that_the_device_lacks_and_for_it_alone_and_seldom(
    server: RogueModbusServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("drivers.modbus.quarantine.FIRST_AGAIN", 1.0)
    tags = tuple(modbus_tag(1 + address, f"TT{address}", ModbusAddress(ModbusTable.HOLDING, address, Encoding.UINT16)) for address in range(100))
    server.absent = {57}
    async with linked(device_at(server), tags) as link:
        await link.until_true(lambda: all(link.of(tag) for tag in tags))
        known = len(server.requests)
        await link.until_true(lambda: len(server.requests) >= known + 60)
        asked = [(request.address, request.argument) for request in server.requests[known + 2 :]]
        assert set(asked) == {(0, 57), (58, 42), (57, 1)}
        assert asked.count((57, 1)) <= 2, "after a second, and after two more"
        assert len(link.of(tags[57])) >= 20, "it is Bad with each scan, though the device is not asked"
        assert set(link.bad(tags[57])) == {Quality.BAD_CONFIGURATION_ERROR}
        assert [tag.id for tag in tags if link.bad(tag)] == [58]
        server.absent = set()
        await link.until(Quality.GOOD)
        healed = len(server.requests)
        await link.until_true(lambda: len(server.requests) >= healed + 4)
        assert {(request.address, request.argument) for request in server.requests[healed + 2 :]} == {(0, 100)}


@pytest.mark.parametrize("missing", range(5))
async def test_an_address_that_the_device_lacks_makes_its_own_tag_bad_and_no_other(
    server: RogueModbusServer, monkeypatch: pytest.MonkeyPatch, missing: int
) -> None:
    monkeypatch.setattr("drivers.modbus.quarantine.FIRST_AGAIN", 0.5)
    tags = tuple(modbus_tag(number, f"TT{number}", ModbusAddress(ModbusTable.INPUT, 10 * number, Encoding.INT16)) for number in range(1, 6))
    server.absent = {10 * (missing + 1)}
    expected = [Quality.BAD_CONFIGURATION_ERROR if number == missing else Quality.GOOD for number in range(5)]
    async with linked(device_at(server), tags) as link:
        await link.until(*expected)
        await link.until_true(lambda: len(link.of(tags[-1])) >= 4)
        for tag, quality in zip(tags, expected, strict=True):
            assert {quality_said for _, _, quality_said in link.of(tag)} == {quality}
        refusing = link.driver.status
        assert refusing.state is LinkState.DEGRADED
        assert f"1 of its addresses, the first at input {10 * (missing + 1)}" in str(refusing.last_error)
        server.absent = set()
        await link.until(Quality.GOOD)
        healed = link.driver.status
        assert healed.state is LinkState.UP
        assert server.connections == 1
        assert LinkState.DOWN not in {status.state for status in link.statuses}


async def test_a_hole_that_the_device_does_not_have_makes_no_tag_bad(server: RogueModbusServer) -> None:
    server.absent = {1, 4}
    async with linked(device_at(server)) as link:
        await link.until(Quality.GOOD)
        assert [link.bad(tag) for tag in TAGS] == [[], [], []]
        split = len(server.requests)
        await link.until_true(lambda: len(server.requests) >= split + 6)
        assert {(request.address, request.argument) for request in server.requests[split:]} == {(0, 1), (2, 2), (6, 4)}, "and is not asked for again"


async def test_a_tag_that_pymodbus_lacks_is_bad_and_its_neighbours_of_both_tables_are_good() -> None:
    lacking = make_tag(9, "SEP.COL101.PT199", device=DEVICE, scan_ms=50, source=ModbusAddress(ModbusTable.INPUT, 8, Encoding.INT16))
    async with ModbusTestDevice() as device, linked(device.device, (*modbus_device.TAGS, lacking)) as link:
        await link.until(Quality.GOOD, Quality.GOOD, Quality.GOOD, Quality.BAD_CONFIGURATION_ERROR)
        values = [link.of(tag)[-1][1] for tag in modbus_device.TAGS]
        assert values == [9.5, 5.25, "LOT-0001"]
        assert link.metric("reconnects") == 0


@pytest.mark.parametrize(("tag", "value"), [(modbus_device.SET_POINT, 12.3), (modbus_device.LOT, "LOT-0002"), (modbus_device.LOT, "L")])
async def test_what_pymodbus_took_is_confirmed_by_reading_it_back_and_comes_with_the_next_scan(tag: Tag, value: CommandValue) -> None:
    async with ModbusTestDevice() as device, linked(device.device, modbus_device.TAGS) as link:
        await link.until(Quality.GOOD)
        outcome = await link.driver.write(tag, value, 5.0)
        assert outcome.status is WriteStatus.CONFIRMED
        assert outcome.read_back == pytest.approx(value) if isinstance(value, float) else outcome.read_back == value
        assert device.writes == 1
        await link.until_true(lambda: link.of(tag)[-1][1] == outcome.read_back)


async def test_a_server_that_is_killed_and_comes_back_is_bad_once_for_every_tag_and_then_good(server: RogueModbusServer) -> None:
    async with linked(device_at(server)) as link:
        await link.until(Quality.GOOD)
        await server.stop()
        await link.until(Quality.BAD_NO_COMMUNICATION)
        await link.until_true(lambda: (link.driver.status.last_error or "").startswith("no connection"))
        await asyncio.sleep(0.4)
        assert link.registry.get_sample_value("monazite_driver_up", {"driver": "modbus", "device": DEVICE}) == 0
        assert [link.bad(tag) for tag in TAGS] == [[Quality.BAD_NO_COMMUNICATION]] * 3, "said once, however often it was tried"
        server.registers[0] = 222
        await server.start()
        await link.until(Quality.GOOD)
        assert link.of(FLOW)[-1][1] == 222.0
        assert [link.bad(tag) for tag in TAGS] == [[Quality.BAD_NO_COMMUNICATION]] * 3
        assert [status.state for status in link.statuses] == [LinkState.UP, LinkState.DOWN, LinkState.UP]
        assert link.metric("reconnects") == 1
        assert link.registry.get_sample_value("monazite_driver_up", {"driver": "modbus", "device": DEVICE}) == 1


async def test_pymodbus_killed_and_restarted_on_its_port_is_bad_once_and_then_good() -> None:
    async with ModbusTestDevice() as device, linked(device.device, modbus_device.TAGS) as link:
        await link.until(Quality.GOOD)
        await device.stop()
        await link.until(Quality.BAD_NO_COMMUNICATION)
        await device.start()
        await link.until(Quality.GOOD)
        assert [link.bad(tag) for tag in modbus_device.TAGS] == [[Quality.BAD_NO_COMMUNICATION]] * 3


async def test_a_device_that_does_not_listen_at_first_is_bad_once_and_then_good(server: RogueModbusServer) -> None:
    await server.stop()
    async with linked(device_at(server)) as link:
        await link.until(Quality.BAD_NO_COMMUNICATION)
        await asyncio.sleep(0.3)
        refused = await link.driver.write(FLOW, 5.0, 1.0)
        assert (refused.status, refused.quality) == (WriteStatus.NOT_SENT, Quality.BAD_NOT_CONNECTED)
        await server.start()
        await link.until(Quality.GOOD)
        await link.until_true(lambda: len(link.of(FLOW)) >= 4)
        assert [link.bad(tag) for tag in TAGS] == [[Quality.BAD_NO_COMMUNICATION]] * 3
        assert (link.metric("reconnects"), server.writes) == (0, []), "nor is a write of before sent now"


async def test_a_device_that_accepts_connections_and_never_answers_is_bad_once(server: RogueModbusServer) -> None:
    server.otherwise = rogue_modbus_server.HANGS
    async with linked(device_at(server, TIMEOUT)) as link:
        await link.until_true(lambda: server.connections >= 3)
        assert [link.bad(tag) for tag in TAGS] == [[Quality.BAD_NO_COMMUNICATION]] * 3
        assert [status.state for status in link.statuses] == [LinkState.DOWN]
        server.otherwise = rogue_modbus_server.PROPER
        await link.until(Quality.GOOD)
        assert all(sum(request.connection == connection for request in server.requests) == 1 for connection in range(1, 3))


async def test_scans_that_a_slow_answer_covered_are_counted_and_never_caught_up(server: RogueModbusServer) -> None:
    async with linked(device_at(server)) as link:
        await link.until(Quality.GOOD)
        before = link.metric("poll_overruns")
        slow = late(1.02)
        server.next_read.append(slow)
        await link.until_true(lambda: server.requests[-1].behaviour is slow)
        asked, begun = len(server.requests), time.monotonic()
        await link.until_true(lambda: len(server.requests) > asked + 5)
        assert link.metric("poll_overruns") - before >= 19, "one second covers at least 19 scans of 50 ms"
        assert len(server.requests) - asked <= (time.monotonic() - begun - slow.delay) / 0.05 + 2, "and not the ones that were missed besides"
        assert link.bad(FLOW) == []


WRITTEN = [(FLOW, -7.0, 0, [0xFFF9]), (TOTAL, 65_538.0, 2, [1, 2]), (LOT, "A-1", 6, [0x412D, 0x3100, 0, 0]), (PRESSURE, 0.1, 4, [0x3DCC, 0xCCCD])]


@pytest.mark.parametrize(("tag", "value", "address", "registers"), WRITTEN)
async def test_a_write_is_one_request_with_the_registers_of_the_value_and_is_confirmed(
    server: RogueModbusServer, tag: Tag, value: CommandValue, address: int, registers: list[int]
) -> None:
    async with linked(device_at(server)) as link:
        await link.until(Quality.GOOD)
        outcome = await link.driver.write(tag, value, 5.0)
        assert (outcome.status, outcome.quality) == (WriteStatus.CONFIRMED, Quality.GOOD)
        assert server.registers[address : address + len(registers)] == registers
        assert [request.address for request in server.writes] == [address]


@pytest.mark.parametrize(("style", "function"), [(BitWrites.AUTO, 22), (BitWrites.MASK, 22), (BitWrites.READ_MODIFY_WRITE, 6)])
async def test_a_bit_of_a_word_is_written_and_its_neighbours_stay(server: RogueModbusServer, style: BitWrites, function: int) -> None:
    server.registers[1] = 0xA5A5
    async with linked(replace(device_at(server), bit_writes=style), (RUNNING,)) as link:
        await link.until(Quality.GOOD)
        for state, word in ((1.0, 0xA5AD), (0.0, 0xA5A5)):
            outcome = await link.driver.write(RUNNING, state, 5.0)
            assert (outcome.status, outcome.read_back, server.registers[1]) == (WriteStatus.CONFIRMED, state, word)
        assert [request.function for request in server.writes] == [function] * 2


@pytest.mark.parametrize(("style", "function"), [(BitWrites.AUTO, 22), (BitWrites.MASK, 22), (BitWrites.READ_MODIFY_WRITE, 6)])
async def test_a_bit_of_a_word_whose_bytes_are_swapped_is_written_at_its_place(server: RogueModbusServer, style: BitWrites, function: int) -> None:
    swapped = modbus_tag(9, "XS103", ModbusAddress(ModbusTable.HOLDING, 1, Encoding.BIT, ByteOrder.BADC, bit=3), DataType.BOOLEAN)
    whole = modbus_tag(10, "XS104", ModbusAddress(ModbusTable.HOLDING, 1, Encoding.UINT16, ByteOrder.BADC))
    async with linked(replace(device_at(server), bit_writes=style), (swapped, whole)) as link:
        await link.until(Quality.GOOD)
        outcome = await link.driver.write(swapped, 1.0, 5.0)
        assert (outcome.status, server.registers[1]) == (WriteStatus.CONFIRMED, 1 << 11)
        await link.until_true(lambda: (link.of(swapped)[-1][1], link.of(whole)[-1][1]) == (1.0, 8.0))
        assert [request.function for request in server.writes] == [function]


async def test_a_device_without_mask_writes_has_its_bits_written_by_read_modify_write_from_the_first_refusal_on(
    server: RogueModbusServer, caplog: pytest.LogCaptureFixture
) -> None:
    server.registers[1] = 0xA5A5
    async with linked(device_at(server), (RUNNING,)) as link:
        await link.until(Quality.GOOD)
        server.next_write.append(exception(1))
        first = await link.driver.write(RUNNING, 1.0, 5.0)
        assert (first.status, server.registers[1]) == (WriteStatus.CONFIRMED, 0xA5AD)
        second = await link.driver.write(RUNNING, 0.0, 5.0)
        assert (second.status, server.registers[1]) == (WriteStatus.CONFIRMED, 0xA5A5)
        server.close_connections()
        await link.until_true(lambda: server.connections == 2)
        await link.until(Quality.GOOD)
        third = await link.driver.write(RUNNING, 1.0, 5.0)
        assert (third.status, server.registers[1]) == (WriteStatus.CONFIRMED, 0xA5AD)
        assert [request.function for request in server.writes] == [22, 6, 6, 22], "behind the new connection may be another device"
        assert caplog.text.count("knows no mask write") == 1


async def test_a_bit_is_written_by_a_mask_or_not_at_all_where_the_configuration_insists(server: RogueModbusServer) -> None:
    server.registers[1] = 0xA5A5
    async with linked(replace(device_at(server), bit_writes=BitWrites.MASK), (RUNNING,)) as link:
        await link.until(Quality.GOOD)
        for _ in range(2):
            server.next_write.append(exception(1))
            outcome = await link.driver.write(RUNNING, 1.0, 5.0)
            assert (outcome.status, outcome.quality, server.registers[1]) == (WriteStatus.REJECTED, Quality.BAD_NOT_SUPPORTED, 0xA5A5)
            assert 'bit_writes = "mask"' in outcome.detail
        assert [request.function for request in server.writes] == [22, 22]


async def test_two_bits_of_a_word_that_are_written_at_once_by_reading_and_writing_the_word_are_both_set(server: RogueModbusServer) -> None:
    other = modbus_tag(9, "XS103", ModbusAddress(ModbusTable.HOLDING, 1, Encoding.BIT, bit=12), DataType.BOOLEAN)
    server.otherwise = late(0.02)
    async with linked(replace(device_at(server), bit_writes=BitWrites.READ_MODIFY_WRITE), (RUNNING, other)) as link:
        await link.until(Quality.GOOD)
        outcomes = await asyncio.gather(link.driver.write(RUNNING, 1.0, 5.0), link.driver.write(other, 1.0, 5.0))
        assert [outcome.status for outcome in outcomes] == [WriteStatus.CONFIRMED] * 2
        assert server.registers[1] == 1 << 3 | 1 << 12


async def test_a_bit_whose_word_cannot_be_read_is_not_written(server: RogueModbusServer) -> None:
    device = replace(device_at(server), bit_writes=BitWrites.READ_MODIFY_WRITE)
    async with linked(device, (replace(RUNNING, scan_ms=3_600_000),)) as link:
        await link.until(Quality.GOOD)
        server.next_read.append(exception(4))
        outcome = await link.driver.write(RUNNING, 1.0, 5.0)
        assert (outcome.status, outcome.quality, server.writes) == (WriteStatus.NOT_SENT, Quality.BAD_DEVICE_FAILURE, [])


@pytest.mark.parametrize(
    ("style", "tag", "value", "function"),
    [
        (WriteStyle.MULTIPLE, FLOW, 5.0, 16),
        (WriteStyle.MULTIPLE, PUMP, 1.0, 15),
        (WriteStyle.SINGLE, FLOW, 5.0, 6),
        (WriteStyle.SINGLE, PUMP, 1.0, 5),
        (WriteStyle.EITHER, TOTAL, 5.0, 16),
    ],
)
async def test_a_device_is_written_with_the_functions_it_knows(server: RogueModbusServer, style: WriteStyle, tag: Tag, value: float, function: int) -> None:
    async with linked(replace(device_at(server), writes=style), (tag,)) as link:
        await link.until(Quality.GOOD)
        assert (await link.driver.write(tag, value, 5.0)).status is WriteStatus.CONFIRMED
        assert [request.function for request in server.writes] == [function]


async def test_a_value_of_two_registers_is_never_written_in_two_halves(server: RogueModbusServer) -> None:
    async with linked(replace(device_at(server), writes=WriteStyle.SINGLE), (TOTAL,)) as link:
        await link.until(Quality.GOOD)
        outcome = await link.driver.write(TOTAL, 5.0, 5.0)
        assert (outcome.status, outcome.quality, server.writes) == (WriteStatus.NOT_SENT, Quality.BAD_NOT_SUPPORTED, [])


async def test_a_device_that_is_busy_for_a_moment_is_asked_again_and_no_tag_is_bad(server: RogueModbusServer) -> None:
    slow = tuple(replace(tag, scan_ms=2000) for tag in TAGS)
    server.next_read.extend([exception(6), exception(6)])
    async with linked(device_at(server), slow) as link:
        await link.until(Quality.GOOD)
        assert [link.bad(tag) for tag in slow] == [[], [], []]
        assert len(server.requests) == 3


async def test_a_device_slower_than_its_scans_is_degraded_and_says_so_until_it_keeps_up(server: RogueModbusServer) -> None:
    server.otherwise = late(0.08)
    async with linked(device_at(server)) as link:
        await link.until_true(lambda: link.driver.status.state is LinkState.DEGRADED)
        assert "overloaded: most of the last scans every 0.05 s were late" in (link.driver.status.last_error or "")
        server.otherwise = rogue_modbus_server.PROPER
        await link.until_true(lambda: link.driver.status.state is LinkState.UP)
        assert link.bad(FLOW) == []


async def test_a_coil_is_switched_on_and_off_and_confirmed(server: RogueModbusServer) -> None:
    async with linked(device_at(server), (PUMP,)) as link:
        await link.until(Quality.GOOD)
        for state in (1.0, 0.0):
            outcome = await link.driver.write(PUMP, state, 5.0)
            assert (outcome.status, outcome.read_back, server.bits[20]) == (WriteStatus.CONFIRMED, state, bool(state))


@pytest.mark.parametrize(
    "behaviour",
    [
        rogue_modbus_server.HANGS,
        late(1.2 * TIMEOUT),
        rogue_modbus_server.CLOSES,
        rogue_modbus_server.CLOSES_MID_FRAME,
        rogue_modbus_server.ANOTHER_TRANSACTION,
        rogue_modbus_server.ANOTHER_FUNCTION,
        rogue_modbus_server.GARBAGE,
        Behaviour("an echo of another value", lambda frame: frame[:-1] + b"\xff"),
    ],
    ids=str,
)
async def test_a_write_whose_answer_does_not_come_or_is_wrong_is_unknown_and_never_repeated(server: RogueModbusServer, behaviour: Behaviour) -> None:
    async with linked(device_at(server, TIMEOUT)) as link:
        await link.until(Quality.GOOD)
        server.next_write.append(behaviour)
        outcome = await link.driver.write(FLOW, 5.0, 5.0)
        assert outcome.status is WriteStatus.UNKNOWN
        assert "it may have been written" in outcome.detail
        await link.until_true(lambda: link.metric("reconnects") == 1)
        await link.until(Quality.GOOD)
        await link.until_true(lambda: link.of(FLOW)[-1][1] == 5.0)
        assert len(server.writes) == 1
        assert [request for request in server.requests if request.connection == 1][-1].is_write, "its connection was not used again"


async def test_a_write_that_ended_the_connection_is_a_loss_at_once_though_the_next_scan_is_far_off(server: RogueModbusServer) -> None:
    seldom = replace(FLOW, scan_ms=3_600_000)
    async with linked(device_at(server, TIMEOUT), (seldom,)) as link:
        await link.until(Quality.GOOD)
        server.next_write.append(rogue_modbus_server.HANGS)
        assert (await link.driver.write(seldom, 5.0, 5.0)).status is WriteStatus.UNKNOWN
        await link.until_true(lambda: [quality for _, _, quality in link.of(seldom)] == [Quality.GOOD, Quality.BAD_NO_COMMUNICATION, Quality.GOOD])
        assert "no answer within" in (link.driver.status.last_error or "")


async def test_a_write_that_runs_out_of_its_own_deadline_is_unknown_and_never_repeated(server: RogueModbusServer) -> None:
    async with linked(device_at(server)) as link:
        await link.until(Quality.GOOD)
        server.next_write.append(rogue_modbus_server.HANGS)
        outcome = await link.driver.write(FLOW, 5.0, 0.1)
        assert (outcome.status, outcome.quality) == (WriteStatus.UNKNOWN, Quality.BAD_TIMEOUT)
        await link.until_true(lambda: link.metric("reconnects") == 1)
        await link.until(Quality.GOOD)
        assert len(server.writes) == 1
        assert [request for request in server.requests if request.connection == 1][-1].is_write
        assert link.driver.status.last_error == "the connection was dropped: a request was given up"


async def test_a_write_whose_time_is_over_is_not_sent(server: RogueModbusServer) -> None:
    async with linked(device_at(server)) as link:
        await link.until(Quality.GOOD)
        outcome = await link.driver.write(FLOW, 5.0, 0.0)
        assert (outcome.status, server.writes) == (WriteStatus.NOT_SENT, [])


@pytest.mark.parametrize(
    ("code", "status", "quality"),
    [
        (1, WriteStatus.REJECTED, Quality.BAD_NOT_SUPPORTED),
        (2, WriteStatus.REJECTED, Quality.BAD_CONFIGURATION_ERROR),
        (3, WriteStatus.REJECTED, Quality.BAD_CONFIGURATION_ERROR),
        (6, WriteStatus.REJECTED, Quality.BAD_RESOURCE_UNAVAILABLE),
        (0x0A, WriteStatus.REJECTED, Quality.BAD_NO_COMMUNICATION),
        (4, WriteStatus.UNKNOWN, Quality.BAD_DEVICE_FAILURE),
        (5, WriteStatus.UNKNOWN, Quality.BAD_RESOURCE_UNAVAILABLE),
        (0x0B, WriteStatus.UNKNOWN, Quality.BAD_NO_COMMUNICATION),
    ],
)
async def test_a_write_refused_is_rejected_unless_the_refusal_leaves_open_what_was_done_and_the_connection_stays(
    server: RogueModbusServer, code: int, status: WriteStatus, quality: Quality
) -> None:
    async with linked(device_at(server)) as link:
        await link.until(Quality.GOOD)
        server.next_write.append(exception(code))
        outcome = await link.driver.write(FLOW, 5.0, 5.0)
        assert (outcome.status, outcome.quality) == (status, quality)
        assert f"exception {code:02X}" in outcome.detail
        scanned = len(link.of(FLOW))
        await link.until_true(lambda: len(link.of(FLOW)) >= scanned + 2)
        assert (server.connections, len(server.writes), link.bad(FLOW)) == (1, 1, [])


@pytest.mark.parametrize("code", [4, 5, 0x0B])
async def test_a_write_whose_answer_leaves_open_what_was_done_is_read_back_and_not_sent_again(server: RogueModbusServer, code: int) -> None:
    async with linked(device_at(server)) as link:
        await link.until(Quality.GOOD)
        server.next_write.append(replace(exception(code), executes=True))
        done = await link.driver.write(FLOW, 5.0, 5.0)
        assert (done.status, done.quality, done.read_back) == (WriteStatus.CONFIRMED, Quality.GOOD, 5.0)
        assert f"exception {code:02X}" in done.detail
        server.next_write.append(exception(code))
        open_still = await link.driver.write(FLOW, 6.0, 5.0)
        assert (open_still.status, open_still.read_back) == (WriteStatus.UNKNOWN, 5.0)
        assert "it may have been written" in open_still.detail
        assert open_still.detail.endswith("it reads 5.0 now")
        server.next_write.append(exception(code))
        cut_short = await link.driver.write(FLOW, 6.0, 0.3)
        assert (cut_short.status, cut_short.detail[:24]) == (WriteStatus.UNKNOWN, "it may have been written")
        assert (len(server.writes), server.connections) == (3, 1)


@pytest.mark.parametrize(
    ("tag", "value", "quality"),
    [
        (FLOW, 32_768.0, Quality.BAD_OUT_OF_RANGE),
        (TOTAL, -3e9, Quality.BAD_OUT_OF_RANGE),
        (PRESSURE, 1e39, Quality.BAD_OUT_OF_RANGE),
        (PRESSURE, float("nan"), Quality.BAD_OUT_OF_RANGE),
        (PUMP, 2.0, Quality.BAD_OUT_OF_RANGE),
        (FLOW, "5", Quality.BAD_OUT_OF_RANGE),
        (LOT, 5.0, Quality.BAD_OUT_OF_RANGE),
        (LOT, "LOT-00001", Quality.BAD_OUT_OF_RANGE),
        (LEVEL, 5.0, Quality.BAD_NOT_WRITABLE),
    ],
)
async def test_a_value_that_the_registers_cannot_hold_and_a_tag_that_cannot_be_written_are_not_sent(
    server: RogueModbusServer, tag: Tag, value: CommandValue, quality: Quality
) -> None:
    async with linked(device_at(server)) as link:
        await link.until(Quality.GOOD)
        outcome = await link.driver.write(tag, value, 5.0)
        assert (outcome.status, outcome.quality) == (WriteStatus.NOT_SENT, quality)
        assert server.writes == []
        assert link.bad(FLOW) == []


@asynccontextmanager
async def opened(server: RogueModbusServer) -> AsyncIterator[Session]:
    """A session that does not scan, so that the read after a write is its read-back."""
    session = await ModbusDriver().open(device_at(server, TIMEOUT), TAGS, DriverMetricFamilies(CollectorRegistry()).of("modbus", DEVICE))
    try:
        yield session
    finally:
        await session.close()


@pytest.mark.parametrize(
    ("tag", "kept", "value", "read_back"),
    [(FLOW, [100], 101.0, 100.0), (TOTAL, [0x05F5, 0xE132], 100_000_000.0, 100_000_050.0), (LOT, [0x4C4F, 0x5420, 0, 0], "LOT-1", "LOT")],
)
async def test_a_write_that_reads_back_as_another_value_is_accepted_and_not_confirmed(
    server: RogueModbusServer, tag: Tag, kept: list[int], value: CommandValue, read_back: CommandValue
) -> None:
    assert isinstance(tag.source, ModbusAddress)
    server.registers[tag.source.address : tag.source.end] = kept
    server.keeps_writes = False
    async with opened(server) as session:
        outcome = await session.write(tag, value)
        assert (outcome.status, outcome.read_back, outcome.quality) == (WriteStatus.ACCEPTED, read_back, Quality.GOOD)
        assert len(server.writes) == 1


@pytest.mark.parametrize(
    ("behaviour", "quality"),
    [
        (rogue_modbus_server.HANGS, Quality.BAD_COMMUNICATION_ERROR),
        (rogue_modbus_server.CLOSES, Quality.BAD_COMMUNICATION_ERROR),
        (rogue_modbus_server.ANOTHER_UNIT, Quality.BAD_COMMUNICATION_ERROR),
        (exception(6), Quality.BAD_RESOURCE_UNAVAILABLE),
    ],
    ids=str,
)
async def test_a_write_that_was_taken_and_cannot_be_read_back_is_accepted(server: RogueModbusServer, behaviour: Behaviour, quality: Quality) -> None:
    async with opened(server) as session:
        server.next_read.append(behaviour)
        outcome = await session.write(FLOW, 5.0)
        assert (outcome.status, outcome.quality, outcome.read_back) == (WriteStatus.ACCEPTED, quality, None)
        assert (server.registers[0], len(server.writes)) == (5, 1)


async def test_a_whole_number_written_between_two_register_values_is_confirmed_with_what_was_stored(server: RogueModbusServer) -> None:
    scaled = modbus_tag(8, "TIC101.SP", ModbusAddress(ModbusTable.HOLDING, 12, Encoding.INT16, scale=0.1, offset=20.0))
    async with opened(server) as session:
        outcome = await session.write(scaled, 24.26)
        assert (outcome.status, server.registers[12]) == (WriteStatus.CONFIRMED, 43)
        assert outcome.read_back == pytest.approx(24.3)


@pytest.mark.parametrize("behaviour", [rogue_modbus_server.HANGS, rogue_modbus_server.ANOTHER_TRANSACTION, rogue_modbus_server.CLOSES], ids=str)
async def test_nothing_is_sent_on_a_connection_after_an_error_and_a_write_then_is_known_not_to_be_sent(server: RogueModbusServer, behaviour: Behaviour) -> None:
    async with opened(server) as session:
        server.next_write.append(behaviour)
        assert (await session.write(FLOW, 5.0)).status is WriteStatus.UNKNOWN
        asked = list(server.requests)
        second = await session.write(FLOW, 6.0)
        assert (second.status, second.quality) == (WriteStatus.NOT_SENT, Quality.BAD_NOT_CONNECTED)
        with pytest.raises(DeviceUnreachable, match="dropped"):
            await anext(session.batches())
        await asyncio.sleep(0.05)
        assert server.requests == asked
        assert server.connections == 1


async def test_a_request_that_waits_while_another_times_out_is_not_sent(server: RogueModbusServer) -> None:
    async with opened(server) as session:
        server.next_write.append(rogue_modbus_server.HANGS)
        first, second = await asyncio.gather(session.write(FLOW, 5.0), session.write(TOTAL, 6.0))
        assert (first.status, second.status) == (WriteStatus.UNKNOWN, WriteStatus.NOT_SENT)
        assert [request.address for request in server.writes] == [0]


async def test_writes_and_scans_at_the_same_time_go_out_one_at_a_time_and_each_gets_its_own_answer(server: RogueModbusServer) -> None:
    server.otherwise = late(0.01)
    async with linked(device_at(server)) as link:
        await link.until(Quality.GOOD)
        for number in range(5):
            writes = (link.driver.write(FLOW, float(number), 10.0), link.driver.write(TOTAL, 1e6 + number, 10.0), link.driver.write(LOT, f"LOT-{number}", 10.0))
            outcomes = await asyncio.gather(*writes)
            assert [(outcome.status, outcome.read_back) for outcome in outcomes] == [
                (WriteStatus.CONFIRMED, float(number)),
                (WriteStatus.CONFIRMED, 1e6 + number),
                (WriteStatus.CONFIRMED, f"LOT-{number}"),
            ]
        scans = [request for request in server.requests if request.argument == 10 and not request.is_write]
        assert len(server.writes) == 15
        assert len(scans) >= 3, "scans went on meanwhile"
        assert (server.pipelined, server.connections) == (0, 1)
        assert [request.transaction for request in server.requests] == list(range(1, len(server.requests) + 1))


async def test_the_connection_is_closed_when_the_link_ends(server: RogueModbusServer) -> None:
    async with linked(device_at(server)) as link:
        await link.until(Quality.GOOD)
        assert server.open_connections == 1
    async with asyncio.timeout(5):
        while server.open_connections:
            await asyncio.sleep(0.01)
    assert [link.bad(tag) for tag in TAGS] == [[], [], []], "the end of the gateway is no fact about the device"
