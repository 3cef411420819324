"""RTU frames: unit, PDU, checksum, and nothing that says where a frame ends or which request it answers.

Rules:

1. The request says how long its answer must be; an answer is complete at that length and is checked whole. Shorter is not yet an answer, longer is none.
2. What can be known to be wrong is refused at the first wrong byte: unit, function, byte count. A frame that is taken has the right checksum too.

Source: MODBUS over Serial Line Specification V1.02, 2.5.1; the checksum is CRC-16 with polynomial A001 (reflected), start FFFF, low byte first.
"""

import struct
from typing import Final

from drivers.modbus.frames import READ_FUNCTION, WRITE_COIL, WRITE_COILS, WRITE_REGISTER, WRITE_REGISTERS, BadFrame, check_unit
from plant.device import ModbusTable

_EXCEPTION_LENGTH: Final = 5
_ECHO_LENGTH: Final = 8
_MASK_ECHO_LENGTH: Final = 10
_OF_BITS: Final = frozenset({READ_FUNCTION[ModbusTable.COIL], READ_FUNCTION[ModbusTable.DISCRETE]})
_READS: Final = frozenset(READ_FUNCTION.values())
_ECHOED: Final = frozenset({WRITE_COIL, WRITE_REGISTER, WRITE_COILS, WRITE_REGISTERS})


def _remainder(byte: int) -> int:
    for _ in range(8):
        byte = (byte >> 1) ^ (0xA001 if byte & 1 else 0)
    return byte


_REMAINDERS: Final = tuple(_remainder(byte) for byte in range(256))


def crc16(data: bytes) -> int:
    """Checksum of ``data``; zero over a frame together with its own checksum."""
    crc = 0xFFFF
    for byte in data:
        crc = (crc >> 8) ^ _REMAINDERS[(crc ^ byte) & 0xFF]
    return crc


def rtu_adu(unit: int, pdu: bytes) -> bytes:
    """The bytes of one request on the wire."""
    frame = bytes([unit]) + pdu
    return frame + struct.pack("<H", crc16(frame))


def answer_length(request: bytes) -> int:
    """Bytes on the wire of the answer to the PDU ``request`` when it is no exception, which has five."""
    function = request[0]
    if function in _READS:
        return 5 + _data_length(request)
    return _ECHO_LENGTH if function in _ECHOED else _MASK_ECHO_LENGTH


def answer_pdu(received: bytes, unit: int, request: bytes) -> bytes | None:
    """The PDU of the answer to ``request``, or ``None`` while some of it has not come.

    Raises:
        BadFrame: what came is no beginning of the answer, or its checksum is wrong, or more came than the answer.
    """
    if not received:
        return None
    check_unit(received[0], unit)
    if len(received) < 2:
        return None
    function, asked = received[1], request[0]
    if function & 0x7F != asked:
        raise BadFrame("function", f"the answer is of function {function}, the request was {asked}")
    expected = answer_length(request) if function == asked else _EXCEPTION_LENGTH
    if function == asked and asked in _READS and len(received) > 2 and received[2] != expected - 5:
        raise BadFrame("length", f"{received[2]} bytes of data, {expected - 5} were asked for")
    if len(received) < expected:
        return None
    if len(received) > expected:
        raise BadFrame("length", f"{len(received)} bytes came, the answer has {expected}")
    if crc16(received):
        raise BadFrame("checksum", "the checksum is not that of the bytes")
    return received[1:-2]


def _data_length(request: bytes) -> int:
    count = int.from_bytes(request[3:5], "big")
    return (count + 7) // 8 if request[0] in _OF_BITS else 2 * count
