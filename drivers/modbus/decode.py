"""From the bytes of a block to columns: one ``frombuffer``, then one gather for each kind of value, prepared once a block.

Rules:

1. Values of one encoding and byte order are gathered together as bytes in big-endian order and viewed as their type; no loop over samples.
2. An engineering value that is NaN or infinite is no measurement, whether the device sent it so or its scale made it so: Bad, ``BadSensorFailure``,
   with that value. NumPy's warnings about such numbers are off: the quality says it.
3. Engineering value = register value * scale + offset.
"""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt

from drivers.modbus.plan import Block, Point
from plant.batch import SampleBatch, TextBatch
from plant.device import ByteOrder, Encoding
from plant.quality import Quality

_BIG_ENDIAN: Final = {
    Encoding.INT16: ">i2",
    Encoding.UINT16: ">u2",
    Encoding.INT32: ">i4",
    Encoding.UINT32: ">u4",
    Encoding.INT64: ">i8",
    Encoding.UINT64: ">u8",
    Encoding.FLOAT32: ">f4",
    Encoding.FLOAT64: ">f8",
}


def byte_positions(order: ByteOrder, registers: int) -> list[int]:
    """Where, in the bytes on the wire, each byte of the big-endian value stands."""
    words = list(range(registers))
    if order in {ByteOrder.CDAB, ByteOrder.DCBA}:
        words.reverse()
    swap = order in {ByteOrder.BADC, ByteOrder.DCBA}
    return [2 * word + (1 - half if swap else half) for word in words for half in (0, 1)]


@dataclass(frozen=True, slots=True)
class _Gather:
    """Values of one encoding and order: ``rows`` in the block's columns, ``positions`` (n, bytes) in the block's bytes."""

    dtype: str
    rows: npt.NDArray[np.intp]
    positions: npt.NDArray[np.intp]


class BlockDecoder:
    """Decodes the answers to one block. ``tag_id`` (int32) are its numeric tags and ``text_ids`` its text tags, in the order of the columns."""

    def __init__(self, block: Block) -> None:
        numbers = [point for point in block.points if point.address.encoding is not Encoding.STRING]
        self._texts = [point for point in block.points if point.address.encoding is Encoding.STRING]
        self._start = block.address
        self._is_bits = block.table.is_bit
        self.tag_id = np.array([point.tag.id for point in numbers], np.int32)
        self.text_ids = [point.tag.id for point in self._texts]
        self._scale = np.array([point.address.scale for point in numbers])
        self._offset = np.array([point.address.offset for point in numbers])
        self._bit_rows = np.array([row for row, point in enumerate(numbers) if point.address.encoding is Encoding.BIT], np.intp)
        self._bit_positions = np.array([self._bit_position(point) for point in numbers if point.address.encoding is Encoding.BIT], np.intp)
        self._gathers = self._gathers_of(numbers)

    def _bit_position(self, point: Point) -> int:
        """Position in the block's bytes unpacked least significant bit first. In a register table the low byte of a word is the second on the wire."""
        offset = point.address.address - self._start
        if self._is_bits:
            return offset
        bit = point.address.bit or 0
        return 16 * offset + (8 + bit if bit < 8 else bit - 8)

    def _gathers_of(self, numbers: Sequence[Point]) -> list[_Gather]:
        kinds: dict[tuple[Encoding, ByteOrder], list[int]] = defaultdict(list)
        for row, point in enumerate(numbers):
            if point.address.encoding is not Encoding.BIT:
                kinds[point.address.encoding, point.address.order].append(row)
        gathers = []
        for (encoding, order), rows in kinds.items():
            starts = np.array([2 * (numbers[row].address.address - self._start) for row in rows], np.intp)
            positions = starts[:, np.newaxis] + np.array(byte_positions(order, encoding.registers), np.intp)
            gathers.append(_Gather(_BIG_ENDIAN[encoding], np.array(rows, np.intp), positions))
        return gathers

    def numbers(self, data: bytes, time: int) -> SampleBatch:
        """Samples of the numeric tags; ``data`` are the block's bytes as on the wire, ``time`` the source time of all."""
        raw = np.frombuffer(data, np.uint8)
        value = np.empty(len(self.tag_id))
        if len(self._bit_rows):
            value[self._bit_rows] = np.unpackbits(raw, bitorder="little")[self._bit_positions]
        with np.errstate(invalid="ignore", over="ignore"):
            for gather in self._gathers:
                value[gather.rows] = raw[gather.positions].view(gather.dtype)[:, 0]
            value = value * self._scale + self._offset
        quality = np.where(np.isfinite(value), np.int16(Quality.GOOD), np.int16(Quality.BAD_SENSOR_FAILURE))
        return SampleBatch(self.tag_id, np.full(len(value), time, np.int64), value, quality)

    def texts(self, data: bytes, time: int) -> TextBatch:
        """Samples of the text tags: ASCII, two characters a register, up to the first NUL. Other bytes are Bad, ``BadDecodingError``."""
        texts, qualities = [], []
        for point in self._texts:
            start = 2 * (point.address.address - self._start)
            raw = np.frombuffer(data, np.uint8)[start : start + 2 * point.address.length]
            if point.address.order in {ByteOrder.BADC, ByteOrder.DCBA}:
                raw = raw.reshape(-1, 2)[:, ::-1].reshape(-1)
            content = raw.tobytes().split(b"\0", 1)[0]
            texts.append(content.decode("ascii", "replace").rstrip())
            qualities.append(int(Quality.GOOD if content.isascii() else Quality.BAD_DECODING_ERROR))
        return TextBatch.of(self.text_ids, [time] * len(texts), texts, qualities)
