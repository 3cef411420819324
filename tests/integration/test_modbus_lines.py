"""Lines of the Modbus driver over real sockets and pseudo-terminals: framings, units that share a connection, TLS, windows, disorder."""

import asyncio
import datetime
import ipaddress
import itertools
import random
import ssl
import time
from collections.abc import AsyncGenerator, AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import replace
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from prometheus_client import CollectorRegistry
from pymodbus import FramerType
from pymodbus.client import AsyncModbusTcpClient
from pymodbus.exceptions import ModbusIOException

from drivers import DeviceLink, DriverMetricFamilies, SilentUnit
from drivers.backoff import Backoff
from drivers.modbus import ModbusDriver, ModbusSession
from drivers.session import WriteStatus
from plant.batch import Batch
from plant.device import BitWrites, Encoding, Framing, Identity, ModbusAddress, ModbusDevice, ModbusLine, ModbusTable, Parity, SerialLine, TcpLine, TlsFiles
from plant.errors import DeviceProtocolError, DeviceUnreachable
from plant.link import LinkState
from plant.quality import Quality
from plant.tag import DataType, Tag
from tests import rogue_modbus_server
from tests.modbus_device import TAGS as PYMODBUS_TAGS
from tests.modbus_device import ModbusTestDevice
from tests.rogue_modbus_server import PROPER, Behaviour, RogueModbusServer, late
from tests.samples import make_tag
from tests.supervised import supervised

TIMEOUT = 0.6
"""Seconds, for the tests in which a unit does not answer in time: far more than a busy machine takes from one that does."""
SHORT_TIMEOUT = 0.25
"""Seconds, for the tests to which one time-out more or less is all the same."""
ADDRESSES = (0, 40, 80, 120)
"""A block each, all of one length: the answer to one could be taken for that to another. Register ``n`` holds ``1000 + n``."""
BIT_OF_WORD = ModbusAddress(ModbusTable.HOLDING, 40, Encoding.BIT, bit=0)
IDENTITY = Identity(ModbusTable.HOLDING, 190, (1190, 1191))


def tags_of(device: str, scan_ms: int = 50, first_id: int = 1) -> tuple[Tag, ...]:
    return tuple(
        make_tag(
            first_id + row,
            f"SEP.COL101.FT{address}",
            device=device,
            writable=True,
            scan_ms=scan_ms,
            source=ModbusAddress(ModbusTable.HOLDING, address, Encoding.UINT16),
        )
        for row, address in enumerate(ADDRESSES)
    )


def device_on(line: ModbusLine, unit: int = 7, timeout: float = TIMEOUT, identity: Identity | None = None) -> ModbusDevice:
    return ModbusDevice(f"MB-{unit}", "SEP", line, unit, timeout=timeout, identity=identity)


class Link:
    """A device link on a driver that others may use too, with everything it said."""

    def __init__(self, driver: ModbusDriver, device: ModbusDevice, scan_ms: int = 50) -> None:
        self.tags = tags_of(device.name, scan_ms, 1000 * device.unit_id)
        self.said: list[tuple[int, float, int]] = []
        """(address, value, quality)"""
        self.registry = CollectorRegistry()
        self.device = device
        metrics = DriverMetricFamilies(self.registry).of("modbus", device.name)
        backoff = Backoff(first=0.05, cap=0.1, floor=0.02)
        self.link = DeviceLink(device, self.tags, driver.open, self._publish, lambda status: None, metrics, backoff=backoff)

    async def _publish(self, batch: Batch) -> None:
        for tag_id, value, quality in zip(batch.tag_id.tolist(), batch.value.tolist(), batch.quality.tolist(), strict=True):
            self.said.append((ADDRESSES[tag_id - self.tags[0].id], value, quality))

    @property
    def wrong(self) -> list[tuple[int, float, int]]:
        """Samples with a value that is not that of their address, whatever their quality."""
        return [row for row in self.said if row[1] == row[1] and row[1] != 1000 + row[0]]

    def count(self, quality: Quality) -> int:
        return sum(row[2] == quality for row in self.said)

    def metric(self, name: str, **labels: str) -> float:
        return self.registry.get_sample_value(f"monazite_driver_{name}_total", {"driver": "modbus", "device": self.device.name, **labels}) or 0.0

    async def good(self, more: int = 8) -> None:
        """Until ``more`` Good samples came from now on."""
        wanted = self.count(Quality.GOOD) + more
        await until(lambda: self.count(Quality.GOOD) >= wanted)


async def until(condition: Callable[[], bool]) -> None:
    async with asyncio.timeout(20):
        while not condition():
            await asyncio.sleep(0.01)


@asynccontextmanager
async def linked(*devices: ModbusDevice) -> AsyncIterator[list[Link]]:
    """Links on one driver."""
    driver = ModbusDriver()
    links = [Link(driver, device) for device in devices]
    async with supervised(*(link.link for link in links)):
        yield links


@asynccontextmanager
async def opened(driver: ModbusDriver, device: ModbusDevice, scan_ms: int = 50) -> AsyncIterator[ModbusSession]:
    metrics = DriverMetricFamilies(CollectorRegistry()).of("modbus", device.name)
    session = await driver.open(device, tags_of(device.name, scan_ms), metrics)
    try:
        yield session
    finally:
        await session.close()


@asynccontextmanager
async def serving(framing: Framing = Framing.TCP, tls: ssl.SSLContext | None = None) -> AsyncIterator[RogueModbusServer]:
    async with RogueModbusServer(framing, tls) as server:
        server.registers = [1000 + address for address in range(len(server.registers))]
        yield server


@asynccontextmanager
async def serving_terminal(path: Path) -> AsyncIterator[RogueModbusServer]:
    server = RogueModbusServer(Framing.RTU)
    server.registers = [1000 + address for address in range(len(server.registers))]
    await server.start_on_terminal(path)
    try:
        yield server
    finally:
        await server.stop()


def tcp(server: RogueModbusServer, window: int = 1, pause: float = 0.0) -> TcpLine:
    return TcpLine("127.0.0.1", server.port, server.framing, window=window, pause=pause)


async def test_units_behind_one_socket_share_one_connection_and_each_gets_its_own_values() -> None:
    async with serving() as server, linked(*(device_on(tcp(server), unit) for unit in (1, 2, 3))) as links:
        for link in links:
            await link.good(20)
        assert (server.connections, server.pipelined) == (1, 0)
        assert {request.unit for request in server.requests} == {1, 2, 3}
        assert [link.wrong for link in links] == [[], [], []]


async def test_the_connection_is_closed_with_the_last_session_and_not_before() -> None:
    async with serving() as server:
        driver = ModbusDriver()
        async with opened(driver, device_on(tcp(server), 1)):
            async with opened(driver, device_on(tcp(server), 2)) as session:
                await anext(session.batches())
                assert server.open_connections == 1
            await asyncio.sleep(0.05)
            assert server.open_connections == 1
        await until(lambda: server.open_connections == 0)
        async with opened(driver, device_on(tcp(server), 1)) as session:
            await anext(session.batches())
        assert server.connections == 2


