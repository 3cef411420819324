"""Units that share a Modbus connection: their turns, their silences, and what one does to the others."""

import asyncio
import itertools
import time
from collections.abc import AsyncGenerator
from contextlib import AsyncExitStack
from dataclasses import replace

import pytest
from prometheus_client import CollectorRegistry

from drivers import DriverMetricFamilies, SilentUnit
from drivers.modbus import ModbusDriver
from drivers.session import WriteStatus
from plant.batch import Batch
from plant.errors import DeviceUnreachable
from plant.quality import Quality
from tests import rogue_modbus_server
from tests.modbus_lines import ADDRESSES, TIMEOUT, device_on, linked, opened, serving, tags_of, tcp, until
from tests.rogue_modbus_server import PROPER, Behaviour, late


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
