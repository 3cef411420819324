"""How the OPC UA driver notices that a server does not do any more what it promised, and what it leaves behind when it goes."""

import asyncio
import gc
import itertools
import logging
import random
import re
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import UTC, timedelta
from functools import partial
from typing import Any

import pytest
from asyncua import ua
from asyncua.server.internal_session import InternalSession
from prometheus_client import CollectorRegistry

from drivers import Backoff, DeviceLink, DriverMetricFamilies, DriverMetrics, WriteStatus
from drivers.opcua import OpcuaDriver
from drivers.opcua import monitored_items as monitored_items_module
from drivers.opcua.connection import Connection
from drivers.opcua.subscription import Subscription
from plant.batch import Batch
from plant.current_values import CurrentValues
from plant.device import Deadband, DeadbandKind, OpcuaAddress, OpcuaDevice
from plant.errors import DeviceUnreachable
from plant.link import LinkState
from plant.quality import Quality
from plant.tag import Tag
from tests.cable import Cable, FlappingCable
from tests.integration.test_opcua_driver import client_tasks, device_at, lost, opened, rows, rows_until, tag_of
from tests.opcua_server import URI, Plc, plc_server

LEVEL = tag_of(1, "level")
OTHER_URI = "urn:test:other"
CREATE_ITEMS, ACTIVATE_SESSION = 751, 467
"""Of the requests' binary encodings. Source: OPC UA Part 6, Annex A (NodeIds.csv)."""
SEED = 20_261_128
LABELS = {"driver": "opcua", "device": "PLC-TEST-01"}


@pytest.fixture
async def plc() -> AsyncIterator[Plc]:
    """A test that leaves something behind fails, whatever ended its sessions."""
    strays: list[dict[str, Any]] = []
    asyncio.get_running_loop().set_exception_handler(lambda loop, context: strays.append(context))
    async with plc_server() as running:
        await running.add("level", 1.0, ua.VariantType.Double)
        yield running
    assert not client_tasks()
    gc.collect()
    assert not strays, "no task ended in an error that nobody saw"


@pytest.fixture
def registry() -> CollectorRegistry:
    return CollectorRegistry()


@pytest.fixture
def metrics(registry: CollectorRegistry) -> DriverMetrics:
    return DriverMetricFamilies(registry).of("opcua", "PLC-TEST-01")


class Heard:
    """What a link published, and the states it was in."""

    def __init__(self) -> None:
        self.newest: dict[int, tuple[float | str, int]] = {}
        self.states: list[tuple[LinkState, str | None]] = []

    async def publish(self, batch: Batch) -> None:
        self.newest |= {tag_id: (value, quality) for tag_id, _, value, quality in rows(batch)}

    def is_good(self, tag: Tag, value: float) -> bool:
        return self.newest.get(tag.id) == (value, Quality.GOOD)

    async def until(self, holds: Callable[[], bool]) -> None:
        async with asyncio.timeout(20):
            while not holds():
                await asyncio.sleep(0.02)


@asynccontextmanager
async def linked(device: OpcuaDevice, metrics: DriverMetrics, *tags: Tag, heard: Heard | None = None) -> AsyncIterator[tuple[DeviceLink[OpcuaDevice], Heard]]:
    heard = heard or Heard()
    link = DeviceLink(
        device,
        tags,
        OpcuaDriver().open,
        heard.publish,
        lambda status: heard.states.append((status.state, status.last_error)),
        metrics,
        backoff=Backoff(first=0.05, cap=0.1, floor=0.01),
    )
    running = asyncio.create_task(link.run())
    try:
        yield link, heard
    finally:
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)


def quiet(plc: Plc, monkeypatch: pytest.MonkeyPatch) -> None:
    """The server answers every request and publishes nothing of what it watches now, not even a keep-alive."""
    for subscription in plc.subscriptions:
        monkeypatch.setattr(subscription, "has_published_results", lambda: False)