@pytest.mark.parametrize("framing", Framing, ids=str)
async def test_a_silent_unit_ends_its_own_session_and_the_others_go_on(framing: Framing) -> None:
    async with serving(framing) as server, linked(*(device_on(tcp(server), unit) for unit in (1, 2, 3))) as links:
        for link in links:
            await link.good()
        server.silent = {2}
        await until(lambda: links[1].metric("polls", result="timeout") == 1)
        for link in (links[0], links[2]):
            await link.good(40)
            assert [quality for _, _, quality in link.said if quality < 0] == []
            assert link.metric("reconnects") == 0
        await until(lambda: links[1].metric("polls", result="timeout") == 2)
        for link in (links[0], links[2]):
            await link.good(40)
        assert links[1].count(Quality.BAD_NO_COMMUNICATION) == len(ADDRESSES)
        tries = sum(request.unit == 2 and request.behaviour is rogue_modbus_server.HANGS for request in server.requests)
        assert tries == 2, "one block, once more, and then not soon again"
        assert [link.wrong for link in links] == [[], [], []]
        assert framing is Framing.RTU or server.connections == 1


async def test_a_unit_gets_a_place_in_the_row_of_the_silent_only_if_others_on_its_connection_answer() -> None:
    async with serving() as server:
        driver = ModbusDriver()
        server.silent = {2}

        async def ended() -> DeviceUnreachable:
            async with opened(driver, device_on(tcp(server), 2)) as silent:
                with pytest.raises(DeviceUnreachable, match=r"no answer within .* to holding 0") as error:
                    await anext(silent.batches())
                outcome = await silent.write(tags_of("MB-2")[0], 5.0)
                assert outcome.status is WriteStatus.NOT_SENT
            return error.value

        async with opened(driver, device_on(tcp(server), 1)) as lively:
            scans = lively.batches()
            for _ in range(3):
                assert type(await ended()) is DeviceUnreachable, "nobody answered yet"
            await anext(scans)
            assert type(await ended()) is DeviceUnreachable, "an answer may be late once"
            await anext(scans)
            again = await ended()
            assert isinstance(again, SilentUnit)
            assert again.wait >= 5.0


async def test_when_one_silent_unit_answers_again_all_of_its_line_are_tried_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("drivers.modbus.silences._SOONEST", 1.0)
    monkeypatch.setattr("drivers.modbus.silences._SHARE", 12.0)
    units = (1, 2, 3, 4)
    async with serving() as server, linked(*(device_on(tcp(server), unit) for unit in units)) as links:
        for link in links:
            await link.good()
        server.silent = {2, 3, 4}
        for link in links[1:]:
            await until(lambda: link.metric("polls", result="timeout") >= 2)  # noqa: B023  # used within the round
        good = [link.count(Quality.GOOD) for link in links]
        server.silent = set()
        await until(lambda: any(link.count(Quality.GOOD) > before for link, before in zip(links[1:], good[1:], strict=True)))
        begun = time.monotonic()
        await until(lambda: all(link.count(Quality.GOOD) > before for link, before in zip(links, good, strict=True)))
        assert time.monotonic() - begun < 12.0 * TIMEOUT, "else the next would have had its place only then, and the third twice as late"
        assert links[0].count(Quality.BAD_NO_COMMUNICATION) == 0


async def test_a_gateway_that_waits_for_a_silent_unit_longer_than_we_do_costs_no_other_unit_a_sample() -> None:
    async with serving() as server, linked(*(device_on(tcp(server), unit) for unit in (1, 2, 3))) as links:
        server.patience = 2.5 * TIMEOUT
        for link in links:
            await link.good()
        server.silent = {2}
        await until(lambda: links[1].metric("polls", result="timeout") == 2)
        for link in (links[0], links[2]):
            await link.good(40)
            assert [quality for _, _, quality in link.said if quality < 0] == []
        assert server.connections == 1
        assert sum(link.metric("frames_rejected", reason="late") for link in links) == 2


async def test_a_gateway_s_exception_is_asked_for_once_and_ends_that_unit_s_session_alone() -> None:
    async with serving() as server:
        driver = ModbusDriver()
        async with opened(driver, device_on(tcp(server), 1)) as lively:
            scans = lively.batches()
            for error in (DeviceUnreachable, SilentUnit):
                await anext(scans)
                asked = len(server.requests)
                async with opened(driver, device_on(tcp(server), 2)) as away:
                    server.otherwise = rogue_modbus_server.exception(0x0B)
                    with pytest.raises(error, match="a gateway does not reach the unit"):
                        await anext(away.batches())
                server.otherwise = PROPER
                assert len(server.requests) == asked + 1
            await anext(scans)
            assert server.connections == 1


async def test_half_an_answer_of_one_unit_is_not_made_whole_with_that_of_another_of_its_line() -> None:
    async with serving() as server, linked(*(device_on(tcp(server), unit) for unit in (1, 2))) as links:
        for link in links:
            await link.good()
        server.next_read.append(rogue_modbus_server.SHORT_THEN_SILENCE)
        await until(lambda: sum(link.metric("polls", result="timeout") for link in links) == 1)
        (other,) = [link for link in links if not link.metric("polls", result="timeout")]
        for link in links:
            await link.good(20)
        assert [quality for _, _, quality in other.said if quality < 0] == []
        assert sum(link.metric("frames_rejected", reason=reason) for link in links for reason in ("header", "transaction", "late")) == 0
        assert ([link.wrong for link in links], server.connections) == ([[], []], 2)


async def exhausted(scans: AsyncGenerator[Batch, None]) -> None:
    async for _ in scans:
        pass


async def test_a_unit_of_a_shared_line_that_says_nothing_but_that_it_fails_is_a_lost_link_and_one_failing_class_is_none() -> None:
    async with serving() as server:
        driver, tags = ModbusDriver(), tags_of("MB-1", 50)
        seldom = replace(tags[-1], scan_ms=100)
        metrics = DriverMetricFamilies(CollectorRegistry()).of("modbus", "MB-1")
        async with opened(driver, device_on(tcp(server), 2, 5.0)):
            session = await driver.open(device_on(tcp(server), 1, 5.0), [*tags[:-1], seldom], metrics)
            scans, qualities = session.batches(), set[int]()
            server.failing = {ADDRESSES[-1]}
            for _ in range(6):
                batch = await anext(scans)
                qualities |= set(batch.quality[batch.tag_id == seldom.id].tolist())
            assert qualities == {Quality.BAD_DEVICE_FAILURE}
            server.failing = set(ADDRESSES)
            with pytest.raises(DeviceUnreachable, match="the unit says nothing else, or its gateway does: exception 04"):
                await exhausted(scans)
            await session.close()
        assert server.connections == 1


