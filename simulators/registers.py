"""The Modbus tables of a device over its tag image: tags to registers and back. Pure.

Rule: a table is one block of memory, as a PLC lays it out: from its lowest to its highest mapped address every address can be read, a hole reads 0, and
nothing outside the block exists. A write that touches a hole, or a tag that is read-only, is refused whole: nothing of it is done.
"""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt

from plant.device import ByteOrder, Encoding, ModbusAddress, ModbusTable
from plant.quality import Quality
from simulators.image import Positions, TagImage

Words = npt.NDArray[np.uint16]

_WIRE: Final[dict[Encoding, np.dtype[np.generic]]] = {
    Encoding.INT16: np.dtype(">i2"),
    Encoding.UINT16: np.dtype(">u2"),
    Encoding.INT32: np.dtype(">i4"),
    Encoding.UINT32: np.dtype(">u4"),
    Encoding.INT64: np.dtype(">i8"),
    Encoding.UINT64: np.dtype(">u8"),
    Encoding.FLOAT32: np.dtype(">f4"),
    Encoding.FLOAT64: np.dtype(">f8"),
}


@dataclass(frozen=True, slots=True)
class WriteRefused:
    """Nothing was written: the address does not exist or is read-only (Modbus exception 2), or the value is refused (exception 3)."""

    is_address: bool


@dataclass(frozen=True, slots=True)
class _Numbers:
    """Values of one table, encoding and order. ``at`` (n, registers) are offsets into the table's words."""

    encoding: Encoding
    order: ByteOrder
    positions: Positions
    at: Positions
    scale: npt.NDArray[np.float64]
    offset: npt.NDArray[np.float64]


class RegisterTable:
    """One table: ``start`` its lowest address, ``count`` its length in registers (bits in a bit table)."""

    def __init__(self, image: TagImage, table: ModbusTable) -> None:
        self._image = image
        self.table = table
        places = [(position, tag.source) for position, tag in enumerate(image.tags) if isinstance(tag.source, ModbusAddress) and tag.source.table is table]
        self.start = min((address.address for _, address in places), default=0)
        self.count = max((address.end for _, address in places), default=0) - self.start
        self._places = places
        self._owned: npt.NDArray[np.bool_] = np.zeros(self.count, np.bool_)
        for _, address in places:
            self._owned[address.address - self.start : address.end - self.start] = True
        self._bits = [(position, address) for position, address in places if address.encoding is Encoding.BIT]
        self._bit_positions = np.array([position for position, _ in self._bits], np.intp)
        self._bit_at = np.array([address.address - self.start for _, address in self._bits], np.intp)
        self._bit_weights = np.array([1 if table.is_bit else word_with_bit(address) for _, address in self._bits], np.uint16)
        self._texts = [(position, address) for position, address in places if address.encoding is Encoding.STRING]
        self._numbers = self._grouped(places)

    def exists(self, address: int, count: int) -> bool:
        return self.start <= address and address + count <= self.start + self.count

    def read(self) -> Words:
        """The whole table as it stands now; bits are 0 and 1."""
        words = np.zeros(self.count, np.uint16)
        for group in self._numbers:
            raw = (self._image.values[group.positions] - group.offset) / group.scale
            words[group.at] = words_of(raw, group.encoding, group.order)
        if len(self._bits):
            held = np.where(self._image.values[self._bit_positions] != 0, self._bit_weights, np.uint16(0))
            np.bitwise_or.at(words, self._bit_at, held)
        for position, address in self._texts:
            first = address.address - self.start
            words[first : first + address.length] = words_of_text(self._image.texts[position], address)
        return words

    def write(self, address: int, values: Sequence[int] | Sequence[bool], time: int) -> WriteRefused | None:
        """Puts registers (bits) into the table and, from there, the tags that lie on them into the image, at source time ``time``."""
        first, last = address - self.start, address - self.start + len(values)
        if not self.exists(address, len(values)) or not self._owned[first:last].all():
            return WriteRefused(is_address=True)
        words = self.read()
        words[first:last] = np.asarray(values, np.uint16)
        wanted: list[tuple[int, float | str]] = []
        for position, place in self._places:
            if place.address >= address + len(values) or place.end <= address:
                continue
            value = self._value_of(words[place.address - self.start : place.end - self.start], place)
            if value == self._image.value(position) and place.encoding is Encoding.BIT and not self.table.is_bit:
                continue  # a neighbour's bit in the same word
            refusal = self._image.refusal(position, value)
            if refusal is not None:
                return WriteRefused(is_address=refusal is Quality.BAD_NOT_WRITABLE)
            wanted.append((position, value))
        for position, value in wanted:
            self._image.write(position, value, time)
        return None

    def _value_of(self, words: Words, place: ModbusAddress) -> float | str:
        if place.encoding is Encoding.STRING:
            return text_of_words(words, place.order)
        if place.encoding is Encoding.BIT:
            return float((int(words[0]) & (1 if self.table.is_bit else word_with_bit(place))) != 0)
        return float(value_of_words(words, place.encoding, place.order) * place.scale + place.offset)

    def _grouped(self, places: Sequence[tuple[int, ModbusAddress]]) -> list[_Numbers]:
        groups: dict[tuple[Encoding, ByteOrder], list[tuple[int, ModbusAddress]]] = defaultdict(list)
        for position, address in places:
            if address.encoding in _WIRE:
                groups[address.encoding, address.order].append((position, address))
        return [
            _Numbers(
                encoding,
                order,
                np.array([position for position, _ in members], np.intp),
                np.array([[address.address - self.start + word for word in range(address.length)] for _, address in members], np.intp),
                np.array([address.scale for _, address in members]),
                np.array([address.offset for _, address in members]),
            )
            for (encoding, order), members in groups.items()
        ]


