"""From the bytes of a block to columns: prepared once a block, without a loop over samples.

Rules:

1. Values of one encoding and byte order stand in neighbouring columns and are read as one view of the block; a gather is made only where their
   places have no common distance. With the bytes of each word exchanged, ``BADC`` is big-endian and ``CDAB`` little-endian, whatever the length. A bit of a
   word is counted in the word as the device means it: ``wire_bit``.
2. Engineering value = register value * scale + offset.
3. An engineering value that is NaN or infinite is no measurement, whether the device sent it so or its scale made it so: Bad, ``BadSensorFailure``,
   with that value. NumPy's warnings about such numbers are off: the quality says it.
4. A register value equal to ``no_value`` is how a device without a NaN says the same: Bad, ``BadSensorFailure``, NaN. Register value of a BCD is its
   decimal number, and a float's ``no_value`` is first rounded to the register's type.
5. Four bits of a BCD that are no digit are no number: Bad, ``BadDecodingError``, NaN.
6. From 2**53 on the value column no longer tells whole numbers of 64 bits apart (float64 has 53 bits): such a register value is Uncertain,
   ``UncertainSensorNotAccurate``, whose meaning includes reduced accuracy (OPC UA Part 8, Operation level result codes).
7. With ``clamp`` a value outside ``eu_range`` is held at its edge: Uncertain, ``UncertainEngineeringUnitsExceeded``. What lies beyond the edge by the
   rounding of the register alone is held too and stays Good. It outranks rule 6; Bad outranks both.
"""

import math
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from drivers.modbus.plan import Block, Point
from plant.batch import Float64Column, SampleBatch, TextBatch
from plant.device import ByteOrder, Encoding, ModbusAddress
from plant.quality import Quality

_TYPE: Final = {
    Encoding.INT16: "i2",
    Encoding.UINT16: "u2",
    Encoding.INT32: "i4",
    Encoding.UINT32: "u4",
    Encoding.INT64: "i8",
    Encoding.UINT64: "u8",
    Encoding.FLOAT16: "f2",
    Encoding.FLOAT32: "f4",
    Encoding.FLOAT64: "f8",
    Encoding.BCD16: "u2",
    Encoding.BCD32: "u4",
}
_BCD: Final = {Encoding.BCD16, Encoding.BCD32}
_WIDE: Final = {Encoding.INT64, Encoding.UINT64}
_INEXACT_FROM: Final = 2.0**53

Places = slice | npt.NDArray[np.intp]
BoolColumn = npt.NDArray[np.bool_]