async def test_a_late_answer_on_a_shared_line_is_known_by_its_number_counted_and_thrown_away() -> None:
    async with serving() as server, linked(*(device_on(tcp(server), unit) for unit in (1, 2))) as links:
        for link in links:
            await link.good()
        server.next_read.append(late(1.2 * TIMEOUT))
        await until(lambda: sum(link.metric("frames_rejected", reason="late") for link in links) == 1)
        assert sum(link.metric("polls", result="timeout") for link in links) == 1
        assert server.connections == 1
        assert [link.wrong for link in links] == [[], []]


@pytest.mark.parametrize(
    "behaviour",
    [
        rogue_modbus_server.ANOTHER_TRANSACTION,
        rogue_modbus_server.ANOTHER_UNIT,
        rogue_modbus_server.ANOTHER_FUNCTION,
        rogue_modbus_server.ANOTHER_PROTOCOL,
        rogue_modbus_server.ONE_REGISTER_LESS,
        rogue_modbus_server.ONE_REGISTER_MORE,
        rogue_modbus_server.GARBAGE,
    ],
    ids=str,
)
async def test_a_wrong_answer_on_a_shared_line_ends_the_session_it_met_and_the_others_reconnect_unseen(behaviour: Behaviour) -> None:
    async with serving() as server, linked(*(device_on(tcp(server), unit) for unit in (1, 2))) as links:
        for link in links:
            await link.good()
        server.next_read.append(behaviour)
        await until(lambda: sum(link.count(Quality.BAD_COMMUNICATION_ERROR) for link in links) == len(ADDRESSES))
        for link in links:
            await link.good()
        assert server.connections == 2
        assert sum(link.metric("reconnects") for link in links) == 1
        assert [link.wrong for link in links] == [[], []]


async def test_a_shared_connection_on_which_two_requests_in_a_row_were_not_answered_is_made_anew() -> None:
    async with serving() as server, AsyncExitStack() as stack:
        driver = ModbusDriver()
        sessions = [await stack.enter_async_context(opened(driver, device_on(tcp(server), unit))) for unit in (1, 2, 3)]
        for session in sessions:
            await anext(session.batches())
        server.silent = {1, 2}
        for session in sessions[:2]:
            with pytest.raises(DeviceUnreachable):
                await anext(session.batches())
            assert server.connections == 1
        assert (await sessions[2].write(tags_of("MB-3")[0], 1000.0)).status is WriteStatus.CONFIRMED
        assert server.connections == 2


@pytest.mark.parametrize("units", [(1,), (1, 2)], ids=str)
@pytest.mark.parametrize("framing", Framing, ids=str)
async def test_a_connection_that_is_closed_while_idle_and_can_be_made_again_makes_no_tag_bad(
    monkeypatch: pytest.MonkeyPatch, framing: Framing, units: tuple[int, ...]
) -> None:
    monkeypatch.setattr("drivers.modbus.line._IDLE_FOR", 0.1)
    async with serving(framing) as server:
        driver = ModbusDriver()
        links = [Link(driver, device_on(tcp(server), unit, 5.0), scan_ms=1000) for unit in units]
        async with supervised(*(link.link for link in links)):
            for closed in range(1, 3):
                for link in links:
                    await link.good(4)
                asked = None
                while asked != len(server.requests):  # 0.3 s without one
                    asked = len(server.requests)
                    await asyncio.sleep(0.3)
                server.close_connections()
                await until(lambda: server.connections == closed + 1)  # noqa: B023  # as above
            for link in links:
                await link.good(4)
                assert [quality for _, _, quality in link.said if quality < 0] == []


CLOSES_BEHIND = Behaviour("a proper answer, and the end of the connection", closes=True)


@pytest.mark.parametrize("scan_ms", [50, 300])
async def test_a_device_that_closes_the_connection_behind_each_answer_makes_no_tag_bad(scan_ms: int) -> None:
    async with serving() as server:
        server.otherwise = CLOSES_BEHIND
        link = Link(ModbusDriver(), replace(device_on(tcp(server), timeout=5.0), max_gap=125), scan_ms)
        async with supervised(link.link):
            await link.good(40)
        assert [quality for _, _, quality in link.said if quality < 0] == []
        assert (link.metric("reconnects"), link.wrong) == (0, [])
        assert server.connections >= 10


async def test_a_device_that_gives_one_answer_a_connection_is_asked_so_after_two_losses_however_many_blocks_it_has(caplog: pytest.LogCaptureFixture) -> None:
    async with serving() as server, linked(device_on(tcp(server), timeout=5.0)) as [link]:
        server.otherwise = CLOSES_BEHIND
        await until(lambda: "end after one answer" in caplog.text)
        await link.good(4)
        lost = sum(quality < 0 for _, _, quality in link.said)
        await link.good(40)
        assert sum(quality < 0 for _, _, quality in link.said) == lost
        assert link.wrong == []


async def test_a_device_that_accepts_and_closes_without_an_answer_is_lost() -> None:
    async with serving() as server, linked(device_on(tcp(server), timeout=5.0)) as [link]:
        await link.good()
        server.otherwise = rogue_modbus_server.CLOSES
        await until(lambda: link.link.status.state is LinkState.DOWN and server.connections > 4)
        assert link.count(Quality.BAD_NO_COMMUNICATION) == len(ADDRESSES)


async def test_a_connection_that_a_gateway_closes_is_made_anew_for_the_next_request() -> None:
    async with serving() as server, linked(*(device_on(tcp(server), unit) for unit in (1, 2))) as links:
        for link in links:
            await link.good()
        server.next_read.append(rogue_modbus_server.CLOSES)
        await until(lambda: server.connections == 2)
        for link in links:
            await link.good()
        assert sum(link.metric("polls", result="disconnected") for link in links) == 1
        assert [link.wrong for link in links] == [[], []]


async def test_units_take_turns_however_many_blocks_one_of_them_has() -> None:
    async with serving() as server:
        server.otherwise = late(0.005)
        async with linked(*(device_on(tcp(server), unit, 5.0) for unit in (1, 2))) as links:
            await until(lambda: all(link.count(Quality.GOOD) > 0 for link in links))
            asked = len(server.requests)
            await until(lambda: len(server.requests) > asked + 60)
            units = [request.unit for request in server.requests[asked:]]
            longest = max(len(list(run)) for _, run in itertools.groupby(units))
            assert longest <= 3 * len(ADDRESSES)
            assert min(units.count(1), units.count(2)) >= len(units) // 4


async def test_a_pause_is_kept_between_an_answer_and_the_next_request() -> None:
    async with serving() as server, linked(device_on(tcp(server, pause=0.05), timeout=5.0)) as [link]:
        begun = time.monotonic()
        await link.good(8)
        assert time.monotonic() - begun >= 7 * 0.05
        assert link.wrong == []


