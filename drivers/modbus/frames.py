"""Modbus requests to bytes and answers from bytes, with everything checked that a wrong or late answer could get wrong; and the header of Modbus TCP.

Source: MODBUS Messaging on TCP/IP Implementation Guide V1.0b (MBAP header) and MODBUS Application Protocol V1.1b3 (functions, exceptions).
"""

import struct
from dataclasses import dataclass
from typing import Final

from plant.device import ModbusTable, WriteStyle
from plant.errors import DeviceProtocolError
from plant.quality import Quality

MBAP: Final = struct.Struct(">HHHB")
"""Transaction, protocol (0), length of what follows the length field, unit."""

LONGEST_PDU: Final = 253

READ_FUNCTION: Final = {ModbusTable.COIL: 1, ModbusTable.DISCRETE: 2, ModbusTable.HOLDING: 3, ModbusTable.INPUT: 4}
WRITE_COIL: Final = 5
WRITE_REGISTER: Final = 6
WRITE_COILS: Final = 15
WRITE_REGISTERS: Final = 16
MASK_WRITE_REGISTER: Final = 22

MOST_REGISTERS_WRITTEN: Final = 123
"""Of one request of function 16."""

_EXCEPTION_QUALITY: Final = {
    1: Quality.BAD_NOT_SUPPORTED,
    2: Quality.BAD_CONFIGURATION_ERROR,
    3: Quality.BAD_CONFIGURATION_ERROR,
    4: Quality.BAD_DEVICE_FAILURE,
    5: Quality.BAD_RESOURCE_UNAVAILABLE,
    6: Quality.BAD_RESOURCE_UNAVAILABLE,
    8: Quality.BAD_DEVICE_FAILURE,
    10: Quality.BAD_NO_COMMUNICATION,
    11: Quality.BAD_NO_COMMUNICATION,
}

_EXCEPTION_NAME: Final = {
    1: "illegal function",
    2: "illegal data address",
    3: "illegal data value",
    4: "server device failure",
    5: "acknowledge",
    6: "server device busy",
    8: "memory parity error",
    10: "gateway path unavailable",
    11: "gateway target failed to respond",
}


@dataclass(frozen=True, slots=True)
class ModbusException:
    """A device's refusal: an answer, and no fault of the link."""

    code: int

    @property
    def quality(self) -> Quality:
        return _EXCEPTION_QUALITY.get(self.code, Quality.BAD_UNKNOWN_RESPONSE)

    @property
    def is_about_address(self) -> bool:
        """The request named something that the device does not have."""
        return self.code in {2, 3}

    @property
    def is_unknown_function(self) -> bool:
        return self.code == 1

    @property
    def is_failure(self) -> bool:
        """The device, or what it would have read, does not work."""
        return self.code == 4

    @property
    def is_busy(self) -> bool:
        """The device asks to be asked again."""
        return self.code == 6

    @property
    def is_from_gateway(self) -> bool:
        """Said by what stands before the unit, not by the unit."""
        return self.code in {10, 11}

    @property
    def leaves_outcome_open(self) -> bool:
        """A write refused so may have been done: it failed half-way (4), is still being done (5), or got lost behind a gateway (11)."""
        return self.code in {4, 5, 11}

    def __str__(self) -> str:
        return f"exception {self.code:02X}, {_EXCEPTION_NAME.get(self.code, 'not in the standard')}"


Answer = bytes | ModbusException
"""Data bytes as on the wire (none for a write), or the device's refusal."""


class BadFrame(DeviceProtocolError):
    """An answer that is not the answer to the request. ``reason`` is a metric's label: one of a few fixed words."""

    def __init__(self, reason: str, detail: str) -> None:
        self.reason = reason
        super().__init__(detail)


class ReadRequest:
    """A read, made once and asked again and again. ``count`` is registers, or bits of a bit table."""

    __slots__ = ("_expected", "_function", "_text", "pdu")

    def __init__(self, table: ModbusTable, address: int, count: int) -> None:
        self._function = READ_FUNCTION[table]
        self._expected = (count + 7) // 8 if table.is_bit else 2 * count
        self._text = f"{table} {address}..{address + count - 1}" if count > 1 else f"{table} {address}"
        self.pdu = struct.pack(">BHH", self._function, address, count)

    def __str__(self) -> str:
        """As ``forbidden`` in devices.toml would name it."""
        return self._text

    @property
    def shape(self) -> tuple[int, int]:
        """Function and bytes of data: an answer of another shape is not the one to this."""
        return self._function, self._expected

    def accept(self, pdu: bytes) -> Answer:
        """The data bytes: registers as on the wire, or bits, least significant first.

        Raises:
            BadFrame: another function or another length than asked for.
        """
        expected = self._expected
        if len(pdu) == expected + 2 and pdu[0] == self._function and pdu[1] == expected:
            return pdu[2:]
        refused = _exception(pdu, self._function)
        if refused is not None:
            return refused
        raise BadFrame("length", f"{len(pdu) - 2} bytes of data, {expected} were asked for")


