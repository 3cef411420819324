"""An OPC UA device behind a cable that is cut: what the device kept meanwhile comes after all, and the ledger says so."""

import asyncio
import itertools
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import numpy as np
import pytest
from asyncua import Server, ua
from asyncua.common.utils import ServiceError
from prometheus_client import CollectorRegistry

from drivers import Backoff, DeviceLink, DriverMetricFamilies, DriverMetrics
from drivers.opcua import OpcuaDriver
from plant import times
from plant.batch import Batch, SampleBatch
from plant.device import OpcuaAddress, OpcuaDevice, OpcuaSecurity
from plant.errors import DeviceUnreachable
from plant.ledger import GapCause
from plant.quality import Quality
from plant.tag import Tag
from tests.cable import Cable
from tests.integration.test_opcua_driver import opened, rows_until
from tests.opcua_server import stock_server
from tests.samples import make_tag

URI = "urn:test:plant"
LEVEL = make_tag(1, "SEP.T101.LT101", source=OpcuaAddress(f"nsu={URI};s=level"), scan_ms=10)
PRESSURE = make_tag(2, "SEP.T101.PT101", source=OpcuaAddress(f"nsu={URI};s=pressure"), scan_ms=10)


def node_of(tag: Tag) -> ua.NodeId:
    assert isinstance(tag.source, OpcuaAddress)
    return ua.NodeId(ua.String(tag.source.node.rpartition("=")[2]), ua.Int16(2))


