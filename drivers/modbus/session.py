"""A session with one Modbus device: scans by schedule, writes with read-back, over a line that it may share.

Rules:

1. A device's refusal (an exception) is a quality and never ends the session. A block refused for its address is halved until only the tags that the device
   does not have are Bad; a minute later it is asked for whole again, because a device that is being loaded refuses what it has. A busy device (06) is asked
   again three times, within the scan's period. A scan in which a gateway says of every block that it does not reach the unit ends the session: nobody is
   there. The first request of a session is one block alone, so that a unit that is still away costs the others on its line one time-out.
2. A source time is the middle of request and answer; Modbus carries none.
3. On a line whose answers are not numbered, what is read after a disorder may be the answer to an earlier request. A device with ``identity`` is asked for it
   first, and another answer ends session and connection. Without it the values of a scan are Uncertain (``Uncertain``, OPC UA Part 8: nothing more is known)
   until one scan was read whole with no disorder since it began; the next is Good.
"""

import asyncio
import math
import struct
import time
from collections import deque
from collections.abc import AsyncGenerator, Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from typing import Final

import numpy as np
import numpy.typing as npt

from drivers.metrics import DriverMetrics
from drivers.modbus.client import ModbusClient
from drivers.modbus.decode import BlockDecoder
from drivers.modbus.exchange import Exchange, LineReset
from drivers.modbus.frames import Answer, BadFrame, ModbusException, ReadRequest
from drivers.modbus.plan import Block, ScanClass
from drivers.modbus.schedule import Schedule
from drivers.modbus.writer import ModbusWriter
from drivers.session import WriteAttempt, WriteOutcome
from plant.batch import Batch, SampleBatch, TextBatch
from plant.command import CommandValue
from plant.device import ModbusDevice, ModbusTable
from plant.errors import DeviceProtocolError, DeviceUnreachable
from plant.quality import Quality, good_mask
from plant.tag import Tag

_WHOLE_AGAIN_AFTER: Final = 60.0
_BUSY_TRIES: Final = 3
_BUSY_WAIT: Final = 0.05
"""Seconds before the first of these; twice as long before each further one."""


@dataclass(slots=True)
class _DecodedBlock:
    """A block with what is made of it once: its request and its decoder."""

    block: Block
    request: ReadRequest
    decoder: BlockDecoder

    @classmethod
    def of(cls, block: Block) -> "_DecodedBlock":
        return cls(block, ReadRequest(block.table, block.address, block.count), BlockDecoder(block))


@dataclass(slots=True)
class _Class:
    """A scan class at run time: its blocks as planned and as asked for. ``whole_again`` is seconds of the monotonic clock."""

    schedule: Schedule
    planned: Sequence[_DecodedBlock]
    blocks: list[_DecodedBlock]
    whole_again: float = math.inf


@dataclass(slots=True)
class _Scan:
    """What one scan brought. ``away`` is a gateway's word that the unit is not there; ``is_there`` that anything else was answered."""

    numbers: list[SampleBatch] = field(default_factory=list)
    texts: list[TextBatch] = field(default_factory=list)
    away: ModbusException | None = None
    is_there: bool = False

    def add(self, decoder: BlockDecoder, answer: Answer, at: int) -> None:
        if isinstance(answer, ModbusException):
            self.numbers.append(SampleBatch.of_one_time(decoder.tag_id, at, np.nan, answer.quality))
            self.texts.append(TextBatch.without_value(decoder.text_ids, at, answer.quality))
        else:
            self.numbers.append(decoder.numbers(answer, at))
            self.texts.append(decoder.texts(answer, at))

    def batches(self, *, is_uncertain: bool) -> list[Batch]:
        numbers, texts = SampleBatch.concatenate(self.numbers), TextBatch.concatenate(self.texts)
        if is_uncertain:
            numbers = SampleBatch(numbers.tag_id, numbers.time, numbers.value, _uncertain(numbers.quality))
            texts = TextBatch(texts.tag_id, texts.time, texts.value, _uncertain(texts.quality))
        batches: list[Batch] = [numbers, texts]
        return [batch for batch in batches if len(batch)]


