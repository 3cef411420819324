"""What the OPC UA driver makes of servers that are slow, short of places, or cut off while they answer."""

import asyncio
import math
from collections.abc import AsyncIterator, Callable, Sequence
from functools import partial

import pytest
from asyncua import ua
from asyncua.server.internal_subscription import InternalSubscription
from asyncua.server.uaprocessor import UaProcessor
from prometheus_client import CollectorRegistry

from drivers import DriverMetricFamilies, DriverMetrics
from drivers.opcua.monitored_items import MonitoredItems
from plant.batch import Batch
from plant.device import OpcuaDevice
from plant.quality import Quality
from plant.tag import Tag
from tests.cable import Cable, FlappingCable
from tests.integration.test_opcua_driver import Row, device_at, opened, rows, rows_until, tag_of
from tests.integration.test_opcua_supervision import Heard, linked
from tests.opcua_server import Plc, plc_server

NODES = 4
REPUBLISH = 832
"""Of the request's binary encoding. Source: OPC UA Part 6, Annex A (NodeIds.csv)."""


@pytest.fixture
async def plc() -> AsyncIterator[Plc]:
    """With nodes n1 to n4 that hold 1.0 to 4.0."""
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


def tags_of(count: int = NODES) -> list[Tag]:
    return [tag_of(number, f"n{number}") for number in range(1, count + 1)]


def has_values(*wanted: tuple[Tag, float]) -> Callable[[list[Row]], bool]:
    """Whether these came, Good."""

    def came(rows: list[Row]) -> bool:
        good = {(tag_id, value) for tag_id, _, value, quality in rows if quality == Quality.GOOD}
        return all((tag.id, value) in good for tag, value in wanted)

    return came


ONE, TWO, THREE, FOUR = TAGS = [tag_of(number, f"n{number}") for number in range(1, NODES + 1)]
FIRST = has_values((ONE, 1.0), (TWO, 2.0), (THREE, 3.0), (FOUR, 4.0))


