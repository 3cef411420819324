"""Several requests under way at once on a Modbus line."""

import asyncio
import random
from dataclasses import replace

import pytest
from prometheus_client import CollectorRegistry

from drivers import DeviceLink, DriverMetricFamilies
from drivers.backoff import Backoff
from drivers.modbus import ModbusDriver
from plant.batch import Batch
from plant.device import TcpLine
from plant.link import LinkState
from plant.quality import Quality
from tests import rogue_modbus_server
from tests.modbus_device import TAGS as PYMODBUS_TAGS
from tests.modbus_device import ModbusTestDevice
from tests.modbus_lines import ADDRESSES, TIMEOUT, device_on, linked, serving, tcp, until
from tests.rogue_modbus_server import Behaviour, late


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