def _uncertain(quality: npt.NDArray[np.int16]) -> npt.NDArray[np.int16]:
    return np.where(good_mask(quality), np.int16(Quality.UNCERTAIN), quality)


class ModbusSession:
    """Satisfies ``drivers.session.Session``."""

    def __init__(self, device: ModbusDevice, client: ModbusClient, classes: Sequence[ScanClass], metrics: DriverMetrics) -> None:
        self._device = device
        self._client = client
        self._metrics = metrics
        self._writer = ModbusWriter(client, device, self._is_in_order)
        self._has_answered = False
        self._proven_in = 0
        self._refused: set[tuple[ModbusTable, int]] = set()
        now = time.monotonic()
        planned = [[_DecodedBlock.of(block) for block in scan.blocks] for scan in classes]
        self._classes = [_Class(Schedule(device.name, scan.period, now), blocks, list(blocks)) for scan, blocks in zip(classes, planned, strict=True)]

    @property
    def latency(self) -> float | None:
        return self._client.latency

    @property
    def clock_offset(self) -> float | None:
        return None

    @property
    def last_heard(self) -> int:
        return self._client.last_heard

    @property
    def overflows(self) -> int:
        return 0

    @property
    def trouble(self) -> str | None:
        """See ``drivers.session``: a device, or a line, that cannot be read as often as its tags ask (``schedule``)."""
        slow = [f"{scan.schedule.period:g} s" for scan in self._classes if scan.schedule.is_overloaded]
        if slow:
            return f"overloaded: most of the last scans every {' and '.join(slow)} were late; ask for fewer tags, or less often"
        if self._refused:
            table, address = min(self._refused)
            return f"the device refuses {len(self._refused)} of its addresses, the first at {table} {address}: correct modbus.csv, or the device"
        return None

    def _note_refusal(self, block: Block, answer: Answer) -> None:
        if isinstance(answer, ModbusException) and answer.is_about_address:
            self._refused.add((block.table, block.address))
        elif self._refused:
            there = range(block.address, block.address + block.count)
            self._refused = {(table, address) for table, address in self._refused if table is not block.table or address not in there}

    async def recover(self, start: int, end: int, take: Callable[[Batch], Awaitable[None]]) -> bool:
        """Modbus devices keep no history that can be asked for."""
        return False

    async def batches(self) -> AsyncGenerator[Batch, None]:
        """The scans, one ``SampleBatch`` and one ``TextBatch`` each at the most. See ``drivers.session``."""
        while self._classes:
            due = min(self._classes, key=lambda scan: scan.schedule.due)
            await self._client.wait(max(0.0, due.schedule.due - time.monotonic()))
            batches, error = await self._scan(due)
            for batch in batches:
                yield batch
            if error is not None:
                raise error
            missed = due.schedule.done(time.monotonic())
            if missed:
                self._metrics.overran(missed)
            self._metrics.overloaded(self.trouble is not None)
        await asyncio.Event().wait()  # a device without tags has nothing to say

    async def _scan(self, scan: _Class) -> tuple[Sequence[Batch], DeviceUnreachable | DeviceProtocolError | None]:
        """What was read, and what ended the session in the middle of it, if anything did."""
        if time.monotonic() >= scan.whole_again:
            scan.blocks, scan.whole_again = list(scan.planned), math.inf
        disorder = self._client.disorder
        found = _Scan()
        error: DeviceUnreachable | DeviceProtocolError | None = None
        try:
            is_proven = self._proven_in == disorder or await self._has_proved_itself()
            await self._read_blocks(scan, found)
            await self._client.settle()
        except (DeviceUnreachable, DeviceProtocolError) as failure:
            is_proven, error = self._proven_in == disorder, failure
        if error is None and found.away is not None and not found.is_there:
            return [], self._client.unreached(f"a gateway does not reach the unit: {found.away}")
        is_in_order = self._client.disorder == disorder
        if is_in_order and error is None:
            self._proven_in = disorder
        return found.batches(is_uncertain=disorder != 0 and not (is_proven and is_in_order)), error

    def _is_in_order(self) -> bool:
        """What is read now is the answer to what was asked, as far as can be known."""
        return self._client.disorder in {0, self._proven_in}

    async def _has_proved_itself(self) -> bool:
        """Reads the registers by which the device is known. ``False``: it has none, or would not tell, or there was disorder meanwhile.

        Raises:
            BadFrame: another device answers, or an answer to something else came.
        """
        identity = self._device.identity
        if identity is None:
            return False
        disorder = self._client.disorder
        answer, _ = await self._client.read(ReadRequest(identity.table, identity.address, len(identity.registers)))
        if isinstance(answer, ModbusException) and answer.is_about_address:
            error = BadFrame("identity", f"{identity.table} {identity.address} is refused ({answer}), {self._device.name} has its identity there")
            self._client.distrust(error)
            raise error
        if isinstance(answer, ModbusException) or self._client.disorder != disorder:
            return False
        registers = struct.unpack(f">{len(identity.registers)}H", answer)
        if registers != identity.registers:
            error = BadFrame("identity", f"{identity.table} {identity.address} reads {registers}, {self._device.name} has {identity.registers} there")
            self._client.distrust(error)
            raise error
        self._proven_in = disorder
        return True

    async def _read_blocks(self, scan: _Class, found: _Scan) -> None:
        """Reads into ``found`` until all is read, or raises what ended the session; what was read before stands."""
        blocks = deque(scan.blocks)
        asked: deque[tuple[_DecodedBlock, Exchange]] = deque()
        try:
            while blocks or asked:
                while blocks and len(asked) < (self._client.ahead if self._has_answered else 1):
                    asked.append((blocks[0], self._client.ask(blocks[0].request)))
                    blocks.popleft()
                decoded, exchange = asked.popleft()
                answer, at = await self._answer(decoded, exchange, scan)
                if isinstance(answer, ModbusException) and answer.is_from_gateway:
                    found.away = answer
                    if not self._has_answered and self._client.is_shared:
                        return
                else:
                    found.is_there = self._has_answered = True
                if isinstance(answer, ModbusException) and answer.is_about_address and (halves := decoded.block.halves()) is not None:
                    split = [_DecodedBlock.of(half) for half in halves]
                    place = scan.blocks.index(decoded)
                    scan.blocks[place : place + 1] = split
                    scan.whole_again = min(scan.whole_again, time.monotonic() + _WHOLE_AGAIN_AFTER)
                    blocks.extendleft(reversed(split))
                else:
                    self._note_refusal(decoded.block, answer)
                    found.add(decoded.decoder, answer, at)
        finally:
            for _, rest in asked:
                self._client.withdraw(rest)

    async def _answer(self, decoded: _DecodedBlock, exchange: Exchange, scan: _Class) -> tuple[Answer, int]:
        """The answer, asked for again when another unit's error or the device's own business was in the way."""
        try:
            answer, at = await self._client.answer(exchange)
        except LineReset:
            answer, at = await self._client.read(decoded.request)
        end, wait = scan.schedule.due + scan.schedule.period, _BUSY_WAIT
        for _ in range(_BUSY_TRIES):
            if not isinstance(answer, ModbusException) or not answer.is_busy or time.monotonic() + wait > end:
                break
            await self._client.wait(wait)
            answer, at = await self._client.read(decoded.request)
            wait *= 2
        return answer, at

    async def write(self, tag: Tag, value: CommandValue, attempt: WriteAttempt | None = None) -> WriteOutcome:
        """Writes once and reads back. See ``drivers.session``."""
        return await self._writer.write(tag, value, attempt or WriteAttempt())

    async def close(self) -> None:
        await self._client.close()
