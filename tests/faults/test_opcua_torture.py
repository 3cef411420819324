"""The OPC UA driver against malformed chunks, through a device link, on real sockets; and its decoder against the library's over malformed bodies.

What is counted: malformed messages that left for the driver when it had taken all that was sent to it before, so that each was looked at. Nineteen in twenty
are publish responses in a sound frame: most have a fault that a session should outlive (handles, status codes, values and notifications that nothing here
can hold, gaps, numbers of what is kept, bytes behind the end), one in eight a fault that should end it. The rest are faults of a frame, and of the chunks that
open a session, about one in fifty each; these cost a connection. ``MONAZITE_FULL_FAULTS=1`` sends a hundred thousand, else one thousand; the decoder
reads a hundred thousand bodies, else two thousand.
"""

import asyncio
import gc
import logging
import random
import struct
import time
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from datetime import UTC
from typing import Any

import pytest
from asyncua import ua
from asyncua.common.utils import Buffer
from asyncua.ua.ua_binary import struct_from_binary, struct_to_binary
from prometheus_client import CollectorRegistry

from drivers import Backoff, DeviceLink, DriverMetricFamilies
from drivers.opcua import OpcuaDriver
from drivers.opcua.binary_reader import NULL, BinaryReader, UnreadableResponse
from drivers.opcua.decode import Decoded, HandleTable, decode
from drivers.opcua.publish_response import decode_notifications, read_publish_response
from plant import times
from plant.batch import Batch, SampleBatch, TextBatch
from plant.device import OpcuaDevice, OpcuaSecurity
from tests.faults.body_faults import DEADLY, HARMLESS, mangled_body
from tests.faults.chunks import Response, grown
from tests.faults.coded_plant import TAGS, CodedServer, Newest, coded_server, variant_of, wrong_rows
from tests.faults.figures import report, resident_bytes, scaled
from tests.faults.fuzzing_cable import FuzzingCable

CHUNKS = scaled(100_000, 1_000)
BODIES = scaled(100_000, 2_000)
SEED = 20_261_123
LINKS = 8
STALLED = 60.0
"""Seconds without a further malformed chunk on a link: far more than the driver's longest patience, which is that with a silent subscription."""
GROWTH = 24 * 2**20
RECOVERED_WITHIN = 30.0

pytestmark = pytest.mark.timeout(scaled(3_600, 120))


class Tortured:
    """A link behind a cable, and what it published."""

    def __init__(self, cable: FuzzingCable, name: str, families: DriverMetricFamilies, earliest: int) -> None:
        self.cable = cable
        self.newest = Newest()
        self.wrong: list[object] = []
        self._earliest = earliest
        device = OpcuaDevice(name, "SEP", f"opc.tcp://127.0.0.1:{cable.port}/", 0.02, 1.0, OpcuaSecurity.none(), history=False)
        backoff = Backoff(first=0.01, cap=0.02, floor=0.0)
        metrics = families.of("opcua", name)
        self.link = DeviceLink(device, TAGS, OpcuaDriver().open, self._publish, lambda status: None, metrics, backoff=backoff)

    async def _publish(self, batch: Batch) -> None:
        assert isinstance(batch, (SampleBatch, TextBatch))
        self.newest.see(batch)
        self.wrong += wrong_rows(batch, self._earliest, times.now() + times.MICROSECONDS)


@asynccontextmanager
async def tortured(server: CodedServer, families: DriverMetricFamilies, earliest: int) -> AsyncIterator[list[Tortured]]:
    async with AsyncExitStack() as stack:
        cables = [await stack.enter_async_context(FuzzingCable(server.port, random.Random(SEED + number))) for number in range(LINKS)]
        links = [Tortured(cable, f"PLC-SEP-{number:02d}", families, earliest) for number, cable in enumerate(cables)]
        running = [asyncio.create_task(one.link.run()) for one in links]
        try:
            yield links
        finally:
            for task in running:
                task.cancel()
            await asyncio.gather(*running, return_exceptions=True)


async def until_good(links: list[Tortured]) -> None:
    async with asyncio.timeout(RECOVERED_WITHIN):
        while not all(one.newest.are_good for one in links):
            await asyncio.sleep(0.02)