async def test_a_late_answer_over_rtu_is_never_the_value_of_a_later_request() -> None:
    chance = random.Random(1)
    async with serving(Framing.RTU) as server, linked(device_on(tcp(server), timeout=SHORT_TIMEOUT)) as [link]:
        await link.good()
        for _ in range(12):
            server.next_read.extend([PROPER] * chance.randrange(4) + [late(SHORT_TIMEOUT * chance.uniform(1.05, 1.6))])
            timeouts = link.metric("polls", result="timeout")
            await until(lambda: link.metric("polls", result="timeout") > timeouts)  # noqa: B023  # awaited before the loop goes on
        await link.good()
        assert link.wrong == []
        assert server.connections == link.metric("polls", result="timeout") + 1, "the connection was dropped after each"


async def test_a_late_answer_over_rtu_is_no_value_of_the_unit_s_next_session_though_another_unit_keeps_the_line_open() -> None:
    async with serving(Framing.RTU) as server, AsyncExitStack() as stack:
        driver = ModbusDriver()
        await stack.enter_async_context(opened(driver, device_on(tcp(server), 2)))
        server.otherwise = late(0.6 * SHORT_TIMEOUT)
        for _ in range(4):
            server.next_read.append(late(1.2 * SHORT_TIMEOUT))
            async with opened(driver, device_on(tcp(server), 1, SHORT_TIMEOUT)) as session:
                with pytest.raises(DeviceUnreachable):
                    await anext(session.batches())
            async with opened(driver, device_on(tcp(server), 1, SHORT_TIMEOUT)) as session:
                batch = await anext(session.batches())
                assert batch.value.tolist() == [1000.0 + address for address in ADDRESSES]


async def test_the_same_server_makes_pymodbus_return_the_values_of_other_registers() -> None:
    """What the test above would see if late answers were taken: this is what its server does to a client that goes on with the connection."""
    async with serving(Framing.RTU) as server:
        client = AsyncModbusTcpClient("127.0.0.1", port=server.port, framer=FramerType.RTU, timeout=SHORT_TIMEOUT, retries=0)
        assert await client.connect()
        server.otherwise = late(0.6 * SHORT_TIMEOUT)
        server.next_read.append(late(1.2 * SHORT_TIMEOUT))
        with pytest.raises(ModbusIOException):
            await client.read_holding_registers(160, count=1, device_id=7)
        answers = [(await client.read_holding_registers(address, count=1, device_id=7)).registers for address in ADDRESSES]
        client.close()
        assert answers == [[1000 + address] for address in (160, *ADDRESSES[:-1])]


RTU_FAULTS = [
    (rogue_modbus_server.RTU_WRONG_CHECKSUM, "checksum"),
    (rogue_modbus_server.RTU_ANOTHER_UNIT, "unit"),
    (rogue_modbus_server.RTU_ANOTHER_FUNCTION, "function"),
    (rogue_modbus_server.RTU_ONE_REGISTER_LESS, "length"),
    (rogue_modbus_server.TWICE, "length"),
]


@pytest.mark.parametrize(("behaviour", "reason"), RTU_FAULTS, ids=str)
async def test_a_wrong_rtu_answer_is_refused_and_its_connection_dropped(behaviour: Behaviour, reason: str) -> None:
    async with serving(Framing.RTU) as server, linked(device_on(tcp(server))) as [link]:
        await link.good()
        server.next_read.append(behaviour)
        await until(lambda: link.metric("frames_rejected", reason=reason) == 1)
        await link.good()
        assert link.wrong == []
        assert server.connections == 2
        assert link.count(Quality.BAD_COMMUNICATION_ERROR) == len(ADDRESSES)


async def test_a_truncated_rtu_answer_is_a_time_out() -> None:
    async with serving(Framing.RTU) as server, linked(device_on(tcp(server))) as [link]:
        await link.good()
        server.next_read.append(rogue_modbus_server.RTU_TRUNCATED)
        await until(lambda: link.metric("polls", result="timeout") == 1)
        await link.good()
        assert (link.wrong, server.connections) == ([], 2)


async def test_bytes_that_nobody_asked_for_on_an_rtu_connection_make_it_anew_and_no_tag_bad() -> None:
    async with serving(Framing.RTU) as server, linked(device_on(tcp(server), timeout=5.0)) as [link]:
        server.otherwise = Behaviour("a late second copy", lambda frame: frame)
        await link.good()
        connections = server.connections
        for _ in range(200):
            server.babble(b"\x07\x03\x02\x00\x00")
            await asyncio.sleep(0.01)
            if link.metric("frames_rejected", reason="unasked"):
                break
        assert link.metric("frames_rejected", reason="unasked") >= 1
        await link.good()
        assert server.connections > connections
        assert link.wrong == []


async def test_a_noise_that_leaves_no_room_on_an_rtu_connection_is_a_loss_and_its_end_the_end_of_it(monkeypatch: pytest.MonkeyPatch) -> None:
    """Another master behind a transparent converter: each byte makes the connection anew, and nothing can be asked."""
    monkeypatch.setattr("drivers.modbus.quiet.PATIENCE", 1.0)
    async with serving(Framing.RTU) as server, linked(*(device_on(tcp(server), unit) for unit in (1, 2))) as links:
        for link in links:
            await link.good()

        async def babble() -> None:
            while True:
                server.babble(b"\x55")
                await asyncio.sleep(0.05)

        babbling = asyncio.create_task(babble())
        for link in links:
            await until(lambda: "has not been silent" in (link.link.status.last_error or ""))  # noqa: B023  # used within the round
            assert link.count(Quality.BAD_NO_COMMUNICATION) == len(ADDRESSES)
        babbling.cancel()
        for link in links:
            await link.good()
            assert link.wrong == []


async def test_a_read_back_that_is_not_waited_for_any_more_costs_the_session_nothing() -> None:
    for framing in Framing:
        async with serving(framing) as server, linked(device_on(tcp(server), timeout=5.0)) as [link]:
            server.keeps_writes = False
            await link.good()
            server.otherwise = late(0.3)
            outcome = await link.link.write(link.tags[0], 7.0, 1.0)
            assert outcome.status is WriteStatus.ACCEPTED
            await link.good()
            assert (link.metric("reconnects"), server.connections) == (0, 1)
            assert [quality for _, _, quality in link.said if quality < 0] == []


async def test_a_unit_that_goes_away_in_a_scan_is_not_asked_for_the_rest_of_it() -> None:
    """Its gateway would wait for it each time, and every other unit with it."""
    async with serving() as server, linked(*(device_on(tcp(server), unit, 5.0) for unit in (1, 2))) as [lively, leaving]:
        server.patience = 0.2
        await lively.good()
        await leaving.good()
        server.silent = {2}
        await until(lambda: leaving.count(Quality.BAD_NO_COMMUNICATION) > 0)
        asked = [request for request in server.requests if request.unit == 2 and request.behaviour.name == "a gateway that waits"]
        assert len(asked) < len(ADDRESSES)
        assert leaving.count(Quality.BAD_NO_COMMUNICATION) == len(ADDRESSES), "once a tag"
        await lively.good()
        assert [quality for _, _, quality in lively.said if quality < 0] == []


