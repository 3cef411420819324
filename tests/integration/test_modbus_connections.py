"""Modbus connections: their ends, their beginnings, and the requests on them."""

import asyncio
from dataclasses import replace

import pytest

from drivers.modbus import ModbusDriver
from drivers.session import WriteStatus
from plant.device import Framing
from plant.errors import DeviceUnreachable
from plant.link import LinkState
from plant.quality import Quality
from tests import rogue_modbus_server
from tests.modbus_lines import ADDRESSES, IDENTITY, Link, device_on, linked, opened, serving, tcp, until
from tests.rogue_modbus_server import PROPER, Behaviour, late
from tests.supervised import supervised


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


@pytest.mark.parametrize("framing", Framing, ids=str)
@pytest.mark.parametrize("pieces", [1, 3])
async def test_answers_are_put_together_from_any_segments(framing: Framing, pieces: int) -> None:
    async with serving(framing) as server, linked(device_on(tcp(server), timeout=5.0)) as [link]:
        server.otherwise = Behaviour("in pieces", pace=0.001) if pieces > 1 else PROPER
        await link.good()
        assert (link.wrong, server.connections) == ([], 1)


async def test_a_fault_of_ours_in_connecting_ends_the_attempt_and_is_in_the_log(monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture) -> None:
    async def fail(*_: object) -> None:
        raise RuntimeError("a fault")

    monkeypatch.setattr("drivers.modbus.line.dial", fail)
    async with serving() as server:
        with pytest.raises(DeviceUnreachable, match="by a fault of the driver which the log describes: a fault"):
            async with opened(ModbusDriver(), device_on(tcp(server))):
                pass
        assert "RuntimeError" in caplog.text


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
