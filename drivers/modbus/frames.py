"""Modbus TCP frames: requests to bytes, answers from bytes, with everything checked that a wrong or late answer could get wrong.

Source: MODBUS Messaging on TCP/IP Implementation Guide V1.0b (MBAP header) and MODBUS Application Protocol V1.1b3 (functions, exceptions).
"""

import struct
from dataclasses import dataclass
from typing import Final

from plant.device import ModbusTable
from plant.errors import DeviceProtocolError
from plant.quality import Quality

MBAP: Final = struct.Struct(">HHHB")
"""Transaction, protocol (0), length of what follows the length field, unit."""

LONGEST_PDU: Final = 253

READ_FUNCTION: Final = {ModbusTable.COIL: 1, ModbusTable.DISCRETE: 2, ModbusTable.HOLDING: 3, ModbusTable.INPUT: 4}
WRITE_COIL: Final = 5
WRITE_REGISTER: Final = 6
WRITE_REGISTERS: Final = 16

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
    def is_from_gateway(self) -> bool:
        """Said by what stands before the unit, not by the unit."""
        return self.code in {10, 11}

    @property
    def leaves_outcome_open(self) -> bool:
        """A write refused so may have been done: it failed half-way (4), is still being done (5), or got lost behind a gateway (11)."""
        return self.code in {4, 5, 11}

    def __str__(self) -> str:
        return f"exception {self.code:02X}, {_EXCEPTION_NAME.get(self.code, 'not in the standard')}"


def read_request(table: ModbusTable, address: int, count: int) -> bytes:
    return struct.pack(">BHH", READ_FUNCTION[table], address, count)


def write_request(table: ModbusTable, address: int, data: bytes) -> bytes:
    """``data``: one byte 0 or 1 for a coil, else the registers in the order of the wire. One register and several have functions of their own."""
    if table is ModbusTable.COIL:
        return struct.pack(">BHH", WRITE_COIL, address, 0xFF00 if data[0] else 0)
    if len(data) == 2:
        return struct.pack(">BH", WRITE_REGISTER, address) + data
    return struct.pack(">BHHB", WRITE_REGISTERS, address, len(data) // 2, len(data)) + data


def adu(transaction: int, unit: int, pdu: bytes) -> bytes:
    """The bytes of one request on the wire."""
    return MBAP.pack(transaction, 0, len(pdu) + 1, unit) + pdu


class BadFrame(DeviceProtocolError):
    """An answer that is not the answer to the request. ``reason`` is a metric's label: one of a few fixed words."""

    def __init__(self, reason: str, detail: str) -> None:
        self.reason = reason
        super().__init__(detail)


def check_header(header: bytes, transaction: int, unit: int) -> int:
    """Length of the PDU that follows a header of 7 bytes.

    Raises:
        BadFrame: the header is not that of the answer to ``transaction`` of ``unit``.
    """
    got_transaction, protocol, length, got_unit = MBAP.unpack(header)
    if protocol != 0 or not 2 <= length <= LONGEST_PDU + 1:
        raise BadFrame("header", f"a header of protocol {protocol} and length {length}")
    if got_transaction != transaction:
        raise BadFrame("transaction", f"the answer is to transaction {got_transaction}, the request was {transaction}")
    if got_unit != unit:
        raise BadFrame("unit", f"the answer is of unit {got_unit}, the request was to {unit}")
    return int(length) - 1


def read_answer(pdu: bytes, table: ModbusTable, count: int) -> bytes | ModbusException:
    """The data bytes of a read: registers as on the wire, or bits, least significant first.

    Raises:
        BadFrame: another function or another length than asked for.
    """
    refused = _exception(pdu, READ_FUNCTION[table])
    if refused is not None:
        return refused
    expected = (count + 7) // 8 if table.is_bit else 2 * count
    if len(pdu) != expected + 2 or pdu[1] != expected:
        raise BadFrame("length", f"{len(pdu) - 2} bytes of data, {expected} were asked for")
    return pdu[2:]


def write_answer(pdu: bytes, request: bytes) -> ModbusException | None:
    """``None``: the device took the write.

    Raises:
        BadFrame: the echo is not that of the request.
    """
    refused = _exception(pdu, request[0])
    if refused is None and pdu != request[:5]:
        raise BadFrame("echo", "the device confirmed another write than was asked for")
    return refused


def _exception(pdu: bytes, function: int) -> ModbusException | None:
    if pdu[0] == function | 0x80 and len(pdu) == 2:
        return ModbusException(pdu[1])
    if pdu[0] != function:
        raise BadFrame("function", f"the answer is of function {pdu[0]}, the request was {function}")
    return None
