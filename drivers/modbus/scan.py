"""One scan of a scan class, block by block, so that another scan can go between two blocks.

Rules:

1. A device's refusal (an exception) is a quality and never ends the session. ``scanned_class`` has what is asked for instead.
2. A busy device (06) is asked again three times, within the scan's period.
3. The first request of a session is one block alone, so that a unit that is still away costs the others on its line one time-out. One that its gateway did not
   reach for two blocks in a row is not asked for the rest: the gateway waits for it each time, and the others on the line with it.
4. Some gateways say of a unit that is not there that it fails (04). On a line that several units share, one that says nothing else is not there either, once
   every scan class was read so (``session``): one register that fails may be all that a class has.
"""

import time
from collections import deque
from typing import Final

import numpy as np
import numpy.typing as npt

from drivers.modbus.client import ModbusClient
from drivers.modbus.decode import BlockDecoder
from drivers.modbus.exchange import Exchange, LineReset
from drivers.modbus.frames import Answer, ModbusException
from drivers.modbus.refusals import Refusals
from drivers.modbus.scanned_class import DecodedBlock, ScannedClass
from plant import times
from plant.batch import Batch, SampleBatch, TextBatch
from plant.quality import Quality, good_mask

_BUSY_TRIES: Final = 3
_BUSY_WAIT: Final = 0.05
"""Seconds before the first of these; twice as long before each further one."""


class Scan:
    """A scan that has begun.

    ``standing`` was the unit's when it began, ``is_proven`` whether the unit was known by then to give the answers to what it is asked.
    ``away`` is a gateway's word that the unit is not there. ``has_moved``: a block was read since this scan had its turn. ``is_over``: that word was believed.
    """

    def __init__(self, scanned: ScannedClass, client: ModbusClient, refusals: Refusals, *, is_proven: bool) -> None:
        self.scanned = scanned
        self.standing = client.standing
        self.away: ModbusException | None = None
        self.is_proven = is_proven
        self.has_moved = False
        self._tears = client.tears
        self.is_over = False
        self._is_there = False
        self._is_unreached_again = False
        self._unreached: list[tuple[DecodedBlock, ModbusException, int]] = []
        self._client = client
        self._refusals = refusals
        now = time.monotonic()
        self._blocks = deque(scanned.to_ask(now))
        self._left_out = scanned.left_out(now)
        self._begun_at = times.now()
        self._asked: deque[tuple[DecodedBlock, Exchange]] = deque()
        self._numbers: list[SampleBatch] = []
        self._texts: list[TextBatch] = []

    @property
    def is_read(self) -> bool:
        return not self._blocks and not self._asked

    @property
    def is_nobody_there(self) -> bool:
        """A gateway does not reach the unit, and the unit said nothing itself, or nothing any more."""
        return self.away is not None and not self._is_there

    @property
    def is_torn(self) -> bool:
        """What was read may be anything: see ``window``."""
        return self._client.tears != self._tears

    async def read_on(self) -> None:
        """Reads one block more, and those whose answers have come with it; the next ones may be on their way.

        Raises:
            DeviceUnreachable, DeviceProtocolError: what ends the session; what was read before stands.
        """
        while True:
            self._ask_ahead()
            decoded, exchange = self._asked.popleft()
            self._take(decoded, *await self._answer(decoded, exchange))
            if not self._asked or not self._asked[0][1].future.done():
                self.has_moved = True
                return

    def _ask_ahead(self) -> None:
        ahead = self._client.ahead if self._client.has_answered else 1
        while self._blocks and len(self._asked) < ahead:
            self._asked.append((self._blocks[0], self._client.ask(self._blocks[0].request)))
            self._blocks.popleft()

    def _take(self, decoded: DecodedBlock, answer: Answer, at: int) -> None:
        if isinstance(answer, ModbusException) and answer.is_from_gateway:
            self._refusals.note(decoded.block, answer)
            self.away = answer
            self._unreached.append((decoded, answer, at))
            is_gone = not self._client.has_answered or self._is_unreached_again
            self._is_unreached_again = True
            if is_gone and self._client.is_shared:
                self._is_there = False
                self.withdraw()
            return
        may_be_away = isinstance(answer, ModbusException) and answer.is_failure and self._client.is_shared
        self._is_there, self._is_unreached_again = self._is_there or not may_be_away, False
        if isinstance(answer, ModbusException) and (parts := self.scanned.halved(decoded, answer, time.monotonic())):
            self._blocks.extendleft(reversed(parts))
            return
        self._refusals.note(decoded.block, answer)
        self.scanned.note(decoded.block, answer, time.monotonic())
        if isinstance(answer, ModbusException) and may_be_away:
            self.away = self.away or answer
            self._unreached.append((decoded, answer, at))
            return
        self._add(decoded.decoder, answer, at)

    def withdraw(self) -> None:
        """Nobody will read on."""
        self._blocks.clear()
        while self._asked:
            self._client.withdraw(self._asked.popleft()[1])

    def batches(self, *, is_uncertain: bool) -> list[Batch]:
        """What was read so far: one ``SampleBatch`` and one ``TextBatch`` at the most, and Uncertain what would be Good, if so told. What a gateway did not
        reach is Bad, unless nobody is there: that is the loss of the link, which its supervisor tells."""
        is_loss = self.is_over or (self.is_nobody_there and all(answer.is_from_gateway for _, answer, _ in self._unreached))
        for decoded, answer, at in () if is_loss else self._unreached:
            self._add(decoded.decoder, answer, at)
        for decoder, answer in () if is_loss else self._left_out:
            self._add(decoder, answer, self._begun_at)
        numbers, texts = SampleBatch.concatenate(self._numbers), TextBatch.concatenate(self._texts)
        if is_uncertain:
            numbers = SampleBatch(numbers.tag_id, numbers.time, numbers.value, _uncertain(numbers.quality))
            texts = TextBatch(texts.tag_id, texts.time, texts.value, _uncertain(texts.quality))
        batches: list[Batch] = [numbers, texts]
        return [batch for batch in batches if len(batch)]

    def _add(self, decoder: BlockDecoder, answer: Answer, at: int) -> None:
        if isinstance(answer, ModbusException):
            self._numbers.append(SampleBatch.of_one_time(decoder.tag_id, at, np.nan, answer.quality))
            self._texts.append(TextBatch.without_value(decoder.text_ids, at, answer.quality))
        else:
            self._numbers.append(decoder.numbers(answer, at))
            self._texts.append(decoder.texts(answer, at))

    async def _answer(self, decoded: DecodedBlock, exchange: Exchange) -> tuple[Answer, int]:
        """The answer, asked for again when another unit's error or the device's own business was in the way."""
        try:
            answer, at = await self._client.answer(exchange)
        except LineReset:
            answer, at = await self._client.read(decoded.request)
        end, wait = self.scanned.schedule.due + self.scanned.schedule.period, _BUSY_WAIT
        for _ in range(_BUSY_TRIES):
            if not isinstance(answer, ModbusException) or not answer.is_busy or time.monotonic() + wait > end:
                break
            await self._client.wait(wait)
            answer, at = await self._client.read(decoded.request)
            wait *= 2
        return answer, at


def _uncertain(quality: npt.NDArray[np.int16]) -> npt.NDArray[np.int16]:
    return np.where(good_mask(quality), np.int16(Quality.UNCERTAIN), quality)