@asynccontextmanager
async def historian_server(*historized: Tag, most: int = 0) -> AsyncIterator[tuple[Server, int]]:
    """A server that keeps what it is told of some of its tags, and has had a value of each for a minute, and its port. ``most`` values of each, the newest, if
    that is not 0."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
    server = await stock_server()
    server.set_endpoint(f"opc.tcp://127.0.0.1:{port}/")
    server.set_security_policy([ua.SecurityPolicyType.NoSecurity])
    assert await server.register_namespace(URI) == 2
    for tag in {tag.id: tag for tag in (LEVEL, PRESSURE, *historized)}.values():
        variable = await server.nodes.objects.add_variable(node_of(tag), tag.name, 0.0)
        old = datetime.now(UTC) - timedelta(minutes=1)
        await server.write_attribute_value(node_of(tag), ua.DataValue(ua.Variant(0.0), SourceTimestamp=ua.DateTime.fromtimestamp(old.timestamp(), UTC)))
        if tag in historized:
            await server.historize_node_data_change(variable, period=timedelta(days=1), count=most)
    async with server:
        yield server, port


async def put(server: Server, tag: Tag, *values: float) -> None:
    for value in values:
        await server.write_attribute_value(node_of(tag), ua.DataValue(ua.Variant(value), SourceTimestamp=ua.DateTime.now(UTC)))
        await asyncio.sleep(0.02)


async def forget_sessions(server: Server) -> None:
    """As after a long outage: what the driver left in them is gone, and what remains is the history."""
    for session in list(server.iserver._external_sessions.values()):
        await session.close_session()


def device_at(port: int) -> OpcuaDevice:
    return OpcuaDevice("PLC-SEP-01", "SEP", f"opc.tcp://127.0.0.1:{port}/", 0.05, 4.0, OpcuaSecurity.none(), history=True)


def figures() -> DriverMetrics:
    return DriverMetricFamilies(CollectorRegistry()).of("opcua", "PLC-SEP-01")


class Taken:
    """What was handed over of a history."""

    def __init__(self) -> None:
        self.batches: list[Batch] = []

    async def __call__(self, batch: Batch) -> None:
        self.batches.append(batch)

    @property
    def values(self) -> list[float]:
        return [float(value) for batch in self.batches if isinstance(batch, SampleBatch) for value in batch.value]


class Account:
    """What a link published and told."""

    def __init__(self) -> None:
        self.live: list[Batch] = []
        self.history: list[Batch] = []
        self.gap: list[int] = []
        self.recovered_from: int | None = None

    async def publish(self, batch: Batch) -> None:
        self.live.append(batch)

    async def take_history(self, batch: Batch) -> None:
        self.history.append(batch)

    def lost(self, cause: GapCause, start: int) -> None:
        assert cause is GapCause.LINK_LOST
        self.gap.append(start)

    def regained(self, cause: GapCause, end: int) -> None:
        self.gap.append(end)

    def recovered(self, cause: GapCause, start: int) -> None:
        self.recovered_from = start

    def good(self, tag: Tag) -> list[float]:
        """The Good values of a tag, live ones and others, in order of time."""
        samples = SampleBatch.concatenate([batch for batch in (*self.live, *self.history) if isinstance(batch, SampleBatch)])
        mine = samples.select(np.flatnonzero((samples.tag_id == tag.id) & (samples.quality == Quality.GOOD)))
        return [float(value) for value in mine.value[np.argsort(mine.time, kind="stable")]]


@asynccontextmanager
async def linked(cable: Cable, tags: tuple[Tag, ...], *, history: bool = True) -> AsyncIterator[Account]:
    device = OpcuaDevice("PLC-SEP-01", "SEP", f"opc.tcp://127.0.0.1:{cable.port}/", 0.05, 2.0, OpcuaSecurity.none(), history=history)
    account = Account()
    metrics = DriverMetricFamilies(CollectorRegistry()).of("opcua", device.name)
    backoff = Backoff(first=0.1, cap=0.2)
    link = DeviceLink(device, tags, OpcuaDriver().open, account.publish, lambda status: None, metrics, account=account, backoff=backoff)
    running = asyncio.create_task(link.run())
    try:
        yield account
    finally:
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)


async def until_good(account: Account, tag: Tag, value: float) -> None:
    async with asyncio.timeout(20):
        while value not in account.good(tag):
            await asyncio.sleep(0.02)


async def outage(server: Server, cable: Cable, account: Account) -> None:
    """One value of each tag before, several while the cable is cut, one after."""
    for tag in (LEVEL, PRESSURE):
        await put(server, tag, 1.0)
        await until_good(account, tag, 1.0)
    await cable.cut()
    async with asyncio.timeout(20):
        while not account.gap:
            await asyncio.sleep(0.01)
    await forget_sessions(server)
    for tag in (LEVEL, PRESSURE):
        await put(server, tag, 2.0, 3.0, 4.0, 5.0)
    await cable.mend()
    await until_good(account, LEVEL, 5.0)
    for tag in (LEVEL, PRESSURE):
        await put(server, tag, 6.0)
        await until_good(account, tag, 6.0)


async def test_what_the_device_kept_fills_the_outage_and_the_ledger_says_recovered() -> None:
    async with historian_server(LEVEL, PRESSURE) as (server, port), Cable(port) as cable, linked(cable, (LEVEL, PRESSURE)) as account:
        await outage(server, cable, account)
        async with asyncio.timeout(20):
            while account.recovered_from is None:
                await asyncio.sleep(0.02)
    for tag in (LEVEL, PRESSURE):
        assert list(dict.fromkeys(account.good(tag)))[-6:] == [1.0, 2.0, 3.0, 4.0, 5.0, 6.0]
    start, end = account.gap
    assert start < end
    assert account.recovered_from == start


async def test_an_outage_of_which_the_device_kept_only_a_part_is_filled_with_it_and_not_recovered() -> None:
    async with historian_server(LEVEL) as (server, port), Cable(port) as cable, linked(cable, (LEVEL, PRESSURE)) as account:
        await outage(server, cable, account)
        await asyncio.sleep(0.3)
    assert list(dict.fromkeys(account.good(LEVEL)))[-6:] == [1.0, 2.0, 3.0, 4.0, 5.0, 6.0]
    assert 3.0 not in account.good(PRESSURE)
    assert account.recovered_from is None


async def test_a_history_that_kept_only_the_newest_values_fills_what_it_has_and_is_not_recovered() -> None:
    async with historian_server(LEVEL, most=3) as (server, port), Cable(port) as cable, linked(cable, (LEVEL,)) as account:
        await put(server, LEVEL, 1.0)
        await until_good(account, LEVEL, 1.0)
        await cable.cut()
        async with asyncio.timeout(20):
            while not account.gap:
                await asyncio.sleep(0.01)
        await forget_sessions(server)
        await put(server, LEVEL, *map(float, range(2, 10)))
        await cable.mend()
        await until_good(account, LEVEL, 8.0)
        await asyncio.sleep(0.5)
    assert list(dict.fromkeys(account.good(LEVEL)))[-3:] == [7.0, 8.0, 9.0]
    assert 3.0 not in account.good(LEVEL)
    assert account.recovered_from is None


class Bounds:
    """A server's history with the values that bound what was asked for, or the word that it has none."""

    def __init__(self, server: Server) -> None:
        self.asked: list[ua.ReadRawModifiedDetails] = []
        self._whole = server.iserver.history_manager.read_history
        self._kept: dict[ua.NodeId, list[ua.DataValue]] = server.iserver.history_manager.storage._datachanges  # type: ignore[attr-defined]
        server.iserver.history_manager.read_history = self.read  # type: ignore[method-assign]  # of this one server

    async def read(self, params: ua.HistoryReadParameters) -> list[ua.HistoryReadResult]:
        details = params.HistoryReadDetails
        assert isinstance(details, ua.ReadRawModifiedDetails)
        self.asked.append(details)
        results = await self._whole(params)
        for node, result in zip(params.NodesToRead, results, strict=True):
            assert isinstance(result.HistoryData, ua.HistoryData)
            values = self._kept[node.NodeId]
            before = [value for value in values if value.SourceTimestamp <= details.StartTime]
            after = [value for value in values if value.SourceTimestamp >= details.EndTime]
            inside = [value for value in result.HistoryData.DataValues if value not in (*before, *after)]
            result.HistoryData.DataValues = [*(before[-1:] or [no_bound(details.StartTime)]), *inside, *(after[:1] or [no_bound(details.EndTime)])]
        return results


