"""From an engineering value to the bytes of a write; the inverse of ``decode``."""

import math
import struct
from typing import Final

from drivers.modbus.decode import nearest_register_value
from plant.command import CommandValue
from plant.device import ByteOrder, Encoding, ModbusAddress

_FORMAT: Final = {
    Encoding.INT16: ">h",
    Encoding.UINT16: ">H",
    Encoding.INT32: ">i",
    Encoding.UINT32: ">I",
    Encoding.INT64: ">q",
    Encoding.UINT64: ">Q",
    Encoding.FLOAT16: ">e",
    Encoding.FLOAT32: ">f",
    Encoding.FLOAT64: ">d",
}
_FLOATS: Final = {Encoding.FLOAT16, Encoding.FLOAT32, Encoding.FLOAT64}
_DIGITS: Final = {Encoding.BCD16: 4, Encoding.BCD32: 8}


def encode(address: ModbusAddress, value: CommandValue) -> bytes:
    """Bytes of ``value`` (engineering units) as on the wire: registers, or one byte 0 or 1 for a bit.

    Raises:
        ValueError: the value does not fit the registers, is of the wrong kind, is no finite number, which no read-back could confirm, or is what the
            registers hold where there is no value.
    """
    if address.encoding is Encoding.STRING:
        return _text(address, value)
    if isinstance(value, str):
        raise ValueError(f"{value!r} is text, the registers hold a number")
    raw = (value - address.offset) / address.scale
    if address.encoding is Encoding.BIT:
        if raw not in {0.0, 1.0}:
            raise ValueError(f"{value:g} is neither 0 nor 1")
        return bytes([int(raw)])
    if not math.isfinite(raw):
        raise ValueError(f"{value:g} does not fit {address.encoding}")
    big_endian = _big_endian(address.encoding, value, raw)
    if address.no_value is not None and nearest_register_value(address.encoding, raw) == nearest_register_value(address.encoding, address.no_value):
        raise ValueError(f"{value:g} cannot be written: its register value {address.no_value:g} means that there is no value")
    return in_order(address.order, big_endian)


def in_order(order: ByteOrder, big_endian: bytes) -> bytes:
    """A number's bytes, whole registers, as they stand on the wire."""
    match order:
        case ByteOrder.ABCD:
            return big_endian
        case ByteOrder.DCBA:
            return big_endian[::-1]
        case ByteOrder.BADC:
            return _bytes_exchanged(big_endian)
        case ByteOrder.CDAB:
            return _bytes_exchanged(big_endian[::-1])


def _bytes_exchanged(words: bytes) -> bytes:
    return b"".join(words[at : at + 2][::-1] for at in range(0, len(words), 2))


def _big_endian(encoding: Encoding, value: float, raw: float) -> bytes:
    if encoding in _DIGITS:
        digits, whole = _DIGITS[encoding], round(raw)
        if not 0 <= whole < 10**digits:
            raise ValueError(f"{value:g} does not fit {encoding}: its register value {whole} is not within 0 to {10**digits - 1}")
        return bytes.fromhex(f"{whole:0{digits}d}")
    try:
        return struct.pack(_FORMAT[encoding], raw if encoding in _FLOATS else round(raw))
    except (struct.error, OverflowError) as error:
        raise ValueError(f"{value:g} does not fit {encoding}") from error


def _text(address: ModbusAddress, value: CommandValue) -> bytes:
    if not isinstance(value, str) or not value.isascii() or len(value) > 2 * address.length:
        raise ValueError(f"{value!r} is no ASCII text of at most {2 * address.length} characters")
    wire = value.encode().ljust(2 * address.length, b"\0")
    return _bytes_exchanged(wire) if address.order in {ByteOrder.BADC, ByteOrder.DCBA} else wire