async def test_a_subscription_is_silent_by_the_interval_and_the_count_that_the_server_chose(
    plc: Plc, metrics: DriverMetrics, monkeypatch: pytest.MonkeyPatch
) -> None:
    # A keep-alive every 0.8 s: by the interval that was asked for it would be every 0.2 s, and by the count that was asked for every 20 s.
    plc.manners.publishing_interval, plc.manners.keep_alive_count = 200.0, 4
    async with opened(device_at(plc.url, publishing_interval=0.05), [LEVEL], metrics) as (_, batches):
        await rows_until(batches, bool)
        ended = asyncio.create_task(lost(batches, 20))
        await asyncio.sleep(3.0)
        assert not ended.done(), "keep-alives come, and they are enough"
        quiet(plc, monkeypatch)
        begun = time.monotonic()
        error = await ended
    assert isinstance(error, DeviceUnreachable)
    assert str(error) == "the server answers, but its subscription has been silent for 2.4 s"
    assert 1.0 < time.monotonic() - begun < 10


@pytest.mark.parametrize(("interval", "count", "silence"), [(0.0, 10, 1.0), (50.0, 1, 1.0), (1000.0, 5, 15.0), (1e9, 100, 600.0), (float("nan"), 5, 600.0)])
async def test_a_subscription_is_not_dead_within_a_second_nor_alive_for_ever(interval: float, count: int, silence: float) -> None:
    granted = ua.CreateSubscriptionResult(RevisedPublishingInterval=ua.Duration(interval), RevisedMaxKeepAliveCount=ua.Counter(count))
    assert Subscription(granted, 0.0).silence == silence


@pytest.mark.parametrize(("queue_size", "is_told"), [(1, True), (2, False)])
async def test_a_server_that_keeps_fewer_samples_than_come_is_told_of(
    plc: Plc, metrics: DriverMetrics, caplog: pytest.LogCaptureFixture, queue_size: int, is_told: bool
) -> None:
    plc.manners.publishing_interval, plc.manners.queue_size = 200.0, queue_size
    tag = replace(LEVEL, scan_ms=100)
    with caplog.at_level(logging.WARNING, "drivers"):
        async with opened(device_at(plc.url), [tag], metrics) as (_, batches):
            await rows_until(batches, bool)
    told = [record.getMessage() for record in caplog.records if "shorten publishing_interval" in record.getMessage()]
    assert [text.startswith("the server keeps fewer samples of 1 of 1 items") for text in told] == [True] * is_told


async def test_a_server_that_stops_publishing_is_bad_and_then_heard_of_again_by_another_session(
    plc: Plc, metrics: DriverMetrics, monkeypatch: pytest.MonkeyPatch
) -> None:
    plc.manners.keep_alive_count = 10
    async with linked(device_at(plc.url), metrics, LEVEL) as (link, heard):
        await heard.until(lambda: heard.is_good(LEVEL, 1.0))
        quiet(plc, monkeypatch)
        await plc.put("level", 2.0)
        await heard.until(lambda: heard.is_good(LEVEL, 2.0))
        states = [state for state, _ in heard.states]
        assert states == [LinkState.UP, LinkState.DOWN, LinkState.UP]
        assert heard.states[1][1] == "the server answers, but its subscription has been silent for 1.5 s"
        assert link.status.reconnects == 1
        assert (plc.inside.session_count, len(plc.subscriptions)) == (1, 1), "the quiet one was closed"
    assert (plc.inside.session_count, len(plc.subscriptions)) == (0, 0)


async def test_what_comes_with_the_end_of_a_subscription_is_a_sample_and_then_the_session_ends(plc: Plc, metrics: DriverMetrics) -> None:
    async with opened(device_at(plc.url, publishing_interval=0.1), [LEVEL], metrics) as (_, batches):
        await rows_until(batches, bool)
        (subscription,) = plc.subscriptions
        await plc.put("level", 2.0)
        await subscription.monitored_item_srv.trigger_statuschange(ua.StatusCode(ua.UInt32(ua.StatusCodes.GoodSubscriptionTransferred)))
        got = await rows_until(batches, bool)
        error = await lost(batches, 20)
    assert [(value, quality) for _, _, value, quality in got] == [(2.0, Quality.GOOD)]
    assert isinstance(error, DeviceUnreachable)
    assert str(error) == "the server ended the subscription: Good(0x002D)"