def no_bound(time: ua.DateTime) -> ua.DataValue:
    """Source: OPC UA Part 11, 6.4.3.2."""
    return ua.DataValue(ua.Variant(), StatusCode=ua.StatusCode(ua.UInt32(ua.StatusCodes.BadBoundNotFound)), SourceTimestamp=time)


@pytest.mark.parametrize(("most", "is_whole", "kept"), [(0, True, [2.0, 3.0, 4.0, 5.0]), (3, False, [3.0, 4.0, 5.0])])
async def test_bounds_tell_whether_a_history_goes_back_to_the_loss_and_are_no_samples(most: int, is_whole: bool, kept: list[float]) -> None:
    async with historian_server(LEVEL, most=most) as (server, port):
        await put(server, LEVEL, 2.0, 3.0, 4.0, 5.0)
        bounds = Bounds(server)
        taken = Taken()
        async with opened(device_at(port), (LEVEL,), figures()) as (session, batches):
            await rows_until(batches, lambda rows: rows != [])
            assert await session.recover(times.now() - 10 * times.MICROSECONDS, times.now() + times.MICROSECONDS, taken) is is_whole
    assert taken.values == kept
    assert [details.ReturnBounds for details in bounds.asked] == [True], "the bound is proof enough"


@pytest.mark.parametrize("knows_ranges", [True, False])
async def test_the_history_of_an_element_is_its_own_or_none(knows_ranges: bool) -> None:
    element = make_tag(3, "SEP.T101.TT101", source=OpcuaAddress(f"nsu={URI};s=temperatures", index=1), scan_ms=10)
    assert isinstance(element.source, OpcuaAddress)
    async with historian_server() as (server, port):
        variable = await server.nodes.objects.add_variable(node_of(element), "temperatures", [0.0, 0.0])
        for number, age in enumerate((60, 30, 20)):
            moment = ua.DateTime.fromtimestamp(datetime.now(UTC).timestamp() - age, UTC)
            await server.write_attribute_value(node_of(element), ua.DataValue(ua.Variant([0.0, 10.0 * number]), SourceTimestamp=moment))
            if not number:
                await server.historize_node_data_change(variable, period=timedelta(days=1))
            await asyncio.sleep(0.05)
        read = server.iserver.history_manager.read_history

        async def read_elements(params: ua.HistoryReadParameters) -> list[ua.HistoryReadResult]:
            """The library's server knows no index ranges."""
            results = await read(params)
            for node, result in zip(params.NodesToRead, results, strict=True):
                assert isinstance(result.HistoryData, ua.HistoryData)
                values = result.HistoryData.DataValues
                if node.IndexRange:
                    parts = [[value.Value.Value[int(node.IndexRange)]] for value in values if value.Value is not None]
                    result.HistoryData.DataValues = [replace(value, Value=ua.Variant(part)) for value, part in zip(values, parts, strict=True)]
            return results

        if knows_ranges:
            server.iserver.history_manager.read_history = read_elements  # type: ignore[method-assign]  # of this one server
        taken = Taken()
        async with opened(device_at(port), (element,), figures()) as (session, batches):
            await rows_until(batches, lambda rows: rows != [])
            assert await session.recover(times.now() - 50 * times.MICROSECONDS, times.now(), taken) is knows_ranges
    assert taken.values == ([10.0, 20.0] if knows_ranges else [])


