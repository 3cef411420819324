"""RTU framing over a socket: answers without a number, and the disorder that follows an error."""

import asyncio
import random
import time
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import replace

import pytest
from prometheus_client import CollectorRegistry
from pymodbus import FramerType
from pymodbus.client import AsyncModbusTcpClient
from pymodbus.exceptions import ModbusIOException

from drivers import DeviceLink, DriverMetricFamilies
from drivers.backoff import Backoff
from drivers.modbus import ModbusDriver
from drivers.session import WriteStatus
from plant.batch import Batch
from plant.device import BitWrites, Encoding, Framing, Identity, ModbusAddress, ModbusDevice, ModbusTable
from plant.errors import DeviceProtocolError, DeviceUnreachable
from plant.link import LinkState
from plant.quality import Quality
from plant.tag import DataType
from tests import rogue_modbus_server
from tests.modbus_lines import ADDRESSES, BIT_OF_WORD, IDENTITY, SHORT_TIMEOUT, TIMEOUT, device_on, linked, opened, serving, tcp, until
from tests.rogue_modbus_server import PROPER, Behaviour, RogueModbusServer, late
from tests.samples import make_tag
from tests.supervised import supervised


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
    server: RogueModbusServer, identity: Identity | None, answers_within: float = 5.0
) -> AsyncIterator[tuple[DeviceLink[ModbusDevice], list[Batch], CollectorRegistry]]:
    batches: list[Batch] = []
    registry = CollectorRegistry()

    async def keep(batch: Batch) -> None:
        batches.append(batch)

    device = replace(device_on(tcp(server), timeout=answers_within, identity=identity), max_registers=51)
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
        async with long_blocks_linked(server, None, answers_within=1.0) as (_, batches, registry):
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