async def test_without_an_identity_the_first_scan_after_disorder_is_uncertain_and_the_next_good() -> None:
    async with serving(Framing.RTU) as server, linked(device_on(tcp(server))) as [link]:
        await link.good(4)
        assert [quality for _, _, quality in link.said[:8]] == [Quality.UNCERTAIN] * 4 + [Quality.GOOD] * 4
        server.next_read.append(rogue_modbus_server.RTU_WRONG_CHECKSUM)
        await until(lambda: link.count(Quality.BAD_COMMUNICATION_ERROR) == 4)
        lost = len(link.said)
        await link.good(4)
        later = link.said[lost:]
        assert [quality for _, _, quality in later[:8]] == [Quality.UNCERTAIN] * 4 + [Quality.GOOD] * 4
        assert link.wrong == []


async def test_with_an_identity_values_are_good_as_soon_as_the_device_has_told_it() -> None:
    async with serving(Framing.RTU) as server, linked(device_on(tcp(server), identity=IDENTITY)) as [link]:
        await link.good(4)
        assert server.requests[0].address == IDENTITY.address
        assert link.count(Quality.UNCERTAIN) == 0
        await link.good(20)
        asked = "".join("i" if request.address == IDENTITY.address else "b" for request in server.requests)
        assert "ii" not in asked, "once before the first scan, and behind each, where it is the question of another length"


async def test_a_device_with_another_identity_is_never_good_and_good_when_the_right_one_is_back() -> None:
    async with serving(Framing.RTU) as server:
        server.registers[190] = 1
        async with linked(device_on(tcp(server), identity=IDENTITY)) as [link]:
            await until(lambda: server.connections >= 3)
            assert {quality for _, _, quality in link.said} == {Quality.BAD_COMMUNICATION_ERROR}
            assert link.metric("frames_rejected", reason="identity") >= 2
            assert "holding 190 reads (1, 1191), MB-7 has (1190, 1191) there" in (link.link.status.last_error or "")
            server.registers[190] = 1190
            await link.good()


async def test_the_silence_of_one_unit_is_no_disorder_for_another_on_its_rtu_line_whose_answers_bear_another_number() -> None:
    async with serving(Framing.RTU) as server, linked(*(device_on(tcp(server), unit) for unit in (1, 2))) as [first, second]:
        await first.good()
        await second.good()
        uncertain = first.count(Quality.UNCERTAIN), second.count(Quality.UNCERTAIN)
        server.next_read.append(late(1.5 * TIMEOUT))
        await until(lambda: first.metric("polls", result="timeout") + second.metric("polls", result="timeout") == 1)
        silent, other = (first, second) if first.metric("polls", result="timeout") else (second, first)
        await silent.good()
        await other.good()
        assert other.count(Quality.UNCERTAIN) == (uncertain[1] if other is second else uncertain[0])
        assert silent.count(Quality.UNCERTAIN) > (uncertain[0] if silent is first else uncertain[1])
        assert [quality for _, _, quality in other.said if quality < 0] == []


async def test_a_wrong_answer_to_one_unit_is_disorder_for_the_others_on_its_rtu_line() -> None:
    async with serving(Framing.RTU) as server, linked(*(device_on(tcp(server), unit) for unit in (1, 2))) as links:
        for link in links:
            await link.good()
        uncertain = [link.count(Quality.UNCERTAIN) for link in links]
        server.next_read.append(rogue_modbus_server.RTU_WRONG_CHECKSUM)
        await until(lambda: all(link.count(Quality.UNCERTAIN) > before for link, before in zip(links, uncertain, strict=True)))
        for link in links:
            await link.good()


async def test_a_write_over_rtu_is_sent_once_and_unknown_when_its_answer_is_late() -> None:
    async with serving(Framing.RTU) as server, linked(device_on(tcp(server))) as [link]:
        await link.good()
        server.next_write.append(late(1.2 * TIMEOUT))
        outcome = await link.link.write(link.tags[0], 1000.0, 5.0)
        assert outcome.status is WriteStatus.UNKNOWN
        await link.good()
        assert len(server.writes) == 1


@pytest.mark.parametrize("framing", Framing, ids=str)
@pytest.mark.parametrize("pieces", [1, 3])
async def test_answers_are_put_together_from_any_segments(framing: Framing, pieces: int) -> None:
    async with serving(framing) as server, linked(device_on(tcp(server), timeout=5.0)) as [link]:
        server.otherwise = Behaviour("in pieces", pace=0.001) if pieces > 1 else PROPER
        await link.good()
        assert (link.wrong, server.connections) == ([], 1)


async def test_a_window_is_filled_and_answers_out_of_order_reach_their_requests() -> None:
    chance = random.Random(2)
    async with serving() as server:
        server.next_read.extend(late(chance.uniform(0.0, 0.02)) for _ in range(200))
        async with linked(device_on(tcp(server, window=4), timeout=5.0)) as [link]:
            await link.good(80)
            assert server.pipelined > 20
            assert link.wrong == []
            assert (server.connections, link.metric("reconnects")) == (1, 0)


async def test_a_window_is_given_up_for_a_device_that_misnumbers_answers(caplog: pytest.LogCaptureFixture) -> None:
    async with serving() as server, linked(device_on(tcp(server, window=4), timeout=5.0)) as [link]:
        server.otherwise = late(0.005)
        await link.good(20)
        server.next_read.append(Behaviour("another number", rogue_modbus_server.FAR_TRANSACTION.change, delay=0.005))
        await until(lambda: "misnumbered" in caplog.text)
        await link.good(20)
        pipelined = server.pipelined
        await link.good(20)
        assert server.pipelined == pipelined
        assert (caplog.text.count("one at a time from now on"), link.wrong) == (1, [])
        status = link.link.status
        assert status.state is LinkState.DEGRADED
        assert "with 4 requests under way: one at a time now" in (status.last_error or "")


