"""Writing a value to one unit, and reading it back.

A write goes out once. Read back equal it is confirmed; whatever cuts it short after it was sent leaves its outcome unknown. Where the answer itself leaves it
open (an exception 04, 05 or 0B) and the session goes on, it is read back all the same: that may confirm it, and is never a reason to send it again.
"""

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable
from dataclasses import replace
from typing import Final

from drivers.modbus.client import ModbusClient
from drivers.modbus.decode import BlockDecoder, wire_bit
from drivers.modbus.encode import encode
from drivers.modbus.frames import ModbusException, ReadRequest, WriteRequest
from drivers.modbus.plan import Block, Point
from drivers.session import READ_BACK_PERIOD, READ_BACK_WITHIN, WriteAttempt, WriteOutcome, WriteStatus
from plant import times
from plant.command import CommandValue
from plant.device import BitWrites, Encoding, ModbusAddress, ModbusDevice
from plant.errors import DeviceProtocolError, DeviceUnreachable
from plant.quality import Quality, is_good
from plant.tag import Tag

_log = logging.getLogger(__name__)

_TOLERANCE: Final = {Encoding.FLOAT16: 1e-3, Encoding.FLOAT32: 1e-6, Encoding.FLOAT64: 1e-12}
"""Relative; a read-back differs from what was written by the rounding of the register's type and the scale."""