async def test_a_history_that_is_cut_off_at_the_number_that_was_asked_for_is_asked_for_the_rest() -> None:
    """The library's server gives no continuation point for it."""
    async with historian_server(LEVEL) as (server, port):
        for value in range(1, 1202):
            await server.write_attribute_value(node_of(LEVEL), ua.DataValue(ua.Variant(float(value)), SourceTimestamp=ua.DateTime.now(UTC)))
            if value % 100 == 0:
                await asyncio.sleep(0.02)
        taken = Taken()
        async with opened(device_at(port), (LEVEL,), figures()) as (session, batches):
            await rows_until(batches, lambda rows: rows != [])
            assert await session.recover(times.now() - 50 * times.MICROSECONDS, times.now() + times.MICROSECONDS, taken)
    assert sorted(set(taken.values)) == [float(value) for value in range(1, 1202)]


class Pages:
    """A server's history two values at a time, under one continuation point that stays the same; the first page for ever, if it goes in a circle."""

    def __init__(self, server: Server, *, is_circle: bool) -> None:
        self.asked = 0
        self._whole = server.iserver.history_manager.read_history
        self._is_circle = is_circle
        self._left: dict[ua.NodeId, list[ua.DataValue]] = {}
        server.iserver.history_manager.read_history = self.read  # type: ignore[method-assign]  # of this one server

    async def read(self, params: ua.HistoryReadParameters) -> list[ua.HistoryReadResult]:
        self.asked += 1
        fresh = [node for node in params.NodesToRead if not node.ContinuationPoint]
        for node, result in zip(fresh, await self._whole(replace(params, NodesToRead=fresh)), strict=True):
            assert isinstance(result.HistoryData, ua.HistoryData)
            self._left[node.NodeId] = list(result.HistoryData.DataValues)
        return [self._page(node.NodeId) for node in params.NodesToRead]

    def _page(self, node: ua.NodeId) -> ua.HistoryReadResult:
        left = self._left[node]
        if not self._is_circle:
            self._left[node] = left[2:]
        has_more = self._is_circle or len(left) > 2
        return ua.HistoryReadResult(HistoryData=ua.HistoryData(DataValues=left[:2]), ContinuationPoint=b"cursor" if has_more else None)


async def test_a_history_that_comes_in_pages_under_one_continuation_point_is_read_to_its_end() -> None:
    async with historian_server(LEVEL, PRESSURE) as (server, port), Cable(port) as cable, linked(cable, (LEVEL, PRESSURE)) as account:
        pages = Pages(server, is_circle=False)
        await outage(server, cable, account)
        async with asyncio.timeout(20):
            while account.recovered_from is None:
                await asyncio.sleep(0.02)
    assert pages.asked >= 3
    for tag in (LEVEL, PRESSURE):
        assert list(dict.fromkeys(account.good(tag)))[-6:] == [1.0, 2.0, 3.0, 4.0, 5.0, 6.0]


