"""What the OPC UA driver asks to have watched, and what becomes of tags that a server watches otherwise than asked, or not at all."""

import asyncio
import logging
from collections.abc import AsyncIterator
from dataclasses import replace

import pytest
from asyncua import ua
from prometheus_client import CollectorRegistry

from drivers import DriverMetricFamilies, DriverMetrics
from plant.device import Deadband, DeadbandKind, OpcuaAddress
from plant.quality import Quality
from plant.tag import Tag
from tests.integration.test_opcua_driver import Row, device_at, opened, rows_until, tag_of
from tests.opcua_server import Plc, plc_server

NODES = 12
HALF = Deadband(DeadbandKind.ABSOLUTE, 0.5)
LIMITS = ua.ObjectIds


@pytest.fixture
async def plc() -> AsyncIterator[Plc]:
    """With nodes n1 to n12 that hold 1.0 to 12.0."""
    async with plc_server() as running:
        for number in range(1, NODES + 1):
            await running.add(f"n{number}", float(number), ua.VariantType.Double)
        yield running


@pytest.fixture
def registry() -> CollectorRegistry:
    return CollectorRegistry()


@pytest.fixture
def metrics(registry: CollectorRegistry) -> DriverMetrics:
    return DriverMetricFamilies(registry).of("opcua", "PLC-TEST-01")


def tags_of(count: int = NODES, *, scan_ms: int = 20) -> list[Tag]:
    return [tag_of(number, f"n{number}", scan_ms=scan_ms) for number in range(1, count + 1)]


def watched_as(tag: Tag, **address: object) -> Tag:
    assert isinstance(tag.source, OpcuaAddress)
    return replace(tag, source=replace(tag.source, **address))  # type: ignore[arg-type]  # names of its fields


def good(rows: list[Row]) -> dict[int, float | str]:
    return {tag_id: value for tag_id, _, value, quality in rows if quality == Quality.GOOD}


def has_all(count: int) -> "Seen":
    return Seen({number: float(number) for number in range(1, count + 1)})


class Seen:
    """Whether the newest Good values are these."""

    def __init__(self, wanted: dict[int, float]) -> None:
        self._wanted = wanted

    def __call__(self, rows: list[Row]) -> bool:
        newest = good(rows)
        return all(newest.get(tag_id) == value for tag_id, value in self._wanted.items())


async def test_the_sampling_the_queue_and_the_deadband_of_each_tag_reach_the_server(plc: Plc, metrics: DriverMetrics) -> None:
    tags = [
        tag_of(1, "n1", scan_ms=40),
        watched_as(tag_of(2, "n2"), sampling_interval=700.0, queue_size=3),
        watched_as(tag_of(3, "n3"), sampling_interval=0.0, deadband=HALF),
        watched_as(tag_of(4, "n4"), deadband=Deadband(DeadbandKind.PERCENT, 2.0)),
    ]
    async with opened(device_at(plc.url), tags, metrics) as (_, batches):
        await rows_until(batches, has_all(4))
    asked = [item.RequestedParameters for item in plc.manners.items]
    filters = [one.Filter for one in asked]
    assert [(one.ClientHandle, one.SamplingInterval, one.QueueSize, one.DiscardOldest) for one in asked] == [
        (0, 40.0, 256, True),
        (1, 700.0, 3, True),
        (2, 0.0, 256, True),
        (3, 10.0, 256, True),
    ]
    assert [(one.Trigger, one.DeadbandType, one.DeadbandValue) for one in filters] == [
        (ua.DataChangeTrigger.StatusValueTimestamp, ua.DeadbandType.None_, 0.0),
        (ua.DataChangeTrigger.StatusValueTimestamp, ua.DeadbandType.None_, 0.0),
        (ua.DataChangeTrigger.StatusValue, ua.DeadbandType.Absolute, 0.5),
        (ua.DataChangeTrigger.StatusValue, ua.DeadbandType.Percent, 2.0),
    ]


async def test_changes_within_the_deadband_stay_in_the_server_and_those_of_other_tags_do_not(plc: Plc, metrics: DriverMetrics) -> None:
    tags = [watched_as(tag_of(1, "n1"), deadband=HALF), tag_of(2, "n1")]
    async with opened(device_at(plc.url), tags, metrics) as (_, batches):
        await rows_until(batches, Seen({1: 1.0, 2: 1.0}))
        for value in (1.25, 1.25, 8.0):
            await plc.put("n1", value)
        got = await rows_until(batches, Seen({1: 8.0, 2: 8.0}))
    assert [value for tag_id, _, value, _ in got if tag_id == 1] == [8.0]
    assert [value for tag_id, _, value, _ in got if tag_id == 2] == [1.25, 1.25, 8.0]