class BlockDecoder:
    """Decodes the answers to one block. ``tag_id`` (int32) are its numeric tags and ``text_ids`` its text tags, in the order of the columns.

    Columns that are the same for every answer (``tag_id``, and the quality while all is Good) are shared by the batches and cannot be written to.
    """

    def __init__(self, block: Block) -> None:
        self._start = block.address
        self._is_bits = block.table.is_bit
        self._texts = [point for point in block.points if point.address.encoding is Encoding.STRING]
        self.text_ids = [point.tag.id for point in self._texts]
        self._no_texts = TextBatch.empty()
        bits = [point for point in block.points if point.address.encoding is Encoding.BIT]
        self._bit_columns = slice(0, len(bits))
        self._bit_places = _places([self._bit_place(point.address) for point in bits])
        by_kind: dict[tuple[Encoding, ByteOrder], list[Point]] = defaultdict(list)
        for point in block.points:
            if point.address.encoding not in {Encoding.BIT, Encoding.STRING}:
                by_kind[point.address.encoding, point.address.order].append(point)
        numbers = [*bits]
        self._kinds: list[_Kind] = []
        for points in by_kind.values():
            self._kinds.append(_Kind.of(block, len(numbers), points))
            numbers += points
        self.tag_id = np.array([point.tag.id for point in numbers], np.int32)
        self._good = np.full(len(numbers), Quality.GOOD, np.int16)
        for shared in (self.tag_id, self._good):
            shared.setflags(write=False)
        self._scale = _unless(1.0, [point.address.scale for point in numbers])
        self._offset = _unless(0.0, [point.address.offset for point in numbers])
        self._rules = _Rules(numbers) if any(_has_rules(point.address) for point in numbers) else None

    def _bit_place(self, address: ModbusAddress) -> int:
        """Position in the block's bytes unpacked least significant bit first. In a register table the low byte of a word is the second on the wire."""
        offset = address.address - self._start
        if self._is_bits:
            return offset
        bit = wire_bit(address)
        return 16 * offset + (8 + bit if bit < 8 else bit - 8)

    def numbers(self, data: bytes, time: int) -> SampleBatch:
        """Samples of the numeric tags; ``data`` are the block's bytes as on the wire, ``time`` the source time of all."""
        register_value = np.empty(len(self.tag_id))
        if self._bit_columns.stop:
            register_value[self._bit_columns] = np.unpackbits(np.frombuffer(data, np.uint8), bitorder="little")[self._bit_places]
        with np.errstate(invalid="ignore", over="ignore"):
            for kind in self._kinds:
                register_value[kind.columns] = kind.read(data)
            value = register_value if self._scale is None else register_value * self._scale
            value = value if self._offset is None else value + self._offset
            is_number = np.isfinite(value)
            if self._rules is not None:
                value, quality = self._rules.judge(register_value, value, is_number)
            elif np.count_nonzero(is_number) == len(value):
                quality = self._good
            else:
                quality = np.where(is_number, self._good, np.int16(Quality.BAD_SENSOR_FAILURE))
        times = np.empty(len(value), np.int64)
        times.fill(time)
        return SampleBatch(self.tag_id, times, value, quality)

    def texts(self, data: bytes, time: int) -> TextBatch:
        """Samples of the text tags: ASCII, two characters a register, up to the first NUL. Other bytes are Bad, ``BadDecodingError``."""
        if not self._texts:
            return self._no_texts
        texts, qualities = [], []
        for point in self._texts:
            start = 2 * (point.address.address - self._start)
            raw = data[start : start + 2 * point.address.length]
            if point.address.order in {ByteOrder.BADC, ByteOrder.DCBA}:
                raw = np.frombuffer(raw, np.uint16).byteswap().tobytes()
            content = raw.split(b"\0", 1)[0]
            texts.append(content.decode("ascii", "replace").rstrip())
            qualities.append(int(Quality.GOOD if content.isascii() else Quality.BAD_DECODING_ERROR))
        return TextBatch.of(self.text_ids, [time] * len(texts), texts, qualities)


@dataclass(frozen=True, slots=True)
class _Kind:
    """Values of one encoding and order: the columns they go to, and where they begin among all values that could begin at a register of the block."""

    columns: slice
    places: Places
    dtype: np.dtype[Any]
    windows: int
    is_exchanged: bool
    digits: int

    @classmethod
    def of(cls, block: Block, column: int, points: Sequence[Point]) -> "_Kind":
        encoding, order = points[0].address.encoding, points[0].address.order
        return cls(
            columns=slice(column, column + len(points)),
            places=_places([point.address.address - block.address for point in points]),
            dtype=np.dtype((">" if order in {ByteOrder.ABCD, ByteOrder.BADC} else "<") + _TYPE[encoding]),
            windows=block.count - encoding.registers + 1,
            is_exchanged=order in {ByteOrder.BADC, ByteOrder.CDAB},
            digits=4 * encoding.registers if encoding in _BCD else 0,
        )

    def read(self, data: bytes) -> npt.NDArray[Any]:
        """Register values of a block's bytes; NaN for a BCD that is none."""
        words = np.frombuffer(data, np.uint16).byteswap() if self.is_exchanged else data
        raw: npt.NDArray[Any] = np.ndarray((self.windows,), self.dtype, words, 0, (2,))[self.places]
        return _decimal(raw, self.digits) if self.digits else raw


