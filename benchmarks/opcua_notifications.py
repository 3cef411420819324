"""Values of an OPC UA subscription, from the socket to batches: our session against a handler of the library, both fed by the same server."""

import asyncio
import statistics
import sys
import time
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from typing import Any, Final

import numpy as np
from asyncua import Client, ua
from asyncua.common.utils import Buffer
from asyncua.ua.ua_binary import struct_from_binary, struct_to_binary
from prometheus_client import CollectorRegistry

from benchmarks.comparison import Comparison, compare
from drivers import DriverMetricFamilies
from drivers.opcua import OpcuaDriver
from drivers.opcua.decode import HandleTable
from drivers.opcua.publish_response import decode_notifications, read_publish_response
from plant import times
from plant.batch import SampleBatch
from plant.device import OpcuaAddress, OpcuaDevice, OpcuaSecurity
from plant.tag import Tag
from tests.samples import make_tag

ITEMS: Final = 2000
_ROUNDS: Final = 3
_OURS: Final = 4_000_000
_THEIRS: Final = 100_000
"""Values in a round, which take about a second or two."""
_PUBLISHING_INTERVAL: Final = 0.1
_INTERVALS: Final = (20.0, 10.0, 5.0, 2.0, 1.0, 0.5, 0.25, 0.1)
"""Sampling intervals tried, milliseconds."""
_SUSTAINED: Final = 4.0
"""Seconds without a loss."""
_LATE: Final = 1.0
"""Seconds that the newest value may be behind: what is further behind does not keep up, though its queues may still hold what it owes."""
_LARGEST_RESPONSE: Final = 10_000
_MIXED: Final = [ua.Variant(value) for value in (1.5, True, 2.5, 3.5, 7, "LOT-4711", 4.5, 5.5, False, 6.5)]
_TEXT: Final = 5
"""Place of the text."""
_NODE: Final = "nsu=urn:monazite:benchmark;s=VALUE"


def comparisons() -> Iterator[Comparison]:
    yield _decoding("doubles", 20.0, [ua.Variant(1.5)])
    yield _decoding("mixed types, one text in ten", 8.0, _MIXED)
    yield asyncio.run(_cost())
    yield asyncio.run(_highest_rate())


def _decoding(what: str, goal: float, variants: Sequence[ua.Variant]) -> Comparison:
    """The baseline stops at the library's objects."""
    items = [_item(number, variants[number % len(variants)]) for number in range(_LARGEST_RESPONSE)]
    response = ua.PublishResponse()
    response.Parameters.NotificationMessage.NotificationData = [ua.DataChangeNotification(items)]
    body = struct_to_binary(response)
    table = HandleTable(np.arange(_LARGEST_RESPONSE, dtype=np.int32), np.array([number % len(variants) == _TEXT for number in range(_LARGEST_RESPONSE)]))

    def ours(body: bytes) -> None:
        decoded = decode_notifications(read_publish_response(body), table, times.now())
        assert sum(map(len, decoded.batches)) == _LARGEST_RESPONSE

    def baseline(body: bytes) -> None:
        assert struct_from_binary(ua.PublishResponse, Buffer(body)).Parameters.NotificationMessage.NotificationData

    name = f"OPC UA notifications, decoding {what}"
    return compare(name, "asyncua decoder, to its objects", "values/s", goal, _LARGEST_RESPONSE, lambda _: body, ours, baseline)


def _item(handle: int, variant: ua.Variant) -> ua.MonitoredItemNotification:
    now: Any = datetime.now(UTC)
    return ua.MonitoredItemNotification(ua.UInt32(handle), ua.DataValue(variant, SourceTimestamp=now, ServerTimestamp=now))


@asynccontextmanager
async def _server() -> AsyncIterator[int]:
    process = await asyncio.create_subprocess_exec(sys.executable, "-m", "benchmarks.fast_opcua_server", stdout=asyncio.subprocess.PIPE)
    assert process.stdout is not None
    try:
        yield int(await asyncio.wait_for(process.stdout.readline(), 30))
    finally:
        process.terminate()
        await process.wait()


def _tags(sampling_interval: float) -> list[Tag]:
    """Sampling interval in milliseconds; 0 is as fast as the client asks."""
    source = OpcuaAddress(_NODE, sampling_interval=sampling_interval)
    return [make_tag(number + 1, f"SEP.COL101.PT{number}", device="FIELD", source=source) for number in range(ITEMS)]


async def _cost() -> Comparison:
    """Values per second of CPU time. The server is another process: what is counted is the CPU time of this one."""
    async with _server() as port:
        took: dict[str, list[float]] = {"ours": [], "baseline": []}
        for _ in range(_ROUNDS):
            took["baseline"].append(await _with_handler(port, _THEIRS))
            took["ours"].append(await _with_session(port, _OURS))
    rate = {side: statistics.median(rates) for side, rates in took.items()}
    return Comparison("OPC UA notifications, socket to batches", "asyncua subscription handler", "values/s of CPU", rate["ours"], rate["baseline"], 20.0)