async def test_the_history_of_many_tags_is_asked_for_a_few_at_a_time_and_each_to_its_end() -> None:
    """An answer is decoded in one piece, while nothing else of the gateway runs, and a server has few places for nodes that were read in part."""
    tags = tuple(make_tag(number, f"SEP.T101.TT{number}", source=OpcuaAddress(f"nsu={URI};s=t{number}"), scan_ms=10) for number in range(1, 26))
    asked: list[tuple[int, list[ua.NodeId]]] = []
    async with historian_server(*tags) as (server, port):
        for tag in tags:
            await put(server, tag, 2.0, 3.0, 4.0, 5.0)
        pages = Pages(server, is_circle=False)
        read = pages.read

        async def noted(params: ua.HistoryReadParameters) -> list[ua.HistoryReadResult]:
            asked.append((params.HistoryReadDetails.NumValuesPerNode, [node.NodeId for node in params.NodesToRead]))
            return await read(params)

        server.iserver.history_manager.read_history = noted  # type: ignore[method-assign]  # of this one server
        taken = Taken()
        async with opened(device_at(port), tags, figures()) as (session, batches):
            await rows_until(batches, lambda rows: {tag_id for tag_id, *_ in rows} == set(range(1, 26)))
            assert await session.recover(times.now() - 50 * times.MICROSECONDS, times.now() + times.MICROSECONDS, taken)
    assert [taken.values.count(value) for value in (2.0, 3.0, 4.0, 5.0)] == [25] * 4
    assert {count for count, _ in asked} == {500, 1}, "the last calls ask for the value before the outage"
    asked = [(count, nodes) for count, nodes in asked if count == 500]
    assert max(len(nodes) for _, nodes in asked) == 10
    finished: set[ua.NodeId] = set()
    for (_, earlier), (_, later) in itertools.pairwise(asked):
        finished |= set(earlier) - set(later)
        assert finished.isdisjoint(later), "none is taken up again"


async def test_a_history_whose_reading_is_refused_in_the_middle_goes_on_from_where_it_stopped() -> None:
    async with historian_server(LEVEL) as (server, port):
        await put(server, LEVEL, 2.0, 3.0, 4.0, 5.0)
        pages = Pages(server, is_circle=False)
        read = pages.read
        calls = itertools.count()

        async def busy(params: ua.HistoryReadParameters) -> list[ua.HistoryReadResult]:
            if next(calls) == 1:
                raise ServiceError(ua.StatusCodes.BadServerTooBusy)
            return await read(params)

        server.iserver.history_manager.read_history = busy  # type: ignore[method-assign]  # of this one server
        taken = Taken()
        span = times.now() - 50 * times.MICROSECONDS, times.now() + times.MICROSECONDS
        async with opened(device_at(port), (LEVEL,), figures()) as (session, batches):
            await rows_until(batches, lambda rows: rows != [])
            with pytest.raises(DeviceUnreachable, match="refused a read of its history"):
                await session.recover(*span, taken)
            assert taken.values == [2.0, 3.0]
            assert await session.recover(*span, taken)
    assert taken.values == [2.0, 3.0, 4.0, 5.0]


class Places:
    """A server's history, two values at a time, with ``free`` places for nodes that are read in part; with ``forgets`` it does not keep the first of them."""

    def __init__(self, server: Server, free: int, *, forgets: bool = False) -> None:
        self.calls: list[int] = []
        self.free = free
        self._forgets = forgets
        self._whole = server.iserver.history_manager.read_history
        self._left: dict[bytes, list[ua.DataValue]] = {}
        server.iserver.history_manager.read_history = self.read  # type: ignore[method-assign]  # of this one server

    async def read(self, params: ua.HistoryReadParameters) -> list[ua.HistoryReadResult]:
        self.calls.append(len(params.NodesToRead))
        return [await self._read(params, node) for node in params.NodesToRead]

    async def _read(self, params: ua.HistoryReadParameters, node: ua.HistoryReadValueId) -> ua.HistoryReadResult:
        if node.ContinuationPoint:
            values = self._left.pop(node.ContinuationPoint, None)
            if values is None:
                return _refused(ua.StatusCodes.BadContinuationPointInvalid)
            self.free += 1
        else:
            (result,) = await self._whole(replace(params, NodesToRead=[node]))
            assert isinstance(result.HistoryData, ua.HistoryData)
            values = list(result.HistoryData.DataValues)
        if len(values) <= 2:
            return ua.HistoryReadResult(HistoryData=ua.HistoryData(DataValues=values))
        if not self.free:
            return _refused(ua.StatusCodes.BadNoContinuationPoints)
        point = f"{node.NodeId.Identifier} {len(values)}".encode()
        if not self._forgets:
            self.free -= 1
            self._left[point] = values[2:]
        self._forgets = False
        return ua.HistoryReadResult(HistoryData=ua.HistoryData(DataValues=values[:2]), ContinuationPoint=point)


def _refused(code: int) -> ua.HistoryReadResult:
    return ua.HistoryReadResult(StatusCode=ua.StatusCode(ua.UInt32(code)), HistoryData=ua.HistoryData(DataValues=[]))


