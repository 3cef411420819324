"""A session with one Modbus device: scans on absolute phases, writes with read-back, over one connection.

Rules:

1. A scan class is due at ``start + k * period`` of the monotonic clock. A scan that comes late is done once; the ones it covered are skipped and
   counted, never caught up.
2. A device's refusal (an exception) is a quality. A block refused for its address is halved until only the tags that the device does not have are Bad;
   a minute later it is asked for whole again, because a device that is being loaded refuses what it has. A scan in which a gateway says of every block
   that it does not reach the unit ends the session: nobody is there.
3. A source time is the middle of request and answer; Modbus carries none.
4. A write goes out once. Read back equal it is confirmed; whatever cuts it short after it was sent leaves its outcome unknown.
"""

import asyncio
import math
import time
from collections.abc import AsyncGenerator, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np

from drivers.metrics import DriverMetrics
from drivers.modbus.client import ConnectionDropped, ModbusClient
from drivers.modbus.decode import BlockDecoder
from drivers.modbus.encode import encode
from drivers.modbus.frames import ModbusException
from drivers.modbus.plan import Block, Point, ScanClass, plan, points_of
from drivers.session import READ_BACK_PERIOD, READ_BACK_WITHIN, WriteOutcome, WriteStatus
from plant import times
from plant.batch import Batch, SampleBatch, TextBatch
from plant.command import CommandValue
from plant.device import Encoding, ModbusAddress, ModbusDevice
from plant.errors import DeviceProtocolError, DeviceUnreachable
from plant.quality import Quality, is_good
from plant.tag import Tag

_WHOLE_AGAIN_AFTER: Final = 60.0
_FLOAT32_TOLERANCE: Final = 1e-6
_FLOAT64_TOLERANCE: Final = 1e-12
"""Relative; a read-back differs from what was written by the rounding of the register's type and the scale."""


@dataclass(slots=True)
class _DecodedBlock:
    block: Block
    decoder: BlockDecoder


@dataclass(slots=True)
class _Class:
    """A scan class at run time: its blocks as planned and as asked for. ``due`` and ``whole_again`` are seconds of the monotonic clock."""

    period: float
    planned: Sequence[_DecodedBlock]
    due: float
    blocks: list[_DecodedBlock]
    whole_again: float = math.inf


