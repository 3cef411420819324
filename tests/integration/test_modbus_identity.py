"""A Modbus device that is known by what some of its registers hold: nothing is Good, and nothing is written, while it may be another one."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager

import pytest

from drivers import WriteStatus
from drivers.modbus import ModbusDriver
from plant.device import Framing
from plant.errors import DeviceProtocolError
from plant.link import LinkState
from plant.quality import Quality
from tests import rogue_modbus_server
from tests.modbus_lines import ADDRESSES, IDENTITY, Link, device_on, linked, opened, serving, tags_of, tcp, until
from tests.rogue_modbus_server import RogueModbusServer, exception, late
from tests.supervised import supervised


def become_another_device(server: RogueModbusServer) -> None:
    server.registers = [5000 + address for address in range(len(server.registers))]


@asynccontextmanager
async def seldom_scanned(server: RogueModbusServer) -> AsyncIterator[Link]:
    link = Link(ModbusDriver(), device_on(tcp(server), timeout=5.0, identity=IDENTITY), scan_ms=2000)
    async with supervised(link.link):
        await link.good(4)
        yield link


@pytest.fixture(autouse=True)
def soon_idle(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("drivers.modbus.line._IDLE_FOR", 0.1)


async def until_idle(server: RogueModbusServer) -> None:
    asked = None
    while asked != len(server.requests):
        asked = len(server.requests)
        await asyncio.sleep(0.3)


async def test_another_device_behind_a_connection_that_was_made_anew_is_never_good() -> None:
    async with serving() as server, seldom_scanned(server) as link:
        await until_idle(server)
        become_another_device(server)
        server.close_connections()
        await until(lambda: link.metric("frames_rejected", reason="identity") >= 1)
        assert [row for row in link.wrong if row[2] >= 0] == []
        assert link.count(Quality.BAD_COMMUNICATION_ERROR) == len(ADDRESSES)


async def test_another_device_behind_a_connection_that_was_made_anew_is_not_written_to() -> None:
    async with serving() as server, seldom_scanned(server) as link:
        await until_idle(server)
        become_another_device(server)
        server.close_connections()
        await until(lambda: server.connections == 2)
        outcome = await link.link.write(link.tags[0], 7.0, 5.0)
        assert outcome.status is WriteStatus.NOT_SENT
        assert server.writes == []


async def test_the_same_device_behind_a_connection_that_was_made_anew_is_written_to_at_once() -> None:
    async with serving() as server, seldom_scanned(server) as link:
        await until_idle(server)
        server.close_connections()
        await until(lambda: server.connections == 2)
        assert (await link.link.write(link.tags[0], 1000.0, 5.0)).status is WriteStatus.CONFIRMED
        assert link.metric("reconnects") == 0


@pytest.mark.parametrize("framing", Framing, ids=str)
async def test_what_befalls_one_unit_has_the_others_on_the_line_tell_their_identity_again(framing: Framing) -> None:
    async with serving(framing) as server, linked(device_on(tcp(server), 1, identity=IDENTITY), device_on(tcp(server), 2)) as [known, other]:
        await known.good()
        await other.good()
        server.next_write.append(late(30.0))
        assert (await other.link.write(other.tags[0], 1000.0, 5.0)).status is WriteStatus.UNKNOWN
        await known.good()
        anew = [request.address for request in server.requests if request.unit == 1 and request.connection == server.connections]
        assert IDENTITY.address in anew
        assert known.metric("reconnects") == 0
        assert [quality for _, _, quality in known.said if quality < 0] == []


@pytest.mark.parametrize("framing", Framing, ids=str)
async def test_a_device_that_fails_to_tell_its_identity_is_uncertain_and_gets_no_write_until_it_does(framing: Framing) -> None:
    async with serving(framing) as server:
        server.failing = {IDENTITY.address}
        async with linked(device_on(tcp(server), identity=IDENTITY)) as [link]:
            await until(lambda: link.count(Quality.UNCERTAIN) >= 4 * len(ADDRESSES))
            assert {quality for _, _, quality in link.said} == {Quality.UNCERTAIN}
            status = link.link.status
            assert status.state is LinkState.DEGRADED
            assert "does not tell its identity: holding 190" in (status.last_error or "")
            outcome = await link.link.write(link.tags[0], 7.0, 5.0)
            assert (outcome.status, server.writes) == (WriteStatus.NOT_SENT, [])
            server.failing = set()
            await link.good()
            assert (await link.link.write(link.tags[0], 1000.0, 5.0)).status is WriteStatus.CONFIRMED


async def test_a_device_that_does_not_know_the_function_by_which_it_is_known_is_another() -> None:
    async with serving() as server:
        server.next_read.append(exception(0x01))
        async with linked(device_on(tcp(server), identity=IDENTITY)) as [link]:
            await until(lambda: link.metric("frames_rejected", reason="identity") == 1)
            await link.good()
            assert link.count(Quality.UNCERTAIN) == 0


async def test_the_others_are_read_on_when_a_wrong_identity_met_a_command_of_one_of_them() -> None:
    """The command is not sent again; it is read back."""
    async with serving() as server, AsyncExitStack() as sessions:
        driver = ModbusDriver()
        stranger = await sessions.enter_async_context(opened(driver, device_on(tcp(server), 1, 5.0, IDENTITY)))
        writing = await sessions.enter_async_context(opened(driver, device_on(tcp(server), 2, 5.0)))
        reading = await sessions.enter_async_context(opened(driver, device_on(tcp(server), 3, 5.0)))
        server.registers[IDENTITY.address] = 1
        server.next_read.append(late(0.2))
        server.next_write.append(rogue_modbus_server.HANGS)
        proving = asyncio.create_task(anext(stranger.batches()))
        await until(lambda: len(server.requests) == 1)
        command = asyncio.create_task(writing.write(tags_of("MB-2")[0], 1000.0))
        scan = asyncio.create_task(anext(reading.batches()))
        with pytest.raises(DeviceProtocolError, match="holding 190 reads"):
            await proving
        assert (await command).status is WriteStatus.CONFIRMED
        assert len(server.writes) == 1
        async with asyncio.timeout(5.0):
            assert (await scan).value.tolist() == [1000.0 + address for address in ADDRESSES]
