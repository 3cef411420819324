"""Subscriptions of servers that are slow, that fall silent in part, that refuse what is new, and that make other intervals than were asked for."""

import asyncio
import math
from collections.abc import AsyncIterator, Callable
from dataclasses import replace

import pytest
from asyncua import ua
from asyncua.server.uaprocessor import UaProcessor
from prometheus_client import CollectorRegistry

from drivers import DriverMetricFamilies, DriverMetrics
from plant.device import OpcuaAddress
from plant.errors import DeviceUnreachable
from plant.quality import Quality
from tests.integration.test_opcua_driver import Row, device_at, lost, opened, rows_until, tag_of
from tests.opcua_server import URI, Plc, plc_server

NODES = 4
ONE, TWO, *_ = TAGS = [tag_of(number, f"n{number}") for number in range(1, NODES + 1)]


@pytest.fixture
async def plc() -> AsyncIterator[Plc]:
    """With nodes n1 to n4 that hold 1.0 to 4.0."""
    async with plc_server() as running:
        for number in range(1, NODES + 1):
            await running.add(f"n{number}", float(number), ua.VariantType.Double)
        yield running


@pytest.fixture
def metrics() -> DriverMetrics:
    return DriverMetricFamilies(CollectorRegistry()).of("opcua", "PLC-TEST-01")


def has(wanted: dict[int, float]) -> Callable[[list[Row]], bool]:
    """Whether these came, Good."""

    def came(rows: list[Row]) -> bool:
        good = {(tag_id, value) for tag_id, _, value, quality in rows if quality == Quality.GOOD}
        return good >= set(wanted.items())

    return came


FIRST = has({tag.id: float(tag.id) for tag in TAGS})


async def test_a_server_that_takes_longer_to_watch_than_it_may_be_silent_is_waited_for_at_first_and_when_refused_tags_are_tried_again(
    plc: Plc, metrics: DriverMetrics, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("drivers.opcua.monitored_items.RETRY", 0.3)
    plc.manners.publishing_interval, plc.manners.keep_alive_count = 50.0, 2
    plc.manners.creation_takes = 1.5
    plc.manners.refusal = lambda item: int(ua.StatusCodes.BadOutOfMemory) if item.RequestedParameters.ClientHandle == 1 else ua.StatusCodes.Good
    async with opened(device_at(plc.url), [ONE, TWO], metrics) as (session, batches):
        await rows_until(batches, has({1: 1.0}))
        plc.manners.refusal = lambda item: ua.StatusCodes.Good
        await rows_until(batches, has({2: 2.0}))
        assert session.trouble is None
        for name in ("n1", "n2"):
            await plc.put(name, 5.0)
        await rows_until(batches, has({1: 5.0, 2: 5.0}))
    assert len(plc.manners.item_calls) >= 2


async def test_one_subscription_that_falls_silent_ends_the_session_though_another_brings_values(
    plc: Plc, metrics: DriverMetrics, monkeypatch: pytest.MonkeyPatch
) -> None:
    plc.manners.publishing_interval, plc.manners.keep_alive_count, plc.manners.items_a_subscription = 50.0, 10, 1
    async with opened(device_at(plc.url), [ONE, TWO], metrics) as (_, batches):
        await rows_until(batches, has({1: 1.0, 2: 2.0}))
        _, other = plc.subscriptions
        monkeypatch.setattr(other, "has_published_results", lambda: False)

        async def go_on() -> None:
            value = 10.0
            while True:
                value += 1.0
                await plc.put("n1", value)
                await asyncio.sleep(0.02)

        going_on = asyncio.create_task(go_on())
        error = await lost(batches, 20)
        going_on.cancel()
        await asyncio.gather(going_on, return_exceptions=True)
    assert isinstance(error, DeviceUnreachable)
    assert str(error) == "the server answers, but its subscription has been silent for 1.5 s"


@pytest.mark.parametrize("most", [1, 2])
async def test_a_server_that_refuses_the_newest_publish_request_instead_of_the_oldest_is_sent_as_many_as_it_takes(
    plc: Plc, metrics: DriverMetrics, monkeypatch: pytest.MonkeyPatch, most: int
) -> None:
    refused = 0
    refuse_oldest = UaProcessor._evict_publish_request

    def refuse_newest(processor: UaProcessor) -> None:
        """The request that is too much is put after the others once this has returned."""

        def refuse() -> None:
            nonlocal refused
            if len(processor._publish_requests) > most:
                refused += 1
                processor._publish_requests.rotate(1)
                refuse_oldest(processor)

        asyncio.get_running_loop().call_soon(refuse)

    monkeypatch.setattr(UaProcessor, "publish_request_limit", lambda *_: most)
    monkeypatch.setattr(UaProcessor, "_evict_publish_request", refuse_newest)
    plc.manners.items_a_subscription = 1
    async with opened(device_at(plc.url), TAGS, metrics) as (_, batches):
        await rows_until(batches, FIRST)
        for value in range(10, 20):
            for tag in TAGS:
                await plc.put(f"n{tag.id}", float(value))
            await rows_until(batches, has({tag.id: float(value) for tag in TAGS}))
        assert len(plc.subscriptions) == NODES
    assert 1 <= refused <= 2 * (NODES + 1)


async def test_what_a_server_may_have_gathered_unseen_is_what_it_gathers_by_its_own_interval(plc: Plc, metrics: DriverMetrics) -> None:
    plc.manners.publishing_interval = 400.0
    async with opened(device_at(plc.url, publishing_interval=0.05), [ONE], metrics) as (session, batches):
        assert session.lag == 0.05, "no subscription was asked for yet"
        await rows_until(batches, has({1: 1.0}))
        assert session.lag == 0.4


async def test_an_element_of_an_array_that_is_no_number_is_read_once(plc: Plc, metrics: DriverMetrics) -> None:
    plc.manners.no_subscription = ua.StatusCodes.BadServiceUnsupported
    await plc.add("array", [math.nan, 1.0], ua.VariantType.Double)
    element = replace(TWO, source=OpcuaAddress(f"nsu={URI};s=array", index=0))
    async with opened(device_at(plc.url), [ONE, element], metrics) as (_, batches):
        got = await rows_until(batches, has({1: 1.0}))
        for value in range(10, 20):
            await plc.put("n1", float(value))
            got += await rows_until(batches, has({1: float(value)}))
    assert sum(tag_id == element.id for tag_id, *_ in got) == 1