async def test_a_server_that_takes_fewer_publish_requests_is_sent_fewer_and_the_session_stays(
    plc: Plc, metrics: DriverMetrics, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Four subscriptions would have five requests wait. The server takes two, and refuses the oldest."""
    refused = 0
    evict = UaProcessor._evict_publish_request

    def count(processor: UaProcessor) -> None:
        nonlocal refused
        refused += 1
        evict(processor)

    monkeypatch.setattr(UaProcessor, "publish_request_limit", lambda *_: 2)
    monkeypatch.setattr(UaProcessor, "_evict_publish_request", count)
    plc.manners.items_a_subscription = 1
    async with opened(device_at(plc.url), TAGS, metrics) as (_, batches):
        await rows_until(batches, FIRST)
        for value in range(10, 20):
            for tag in TAGS:
                await plc.put(f"n{tag.id}", float(value))
            await rows_until(batches, has_values(*((tag, float(value)) for tag in TAGS)))
    assert len(plc.manners.items) >= NODES
    assert 1 <= refused <= 4, "and is not sent more than it takes again and again"


async def test_a_server_that_is_slow_to_watch_is_not_taken_for_silent(plc: Plc, metrics: DriverMetrics, monkeypatch: pytest.MonkeyPatch) -> None:
    """It takes longer than three of its keep-alives, and cannot send one before it is asked to publish."""
    plc.manners.publishing_interval, plc.manners.keep_alive_count = 50.0, 2
    create = MonitoredItems._create

    async def slowly(items: MonitoredItems, handles: Sequence[int]) -> dict[int, int]:
        answers = await create(items, handles)
        await asyncio.sleep(1.5)
        return answers

    monkeypatch.setattr(MonitoredItems, "_create", slowly)
    async with opened(device_at(plc.url), TAGS, metrics) as (_, batches):
        await rows_until(batches, FIRST)
        await plc.put("n1", 5.0)
        await rows_until(batches, has_values((ONE, 5.0)))


async def test_a_subscription_that_nobody_here_made_is_given_back_and_the_session_goes_on(
    plc: Plc, metrics: DriverMetrics, registry: CollectorRegistry
) -> None:
    """The answer to its creation was lost with a connection; in the server it belongs to the session that went on."""
    plc.manners.publishing_interval, plc.manners.keep_alive_count = 50.0, 1
    async with opened(device_at(plc.url), TAGS, metrics) as (_, batches):
        await rows_until(batches, FIRST)
        (known,) = plc.subscriptions
        wanted = ua.CreateSubscriptionParameters(ua.Duration(50.0), ua.Counter(100), ua.Counter(1), ua.Counter(0), True)
        await plc.inside.subscription_service.create_subscription(wanted, known.pub_result_callback, known.session_id, known.pub_request_callback)
        assert len(plc.subscriptions) == 2
        async with asyncio.timeout(20):
            value = 10.0
            while plc.subscriptions != [known]:
                value += 1.0
                await plc.put("n1", value)
                await rows_until(batches, has_values((ONE, value)))
        await plc.put("n1", 5.0)
        await rows_until(batches, has_values((ONE, 5.0)))
    labels = {"driver": "opcua", "device": "PLC-TEST-01", "reason": "unknown subscription"}
    assert registry.get_sample_value("monazite_driver_frames_rejected_total", labels)


async def test_a_lost_notification_is_asked_for_again_at_the_next_keep_alive(plc: Plc, metrics: DriverMetrics, registry: CollectorRegistry) -> None:
    plc.manners.publishing_interval, plc.manners.keep_alive_count = 300.0, 2
    async with opened(device_at(plc.url), [ONE], metrics) as (_, batches):
        await rows_until(batches, has_values((ONE, 1.0)))
        (subscription,) = plc.subscriptions
        for value in (5.0, 6.0):
            await plc.put("n1", value)
            assert subscription._pop_publish_result().NotificationMessage.NotificationData, "taken from the queue and never sent"
        got = await rows_until(batches, has_values((ONE, 6.0)))
        assert [value for _, _, value, _ in got] == [5.0, 6.0]
        await plc.put("n1", 7.0)
        assert [value for _, _, value, _ in await rows_until(batches, has_values((ONE, 7.0)))] == [7.0]
    assert [missed(registry, fate) for fate in ("republished", "lost")] == [2, 0]


async def test_a_lost_notification_that_the_server_has_no_more_is_counted_once_at_the_next_keep_alive(
    plc: Plc, metrics: DriverMetrics, registry: CollectorRegistry
) -> None:
    plc.manners.publishing_interval, plc.manners.keep_alive_count = 50.0, 2
    async with opened(device_at(plc.url), [ONE], metrics) as (session, batches):
        await rows_until(batches, has_values((ONE, 1.0)))
        (subscription,) = plc.subscriptions
        subscription._notification_seq += 1
        following = asyncio.create_task(rows_until(batches, has_values((ONE, 5.0))))
        async with asyncio.timeout(10):
            while not missed(registry, "lost"):
                await asyncio.sleep(0.02)
        await asyncio.sleep(0.5)
        assert session.overflows == 1, "and by no keep-alive after it"
        await plc.put("n1", 5.0)
        assert [value for _, _, value, _ in await following] == [5.0]
    assert [missed(registry, fate) for fate in ("republished", "lost")] == [0, 1]


@pytest.mark.parametrize("strange", [lambda following: 0, lambda following: following - 1, lambda following: following + 2000])
async def test_a_keep_alive_whose_number_cannot_be_the_next_one_says_nothing(
    plc: Plc, metrics: DriverMetrics, registry: CollectorRegistry, monkeypatch: pytest.MonkeyPatch, strange: Callable[[int], int]
) -> None:
    plc.manners.publishing_interval, plc.manners.keep_alive_count = 50.0, 1
    keep_alives = 0
    pop = InternalSubscription._pop_publish_result

    def misnumbered(subscription: InternalSubscription) -> ua.PublishResult:
        nonlocal keep_alives
        result = pop(subscription)
        if not result.NotificationMessage.NotificationData:
            keep_alives += 1
            result.NotificationMessage.SequenceNumber = ua.Counter(strange(subscription._notification_seq))
        return result

    monkeypatch.setattr(InternalSubscription, "_pop_publish_result", misnumbered)
    async with opened(device_at(plc.url), [ONE], metrics) as (_, batches):
        await rows_until(batches, has_values((ONE, 1.0)))
        following = asyncio.create_task(rows_until(batches, has_values((ONE, 5.0))))
        keep_alives = 0
        async with asyncio.timeout(10):
            while keep_alives < 3:
                await asyncio.sleep(0.02)
        await plc.put("n1", 5.0)
        assert [value for _, _, value, _ in await following] == [5.0]
    assert [missed(registry, fate) for fate in ("republished", "lost")] == [0, 0]


def missed(registry: CollectorRegistry, fate: str) -> float:
    return registry.get_sample_value("monazite_driver_notifications_missed_total", {"driver": "opcua", "device": "PLC-TEST-01", "fate": fate}) or 0.0


def device_behind(cable: Cable) -> OpcuaDevice:
    return device_at(f"opc.tcp://127.0.0.1:{cable.port}/", timeout=1.0)


class Everything(Heard):
    """What a link published, whole."""

    def __init__(self) -> None:
        super().__init__()
        self.rows: list[Row] = []

    async def publish(self, batch: Batch) -> None:
        await super().publish(batch)
        self.rows += rows(batch)

    def quality(self, tag: Tag) -> int | None:
        return self.newest[tag.id][1] if tag.id in self.newest else None

    def values(self, tag: Tag) -> list[float | str]:
        return [value for tag_id, _, value, quality in self.rows if tag_id == tag.id and quality == Quality.GOOD]


async def test_notifications_that_were_missed_are_all_handed_over_though_the_cable_is_cut_while_they_are_asked_for(
    plc: Plc, metrics: DriverMetrics, monkeypatch: pytest.MonkeyPatch
) -> None:
    def kept(subscription: InternalSubscription, number: int) -> ua.NotificationMessage:
        """As the standard has it, until it is acknowledged: the library's server forgets what it sent again."""
        result = subscription._not_acknowledged_results.get(number)
        return ua.NotificationMessage() if result is None else result.NotificationMessage

    monkeypatch.setattr(InternalSubscription, "republish", kept)
    plc.manners.publishing_interval = 300.0
    heard = Everything()
    async with FlappingCable(plc.port, REPUBLISH) as cable, linked(device_behind(cable), metrics, ONE, heard=heard):
        await heard.until(lambda: heard.is_good(ONE, 1.0))
        (subscription,) = plc.subscriptions
        for value in (11.0, 12.0, 13.0):
            await plc.put("n1", value)
            assert subscription._pop_publish_result().NotificationMessage.NotificationData, "taken from the queue and never sent"
        cable.die_at(2)
        await plc.put("n1", 14.0)
        async with asyncio.timeout(20):
            await cable.died.wait()
        await heard.until(lambda: heard.newest[ONE.id][1] < 0)
        await cable.cut()
        await cable.mend()
        await heard.until(lambda: set(heard.values(ONE)) >= {11.0, 12.0, 13.0, 14.0})
        assert plc.subscriptions == [subscription], "the session went on"


async def test_a_tag_that_is_refused_is_bad_with_the_server_s_code_after_a_session_went_on_and_never_good(plc: Plc, metrics: DriverMetrics) -> None:
    """Its node can be read, but nobody would tell when the value changes."""
    plc.manners.refusal = lambda item: int(ua.StatusCodes.BadOutOfMemory) if item.RequestedParameters.ClientHandle == 1 else ua.StatusCodes.Good
    heard = Everything()
    async with Cable(plc.port) as cable, linked(device_behind(cable), metrics, ONE, TWO, heard=heard):
        await heard.until(lambda: heard.is_good(ONE, 1.0) and heard.quality(TWO) == Quality.BAD_OUT_OF_MEMORY)
        (subscription,) = plc.subscriptions
        await cable.cut()
        await heard.until(lambda: heard.quality(TWO) == Quality.BAD_NO_COMMUNICATION)
        await cable.mend()
        await heard.until(lambda: heard.quality(TWO) == Quality.BAD_OUT_OF_MEMORY)
        await plc.put("n1", 5.0)
        await heard.until(lambda: heard.is_good(ONE, 5.0))
        assert plc.subscriptions == [subscription], "the session went on"
    assert heard.values(TWO) == []


async def test_a_session_whose_items_were_being_made_when_the_cable_was_cut_is_not_gone_on_with(
    plc: Plc, metrics: DriverMetrics, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The server made them, and the answer was lost: made again in the same session, each change of theirs would come twice."""
    monkeypatch.setattr("drivers.opcua.monitored_items.RETRY", 0.3)
    has_room = asyncio.Event()
    heard = Everything()
    async with Cable(plc.port) as cable, linked(device_behind(cable), metrics, ONE, TWO, heard=heard):

        def refusal(item: ua.MonitoredItemCreateRequest) -> int:
            if item.RequestedParameters.ClientHandle == 0 or len(plc.subscriptions) > 1:
                return ua.StatusCodes.Good
            if has_room.is_set():
                cable.go_dead()
                return ua.StatusCodes.Good
            return int(ua.StatusCodes.BadOutOfMemory)

        plc.manners.refusal = refusal
        await heard.until(lambda: heard.is_good(ONE, 1.0) and heard.quality(TWO) == Quality.BAD_OUT_OF_MEMORY)
        has_room.set()
        await heard.until(lambda: heard.quality(TWO) == Quality.BAD_NO_COMMUNICATION)
        await cable.cut()
        has_room.clear()
        plc.manners.refusal = lambda item: ua.StatusCodes.Good
        await cable.mend()
        await heard.until(lambda: heard.is_good(TWO, 2.0))
        for value in (5.0, 6.0):
            await plc.put("n2", value)
            await heard.until(partial(heard.is_good, TWO, value))
        assert [value for value in heard.values(TWO) if value == 5.0] == [5.0]


async def test_a_value_that_is_no_number_is_read_once(plc: Plc, metrics: DriverMetrics) -> None:
    plc.manners.no_subscription = ua.StatusCodes.BadServiceUnsupported
    await plc.server.write_attribute_value(await plc.node_id("n2"), ua.DataValue(ua.Variant(math.nan, ua.VariantType.Double)))
    async with opened(device_at(plc.url), [ONE, TWO], metrics) as (_, batches):
        got = await rows_until(batches, has_values((ONE, 1.0)))
        for value in range(10, 20):
            await plc.put("n1", float(value))
            got += await rows_until(batches, has_values((ONE, float(value))))
    assert sum(tag_id == TWO.id for tag_id, *_ in got) == 1