def words_of(raw: npt.NDArray[np.float64], encoding: Encoding, order: ByteOrder) -> Words:
    """Registers (n, registers) of n raw values. Whole encodings round, and stop at their ends as a PLC's conversion block does; NaN becomes 0 there."""
    wire = _WIRE[encoding]
    if wire.kind in "iu":
        bits = 16 * encoding.registers - (wire.kind == "i")
        low = -(2.0**bits) if wire.kind == "i" else 0.0
        # 2**64 - 1 is no double, and the next one is one too far: a 64-bit block ends at the largest double below
        high = 2.0**bits - 1.0 if bits < 53 else float(np.nextafter(2.0**bits, 0.0))
        raw = np.clip(np.rint(np.nan_to_num(raw)), low, high)
    with np.errstate(over="ignore"):
        octets = raw.astype(wire).view(np.uint8).reshape(len(raw), -1, 2)
    return _ordered(octets, order).view(">u2")[..., 0].astype(np.uint16)


def value_of_words(words: Words, encoding: Encoding, order: ByteOrder) -> float:
    """Raw value of one value's registers."""
    octets = words.astype(">u2").view(np.uint8).reshape(1, -1, 2)
    return float(_ordered(octets, order).reshape(-1).view(_WIRE[encoding])[0])


def _ordered(octets: npt.NDArray[np.uint8], order: ByteOrder) -> npt.NDArray[np.uint8]:
    """(n, registers, 2) bytes between the standard order and ``order``; each of the four is its own inverse."""
    if order in {ByteOrder.CDAB, ByteOrder.DCBA}:
        octets = octets[:, ::-1, :]
    if order in {ByteOrder.BADC, ByteOrder.DCBA}:
        octets = octets[:, :, ::-1]
    return np.ascontiguousarray(octets)


def word_with_bit(address: ModbusAddress) -> int:
    """The register in which the bit alone is set. Where the order exchanges the bytes of a word, so are those of the word with the bit."""
    return int(words_of(np.array([float(1 << (address.bit or 0))]), Encoding.UINT16, address.order)[0, 0])


def words_of_text(text: str, address: ModbusAddress) -> Words:
    """Two ASCII characters a register, NUL padded, cut at the end of the field; what is no ASCII becomes ``?``."""
    octets = text.encode("ascii", "replace")[: 2 * address.length].ljust(2 * address.length, b"\0")
    words = np.frombuffer(octets, ">u2").astype(np.uint16)
    return words.byteswap() if address.order in {ByteOrder.BADC, ByteOrder.DCBA} else words


def text_of_words(words: Words, order: ByteOrder) -> str:
    swapped = words.byteswap() if order in {ByteOrder.BADC, ByteOrder.DCBA} else words
    return swapped.astype(">u2").tobytes().split(b"\0", 1)[0].decode("ascii", "replace")