@pytest.mark.parametrize("code", ["BadDeadbandFilterInvalid", "BadMonitoredItemFilterUnsupported", "BadFilterNotAllowed", "BadMonitoredItemFilterInvalid"])
async def test_a_tag_whose_deadband_is_refused_is_watched_without_and_that_is_said_once(
    plc: Plc, metrics: DriverMetrics, caplog: pytest.LogCaptureFixture, code: str
) -> None:
    def refusal(item: ua.MonitoredItemCreateRequest) -> int:
        is_percent = item.RequestedParameters.Filter.DeadbandType == ua.DeadbandType.Percent
        return int(getattr(ua.StatusCodes, code)) if is_percent else ua.StatusCodes.Good

    plc.manners.refusal = refusal
    tags = [watched_as(tag_of(1, "n1"), deadband=Deadband(DeadbandKind.PERCENT, 2.0)), watched_as(tag_of(2, "n1"), deadband=HALF)]
    with caplog.at_level(logging.WARNING, "drivers"):
        async with opened(device_at(plc.url), tags, metrics) as (session, batches):
            await rows_until(batches, Seen({1: 1.0, 2: 1.0}))
            for value in (1.25, 8.0):
                await plc.put("n1", value)
            got = await rows_until(batches, Seen({1: 8.0, 2: 8.0}))
            assert session.trouble is None
    assert [(value, quality) for tag_id, _, value, quality in got if tag_id == 1] == [(1.25, 0), (8.0, 0)], "every change, since there is no deadband"
    assert [value for tag_id, _, value, _ in got if tag_id == 2] == [8.0], "no other tag lost its own"
    (said,) = [record.getMessage() for record in caplog.records]
    assert tags[0].name in said
    assert tags[1].name not in said
    assert "deadband" in said


async def test_items_beyond_one_subscription_go_into_another_and_what_fits_in_none_is_read(plc: Plc, metrics: DriverMetrics) -> None:
    plc.manners.items_a_subscription = 5
    plc.inside.max_subscriptions = 2
    async with opened(device_at(plc.url), tags_of(), metrics) as (session, batches):
        await rows_until(batches, has_all(NODES))
        assert [len(one.monitored_item_srv._monitored_items) for one in plc.subscriptions] == [5, 5]
        for number in range(1, NODES + 1):
            await plc.put(f"n{number}", number + 100.0)
        got = await rows_until(batches, Seen({number: number + 100.0 for number in range(1, NODES + 1)}))
        assert session.trouble is None
    assert {quality for *_, quality in got} == {Quality.GOOD}
    assert not plc.subscriptions


async def test_a_server_that_is_full_is_not_left_with_an_empty_subscription(plc: Plc, metrics: DriverMetrics) -> None:
    plc.manners.items_in_all = 5
    async with opened(device_at(plc.url), tags_of(), metrics) as (_, batches):
        await rows_until(batches, has_all(NODES))
        assert plc.inside.item_count == 5
        assert len(plc.subscriptions) == 1
        for number in (1, NODES):
            await plc.put(f"n{number}", 50.0)
        await rows_until(batches, Seen({1: 50.0, NODES: 50.0}))


@pytest.mark.parametrize("code", ["BadServiceUnsupported", "BadNotImplemented", "BadNotSupported", "BadTooManySubscriptions"])
async def test_a_server_without_subscriptions_is_read(plc: Plc, metrics: DriverMetrics, code: str) -> None:
    plc.manners.no_subscription = int(getattr(ua.StatusCodes, code))
    tags = [*tags_of(3), tag_of(4, "comes-later", scan_ms=20)]
    async with opened(device_at(plc.url), tags, metrics) as (_, batches):
        first = await rows_until(batches, lambda got: len(got) >= 4)
        assert {(tag_id, quality) for tag_id, _, _, quality in first} == {(1, 0), (2, 0), (3, 0), (4, Quality.BAD_NODE_ID_UNKNOWN)}
        following = asyncio.create_task(rows_until(batches, Seen({2: 77.0, 4: 5.0})))
        await scans(plc, 5)
        await plc.put("n2", 77.0)
        await plc.add("comes-later", 5.0, ua.VariantType.Double)
        got = await following
    assert [tag_id for tag_id, *_ in sorted(got)] == [2, 4], "what did not change is no new sample"


async def test_a_device_that_is_to_be_read_is_not_asked_for_a_subscription_and_each_tag_has_its_own_period(plc: Plc, metrics: DriverMetrics) -> None:
    tags = [watched_as(tag_of(1, "n1", scan_ms=60_000), sampling_interval=20.0), tag_of(2, "n2", scan_ms=60_000)]
    async with opened(replace(device_at(plc.url), polling=True), tags, metrics) as (_, batches):
        await rows_until(batches, has_all(2))
        await plc.put("n2", 50.0)
        for value in (60.0, 61.0):
            await plc.put("n1", value)
            got = await rows_until(batches, Seen({1: value}))
            assert {tag_id for tag_id, *_ in got} == {1}
    assert plc.manners.subscriptions_asked == 0