class _Rules:
    """The rules 4 to 7, for a block in which any tag asks for one: columns over all its numbers, neutral where a tag does not ask."""

    def __init__(self, numbers: Sequence[Point]) -> None:
        addresses = [point.address for point in numbers]
        self._no_value = np.array([np.nan if address.no_value is None else nearest_register_value(address.encoding, address.no_value) for address in addresses])
        self._inexact_from = np.array([_INEXACT_FROM if address.encoding in _WIDE else np.inf for address in addresses])
        self._no_number = np.array([Quality.BAD_DECODING_ERROR if address.encoding in _BCD else Quality.BAD_SENSOR_FAILURE for address in addresses], np.int16)
        ranges = [point.tag.eu_range if point.address.clamp and point.tag.eu_range is not None else (-np.inf, np.inf) for point in numbers]
        self._low = np.array([low for low, _ in ranges])
        self._high = np.array([high for _, high in ranges])
        self._lowest = np.array([min(low, _as_read(address, low)) for address, (low, _) in zip(addresses, ranges, strict=True)])
        self._highest = np.array([max(high, _as_read(address, high)) for address, (_, high) in zip(addresses, ranges, strict=True)])

    def judge(self, register_value: Float64Column, value: Float64Column, is_number: BoolColumn) -> tuple[Float64Column, npt.NDArray[np.int16]]:
        """The value column as it is given out, and its quality."""
        quality = np.where(np.abs(register_value) >= self._inexact_from, np.int16(Quality.UNCERTAIN_SENSOR_NOT_ACCURATE), np.int16(Quality.GOOD))
        quality[(value < self._lowest) | (value > self._highest)] = Quality.UNCERTAIN_ENGINEERING_UNITS_EXCEEDED
        quality = np.where(is_number, quality, self._no_number)
        value = np.where(is_number, np.minimum(np.maximum(value, self._low), self._high), value)
        is_missing = register_value == self._no_value
        quality[is_missing] = Quality.BAD_SENSOR_FAILURE
        value[is_missing] = np.nan
        return value, quality


def wire_bit(address: ModbusAddress) -> int:
    """Place of a bit, 0 the least, in its register as it travels: a device that exchanges the bytes of its words (``BADC``, ``DCBA``) sends bit 0 as bit 8."""
    bit = address.bit or 0
    return (bit + 8) % 16 if address.order in {ByteOrder.BADC, ByteOrder.DCBA} else bit


def nearest_register_value(encoding: Encoding, number: float) -> float:
    """What a register of the encoding holds that is nearest to ``number``: a whole number, or a float of its width; infinite beyond the widest float."""
    if not math.isfinite(number) or encoding is Encoding.FLOAT64:
        return number
    with np.errstate(over="ignore", under="ignore"):
        match encoding:
            case Encoding.FLOAT32:
                return float(np.float32(number))
            case Encoding.FLOAT16:
                return float(np.float16(number))
            case _:
                return float(round(number))


def _as_read(address: ModbusAddress, value: float) -> float:
    """The engineering value that is read back when ``value`` is written."""
    if not math.isfinite(value):
        return value
    return nearest_register_value(address.encoding, (value - address.offset) / address.scale) * address.scale + address.offset


def _has_rules(address: ModbusAddress) -> bool:
    return address.no_value is not None or address.clamp or address.encoding in _WIDE | _BCD


def _decimal(raw: npt.NDArray[Any], digits: int) -> Float64Column:
    shifts = np.arange(0, 4 * digits, 4, dtype=np.uint32)
    digit = (raw.astype(np.uint32)[:, np.newaxis] >> shifts) & 0xF
    number = digit @ (10.0 ** np.arange(digits))
    number[(digit > 9).any(axis=1)] = np.nan
    return number


def _places(places: Sequence[int]) -> Places:
    """A slice where the places have one distance, which makes a view and no copy."""
    step = places[1] - places[0] if len(places) > 1 else 1
    regular = range(places[0], places[-1] + 1, step) if places and step > 0 else range(0)
    if list(regular) == list(places):
        return slice(regular.start, regular.stop, regular.step)
    return np.array(places, np.intp)


def _unless(neutral: float, factors: Sequence[float]) -> Float64Column | None:
    return None if all(factor == neutral for factor in factors) else np.array(factors)