async def _with_session(port: int, wanted: int) -> float:
    """Values per second of CPU time, none lost and none doubled."""
    check = _Check()
    clock = _CpuClock(wanted)
    await _listen(port, 0.0, lambda batch: check.take(batch) and clock.count(len(batch)))
    return clock.rate


async def _listen(port: int, sampling_interval: float, take: Callable[[SampleBatch], bool]) -> None:
    """Until ``take`` says that it is enough."""
    device = OpcuaDevice("FIELD", "SEP", f"opc.tcp://127.0.0.1:{port}", _PUBLISHING_INTERVAL, security=OpcuaSecurity.none())
    metrics = DriverMetricFamilies(CollectorRegistry()).of("opcua", device.name)
    session = await OpcuaDriver().open(device, _tags(sampling_interval), metrics)
    batches = session.batches()
    try:
        async for batch in batches:
            assert isinstance(batch, SampleBatch)
            if not take(batch):
                return
    finally:
        await batches.aclose()
        await session.close()


class _CpuClock:
    """Runs from the first values to the ``wanted`` ones."""

    def __init__(self, wanted: int) -> None:
        self._left = wanted
        self._wanted = wanted
        self._begun: float | None = None
        self.rate = 0.0

    def count(self, values: int) -> bool:
        if self._begun is None:
            self._begun = time.process_time()
            return True
        self._left -= values
        if self._left > 0:
            return True
        self.rate = (self._wanted - self._left) / (time.process_time() - self._begun)
        return False


class _Check:
    """Every item is sampled in every round, and its value is the number of the round."""

    def __init__(self) -> None:
        self._next = 1
        self.has_gap = False

    def take(self, batch: SampleBatch) -> bool:
        """False as soon as anything is missing, doubled, or out of place."""
        rounds = len(batch) // ITEMS
        value, tag_id = np.repeat(np.arange(self._next, self._next + rounds), ITEMS), np.tile(np.arange(1, ITEMS + 1), rounds)
        self._next += rounds
        self.has_gap |= not (np.array_equal(batch.value, value) and np.array_equal(batch.tag_id, tag_id) and not batch.quality.any())
        return not self.has_gap


class _Handler:
    """What a handler of the library does at least to give a sample."""

    def __init__(self, enough: Callable[[], None], clock: _CpuClock) -> None:
        self._enough = enough
        self._clock = clock
        self._samples: list[tuple[Any, Any, Any, Any]] = []

    def datachange_notification(self, node: Any, value: Any, data: Any) -> None:
        found = data.monitored_item.Value
        self._samples.append((data.subscription_data.client_handle, found.SourceTimestamp, value, found.StatusCode.value))
        if len(self._samples) == ITEMS:
            self._samples.clear()
            if not self._clock.count(ITEMS):
                self._enough()


async def _with_handler(port: int, wanted: int) -> float:
    clock, enough = _CpuClock(wanted), asyncio.Event()
    async with Client(f"opc.tcp://127.0.0.1:{port}") as client:
        nodes = [client.get_node("ns=1;s=VALUE") for _ in range(ITEMS)]
        subscription: Any = await client.create_subscription(1000 * _PUBLISHING_INTERVAL, _Handler(enough.set, clock))
        await subscription.subscribe_data_change(nodes, queuesize=1000, sampling_interval=0.0)
        await asyncio.wait_for(enough.wait(), 60)
    return clock.rate


async def _highest_rate() -> Comparison:
    """The fastest sampling of which nothing is lost and nothing late. A server that shares two cores with its client has its own limit."""
    best = 0.0
    for interval in _INTERVALS:
        async with _server() as port:
            rate = await _sustained(port, interval)
        if rate == 0.0:
            break
        best = rate
    return Comparison("OPC UA notifications, sustained without loss", "the rate that the design asks for", "values/s", best, 100_000.0, 1.0)


async def _sustained(port: int, interval: float) -> float:
    """Values per second that were received; 0 where any was lost or late."""
    check = _Check()
    received, took, delay = 0, 0.0, 0.0
    begun: float | None = None

    def take(batch: SampleBatch) -> bool:
        nonlocal received, took, delay, begun
        now = time.time()
        received = 0 if begun is None else received + len(batch)
        begun = begun or now
        took, delay = now - begun, now - float(batch.time[-1]) / times.MICROSECONDS
        return check.take(batch) and delay < _LATE and took < _SUSTAINED

    await asyncio.wait_for(_listen(port, interval, take), 60)
    return 0.0 if check.has_gap or delay >= _LATE else received / took
