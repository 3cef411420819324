"""RTU frames against the bytes of the standard and everything that a serial line can do to them."""

import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from drivers.modbus.frames import BadFrame, ReadRequest, WriteRequest
from drivers.modbus.rtu import answer_length, answer_pdu, crc16, rtu_adu
from plant.device import ModbusTable, WriteStyle

UNIT = 7


def frame(pdu: bytes, unit: int = UNIT) -> bytes:
    body = bytes([unit]) + pdu
    return body + struct.pack("<H", crc16(body))


@pytest.mark.parametrize(
    ("body", "checksum"),
    [
        ("02 07", "41 12"),
        ("01 03 00 00 00 0A", "C5 CD"),
        ("11 03 00 6B 00 03", "76 87"),
    ],
)
def test_the_checksum_is_that_of_published_frames_low_byte_first(body: str, checksum: str) -> None:
    assert struct.pack("<H", crc16(bytes.fromhex(body))) == bytes.fromhex(checksum)


def test_a_request_is_unit_pdu_and_checksum() -> None:
    assert rtu_adu(0x11, bytes.fromhex("03 006B 0003")) == bytes.fromhex("11 03 006B 0003 7687")


@given(st.binary(max_size=256))
def test_the_checksum_of_a_whole_frame_is_zero(body: bytes) -> None:
    assert crc16(body + struct.pack("<H", crc16(body))) == 0


@given(body=st.binary(min_size=1, max_size=256), data=st.data())
def test_a_burst_of_up_to_sixteen_wrong_bits_never_passes(body: bytes, data: st.DataObject) -> None:
    sound = int.from_bytes(body + struct.pack("<H", crc16(body)), "little")
    burst = data.draw(st.integers(1, 0xFFFF))
    at = data.draw(st.integers(0, 8 * len(body)))
    assert crc16((sound ^ burst << at).to_bytes(len(body) + 4, "little")[: len(body) + 2]) != 0


REQUESTS = [
    (ReadRequest(ModbusTable.COIL, 0, 19), bytes([1, 3, 0xCD, 0x6B, 0x05])),
    (ReadRequest(ModbusTable.DISCRETE, 0, 8), bytes([2, 1, 0xAC])),
    (ReadRequest(ModbusTable.HOLDING, 0, 125), bytes([3, 250]) + bytes(250)),
    (ReadRequest(ModbusTable.INPUT, 0, 1), bytes([4, 2, 0, 10])),
    (WriteRequest.of(ModbusTable.COIL, 1, b"\x01"), bytes.fromhex("05 0001 FF00")),
    (WriteRequest.of(ModbusTable.HOLDING, 1, b"\x00\x03"), bytes.fromhex("06 0001 0003")),
    (WriteRequest.of(ModbusTable.COIL, 1, b"\x01", WriteStyle.MULTIPLE), bytes.fromhex("0F 0001 0001")),
    (WriteRequest.of(ModbusTable.HOLDING, 1, bytes(4)), bytes.fromhex("10 0001 0002")),
    (WriteRequest.of_bit(4, 3, True), bytes.fromhex("16 0004 FFF7 0008")),
]


@pytest.mark.parametrize(("request_", "answer"), REQUESTS)
def test_an_answer_is_complete_at_the_length_that_its_request_foretells_and_not_before(request_: ReadRequest | WriteRequest, answer: bytes) -> None:
    received = frame(answer)
    assert answer_length(request_.pdu) == len(received)
    for length in range(len(received)):
        assert answer_pdu(received[:length], UNIT, request_.pdu) is None
    assert answer_pdu(received, UNIT, request_.pdu) == answer


@pytest.mark.parametrize(("request_", "answer"), REQUESTS)
def test_a_device_s_exception_is_five_bytes_whatever_was_asked(request_: ReadRequest | WriteRequest, answer: bytes) -> None:
    refused = bytes([answer[0] | 0x80, 2])
    assert answer_pdu(frame(refused)[:4], UNIT, request_.pdu) is None
    assert answer_pdu(frame(refused), UNIT, request_.pdu) == refused


@pytest.mark.parametrize(("request_", "answer"), REQUESTS)
@pytest.mark.parametrize(
    ("spoil", "reason"),
    [
        (lambda answer: frame(answer, UNIT + 1), "unit"),
        (lambda answer: frame(bytes([answer[0] ^ 0x0F]) + answer[1:]), "function"),
        (lambda answer: frame(answer)[:-1] + bytes([frame(answer)[-1] ^ 1]), "checksum"),
        (lambda answer: frame(answer) * 2, "length"),
        (lambda answer: frame(answer) + b"\0", "length"),
    ],
    ids=["another unit", "another function", "a wrong checksum", "twice", "a byte too many"],
)
def test_a_wrong_answer_is_refused_with_its_reason(request_: ReadRequest | WriteRequest, answer: bytes, spoil: object, reason: str) -> None:
    assert callable(spoil)
    with pytest.raises(BadFrame) as refused:
        answer_pdu(spoil(answer), UNIT, request_.pdu)
    assert refused.value.reason == reason


def test_the_answer_to_a_read_of_another_length_is_refused_at_its_byte_count() -> None:
    request = ReadRequest(ModbusTable.HOLDING, 0, 5)
    with pytest.raises(BadFrame, match="4 bytes of data, 10 were asked for") as refused:
        answer_pdu(frame(bytes([3, 4]) + bytes(4))[:3], UNIT, request.pdu)
    assert refused.value.reason == "length"


@given(received=st.binary(min_size=1, max_size=300))
def test_what_is_no_answer_is_refused_or_waited_for_and_never_taken(received: bytes) -> None:
    request = ReadRequest(ModbusTable.HOLDING, 0, 1)
    try:
        taken = answer_pdu(received, UNIT, request.pdu)
    except BadFrame:
        return
    assert taken is None or (crc16(received) == 0 and received[0] == UNIT)