async def test_a_window_that_was_given_up_is_tried_again_later(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("drivers.modbus.window.NARROW_FOR", 1.0)
    async with serving() as server, linked(device_on(tcp(server, window=4), timeout=5.0)) as [link]:
        server.otherwise = late(0.005)
        await link.good(20)
        server.next_read.append(Behaviour("another number", rogue_modbus_server.FAR_TRANSACTION.change, delay=0.005))
        await until(lambda: link.link.status.state is LinkState.DEGRADED)
        pipelined = server.pipelined
        await until(lambda: server.pipelined > pipelined)
        await link.good(20)
        assert (link.link.status.state, link.wrong) == (LinkState.UP, [])


async def test_a_unit_that_stays_silent_does_not_slow_its_neighbour_s_scans_within_a_window() -> None:
    async with serving() as server:
        server.silent = {2}
        async with linked(*(device_on(tcp(server, window=4), unit) for unit in (1, 2))) as [lively, silent]:
            await until(lambda: silent.metric("polls", result="timeout") == 1)
            await until(lambda: sum(request.unit == 2 for request in server.requests) == 2)
            before = lively.count(Quality.GOOD)
            await until(lambda: silent.metric("polls", result="timeout") == 2)
            scans = (lively.count(Quality.GOOD) - before) / len(ADDRESSES)
            await lively.good(20)
            assert scans > TIMEOUT / 0.05 / 2, "of the twelve that were due while the silent one was waited for"
            assert (lively.wrong, lively.metric("reconnects"), server.connections) == ([], 0, 1)


async def test_an_answer_cut_short_within_a_window_is_no_value_of_its_unit_and_the_other_unit_s_scan_is_read_again() -> None:
    """Cut by two bytes, a register's: the number of the answer behind it would stand in its place."""
    async with serving() as server, linked(*(device_on(tcp(server, window=8), unit) for unit in (1, 2))) as links:
        server.otherwise = late(0.005)
        for link in links:
            await link.good(20)
        server.next_read.append(Behaviour("cut short", lambda frame: frame[:-2], delay=0.005))
        await until(lambda: any(link.link.status.state is not LinkState.UP for link in links))
        for link in links:
            await link.good(20)
        assert [link.wrong for link in links] == [[], []]
        assert server.connections == 2


async def test_a_window_is_given_up_for_a_server_that_answers_one_request_a_segment(caplog: pytest.LogCaptureFixture) -> None:
    """pymodbus does."""
    async with ModbusTestDevice() as peer:
        device = replace(peer.device, line=TcpLine("127.0.0.1", peer.port, window=4), timeout=0.5, max_registers=4)
        batches: list[Batch] = []

        async def keep(batch: Batch) -> None:
            batches.append(batch)

        metrics = DriverMetricFamilies(CollectorRegistry()).of("modbus", device.name)
        link = DeviceLink(device, PYMODBUS_TAGS, ModbusDriver().open, keep, lambda status: None, metrics, backoff=Backoff(first=0.05, cap=0.1))
        task = asyncio.create_task(link.run())
        try:
            await until(lambda: "one at a time from now on" in caplog.text)
            lost = len(batches)
            await until(lambda: sum(bool((batch.quality == Quality.GOOD).all()) for batch in batches[lost:]) >= 10)
        finally:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)


def certify(folder: Path, name: str, issuer: tuple[x509.Name, ec.EllipticCurvePrivateKey] | None = None) -> tuple[x509.Name, ec.EllipticCurvePrivateKey]:
    """Writes ``name.pem`` and ``name.key``, signed by the issuer or by itself; valid for 127.0.0.1 and ``name``."""
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, name)])
    now = datetime.datetime.now(datetime.UTC)
    issuer_name, issuer_key = issuer or (subject, key)
    names = [x509.DNSName(name), x509.IPAddress(ipaddress.ip_address("127.0.0.1"))]
    certificate = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer_name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - datetime.timedelta(minutes=5))
        .not_valid_after(now + datetime.timedelta(hours=1))
        .add_extension(x509.BasicConstraints(ca=issuer is None, path_length=None), critical=True)
        .add_extension(x509.SubjectAlternativeName(names), critical=False)
        .sign(issuer_key, hashes.SHA256())
    )
    (folder / f"{name}.pem").write_bytes(certificate.public_bytes(serialization.Encoding.PEM))
    (folder / f"{name}.key").write_bytes(key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()))
    return subject, key


