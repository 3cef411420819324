"""From an engineering value to the bytes of a write; the inverse of ``decode``."""

import math
import struct
from typing import Final

from drivers.modbus.decode import byte_positions
from plant.command import CommandValue
from plant.device import ByteOrder, Encoding, ModbusAddress

_FORMAT: Final = {
    Encoding.INT16: ">h",
    Encoding.UINT16: ">H",
    Encoding.INT32: ">i",
    Encoding.UINT32: ">I",
    Encoding.INT64: ">q",
    Encoding.UINT64: ">Q",
    Encoding.FLOAT32: ">f",
    Encoding.FLOAT64: ">d",
}


def encode(address: ModbusAddress, value: CommandValue) -> bytes:
    """Bytes of ``value`` (engineering units) as on the wire: registers, or one byte 0 or 1 for a coil.

    Raises:
        ValueError: the value does not fit the registers, is of the wrong kind, or is no finite number, which no read-back could confirm.
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
    try:
        big_endian = struct.pack(_FORMAT[address.encoding], raw if address.encoding in {Encoding.FLOAT32, Encoding.FLOAT64} else round(raw))
    except (struct.error, OverflowError) as error:
        raise ValueError(f"{value:g} does not fit {address.encoding}") from error
    wire = bytearray(len(big_endian))
    for byte, position in zip(big_endian, byte_positions(address.order, len(big_endian) // 2), strict=True):
        wire[position] = byte
    return bytes(wire)


def _text(address: ModbusAddress, value: CommandValue) -> bytes:
    if not isinstance(value, str) or not value.isascii() or len(value) > 2 * address.length:
        raise ValueError(f"{value!r} is no ASCII text of at most {2 * address.length} characters")
    wire = value.encode().ljust(2 * address.length, b"\0")
    if address.order in {ByteOrder.BADC, ByteOrder.DCBA}:
        return b"".join(wire[at : at + 2][::-1] for at in range(0, len(wire), 2))
    return wire