class WriteRequest:
    """A write, from its PDU."""

    __slots__ = ("_echo", "pdu")

    def __init__(self, pdu: bytes) -> None:
        self.pdu = pdu
        self._echo = pdu if pdu[0] == MASK_WRITE_REGISTER else pdu[:5]

    def __str__(self) -> str:
        _, address = struct.unpack_from(">BH", self.pdu)
        return f"a write at {address}"

    @classmethod
    def of(cls, table: ModbusTable, address: int, data: bytes, style: WriteStyle = WriteStyle.EITHER) -> "WriteRequest":
        """``data``: one byte 0 or 1 for a coil, else the registers in the order of the wire.

        Raises:
            ValueError: the device has no function that writes so many registers at once. They are not written one by one: a value would be torn.
        """
        if table is ModbusTable.COIL:
            if style is WriteStyle.MULTIPLE:
                return cls(struct.pack(">BHHBB", WRITE_COILS, address, 1, 1, 1 if data[0] else 0))
            return cls(struct.pack(">BHH", WRITE_COIL, address, 0xFF00 if data[0] else 0))
        registers = len(data) // 2
        if registers == 1 and style is not WriteStyle.MULTIPLE:
            return cls(struct.pack(">BH", WRITE_REGISTER, address) + data)
        if style is WriteStyle.SINGLE:
            raise ValueError(f"{registers} registers cannot be written at once to a device with single writes only")
        if registers > MOST_REGISTERS_WRITTEN:
            raise ValueError(f"{registers} registers are more than the {MOST_REGISTERS_WRITTEN} of one write")
        return cls(struct.pack(">BHHB", WRITE_REGISTERS, address, registers, len(data)) + data)

    @classmethod
    def of_bit(cls, address: int, bit: int, is_set: bool) -> "WriteRequest":
        """Function 22, ``bit`` of the register as it travels: the device keeps the other bits.

        Result = (contents AND and-mask) OR (or-mask AND NOT and-mask); V1.1b3, 6.16.
        """
        return cls(struct.pack(">BHHH", MASK_WRITE_REGISTER, address, 0xFFFF ^ (1 << bit), is_set << bit))

    def accept(self, pdu: bytes) -> Answer:
        """No bytes: the device took the write.

        Raises:
            BadFrame: the echo is not that of the request.
        """
        if pdu == self._echo:
            return b""
        refused = _exception(pdu, self.pdu[0])
        if refused is not None:
            return refused
        raise BadFrame("echo", "the device confirmed another write than was asked for")


Request = ReadRequest | WriteRequest


def adu(transaction: int, unit: int, pdu: bytes) -> bytes:
    """The bytes of one request on the wire."""
    return MBAP.pack(transaction, 0, len(pdu) + 1, unit) + pdu


def header_at(received: bytes, at: int) -> tuple[int, int, int]:
    """Transaction, length of the PDU that follows, and unit, from the seven bytes at ``at``.

    Raises:
        BadFrame: this is no header of Modbus TCP.
    """
    transaction, protocol, length, unit = MBAP.unpack_from(received, at)
    if protocol != 0 or not 2 <= length <= LONGEST_PDU + 1:
        raise BadFrame("header", f"a header of protocol {protocol} and length {length}")
    return transaction, length - 1, unit


def check_unit(got: int, asked: int) -> None:
    """Raises ``BadFrame`` for the answer of another unit."""
    if got != asked:
        raise BadFrame("unit", f"the answer is of unit {got}, the request was to {asked}")


def _exception(pdu: bytes, function: int) -> ModbusException | None:
    if pdu[0] == function | 0x80 and len(pdu) == 2:
        return ModbusException(pdu[1])
    if pdu[0] != function:
        raise BadFrame("function", f"the answer is of function {pdu[0]}, the request was {function}")
    return None