async def test_a_subscription_that_is_gone_without_a_word_ends_the_session(plc: Plc, metrics: DriverMetrics) -> None:
    plc.manners.keep_alive_count = 10
    async with opened(device_at(plc.url), [LEVEL], metrics) as (_, batches):
        await rows_until(batches, bool)
        (number,) = plc.inside.subscription_service.subscriptions
        await plc.inside.subscription_service.delete_subscriptions([number])
        error = await lost(batches, 20)
    assert isinstance(error, DeviceUnreachable)
    assert re.search(r"refused a publish request|subscription has been silent for 1\.5 s", str(error))


async def test_namespaces_in_another_order_after_a_restart_are_the_same_nodes(metrics: DriverMetrics) -> None:
    tags = (LEVEL, tag_of(2, "level", uri=OTHER_URI))

    async def serve(uris: tuple[str, ...], port: int, values: tuple[float, float]) -> None:
        async with plc_server(port=port, uris=uris) as plc:
            for uri, value in zip((URI, OTHER_URI), values, strict=True):
                await plc.add("level", value, ua.VariantType.Double, uri=uri)
            await heard.until(lambda: heard.is_good(tags[0], values[0]) and heard.is_good(tags[1], values[1]))
            outcome = await link.write(tags[1], values[1] + 0.5, 5.0)
            assert outcome.status is WriteStatus.CONFIRMED, outcome
            assert [(await plc.held("level", uri)).Value for uri in (URI, OTHER_URI)] == [values[0], values[1] + 0.5]

    async with plc_server(uris=()) as found:
        port = found.port
    async with linked(device_at(f"opc.tcp://127.0.0.1:{port}/"), metrics, *tags) as (link, heard):
        await serve((URI, OTHER_URI), port, (10.0, 20.0))
        await heard.until(lambda: {quality for _, quality in heard.newest.values()} == {Quality.BAD_NO_COMMUNICATION})
        await serve(("urn:test:new", OTHER_URI, URI), port, (30.0, 40.0))
    assert not client_tasks()


async def test_five_reconnects_leave_one_session_and_one_subscription_on_the_server(plc: Plc, metrics: DriverMetrics, registry: CollectorRegistry) -> None:
    async with Cable(plc.port) as cable:
        async with linked(device_at(f"opc.tcp://127.0.0.1:{cable.port}/"), metrics, LEVEL) as (link, heard):
            await heard.until(lambda: heard.is_good(LEVEL, 1.0))
            for value in (2.0, 3.0, 4.0, 5.0, 6.0):
                await cable.cut()
                await heard.until(lambda: heard.newest[LEVEL.id][1] == Quality.BAD_NO_COMMUNICATION)
                await heard.until(lambda: "request to connect" in (link.status.last_error or ""))
                await plc.put("level", value)
                await cable.mend()
                await heard.until(partial(heard.is_good, LEVEL, value))
                assert (plc.inside.session_count, len(plc.subscriptions), plc.inside.item_count) == (1, 1, 1)
                await heard.until(lambda: len([task for task in client_tasks() if "publish" in repr(task)]) == 2)
            assert link.status.reconnects == 5
        assert (plc.inside.session_count, len(plc.subscriptions)) == (0, 0)
    assert registry.get_sample_value("monazite_driver_reconnects_total", LABELS) == 5