async def run_out(links: list[Tortured]) -> list[int]:
    """Waits until every fault has been sent, and has the resident bytes after each twentieth of them, the first at the start."""
    figures = [resident_bytes()]
    left, moved_at = [one.cable.left for one in links], [time.monotonic()] * len(links)
    while any(left):
        await asyncio.sleep(0.05)
        for number, one in enumerate(links):
            if one.cable.left != left[number]:
                left[number], moved_at[number] = one.cable.left, time.monotonic()
            assert not left[number] or time.monotonic() - moved_at[number] < STALLED, f"link {number} hangs: {one.link.status}"
        if CHUNKS - sum(left) >= len(figures) * CHUNKS / 20:
            figures.append(resident_bytes())
    return figures


async def test_no_malformed_chunk_is_a_wrong_value_or_a_fault_or_a_hang(caplog: pytest.LogCaptureFixture) -> None:
    for name in ("asyncua", "drivers"):
        caplog.set_level(logging.CRITICAL + 1, name)
    caplog.set_level(logging.ERROR, "drivers.shelter")
    strays: list[dict[str, Any]] = []
    asyncio.get_running_loop().set_exception_handler(lambda loop, context: strays.append(context))
    registry, earliest = CollectorRegistry(), times.now()
    async with coded_server() as server, tortured(server, DriverMetricFamilies(registry), earliest) as links:
        await until_good(links)
        async with asyncio.timeout(30):
            while not all(one.cable.knows_enough for one in links):
                await asyncio.sleep(0.02)
        begun = time.monotonic()
        for one in links:
            one.cable.go_mad(CHUNKS // LINKS)
        memory = await run_out(links)
        took = time.monotonic() - begun
        for one in links:
            one.newest = Newest()
        await until_good(links)
    gc.collect()
    faults = sum((one.cable.faults for one in links), Counter[str]())
    report(f"{faults.total()} malformed chunks in {took:.0f} s over {sum(one.cable.connections for one in links)} connections")
    report(", ".join(f"{name} {count}" for name, count in faults.most_common()))
    report(f"slowest reaction {max(one.cable.slowest for one in links):.1f} s; resident MiB: {[figure >> 20 for figure in memory]}")
    assert faults.total() == CHUNKS
    assert max(one.cable.slowest for one in links) < STALLED
    assert [one.wrong for one in links if one.wrong] == []
    assert strays == []
    assert caplog.text == "", "a fault of the driver"
    assert memory[-1] - memory[len(memory) // 5] < GROWTH


TABLE = HandleTable.of(TAGS)
NOON = ua.DateTime(2026, 11, 23, 12, 0, 0, 123_457, UTC)
RECEIVED = times.from_datetime(NOON) + 1_000
MOST_NULLS = 1_000
_LIBRARY_REFUSES = (ua.UaError, struct.error, ValueError, TypeError, LookupError, AttributeError, ArithmeticError, RecursionError)


def sound_response(chance: random.Random) -> Response:
    """A few items of several types, some without a status or without times."""
    response = ua.PublishResponse()
    response.Parameters.SubscriptionId = ua.UInt32(7)
    response.Parameters.NotificationMessage.SequenceNumber = ua.UInt32(chance.randint(1, 60))
    response.Parameters.NotificationMessage.PublishTime = NOON
    items = []
    for handle in chance.sample(range(len(TAGS)), chance.randint(1, 8)):
        tag, step = TAGS[handle], chance.randrange(1000)
        variant = variant_of(tag, step)
        status = chance.choice((ua.StatusCode(), ua.StatusCode(ua.UInt32(0x40900000)), None))
        value = ua.DataValue(variant, StatusCode=status, SourceTimestamp=chance.choice((NOON, None)), ServerTimestamp=chance.choice((NOON, None)))
        items.append(ua.MonitoredItemNotification(ClientHandle=ua.UInt32(handle), Value=value))
    response.Parameters.NotificationMessage.NotificationData = [ua.DataChangeNotification(items)]
    found = Response.of(struct_to_binary(response))
    assert found is not None
    return found


def of_library(body: bytes) -> tuple[Decoded, bool] | None:
    """What the library makes of it, and whether it reads an item otherwise than OPC UA Part 6, 5.2.2.15 and 5.2.2.17, has it; ``None`` where it refuses."""
    try:
        response = struct_from_binary(ua.PublishResponse, Buffer(body))
        response.ResponseHeader.ServiceResult.check()
        data = response.Parameters.NotificationMessage.NotificationData or []
        items = [item for one in data if isinstance(one, ua.DataChangeNotification) for item in one.MonitoredItems or []]
        return decode(items, TABLE, RECEIVED), any(strays(item.Value) for item in items)
    except _LIBRARY_REFUSES:
        return None


def test_a_notification_with_bytes_left_over_is_unreadable() -> None:
    """A length in it that lies would end in a value that nobody sent."""
    response = sound_response(random.Random(SEED))
    end = response.size_at + 4 + int.from_bytes(response.body[response.size_at : response.size_at + 4], "little")
    assert of_driver(response.body) is not None
    for left in (1, 2, 4, 30):
        body = bytearray(response.body)
        body[end:end] = bytes(left)
        assert of_driver(bytes(grown(body, response.size_at, left))) is None


def strays(value: ua.DataValue) -> bool:
    """The library puts the picoseconds of the source behind the server's time, and passes over structures in its own way."""
    is_structure = value.Value is not None and value.Value.VariantType is ua.VariantType.ExtensionObject
    return is_structure or (value.SourcePicoseconds is not None and value.ServerTimestamp is not None)


@pytest.fixture
def nulls(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """How many Nulls each array of them has that the driver passes over. They take no bytes: the library would make as many objects as it is told."""
    found: list[int] = []
    skip_array = BinaryReader.skip_array

    def noting(reader: BinaryReader, kind: int, depth: int = 0) -> None:
        if kind == NULL and reader.left >= 4:
            found.append(int.from_bytes(reader.data[reader.position : reader.position + 4], "little", signed=True))
        skip_array(reader, kind, depth)

    monkeypatch.setattr(BinaryReader, "skip_array", noting)
    return found


def of_driver(body: bytes) -> Decoded | None:
    try:
        return decode_notifications(read_publish_response(body), TABLE, RECEIVED)
    except (UnreadableResponse, ua.UaStatusCodeError):
        return None


def rows_of(decoded: Decoded) -> list[tuple[object, ...]]:
    """Rows in which all that is not a number is equal."""
    columns = [(batch.tag_id.tolist(), batch.time.tolist(), batch.value.tolist(), batch.quality.tolist()) for batch in decoded.batches]
    return [(tag, at, repr(value), quality) for column in columns for tag, at, value, quality in zip(*column, strict=True)]


def test_a_malformed_body_is_refused_or_read_as_the_library_reads_it(nulls: list[int]) -> None:
    """The library may refuse what is read here: it decodes parts that no tag needs, and are passed over."""
    chance, memory = random.Random(SEED), [resident_bytes()]
    fates: Counter[str] = Counter()
    for number in range(BODIES):
        nulls.clear()
        fault, body = mangled_body(sound_response(chance), chance, DEADLY if number % 2 else HARMLESS)
        ours = of_driver(body)
        if ours is None:
            fates["refused"] += 1
        elif max(nulls, default=0) > MOST_NULLS:
            fates["read, and beyond the library"] += 1
        elif (theirs := of_library(body)) is None:
            fates["read, and refused by the library"] += 1
        elif theirs[1]:
            fates["read, and by the library not as the standard has it"] += 1
        else:
            assert rows_of(ours) == rows_of(theirs[0]), f"{fault}: {body.hex()}"
            fates["read as by the library"] += 1
        if number % (BODIES // 20) == 0:
            memory.append(resident_bytes())
    report(f"{fates.total()} malformed bodies: {dict(sorted(fates.items()))}; resident MiB: {[figure >> 20 for figure in memory]}")
    assert fates["refused"] > BODIES / 10
    assert fates["read as by the library"] > BODIES / 10
    assert memory[-1] - memory[len(memory) // 5] < GROWTH