class ModbusWriter:
    """Writes of one session, one at a time, so that a word that is read, changed and written is not written by another of ours in between."""

    def __init__(self, client: ModbusClient, device: ModbusDevice, is_in_order: Callable[[], bool], is_known: Callable[[], Awaitable[bool]]) -> None:
        """``is_in_order``: whether an answer can be relied on to be that to its request. ``is_known``: whether the device is the one it should be."""
        self._client = client
        self._is_in_order = is_in_order
        self._is_known = is_known
        self._device = device
        self._one_at_a_time = asyncio.Lock()

    async def write(self, tag: Tag, value: CommandValue, attempt: WriteAttempt) -> WriteOutcome:
        """See ``drivers.session``."""
        address = tag.source
        if not isinstance(address, ModbusAddress) or not address.table.is_writable:
            return WriteOutcome(WriteStatus.NOT_SENT, f"{tag.name} has no register that can be written", Quality.BAD_NOT_WRITABLE)
        try:
            data = encode(address, value)
        except ValueError as error:
            return WriteOutcome(WriteStatus.NOT_SENT, str(error), Quality.BAD_OUT_OF_RANGE)
        async with self._one_at_a_time:
            by_mask = self._writes_mask(address)
            failed = await self._request_and_send(address, data, attempt, by_mask=by_mask)
            if by_mask and failed is not None and _is_unknown_function(failed):
                if self._device.bit_writes is BitWrites.MASK:
                    mend = 'bit_writes = "mask" lets its bits be written in no other way: write "auto" or "read-modify-write" if nothing else writes the word'
                    return replace(failed, detail=f"{failed.detail}; it knows no mask write (function 22), and {mend}")
                self._client.forgo_masks()
                _log.warning("%s knows no mask write (function 22): its bits are written by read-modify-write on this connection", self._device.name)
                failed = await self._request_and_send(address, data, attempt, by_mask=False)
        if failed is None:
            return await self._read_back(Point(tag, address), value)
        if failed.status is not WriteStatus.UNKNOWN:
            return failed
        attempt.outcome = failed
        return failed.seen_as(await self._read_back(Point(tag, address), value))

    def _writes_mask(self, address: ModbusAddress) -> bool:
        is_bit_of_word = address.encoding is Encoding.BIT and not address.table.is_bit
        style = self._device.bit_writes
        return is_bit_of_word and (style is BitWrites.MASK or (style is BitWrites.AUTO and self._client.writes_masks))

    async def _request_and_send(self, address: ModbusAddress, data: bytes, attempt: WriteAttempt, *, by_mask: bool) -> WriteOutcome | None:
        request = await self._request(address, data, by_mask=by_mask)
        return request if isinstance(request, WriteOutcome) else await self._send(request, attempt)

    async def _request(self, address: ModbusAddress, data: bytes, *, by_mask: bool) -> WriteRequest | WriteOutcome:
        """What to send, or why nothing can be."""
        try:
            if address.encoding is not Encoding.BIT or address.table.is_bit:
                return WriteRequest.of(address.table, address.address, data, self._device.writes)
            if by_mask:
                return WriteRequest.of_bit(address.address, wire_bit(address), bool(data[0]))
            tears = self._client.tears
            word, _ = await self._client.read(ReadRequest(address.table, address.address, 1), first=True)
            if isinstance(word, ModbusException):
                return WriteOutcome(WriteStatus.NOT_SENT, f"nothing was written: the word around the bit was refused: {word}", word.quality)
            await self._client.settle()
            if not self._is_in_order() or self._client.tears != tears:
                reason = "the word around the bit may be another, the line being in disorder: try again when the tags are Good"
                return WriteOutcome(WriteStatus.NOT_SENT, f"nothing was written: {reason}", Quality.BAD_NOT_CONNECTED)
            mask = 1 << wire_bit(address)
            changed = int.from_bytes(word, "big") & ~mask | (mask if data[0] else 0)
            return WriteRequest.of(address.table, address.address, changed.to_bytes(2, "big"), self._device.writes)
        except ValueError as error:
            return WriteOutcome(WriteStatus.NOT_SENT, f"nothing was written: {error}", Quality.BAD_NOT_SUPPORTED)
        except (DeviceUnreachable, DeviceProtocolError) as error:
            return WriteOutcome(WriteStatus.NOT_SENT, f"nothing was written: the word around the bit could not be read: {error}", Quality.BAD_NOT_CONNECTED)

    async def _send(self, request: WriteRequest, attempt: WriteAttempt) -> WriteOutcome | None:
        """``None``: the device took it."""
        try:
            if not await self._is_known():
                reason = f"{self._device.name} does not tell its identity, or may be another device: try again when the tags are Good"
                return WriteOutcome(WriteStatus.NOT_SENT, f"nothing was written: {reason}", Quality.BAD_NOT_CONNECTED)
            connection = None if self._device.identity is None else self._client.standing.connection
            exchange = self._client.ask(request, first=True, connection=connection)
        except (DeviceUnreachable, DeviceProtocolError) as error:
            return WriteOutcome(WriteStatus.NOT_SENT, f"nothing was written: {error}", Quality.BAD_NOT_CONNECTED)
        try:
            answer, _ = await self._client.answer(exchange)
        except (DeviceUnreachable, DeviceProtocolError) as error:
            if not exchange.was_sent:
                return WriteOutcome(WriteStatus.NOT_SENT, f"nothing was written: {error}", Quality.BAD_NOT_CONNECTED)
            return WriteOutcome(WriteStatus.UNKNOWN, f"it may have been written: {error}", Quality.BAD_COMMUNICATION_ERROR)
        finally:
            if exchange.was_sent:
                attempt.leaves()
        if isinstance(answer, bytes):
            attempt.is_taken()
            return None
        if answer.leaves_outcome_open:
            return WriteOutcome(WriteStatus.UNKNOWN, f"it may have been written: the device answered {answer}", answer.quality)
        return WriteOutcome(WriteStatus.REJECTED, f"the device refused it: {answer}", answer.quality)

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
        tears = self._client.tears
        try:
            answer, _ = await self._client.read(ReadRequest(block.table, block.address, block.count), first=True)
        except (DeviceUnreachable, DeviceProtocolError) as error:
            return WriteOutcome(WriteStatus.ACCEPTED, f"the device took it, and could not be read back: {error}", Quality.BAD_COMMUNICATION_ERROR)
        if isinstance(answer, ModbusException):
            return WriteOutcome(WriteStatus.ACCEPTED, f"the device took it, and refused to be read back: {answer}", answer.quality)
        await self._client.settle()
        if not self._is_in_order() or self._client.tears != tears:
            return WriteOutcome(WriteStatus.ACCEPTED, "the device took it, and the line was in disorder when it was read back", Quality.BAD_COMMUNICATION_ERROR)
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


def _is_unknown_function(failed: WriteOutcome) -> bool:
    """The device said so: it has done nothing."""
    return failed.status is WriteStatus.REJECTED and failed.quality == Quality.BAD_NOT_SUPPORTED


def _tolerance(address: ModbusAddress, value: float) -> float:
    """How far a read-back may lie from ``value`` and still be it, engineering units: a float's rounding, or half a step of a whole number."""
    magnitude = max(abs(value), abs(address.offset))
    if address.encoding in _TOLERANCE:
        return _TOLERANCE[address.encoding] * magnitude
    return abs(address.scale) / 2 + _TOLERANCE[Encoding.FLOAT64] * magnitude