def census(plc: Plc, monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """How many sessions the server has each time that there is one more."""
    counts: list[int] = []
    register = plc.inside.register_external_session

    def counted(session: InternalSession) -> None:
        register(session)
        counts.append(plc.inside.session_count)

    monkeypatch.setattr(plc.inside, "register_external_session", counted)
    return counts


async def test_a_cable_that_is_cut_again_and_again_at_any_moment_costs_a_living_server_one_session_and_at_times_one_that_is_given_up(
    plc: Plc, metrics: DriverMetrics, monkeypatch: pytest.MonkeyPatch
) -> None:
    chance, counts = random.Random(SEED), census(plc, monkeypatch)
    async with Cable(plc.port) as cable, linked(device_at(f"opc.tcp://127.0.0.1:{cable.port}/", timeout=1.0), metrics, LEVEL) as (_, heard):
        await heard.until(lambda: heard.is_good(LEVEL, 1.0))
        for value in range(30):
            await asyncio.sleep(chance.uniform(0.0, 0.15))
            await cable.cut()
            await plc.put("level", float(value))
            await cable.mend()
        await heard.until(lambda: heard.is_good(LEVEL, 29.0))
        assert cable.connections > 5
        assert max(counts) <= 2
        assert plc.inside.session_count == len(plc.subscriptions) <= 2


async def test_a_session_that_is_of_no_use_to_go_on_with_is_closed_before_there_is_another_one(
    plc: Plc, metrics: DriverMetrics, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its items were being made when the cable died, time after time. A server keeps such a session until its time is over, and has few places."""
    counts = census(plc, monkeypatch)
    async with FlappingCable(plc.port, CREATE_ITEMS) as cable:
        cable.die_at(1)
        async with linked(device_at(f"opc.tcp://127.0.0.1:{cable.port}/"), metrics, LEVEL) as (_, heard):
            for _ in range(5):
                async with asyncio.timeout(20):
                    await cable.died.wait()
                await cable.cut()
                cable.die_at(1)
                await cable.mend()
            async with asyncio.timeout(20):
                await cable.died.wait()
            await cable.cut()
            await cable.mend()
            await heard.until(lambda: heard.is_good(LEVEL, 1.0))
            assert (counts, plc.inside.session_count, len(plc.subscriptions)) == ([1] * 7, 1, 1)
    assert (plc.inside.session_count, len(plc.subscriptions)) == (0, 0)


async def test_a_connection_whose_closing_is_cut_short_leaves_no_socket(plc: Plc) -> None:
    async with Cable(plc.port) as cable:
        connection = await Connection.open(device_at(f"opc.tcp://127.0.0.1:{cable.port}/"))
        protocol = connection._client.uaclient.protocol
        assert protocol is not None
        assert protocol.transport is not None
        transport = protocol.transport
        cable.go_dead()
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(connection.close(), 0.1)
        assert transport.is_closing()


async def test_a_session_that_was_offered_twice_in_vain_is_a_second_one_until_its_time_is_over(
    plc: Plc, metrics: DriverMetrics, monkeypatch: pytest.MonkeyPatch
) -> None:
    plc.inside.min_session_timeout_ms = plc.inside.max_session_timeout_ms = 3000.0
    counts = census(plc, monkeypatch)
    async with FlappingCable(plc.port, ACTIVATE_SESSION) as cable, linked(device_at(f"opc.tcp://127.0.0.1:{cable.port}/"), metrics, LEVEL) as (_, heard):
        await heard.until(lambda: heard.is_good(LEVEL, 1.0))
        for _ in range(2):
            await cable.cut()
            cable.die_at(1)
            await cable.mend()
            async with asyncio.timeout(20):
                await cable.died.wait()
        await cable.cut()
        await plc.put("level", 2.0)
        await cable.mend()
        await heard.until(lambda: heard.is_good(LEVEL, 2.0))
        assert (counts, plc.inside.session_count) == ([1, 2], 2)
        await heard.until(lambda: plc.inside.session_count == 1)
        await plc.put("level", 3.0)
        await heard.until(lambda: heard.is_good(LEVEL, 3.0))
        assert (counts, len(plc.subscriptions)) == ([1, 2], 1), "and the one that lives is not it"


@pytest.mark.parametrize("ahead", [timedelta(hours=1), timedelta(minutes=-3)])
async def test_a_clock_that_is_wrong_is_measured(plc: Plc, metrics: DriverMetrics, registry: CollectorRegistry, ahead: timedelta) -> None:
    plc.manners.clock_ahead = ahead
    async with opened(device_at(plc.url), [LEVEL], metrics) as (session, batches):
        await rows_until(batches, bool)
        assert session.clock_offset is not None
        assert abs(session.clock_offset - ahead.total_seconds()) < 2
        assert registry.get_sample_value("monazite_driver_clock_skew_seconds", LABELS) == session.clock_offset


async def test_a_plc_whose_clock_goes_back_to_1970_is_heard_of_and_its_values_are_current(plc: Plc, metrics: DriverMetrics) -> None:
    current = CurrentValues([LEVEL])

    class Kept(Heard):
        async def publish(self, batch: Batch) -> None:
            current.update(batch)
            await super().publish(batch)

    def newest() -> list[tuple[float, int]]:
        return list(zip(current.of([1])[0].value.tolist(), current.of([1])[0].quality.tolist(), strict=True))

    def state() -> LinkState:
        return link.status.state

    async with linked(device_at(plc.url), metrics, LEVEL, heard=Kept()) as (link, heard):
        await plc.put("level", 50.0)
        await heard.until(lambda: newest() == [(50.0, Quality.GOOD)])
        assert state() is LinkState.UP
        await plc.put("level", 90.0, moment=ua.DateTime(1970, 1, 1, 0, 0, 5, tzinfo=UTC))
        await heard.until(lambda: newest() == [(90.0, Quality.UNCERTAIN_SUB_NORMAL)])
        assert state() is LinkState.DEGRADED
        assert "1 of its tags have source times that went back" in str(link.status.last_error)
        await plc.put("level", 91.0)
        await heard.until(lambda: newest() == [(91.0, Quality.GOOD)])
        assert state() is LinkState.UP


async def test_a_server_whose_own_clock_is_behind_is_degraded_and_its_values_stand_where_they_arrive(plc: Plc, metrics: DriverMetrics) -> None:
    plc.manners.clock_ahead = timedelta(hours=-1)
    await plc.put("level", 50.0, moment=ua.DateTime.now(UTC) - timedelta(hours=1))
    async with linked(device_at(plc.url), metrics, LEVEL) as (link, heard):
        await heard.until(lambda: heard.newest.get(1) == (50.0, Quality.UNCERTAIN_SUB_NORMAL))
        assert link.status.state is LinkState.DEGRADED
        assert re.fullmatch(r"its clock is 3(599|600|601) s behind ours: set it", str(link.status.last_error))


async def test_refused_tags_are_asked_for_ever_more_seldom_until_one_is_taken(plc: Plc, metrics: DriverMetrics, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(monitored_items_module, "RETRY", 0.1)
    monkeypatch.setattr(monitored_items_module, "LONGEST_RETRY", 0.8)
    await plc.add("other", 2.0, ua.VariantType.Double)
    tries: list[float] = []
    granted: list[int] = []
    taken: set[str] = set()

    def refuse(item: ua.MonitoredItemCreateRequest) -> int:
        name = str(item.ItemToMonitor.NodeId.Identifier)
        if name == "level":
            tries.append(time.monotonic())
        elif name in taken:
            granted.append(len(tries))
        return ua.StatusCodes.Good if name in taken else ua.StatusCodes.BadOutOfService

    plc.manners.refusal = refuse
    tags = (LEVEL, tag_of(2, "other"))
    async with linked(device_at(plc.url), metrics, *tags) as (_, heard):
        await heard.until(lambda: len(tries) == 6)
        waits = [after - before for before, after in itertools.pairwise(tries)]
        assert [wait >= due for wait, due in zip(waits, (0.1, 0.2, 0.4, 0.8, 0.8), strict=True)] == [True] * 5
        taken.add("other")
        await heard.until(lambda: heard.is_good(tags[1], 2.0))
        taken.add("level")
        await heard.until(lambda: heard.is_good(LEVEL, 1.0))
        (known,) = granted
        assert tries[known] - tries[known - 1] < 0.7, "one was taken: the others are asked for soon"


async def test_a_server_that_is_read_too_slowly_and_lacks_a_node_is_degraded_and_each_request_is_counted(
    plc: Plc, metrics: DriverMetrics, registry: CollectorRegistry, monkeypatch: pytest.MonkeyPatch
) -> None:
    is_slow = True
    read = InternalSession.read

    async def slowly(session: InternalSession, parameters: ua.ReadParameters) -> list[ua.DataValue]:
        if is_slow and any(place.NodeId.NamespaceIndex and place.AttributeId == ua.AttributeIds.Value for place in parameters.NodesToRead):
            await asyncio.sleep(0.15)
        return await read(session, parameters)

    def figure(name: str, **labels: str) -> float:
        return registry.get_sample_value(f"monazite_driver_{name}", LABELS | labels) or 0.0

    monkeypatch.setattr(InternalSession, "read", slowly)
    tags = (tag_of(1, "level", scan_ms=50), tag_of(2, "missing", scan_ms=50))
    async with linked(replace(device_at(plc.url), polling=True), metrics, *tags) as (link, heard):
        await heard.until(lambda: figure("overloaded") == 1)
        assert link.status.state is LinkState.DEGRADED
        assert link.status.last_error == "overloaded: most of the last scans every 0.05 s were late; ask for fewer tags, or less often"
        assert figure("polls_total", result="answered") >= 10, "scans are requests"
        assert figure("poll_duration_seconds_sum") > 5 * 0.15
        is_slow = False
        await heard.until(lambda: figure("overloaded") == 0)
        assert link.status.last_error == "the server refuses 1 of its 2 tags: their quality says why"
        await plc.add("missing", 2.0, ua.VariantType.Double)
        await heard.until(lambda: link.status.state is LinkState.UP)
        assert heard.is_good(tags[1], 2.0)


async def test_scans_that_are_late_because_nobody_takes_them_are_skipped_and_no_fault_of_the_server(
    plc: Plc, metrics: DriverMetrics, registry: CollectorRegistry
) -> None:
    tag = tag_of(1, "level", scan_ms=20)
    async with opened(replace(device_at(plc.url), polling=True), [tag], metrics) as (session, batches):
        for value in range(15):
            await plc.put("level", float(value))
            assert [value for _, _, value, _ in rows(await anext(batches))] == [value]
            await asyncio.sleep(0.1)
            assert session.trouble is None
    assert (registry.get_sample_value("monazite_driver_poll_overruns_total", LABELS) or 0) >= 15, "four scans and more between any two that were taken"
    assert registry.get_sample_value("monazite_driver_overloaded", LABELS) == 0


@pytest.mark.parametrize("polling", [False, True])
async def test_a_tag_whose_node_is_put_right_in_the_server_is_good_again_by_itself(
    plc: Plc, metrics: DriverMetrics, monkeypatch: pytest.MonkeyPatch, polling: bool
) -> None:
    monkeypatch.setattr(monitored_items_module, "RETRY", 0.2)
    wrong = await plc.add("typed", "a text", ua.VariantType.String)
    tags = (LEVEL, tag_of(2, "typed"), tag_of(3, "level", uri=OTHER_URI), tag_of(4, "late"))
    async with linked(replace(device_at(plc.url), polling=polling), metrics, *tags) as (link, heard):
        await heard.until(lambda: len(heard.newest) == len(tags))
        assert {tag_id: quality for tag_id, (_, quality) in heard.newest.items()} == {
            1: Quality.GOOD,
            2: Quality.BAD_CONFIGURATION_ERROR,
            3: Quality.BAD_NODE_ID_UNKNOWN,
            4: Quality.BAD_NODE_ID_UNKNOWN,
        }
        await plc.server.delete_nodes([plc.server.get_node(wrong)])
        await plc.add("typed", 2.0, ua.VariantType.Double)
        await plc.server.register_namespace(OTHER_URI)
        await plc.add("level", 3.0, ua.VariantType.Double, uri=OTHER_URI)
        await plc.add("late", 4.0, ua.VariantType.Double)
        await heard.until(lambda: all(heard.is_good(tag, float(tag.id)) for tag in tags))
        assert link.status.state is LinkState.UP
        assert [state for state, _ in heard.states] == [LinkState.DEGRADED], "no session was lost for it"


async def method(plc: Plc) -> Tag:
    """The tag of a method ``start`` of the PLC that takes no argument."""

    async def start(parent: ua.NodeId) -> list[ua.Variant]:
        return []

    machine = await plc.server.nodes.objects.add_object(await plc.node_id("machine"), "machine")
    await machine.add_method(await plc.node_id("start"), "start", start, [], [])
    return replace(tag_of(2, "start"), writable=True, source=OpcuaAddress(f"nsu={URI};s=start", method_of=f"nsu={URI};s=machine"))


async def test_a_device_of_methods_alone_is_up_and_they_can_be_called(plc: Plc, metrics: DriverMetrics) -> None:
    tag = await method(plc)
    async with linked(device_at(plc.url), metrics, tag) as (link, heard):
        await heard.until(lambda: link.status.state is LinkState.UP)
        outcome = await link.write(tag, 1.0, 5.0)
    assert outcome.status is WriteStatus.ACCEPTED, outcome
    assert heard.newest == {}


async def test_a_method_has_no_value_that_could_be_bad(plc: Plc, metrics: DriverMetrics) -> None:
    tag = await method(plc)
    async with Cable(plc.port) as cable, linked(device_at(f"opc.tcp://127.0.0.1:{cable.port}/"), metrics, LEVEL, tag) as (_, heard):
        await heard.until(lambda: heard.is_good(LEVEL, 1.0))
        await cable.cut()
        await heard.until(lambda: heard.newest[LEVEL.id][1] < 0)
    assert heard.newest.keys() == {LEVEL.id}


async def test_a_restarted_server_that_drops_whoever_names_a_session_it_never_had_gets_a_new_one(
    plc: Plc, metrics: DriverMetrics, monkeypatch: pytest.MonkeyPatch
) -> None:
    dropped: list[object] = []

    def drop(token: object) -> None:
        dropped.append(token)
        listening: Any = plc.server.bserver
        for client in listening.clients:
            client.transport.abort()

    async with Cable(plc.port) as cable, linked(device_at(f"opc.tcp://127.0.0.1:{cable.port}/", timeout=1.0), metrics, LEVEL) as (_, heard):
        await heard.until(lambda: heard.is_good(LEVEL, 1.0))
        await cable.cut()
        await heard.until(lambda: heard.newest[LEVEL.id][1] < 0)
        monkeypatch.setattr(plc.inside, "lookup_external_session", drop)
        await cable.mend()
        await heard.until(lambda: len(dropped) == 2)
        await heard.until(lambda: heard.is_good(LEVEL, 1.0))
    assert len(dropped) == 2, "offered once more, since a cable can be pulled at that moment, and not for ever"


async def test_a_session_made_anew_asks_for_each_tag_as_the_first_did(plc: Plc, metrics: DriverMetrics) -> None:
    """Sampling, queue and deadband outlive the session; the library's own way forgets a deadband that was ever modified."""
    source = LEVEL.source
    assert isinstance(source, OpcuaAddress)
    tag = replace(LEVEL, source=replace(source, sampling_interval=30.0, queue_size=7, deadband=Deadband(DeadbandKind.ABSOLUTE, 0.5)))

    def asked() -> list[tuple[float, int, float]]:
        return [
            (item.RequestedParameters.SamplingInterval, item.RequestedParameters.QueueSize, item.RequestedParameters.Filter.DeadbandValue)
            for item in plc.manners.items
        ]

    async with Cable(plc.port) as cable, linked(device_at(f"opc.tcp://127.0.0.1:{cable.port}/"), metrics, tag) as (_, heard):
        await heard.until(lambda: heard.is_good(LEVEL, 1.0))
        for value in (2.0, 3.0):
            await cable.cut()
            await heard.until(lambda: heard.newest[LEVEL.id][1] == Quality.BAD_NO_COMMUNICATION)
            for session in list(plc.inside._external_sessions.values()):
                await session.close_session()
            await plc.put("level", value)
            await cable.mend()
            await heard.until(partial(heard.is_good, LEVEL, value))
    assert asked() == [(30.0, 7, 0.5)] * 3


async def test_a_server_that_takes_seconds_over_an_answer_is_not_lost(plc: Plc, metrics: DriverMetrics, monkeypatch: pytest.MonkeyPatch) -> None:
    """The library's own supervisor gives a server up that is busy for a second."""
    read: Any = InternalSession.read
    answered = itertools.count()

    async def slowly(self: InternalSession, params: ua.ReadParameters) -> Any:
        await asyncio.sleep(1.5)
        next(answered)
        return await read(self, params)

    async with linked(device_at(plc.url), metrics, LEVEL) as (link, heard):
        await heard.until(lambda: heard.is_good(LEVEL, 1.0))
        monkeypatch.setattr(InternalSession, "read", slowly)
        await asyncio.sleep(8)
        assert next(answered) >= 2
        assert [state for state, _ in heard.states] == [LinkState.UP]
        assert link.status.reconnects == 0