@pytest.mark.parametrize(("free", "forgets", "is_told"), [(3, False, False), (3, False, True), (1, False, False), (20, True, False)])
async def test_a_server_with_few_places_for_histories_that_are_read_in_part_is_asked_for_fewer(free: int, forgets: bool, is_told: bool) -> None:
    tags = tuple(make_tag(number, f"SEP.T101.TT{number}", source=OpcuaAddress(f"nsu={URI};s=t{number}"), scan_ms=10) for number in range(1, 9))
    async with historian_server(*tags) as (server, port):
        if is_told:
            limit = server.get_node(ua.NodeId(ua.Int32(ua.ObjectIds.Server_ServerCapabilities_MaxHistoryContinuationPoints)))
            await limit.write_value(ua.Variant(free, ua.VariantType.UInt16))
        for tag in tags:
            await put(server, tag, 2.0, 3.0, 4.0, 5.0)
        places = Places(server, free, forgets=forgets)
        taken = Taken()
        async with opened(device_at(port), tags, figures()) as (session, batches):
            await rows_until(batches, lambda rows: {tag_id for tag_id, *_ in rows} == set(range(1, 9)))
            assert await session.recover(times.now() - 50 * times.MICROSECONDS, times.now() + times.MICROSECONDS, taken)
    assert {value: taken.values.count(value) - (forgets and value == 3.0) for value in (2.0, 3.0, 4.0, 5.0)} == dict.fromkeys((2.0, 3.0, 4.0, 5.0), 8)
    assert places.free == free, "no place is left taken"
    if is_told:
        assert max(places.calls) == free


async def test_a_server_without_any_place_for_histories_that_are_read_in_part_is_asked_again_later() -> None:
    async with historian_server(LEVEL, PRESSURE) as (server, port):
        for tag in (LEVEL, PRESSURE):
            await put(server, tag, 2.0, 3.0, 4.0, 5.0)
        places = Places(server, 0)
        taken = Taken()
        span = times.now() - 50 * times.MICROSECONDS, times.now() + times.MICROSECONDS
        async with opened(device_at(port), (LEVEL, PRESSURE), figures()) as (session, batches):
            await rows_until(batches, lambda rows: {tag_id for tag_id, *_ in rows} == {1, 2})
            with pytest.raises(DeviceUnreachable, match="no room for a read of its history"):
                await session.recover(*span, taken)
            places.free = 1
            assert await session.recover(*span, taken)
    assert sorted(taken.values) == [2.0, 2.0, 3.0, 3.0, 4.0, 4.0, 5.0, 5.0]


async def test_a_history_that_goes_in_a_circle_is_left_and_the_outage_is_not_recovered() -> None:
    async with historian_server(LEVEL, PRESSURE) as (server, port), Cable(port) as cable, linked(cable, (LEVEL, PRESSURE)) as account:
        pages = Pages(server, is_circle=True)
        await outage(server, cable, account)
        async with asyncio.timeout(20):
            while pages.asked < 10:
                await asyncio.sleep(0.02)
        await asyncio.sleep(0.5)
        assert pages.asked <= 12
    assert account.recovered_from is None


async def test_a_device_whose_history_is_not_to_be_asked_for_is_not_asked() -> None:
    async with historian_server(LEVEL, PRESSURE) as (server, port), Cable(port) as cable, linked(cable, (LEVEL, PRESSURE), history=False) as account:
        await outage(server, cable, account)
        await asyncio.sleep(0.3)
    assert account.history == []
    assert account.recovered_from is None


async def test_a_cable_that_is_dead_and_says_nothing_is_noticed_and_the_loss_dated_when_it_went_dead() -> None:
    async with historian_server(LEVEL) as (server, port), Cable(port) as cable, linked(cable, (LEVEL,)) as account:
        await put(server, LEVEL, 1.0)
        await until_good(account, LEVEL, 1.0)
        dead_at = times.now()
        cable.go_dead()
        async with asyncio.timeout(20):
            while not account.gap:
                await asyncio.sleep(0.02)
        noticed_at = times.now()
    (start,) = account.gap
    assert dead_at - 3 * times.MICROSECONDS < start < dead_at + times.MICROSECONDS, "the server is asked for its clock every two seconds"
    assert noticed_at - start > times.MICROSECONDS
