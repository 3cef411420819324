"""A device link over a real OPC UA server that goes away and comes back."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import numpy as np
from prometheus_client import CollectorRegistry

from drivers import DeviceLink, DriverMetricFamilies
from drivers.backoff import Backoff
from drivers.opcua import OpcuaDriver
from plant import times
from plant.batch import Batch, SampleBatch, TextBatch
from plant.current_values import CurrentValues
from plant.device import OpcuaDevice, OpcuaSecurity
from plant.quality import Quality
from plant.tag import DataType
from simulators.image import TagImage
from simulators.opcua_server import OpcuaServer
from tests.samples import make_tag

NUMBER = make_tag(1, "SEP.COL101.FIC101.SP", writable=True)
TEXT = make_tag(2, "SEP.COL101.UY101", data_type=DataType.STRING, eu_range=None)
LONG_AGO = 1_577_836_800_000_000
"""2020-01-01, UTC microseconds: neither tag has changed since."""


class Heard:
    """Everything a link published, and the current values it leads to."""

    def __init__(self) -> None:
        self.batches: list[Batch] = []
        self.current = CurrentValues([NUMBER, TEXT])

    async def publish(self, batch: Batch) -> None:
        self.batches.append(batch)
        self.current.update(batch)

    @property
    def qualities(self) -> set[int]:
        return {int(quality) for batch in self.current.of([NUMBER.id, TEXT.id]) for quality in batch.quality}

    def of(self, tag_id: int) -> list[tuple[int, float | str, int]]:
        """(time, value, quality) of one tag, in order of arrival."""
        return [
            (int(time), value, int(quality))
            for batch in self.batches
            for tag, time, value, quality in zip(batch.tag_id, batch.time, batch.value, batch.quality, strict=True)
            if tag == tag_id
        ]

    async def until(self, quality: Quality) -> None:
        async with asyncio.timeout(30):
            while self.qualities != {quality}:
                await asyncio.sleep(0.02)


@asynccontextmanager
async def linked(url: str, heard: Heard, *, already_lost: bool = False) -> AsyncIterator[None]:
    device = OpcuaDevice("PLC-SEP-01", "SEP", url, 0.1, security=OpcuaSecurity.none())
    metrics = DriverMetricFamilies(CollectorRegistry()).of("opcua", device.name)
    link = DeviceLink(device, [NUMBER, TEXT], OpcuaDriver().open, heard.publish, lambda status: None, metrics, backoff=Backoff(first=0.2, cap=0.5))
    if already_lost:
        link.go_on_from_loss()
    running = asyncio.create_task(link.run())
    try:
        yield
    finally:
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)


async def test_values_that_did_not_change_meanwhile_are_known_again_after_a_loss() -> None:
    image = TagImage([NUMBER, TEXT], LONG_AGO)
    image.assign(np.array([0]), np.array([42.5]), LONG_AGO)
    image.write(1, "LOT-0001", LONG_AGO)
    server, heard = OpcuaServer("PLC-SEP-01", image), Heard()
    url = await server.start()
    try:
        async with linked(url, heard):
            await heard.until(Quality.GOOD)
            assert heard.of(1) == [(LONG_AGO, 42.5, Quality.GOOD)]
            lost_after = times.now()
            await server.stop()
            await heard.until(Quality.BAD_NO_COMMUNICATION)
            back_after = times.now()
            await server.start(server.port)
            await heard.until(Quality.GOOD)
    finally:
        await server.stop()
    for tag_id, value in ((1, 42.5), (2, "LOT-0001")):
        first, lost, again, *rest = heard.of(tag_id)
        assert first == (LONG_AGO, value, Quality.GOOD)
        assert lost_after - 100_000 <= lost[0] < again[0], "by the device's clock, which is known to some milliseconds"
        assert again[1:] == (value, Quality.GOOD)
        assert again[0] >= back_after - 500_000, "known from the opening of the new session, not for the time of the loss"
        assert rest == [first], "and the device's own word, unaltered"


async def test_values_that_did_not_change_are_known_again_by_the_next_gateway_if_one_ended_during_a_loss() -> None:
    image = TagImage([NUMBER, TEXT], LONG_AGO)
    image.assign(np.array([0]), np.array([42.5]), LONG_AGO)
    image.write(1, "LOT-0001", LONG_AGO)
    server, heard = OpcuaServer("PLC-SEP-01", image), Heard()
    url = await server.start()
    lost_at = times.now() - times.MICROSECONDS  # the device's clock is known to some milliseconds
    heard.current.update(SampleBatch.of_one_time([1], lost_at, np.nan, Quality.BAD_NO_COMMUNICATION))
    heard.current.update(TextBatch.without_value([2], lost_at, Quality.BAD_NO_COMMUNICATION))
    try:
        async with linked(url, heard, already_lost=True):
            await heard.until(Quality.GOOD)
    finally:
        await server.stop()
    for tag_id, value in ((1, 42.5), (2, "LOT-0001")):
        again, own = heard.of(tag_id)
        assert again[0] > lost_at
        assert again[1:] == (value, Quality.GOOD)
        assert own == (LONG_AGO, value, Quality.GOOD)


async def test_a_loss_is_newer_than_the_newest_sample_of_a_device_whose_clock_is_ahead() -> None:
    ahead = times.now() + 200 * times.MICROSECONDS
    image = TagImage([NUMBER, TEXT], ahead)
    server, heard = OpcuaServer("PLC-SEP-01", image), Heard()
    url = await server.start()
    try:
        async with linked(url, heard):
            await heard.until(Quality.GOOD)
            await server.stop()
            await heard.until(Quality.BAD_NO_COMMUNICATION)
    finally:
        await server.stop()


async def test_one_time_in_another_century_hides_nothing_that_is_read_after_it() -> None:
    year_2106 = times.parse_time("2106-02-07T06:28:15Z", 0)
    image = TagImage([NUMBER, TEXT], times.now())
    image.assign(np.array([0]), np.array([42.5]), year_2106)
    server, heard = OpcuaServer("PLC-SEP-01", image), Heard()
    url = await server.start()
    try:
        async with linked(url, heard):
            async with asyncio.timeout(30):
                while not heard.of(1) or not heard.of(2):
                    await asyncio.sleep(0.02)
            assert heard.of(1)[0][1:] == (42.5, Quality.UNCERTAIN_SUB_NORMAL)
            await server.stop()
            await heard.until(Quality.BAD_NO_COMMUNICATION)
            image.assign(np.array([0]), np.array([43.5]), times.now())
            image.write(1, "LOT-2", times.now())
            await server.start(server.port)
            await heard.until(Quality.GOOD)
    finally:
        await server.stop()
    assert max(time for time, _, _ in heard.of(1) + heard.of(2)) < times.now() + times.MICROSECONDS