class ModbusSession:
    """Satisfies ``drivers.session.Session``."""

    def __init__(self, client: ModbusClient, classes: Sequence[ScanClass], metrics: DriverMetrics) -> None:
        self._client = client
        self._metrics = metrics
        now = time.monotonic()
        planned = [[_DecodedBlock(block, BlockDecoder(block)) for block in scan.blocks] for scan in classes]
        self._classes = [_Class(scan.period, blocks, now, list(blocks)) for scan, blocks in zip(classes, planned, strict=True)]

    @property
    def latency(self) -> float | None:
        return self._client.latency

    @property
    def clock_offset(self) -> float | None:
        return None

    async def batches(self) -> AsyncGenerator[Batch, None]:
        """The scans, one ``SampleBatch`` and one ``TextBatch`` each at the most. See ``drivers.session``."""
        while self._classes:
            due = min(self._classes, key=lambda scan: scan.due)
            await self._client.wait(max(0.0, due.due - time.monotonic()))
            batches, error = await self._scan(due)
            for batch in batches:
                yield batch
            if error is not None:
                raise error
            self._next(due)
        await asyncio.Event().wait()  # a device without tags has nothing to say

    def _next(self, scan: _Class) -> None:
        late = int((time.monotonic() - scan.due) // scan.period)
        if late > 0:
            self._metrics.overran(late)
        scan.due += (late + 1) * scan.period

    async def _scan(self, scan: _Class) -> tuple[Sequence[Batch], DeviceUnreachable | DeviceProtocolError | None]:
        """What was read, and what ended the session in the middle of it, if anything did."""
        if time.monotonic() >= scan.whole_again:
            scan.blocks, scan.whole_again = list(scan.planned), math.inf
        numbers: list[SampleBatch] = []
        texts: list[TextBatch] = []
        error: DeviceUnreachable | DeviceProtocolError | None = None
        blocks = list(scan.blocks)
        away: ModbusException | None = None
        is_there = False
        while blocks:
            decoded = blocks.pop(0)
            try:
                answer, at = await self._client.read(decoded.block.table, decoded.block.address, decoded.block.count)
            except (DeviceUnreachable, DeviceProtocolError) as failure:
                error = failure
                break
            if isinstance(answer, ModbusException) and answer.is_from_gateway:
                away = answer
            else:
                is_there = True
            if isinstance(answer, ModbusException):
                halves = decoded.block.halves() if answer.is_about_address else None
                if halves is not None:
                    split = [_DecodedBlock(half, BlockDecoder(half)) for half in halves]
                    place = scan.blocks.index(decoded)
                    scan.blocks[place : place + 1] = split
                    scan.whole_again = min(scan.whole_again, time.monotonic() + _WHOLE_AGAIN_AFTER)
                    blocks[:0] = split
                    continue
                numbers.append(SampleBatch.of_one_time(decoded.decoder.tag_id, at, np.nan, answer.quality))
                texts.append(TextBatch.without_value(decoded.decoder.text_ids, at, answer.quality))
            else:
                numbers.append(decoded.decoder.numbers(answer, at))
                texts.append(decoded.decoder.texts(answer, at))
        if away is not None and not is_there and error is None:
            return [], DeviceUnreachable(f"a gateway does not reach the unit: {away}")
        batches: list[Batch] = [SampleBatch.concatenate(numbers), TextBatch.concatenate(texts)]
        return [batch for batch in batches if len(batch)], error

    async def write(self, tag: Tag, value: CommandValue) -> WriteOutcome:
        """Writes once and reads back. See ``drivers.session``."""
        address = tag.source
        if not isinstance(address, ModbusAddress) or not address.table.is_writable or (address.encoding is Encoding.BIT and not address.table.is_bit):
            return WriteOutcome(WriteStatus.NOT_SENT, f"{tag.name} has no register that can be written", Quality.BAD_NOT_WRITABLE)
        try:
            data = encode(address, value)
        except ValueError as error:
            return WriteOutcome(WriteStatus.NOT_SENT, str(error), Quality.BAD_OUT_OF_RANGE)
        try:
            refused = await self._client.write(address.table, address.address, data)
        except ConnectionDropped as error:
            return WriteOutcome(WriteStatus.NOT_SENT, f"nothing was written: {error}", Quality.BAD_NOT_CONNECTED)
        except (DeviceUnreachable, DeviceProtocolError) as error:
            return WriteOutcome(WriteStatus.UNKNOWN, f"it may have been written: {error}", Quality.BAD_COMMUNICATION_ERROR)
        if refused is not None and refused.leaves_outcome_open:
            return WriteOutcome(WriteStatus.UNKNOWN, f"it may have been written: {refused}", refused.quality)
        if refused is not None:
            return WriteOutcome(WriteStatus.REJECTED, f"the device refused it: {refused}", refused.quality)
        return await self._read_back(Point(tag, address), value)

    async def _read_back(self, point: Point, value: CommandValue) -> WriteOutcome:
        """Again and again for a second: many devices show a value only after a scan of their own."""
        end = time.monotonic() + READ_BACK_WITHIN
        while True:
            outcome = await self._read_back_once(point, value)
            if outcome.status is WriteStatus.CONFIRMED or outcome.read_back is None or time.monotonic() + READ_BACK_PERIOD > end:
                return outcome
            await asyncio.sleep(READ_BACK_PERIOD)

    async def _read_back_once(self, point: Point, value: CommandValue) -> WriteOutcome:
        address = point.address
        block = Block(address.table, address.address, address.length, (point,))
        try:
            answer, _ = await self._client.read(block.table, block.address, block.count)
        except (DeviceUnreachable, DeviceProtocolError) as error:
            return WriteOutcome(WriteStatus.ACCEPTED, f"the device took it, and could not be read back: {error}", Quality.BAD_COMMUNICATION_ERROR)
        if isinstance(answer, ModbusException):
            return WriteOutcome(WriteStatus.ACCEPTED, f"the device took it, and refused to be read back: {answer}", answer.quality)
        decoder = BlockDecoder(block)
        read: CommandValue
        if address.encoding is Encoding.STRING:
            texts = decoder.texts(answer, times.now())
            read, quality = str(texts.value[0]), int(texts.quality[0])
            is_equal = read == value
        else:
            numbers = decoder.numbers(answer, times.now())
            read, quality = float(numbers.value[0]), int(numbers.quality[0])
            is_equal = not isinstance(value, str) and abs(read - value) <= _tolerance(address, value)
        if is_equal and is_good(quality):
            return WriteOutcome(WriteStatus.CONFIRMED, "written and read back", Quality.GOOD, read)
        return WriteOutcome(WriteStatus.ACCEPTED, f"the device took it, and reads {read!r}", quality, read)

    async def close(self) -> None:
        await self._client.close()


def _tolerance(address: ModbusAddress, value: float) -> float:
    """How far a read-back may lie from ``value`` and still be it, engineering units: a float's rounding, or half a step of a whole number."""
    magnitude = max(abs(value), abs(address.offset))
    if address.encoding is Encoding.FLOAT32:
        return _FLOAT32_TOLERANCE * magnitude
    if address.encoding is Encoding.FLOAT64:
        return _FLOAT64_TOLERANCE * magnitude
    return abs(address.scale) / 2 + _FLOAT64_TOLERANCE * magnitude


async def open_modbus(device: ModbusDevice, tags: Sequence[Tag], metrics: DriverMetrics) -> ModbusSession:
    """Satisfies ``drivers.session.OpenSession``."""
    client = await ModbusClient.connect(device, metrics)
    return ModbusSession(client, plan(device, points_of(tags)), metrics)