@pytest.fixture(scope="module")
def certificates(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("certificates")
    authority = certify(folder, "authority")
    certify(folder, "server", authority)
    certify(folder, "client", authority)
    certify(folder, "stranger")
    return folder


def server_side(folder: Path, *, asks_for_ours: bool = False) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(folder / "server.pem", folder / "server.key")
    if asks_for_ours:
        context.verify_mode = ssl.CERT_REQUIRED
        context.load_verify_locations(folder / "authority.pem")
    return context


@pytest.mark.parametrize("asks_for_ours", [False, True])
async def test_a_line_with_tls_reads_and_writes(certificates: Path, asks_for_ours: bool) -> None:
    files = TlsFiles(str(certificates / "authority.pem"))
    if asks_for_ours:
        files = replace(files, certificate=str(certificates / "client.pem"), key=str(certificates / "client.key"))
    async with (
        serving(tls=server_side(certificates, asks_for_ours=asks_for_ours)) as server,
        linked(device_on(replace(tcp(server), tls=files), timeout=5.0)) as [link],
    ):
        await link.good()
        assert (await link.link.write(link.tags[0], 1000.0, 5.0)).status is WriteStatus.CONFIRMED
        assert link.wrong == []


@pytest.mark.parametrize(
    ("files", "text"),
    [
        (("stranger.pem", None, None, None), "put its authority in"),
        (("authority.pem", None, None, "another.example"), "or set server_name to its name"),
        (("missing.pem", None, None, None), "missing.pem holds no certificates in PEM to trust"),
        (("server.key", None, None, None), "server.key holds no certificates in PEM to trust"),
        (("authority.pem", "client.pem", "stranger.key", None), "hold no certificate with its key in PEM"),
        (("authority.pem", None, None, "x" * 64 + ".example"), "example' is no host"),
        (("authority.pem", None, None, "a\0b"), "'a.x00b' is no host"),
    ],
)
async def test_a_server_that_cannot_be_trusted_and_files_that_are_wrong_are_refused_with_the_mend(
    certificates: Path, files: tuple[str, str | None, str | None, str | None], text: str
) -> None:
    trusted, certificate, key, name = files
    tls = TlsFiles(str(certificates / trusted), certificate and str(certificates / certificate), key and str(certificates / key), name)
    async with serving(tls=server_side(certificates)) as server:
        with pytest.raises(DeviceUnreachable, match=text):
            async with opened(ModbusDriver(), device_on(replace(tcp(server), tls=tls), timeout=5.0)):
                pass
        assert server.requests == []


async def test_a_fault_of_ours_in_connecting_ends_the_attempt_and_is_in_the_log(monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture) -> None:
    async def fail(*_: object) -> None:
        raise RuntimeError("a fault")

    monkeypatch.setattr("drivers.modbus.line.dial", fail)
    async with serving() as server:
        with pytest.raises(DeviceUnreachable, match="by a fault of the driver which the log describes: a fault"):
            async with opened(ModbusDriver(), device_on(tcp(server))):
                pass
        assert "RuntimeError" in caplog.text


async def test_a_server_without_tls_is_refused(certificates: Path) -> None:
    async with serving() as server:
        server.otherwise = rogue_modbus_server.GARBAGE
        line = replace(tcp(server), tls=TlsFiles(str(certificates / "authority.pem")))
        with pytest.raises(DeviceUnreachable, match="no connection"):
            async with opened(ModbusDriver(), device_on(line)):
                pass


@pytest.fixture
def port(tmp_path: Path) -> Path:
    return tmp_path / "ttyMODBUS"


def serial(port: Path, baud_rate: int = 115200) -> SerialLine:
    return SerialLine(str(port), baud_rate, Parity.NONE)


async def test_units_on_a_serial_line_share_it_and_are_read_and_written(port: Path) -> None:
    async with serving_terminal(port) as server, linked(*(device_on(serial(port), unit) for unit in (1, 2))) as links:
        for link in links:
            await link.good()
            assert (await link.link.write(link.tags[0], 1000.0, 5.0)).status is WriteStatus.CONFIRMED
        assert (server.connections, server.pipelined) == (1, 0)
        assert [link.wrong for link in links] == [[], []]


async def test_a_silent_unit_on_a_serial_line_and_its_late_answer_harm_no_other(port: Path) -> None:
    async with serving_terminal(port) as server, linked(*(device_on(serial(port), unit) for unit in (1, 2))) as [first, second]:
        await first.good()
        await second.good()
        server.next_read.append(late(1.6 * TIMEOUT))
        await until(lambda: first.metric("polls", result="timeout") + second.metric("polls", result="timeout") == 1)
        lively = first if second.metric("polls", result="timeout") else second
        await lively.good(20)
        assert lively.metric("reconnects") == 0
        assert (first.wrong, second.wrong) == ([], [])


async def test_noise_between_frames_on_a_serial_line_is_waited_out(port: Path) -> None:
    async with serving_terminal(port) as server, linked(device_on(serial(port))) as [link]:
        await link.good()
        for _ in range(40):
            server.babble(b"\xff\x00\x55")
            await asyncio.sleep(0.02)
        await link.good()
        assert link.wrong == []
        assert link.metric("frames_rejected", reason="unasked") >= 1


@pytest.mark.parametrize(
    "behaviour", [rogue_modbus_server.RTU_NOISE_BEFORE, rogue_modbus_server.RTU_WRONG_CHECKSUM, rogue_modbus_server.RTU_TRUNCATED], ids=str
)
async def test_a_spoilt_answer_on_a_serial_line_is_bad_once_and_then_good_again(port: Path, behaviour: Behaviour) -> None:
    async with serving_terminal(port) as server, linked(device_on(serial(port))) as [link]:
        await link.good()
        server.next_read.append(behaviour)
        await until(lambda: any(quality < 0 for _, _, quality in link.said))
        await link.good()
        assert link.wrong == []
        assert sum(quality < 0 for _, _, quality in link.said) == len(ADDRESSES)


async def test_after_an_error_a_serial_line_is_left_alone_for_the_time_out(port: Path) -> None:
    async with serving_terminal(port) as server, linked(*(device_on(serial(port), unit) for unit in (1, 2))) as links:
        for link in links:
            await link.good()
        arrivals: list[float] = []
        spoilt = rogue_modbus_server.RTU_WRONG_CHECKSUM
        server.next_read.append(spoilt)
        await until(lambda: any(request.behaviour is spoilt for request in server.requests))
        arrivals.append(time.monotonic())
        asked = len(server.requests)
        await until(lambda: len(server.requests) > asked)
        assert time.monotonic() - arrivals[0] >= TIMEOUT - 0.05


async def test_a_serial_adapter_that_is_pulled_out_and_put_back_is_bad_once_and_then_good(port: Path) -> None:
    async with serving_terminal(port) as server, linked(device_on(serial(port))) as [link]:
        await link.good()
        await server.stop()
        port.unlink()
        await until(lambda: link.count(Quality.BAD_NO_COMMUNICATION) == len(ADDRESSES))
        await until(lambda: "no serial port" in (link.link.status.last_error or ""))
        await server.start_on_terminal(port)
        await link.good()
        assert link.count(Quality.BAD_NO_COMMUNICATION) == len(ADDRESSES)
        assert link.wrong == []


async def test_a_serial_port_is_held_by_one_program_and_what_is_no_port_is_refused(port: Path, tmp_path: Path) -> None:
    async with serving_terminal(port):
        async with opened(ModbusDriver(), device_on(serial(port))):
            with pytest.raises(DeviceUnreachable, match="another program has the serial port"):
                async with opened(ModbusDriver(), device_on(serial(port))):
                    pass
        with pytest.raises(DeviceUnreachable, match="no such speed"):
            async with opened(ModbusDriver(), device_on(serial(port, 12345))):
                pass
    plain = tmp_path / "plain"
    plain.write_text("")
    with pytest.raises(DeviceUnreachable, match="cannot be set"):
        async with opened(ModbusDriver(), device_on(serial(plain))):
            pass


async def test_a_write_that_is_given_up_ends_the_connection_it_was_sent_on_and_the_sessions_of_a_shared_line_go_on() -> None:
    """What the kernel still holds of it would else be sent, and done, behind the answer that was given."""
    async with serving() as server, AsyncExitStack() as sessions:
        driver = ModbusDriver()
        first = await sessions.enter_async_context(opened(driver, device_on(tcp(server), 1, 5.0)))
        second = await sessions.enter_async_context(opened(driver, device_on(tcp(server), 2, 5.0)))
        server.next_write.append(late(0.3))
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.1):
                await first.write(tags_of("MB-1")[0], 1000.0)
        await until(lambda: server.open_connections == 0)
        await anext(second.batches())
        await anext(first.batches())
        assert server.connections == 2
        assert len(server.writes) == 1


async def test_a_reader_that_gives_up_leaves_a_shared_line_to_the_others() -> None:
    async with serving() as server, AsyncExitStack() as sessions:
        driver = ModbusDriver()
        first = await sessions.enter_async_context(opened(driver, device_on(tcp(server), 1, 5.0)))
        second = await sessions.enter_async_context(opened(driver, device_on(tcp(server), 2, 5.0)))
        server.next_read.append(late(0.3))
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.1):
                await anext(first.batches())
        await anext(second.batches())
        await asyncio.sleep(0.3)
        await anext(first.batches())
        assert server.connections == 1


@pytest.mark.parametrize("identity", [None, IDENTITY], ids=["unknown device", "known device"])
async def test_a_doubled_rtu_answer_is_never_the_value_of_the_next_register(identity: Identity | None) -> None:
    """The second copy arrives while the next block, of the same length, is asked for."""
    async with serving(Framing.RTU) as server, linked(device_on(tcp(server), identity=identity)) as [link]:
        await link.good()
        server.otherwise = late(0.01)
        for place in range(6):
            server.next_read += [*[late(0.01)] * place, Behaviour("a copy behind it", delay=0.01, copy_after=0.003)]
            await until(lambda: not server.next_read)
            await link.good()
        assert [row for row in link.wrong if row[2] == Quality.GOOD] == []