async def scans(plc: Plc, count: int) -> None:
    """Waits until the server was read some times more."""
    wanted = len(plc.manners.read_calls) + count
    async with asyncio.timeout(10):
        while len(plc.manners.read_calls) < wanted:
            await asyncio.sleep(0.02)


async def test_a_value_that_is_read_again_is_no_sample_though_the_server_stamps_each_answer(plc: Plc, metrics: DriverMetrics) -> None:
    plc.manners.stamps_reads = True
    await plc.put("n1", 7.0)
    async with opened(replace(device_at(plc.url), polling=True), tags_of(1), metrics) as (_, batches):
        await rows_until(batches, Seen({1: 7.0}))
        following = asyncio.create_task(rows_until(batches, Seen({1: 8.0})))
        await scans(plc, 5)
        await plc.put("n1", 7.0)
        await scans(plc, 3)
        await plc.put("n1", 8.0)
        got = await following
    assert [value for _, _, value, _ in got] == [7.0, 8.0], "equal, and of another time at its source"


@pytest.mark.parametrize("most", [1, 5])
@pytest.mark.parametrize("polling", [False, True])
async def test_no_call_is_larger_than_the_server_says_that_it_takes(plc: Plc, metrics: DriverMetrics, most: int, polling: bool) -> None:
    plc.manners.most_reads = plc.manners.most_items = most
    await plc.limit(LIMITS.Server_ServerCapabilities_OperationLimits_MaxNodesPerRead, most)
    await plc.limit(LIMITS.Server_ServerCapabilities_OperationLimits_MaxMonitoredItemsPerCall, most)
    async with opened(replace(device_at(plc.url), polling=polling), tags_of(), metrics) as (_, batches):
        await rows_until(batches, has_all(NODES))
    assert max(plc.manners.item_calls, default=0) == (0 if polling else most)
    refused = [count for count in plc.manners.read_calls if count > most]
    assert refused == ([4, 2] if most == 1 else []), "only the limits themselves are read before they are known"


@pytest.mark.parametrize("code", ["BadTooManyOperations", "BadRequestTooLarge", "BadResponseTooLarge", "BadEncodingLimitsExceeded", "BadTcpMessageTooLarge"])
async def test_a_server_that_says_nothing_of_its_limits_is_asked_in_halves(plc: Plc, metrics: DriverMetrics, code: str) -> None:
    plc.manners.most_reads, plc.manners.most_items, plc.manners.too_many = 4, 3, int(getattr(ua.StatusCodes, code))
    await plc.limit(LIMITS.Server_ServerCapabilities_OperationLimits_MaxNodesPerRead, 0)
    await plc.limit(LIMITS.Server_ServerCapabilities_OperationLimits_MaxMonitoredItemsPerCall, 0)
    async with opened(device_at(plc.url), tags_of(), metrics) as (session, batches):
        await rows_until(batches, has_all(NODES))
        assert session.trouble is None
    assert plc.manners.item_calls == [12, 6, 3, 3, 3, 3]
    sizes = [count for count in plc.manners.read_calls if count > 1]
    assert sizes == [4, 2, 24, 12, 6, *[3] * 8], "types of twelve nodes: two attributes each, and a size that went through is kept"


async def test_what_a_queue_lost_is_counted_once_for_each_time_that_it_ran_over(plc: Plc, metrics: DriverMetrics, registry: CollectorRegistry) -> None:
    tags = [watched_as(tag_of(1, "n1"), queue_size=2), tag_of(2, "n1")]
    async with opened(device_at(plc.url, publishing_interval=0.2), tags, metrics) as (session, batches):
        await rows_until(batches, Seen({1: 1.0, 2: 1.0}))
        assert session.overflows == 0
        for time in (1, 2):
            for value in range(5):
                await plc.put("n1", 10.0 * time + value)
            got = await rows_until(batches, Seen({1: 10.0 * time + 4, 2: 10.0 * time + 4}))
            assert [value for tag_id, _, value, _ in got if tag_id == 1] == [10.0 * time + 3, 10.0 * time + 4], "the newest two"
            assert len([row for row in got if row[0] == 2]) == 5
            assert {quality for *_, quality in got} == {Quality.GOOD}, "what came is not worse for what did not"
            assert session.overflows == time
    assert registry.get_sample_value("monazite_driver_overflows_total", {"driver": "opcua", "device": "PLC-TEST-01"}) == 2


async def test_a_server_that_takes_one_publish_request_at_a_time_is_heard(plc: Plc, metrics: DriverMetrics, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("asyncua.server.uaprocessor.UaProcessor.publish_request_limit", lambda processor, subscriptions: 1)
    async with opened(device_at(plc.url), tags_of(1), metrics) as (_, batches):
        await rows_until(batches, has_all(1))
        for value in range(20, 26):
            await plc.put("n1", float(value))
            await rows_until(batches, Seen({1: float(value)}))