LONG_BLOCKS = tuple(
    make_tag(1 + row, f"SEP.COL101.FT{address}", device="MB-7", scan_ms=800, source=ModbusAddress(ModbusTable.HOLDING, address, Encoding.UINT16))
    for row, address in enumerate(range(0, 180, 10))
)
"""Three blocks of 51 registers, where a read brings no more."""


@asynccontextmanager
async def long_blocks_linked(
    server: RogueModbusServer, identity: Identity | None
) -> AsyncIterator[tuple[DeviceLink[ModbusDevice], list[Batch], CollectorRegistry]]:
    batches: list[Batch] = []
    registry = CollectorRegistry()

    async def keep(batch: Batch) -> None:
        batches.append(batch)

    device = replace(device_on(tcp(server), timeout=5.0, identity=identity), max_registers=51)
    metrics = DriverMetricFamilies(registry).of("modbus", device.name)
    link = DeviceLink(device, LONG_BLOCKS, ModbusDriver().open, keep, lambda status: None, metrics, backoff=Backoff(first=0.05, cap=0.1, floor=0.02))
    async with supervised(link):
        yield link, batches, registry


@pytest.mark.parametrize("identity", [None, IDENTITY], ids=["unknown device", "known device"])
async def test_an_rtu_device_whose_scans_take_most_of_their_period_keeps_up(identity: Identity | None) -> None:
    """Three blocks take three quarters of it, as at some thousand baud, and the short question behind them next to nothing."""
    async with serving(Framing.RTU) as server:
        before = [] if identity is None else [PROPER]
        server.next_read += [*before, *[late(0.2)] * 3, *([] if identity is None else [PROPER]), *[*[late(0.2)] * 3, PROPER] * 20]
        async with long_blocks_linked(server, identity) as (link, batches, _):
            begun = time.monotonic()
            await until(lambda: len(batches) >= 7)
            assert time.monotonic() - begun < 8.5, "a slot of 0.8 s each; with a wait for stragglers behind each it would be every second one"
            assert link.status.state is LinkState.UP
            assert [request.argument for request in server.requests].count(1 if identity is None else 2) >= 5, "a short question behind each"


async def test_a_doubled_rtu_answer_is_found_by_a_question_of_another_length_before_anything_after_it_is_good() -> None:
    """The answers are slower than the copy: from it on each answer is that to the request before, and the last one comes when nobody waits any more."""
    async with serving(Framing.RTU) as server:
        server.otherwise = late(0.03)
        async with long_blocks_linked(server, None) as (_, batches, registry):
            for place in range(6):
                await until(lambda: bool(batches) and bool((batches[-1].quality == Quality.GOOD).all()))
                server.next_read += [*[late(0.03)] * place, Behaviour("a copy behind it", delay=0.03, copy_after=0.003)]
                await until(lambda: not server.next_read)
                seen = len(batches)
                await until(lambda: len(batches) > seen + 2)  # noqa: B023  # used within the round
        good = [(tag_id, value) for batch in batches for tag_id, value, quality in zip(batch.tag_id, batch.value, batch.quality, strict=True) if quality == 0]
        assert [(tag_id, value) for tag_id, value in good if value != 1000 + 10 * (tag_id - 1)] == []
        assert sum(sample.value for family in registry.collect() for sample in family.samples if sample.name == "monazite_driver_frames_rejected_total") > 0


@pytest.mark.parametrize("identity", [None, Identity(ModbusTable.HOLDING, 190, (1190,))], ids=["unknown device", "known device"])
async def test_an_answer_that_a_converter_hands_over_after_the_quiet_time_is_no_good_value(identity: Identity | None) -> None:
    """It comes on the new connection, while the first request of the new session is under way, and has its length."""
    async with serving(Framing.RTU) as server, linked(device_on(tcp(server), timeout=SHORT_TIMEOUT, identity=identity)) as [link]:
        server.is_converter = True
        await link.good()
        server.otherwise = late(0.5 * SHORT_TIMEOUT)
        for _ in range(3):
            await until(lambda: server.requests[-1].address == ADDRESSES[0])
            server.next_read.append(late(2.4 * SHORT_TIMEOUT))
            await until(lambda: not server.next_read)
            await link.good()
        if identity is None:
            assert link.wrong != [], "the server does what no request can undo"
            assert {quality for _, _, quality in link.wrong} == {Quality.UNCERTAIN}
        else:
            assert link.wrong == []
            assert link.metric("frames_rejected", reason="identity") >= 1


async def test_a_bit_is_not_written_into_a_word_that_may_be_another() -> None:
    async with serving(Framing.RTU) as server:
        tag = make_tag(1, "SEP.COL101.XS101", device="MB-7", data_type=DataType.BOOLEAN, writable=True, eu_range=None, source=BIT_OF_WORD)
        device = replace(device_on(tcp(server)), bit_writes=BitWrites.READ_MODIFY_WRITE)
        metrics = DriverMetricFamilies(CollectorRegistry()).of("modbus", device.name)
        session = await ModbusDriver().open(device, [tag], metrics)
        try:
            unproven = await session.write(tag, 1.0)
            assert (unproven.status, server.writes) == (WriteStatus.NOT_SENT, [])
            assert "disorder" in unproven.detail
            batches = session.batches()
            await anext(batches)
            assert (await session.write(tag, 1.0)).status is WriteStatus.CONFIRMED
            assert server.registers[40] == 1040 | 1
        finally:
            await session.close()


@pytest.mark.parametrize("framing", Framing, ids=str)
async def test_a_wrong_identity_ends_a_session_as_a_broken_protocol(framing: Framing) -> None:
    async with serving(framing) as server:
        server.registers[191] = 0
        async with opened(ModbusDriver(), device_on(tcp(server), identity=IDENTITY)) as session:
            with pytest.raises(DeviceProtocolError, match="MB-7"):
                await anext(session.batches())


async def test_a_device_whose_answers_are_numbered_is_asked_for_its_identity_once_a_session() -> None:
    async with serving() as server, linked(device_on(tcp(server), identity=IDENTITY)) as [link]:
        await link.good(40)
        assert [request.address for request in server.requests].count(IDENTITY.address) == 1
        assert server.requests[0].address == IDENTITY.address


async def test_a_set_point_whose_time_is_over_before_its_turn_is_not_sent_and_never_is() -> None:
    async with serving() as server, linked(device_on(tcp(server), 1, 1.0), device_on(tcp(server), 2, 1.0)) as links:
        for link in links:
            await link.good()
        server.next_read.append(late(0.8))
        await until(lambda: not server.next_read)
        waiting = await links[1].link.write(links[1].tags[0], 1000.0, 0.2)
        assert waiting.status is WriteStatus.NOT_SENT
        assert "before it could be sent (0.2 s)" in waiting.detail
        server.next_write.append(late(0.8))
        await links[1].good()
        sent = await links[1].link.write(links[1].tags[0], 1000.0, 0.2)
        assert sent.status is WriteStatus.UNKNOWN
        await links[0].good()
        assert len(server.writes) == 1, "one write left, once"
