"""Frames against the bytes of the standard, and against everything a wrong, late or broken answer can get wrong."""

import struct

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from drivers.modbus.frames import LONGEST_PDU, BadFrame, ModbusException, ReadRequest, WriteRequest, adu, check_unit, header_at
from plant.device import ModbusTable, WriteStyle
from plant.quality import Quality, is_bad

READ_FUNCTION = {ModbusTable.COIL: 1, ModbusTable.DISCRETE: 2, ModbusTable.HOLDING: 3, ModbusTable.INPUT: 4}
words = st.integers(0, 0xFFFF)
units = st.integers(0, 0xFF)


@pytest.mark.parametrize(
    ("table", "address", "count", "expected"),
    [
        (ModbusTable.COIL, 0x0013, 0x0013, "01 0013 0013"),
        (ModbusTable.DISCRETE, 0x00C4, 0x0016, "02 00C4 0016"),
        (ModbusTable.HOLDING, 0x006B, 0x0003, "03 006B 0003"),
        (ModbusTable.INPUT, 0x0008, 0x0001, "04 0008 0001"),
    ],
)
def test_a_read_request_is_that_of_the_standard_s_example(table: ModbusTable, address: int, count: int, expected: str) -> None:
    assert ReadRequest(table, address, count).pdu == bytes.fromhex(expected)


@pytest.mark.parametrize(
    ("table", "address", "data", "expected"),
    [
        (ModbusTable.COIL, 0x00AC, "01", "05 00AC FF00"),
        (ModbusTable.COIL, 0x00AC, "00", "05 00AC 0000"),
        (ModbusTable.HOLDING, 0x0001, "0003", "06 0001 0003"),
        (ModbusTable.HOLDING, 0x0001, "000A 0102", "10 0001 0002 04 000A 0102"),
    ],
)
def test_a_write_request_is_that_of_the_standard_s_example(table: ModbusTable, address: int, data: str, expected: str) -> None:
    assert WriteRequest.of(table, address, bytes.fromhex(data)).pdu == bytes.fromhex(expected)


@given(transaction=words, unit=units, pdu=st.binary(min_size=1, max_size=LONGEST_PDU))
def test_the_header_of_a_request_fits_the_request_and_is_accepted_as_that_of_its_answer(transaction: int, unit: int, pdu: bytes) -> None:
    frame = adu(transaction, unit, pdu)
    assert struct.unpack(">HHHB", frame[:7]) == (transaction, 0, len(pdu) + 1, unit)
    assert frame[7:] == pdu
    assert header_at(frame, 0) == (transaction, len(pdu), unit)


@given(transaction=words, protocol=words, length=words, unit=units, before=st.binary(max_size=3))
def test_a_header_is_read_where_it_stands_and_only_with_the_protocol_and_a_length_of_modbus(
    transaction: int, protocol: int, length: int, unit: int, before: bytes
) -> None:
    received = before + struct.pack(">HHHB", transaction, protocol, length, unit)
    if protocol == 0 and 2 <= length <= 254:
        assert header_at(received, len(before)) == (transaction, length - 1, unit)
    else:
        with pytest.raises(BadFrame):
            header_at(received, len(before))


@pytest.mark.parametrize(
    ("protocol", "length", "named"),
    [(1, 5, "protocol 1"), (0, 0, "length 0"), (0, 1, "length 1"), (0, 255, "length 255"), (0, 0xFFFF, "length 65535")],
)
def test_a_wrong_header_is_refused_with_what_was_wrong(protocol: int, length: int, named: str) -> None:
    with pytest.raises(BadFrame, match=named) as refused:
        header_at(struct.pack(">HHHB", 9, protocol, length, 7), 0)
    assert refused.value.reason == "header"


def test_the_answer_of_another_unit_is_refused() -> None:
    check_unit(7, 7)
    with pytest.raises(BadFrame, match="of unit 6, the request was to 7") as refused:
        check_unit(6, 7)
    assert refused.value.reason == "unit"


@given(table=st.sampled_from(ModbusTable), data=st.data())
def test_the_data_of_an_answer_that_is_as_long_as_asked_for_is_returned_untouched(table: ModbusTable, data: st.DataObject) -> None:
    count = data.draw(st.integers(1, 2000 if table.is_bit else 125))
    size = -(-count // 8) if table.is_bit else 2 * count
    content = data.draw(st.binary(min_size=size, max_size=size))
    assert ReadRequest(table, 0, count).accept(bytes([READ_FUNCTION[table], size]) + content) == content


@given(table=st.sampled_from(ModbusTable), count=st.integers(1, 125), said=st.integers(0, 255), sent=st.integers(0, 251))
def test_an_answer_is_refused_when_its_byte_count_or_its_length_is_not_what_was_asked_for(table: ModbusTable, count: int, said: int, sent: int) -> None:
    pdu = bytes([READ_FUNCTION[table], said]) + bytes(sent)
    if said == sent == (-(-count // 8) if table.is_bit else 2 * count):
        assert ReadRequest(table, 0, count).accept(pdu) == bytes(sent)
    else:
        with pytest.raises(BadFrame) as refused:
            ReadRequest(table, 0, count).accept(pdu)
        assert refused.value.reason == "length"


def test_an_answer_without_even_a_byte_count_is_refused() -> None:
    with pytest.raises(BadFrame) as refused:
        ReadRequest(ModbusTable.HOLDING, 0, 1).accept(b"\x03")
    assert refused.value.reason == "length"


@given(table=st.sampled_from(ModbusTable), function=st.integers(0, 255), rest=st.binary(max_size=20))
def test_an_answer_of_another_function_is_refused(table: ModbusTable, function: int, rest: bytes) -> None:
    assume(function not in {READ_FUNCTION[table], READ_FUNCTION[table] | 0x80})
    with pytest.raises(BadFrame) as refused:
        ReadRequest(table, 0, 1).accept(bytes([function]) + rest)
    assert refused.value.reason == "function"


@given(table=st.sampled_from(ModbusTable), code=st.integers(0, 255), rest=st.binary(max_size=4))
def test_an_exception_is_two_bytes_and_is_that_of_the_function_asked_for(table: ModbusTable, code: int, rest: bytes) -> None:
    pdu = bytes([READ_FUNCTION[table] | 0x80, code]) + rest
    if rest:
        with pytest.raises(BadFrame):
            ReadRequest(table, 0, 1).accept(pdu)
    else:
        assert ReadRequest(table, 0, 1).accept(pdu) == ModbusException(code)


@pytest.mark.parametrize(
    ("code", "quality", "name"),
    [
        (1, Quality.BAD_NOT_SUPPORTED, "exception 01, illegal function"),
        (2, Quality.BAD_CONFIGURATION_ERROR, "exception 02, illegal data address"),
        (3, Quality.BAD_CONFIGURATION_ERROR, "exception 03, illegal data value"),
        (4, Quality.BAD_DEVICE_FAILURE, "exception 04, server device failure"),
        (5, Quality.BAD_RESOURCE_UNAVAILABLE, "exception 05, acknowledge"),
        (6, Quality.BAD_RESOURCE_UNAVAILABLE, "exception 06, server device busy"),
        (8, Quality.BAD_DEVICE_FAILURE, "exception 08, memory parity error"),
        (10, Quality.BAD_NO_COMMUNICATION, "exception 0A, gateway path unavailable"),
        (11, Quality.BAD_NO_COMMUNICATION, "exception 0B, gateway target failed to respond"),
        (99, Quality.BAD_UNKNOWN_RESPONSE, "exception 63, not in the standard"),
    ],
)
def test_an_exception_has_a_quality_and_the_name_that_the_standard_gives_it(code: int, quality: Quality, name: str) -> None:
    assert ModbusException(code).quality is quality
    assert str(ModbusException(code)) == name


@given(st.integers(0, 255))
def test_an_exception_is_always_bad_only_2_and_3_are_about_the_address_and_only_4_5_and_11_leave_open_what_was_done(code: int) -> None:
    exception = ModbusException(code)
    assert is_bad(exception.quality)
    assert exception.is_about_address == (code in {2, 3})
    assert exception.leaves_outcome_open == (code in {4, 5, 11})


WRITES = [
    WriteRequest.of(ModbusTable.COIL, 0x0102, b"\x01"),
    WriteRequest.of(ModbusTable.COIL, 0x0102, b"\x01", WriteStyle.MULTIPLE),
    WriteRequest.of(ModbusTable.HOLDING, 0x0102, b"\x12\x34"),
    WriteRequest.of(ModbusTable.HOLDING, 0x0102, b"\x12\x34", WriteStyle.MULTIPLE),
    WriteRequest.of(ModbusTable.HOLDING, 0x0102, b"\x12\x34\x56\x78"),
    WriteRequest.of_bit(0x0102, 5, True),
]


def echo_of(request: WriteRequest) -> bytes:
    """What the standard has a device answer: the request, or of functions 15 and 16 its beginning."""
    return request.pdu if request.pdu[0] == 22 else request.pdu[:5]


@pytest.mark.parametrize(
    ("style", "table", "data", "expected"),
    [
        (WriteStyle.MULTIPLE, ModbusTable.COIL, "01", "0F 00AC 0001 01 01"),
        (WriteStyle.MULTIPLE, ModbusTable.COIL, "00", "0F 00AC 0001 01 00"),
        (WriteStyle.MULTIPLE, ModbusTable.HOLDING, "0003", "10 00AC 0001 02 0003"),
        (WriteStyle.SINGLE, ModbusTable.COIL, "01", "05 00AC FF00"),
        (WriteStyle.SINGLE, ModbusTable.HOLDING, "0003", "06 00AC 0003"),
    ],
)
def test_a_device_is_written_with_the_functions_that_it_knows(style: WriteStyle, table: ModbusTable, data: str, expected: str) -> None:
    assert WriteRequest.of(table, 0x00AC, bytes.fromhex(data), style).pdu == bytes.fromhex(expected)


@pytest.mark.parametrize(("style", "registers"), [(WriteStyle.SINGLE, 2), (WriteStyle.EITHER, 124), (WriteStyle.MULTIPLE, 124)])
def test_more_registers_than_one_write_takes_are_not_written_one_by_one(style: WriteStyle, registers: int) -> None:
    with pytest.raises(ValueError, match=f"{registers} registers"):
        WriteRequest.of(ModbusTable.HOLDING, 0, bytes(2 * registers), style)


def test_the_most_registers_of_one_write_are_123() -> None:
    assert WriteRequest.of(ModbusTable.HOLDING, 1, bytes(246)).pdu == bytes.fromhex("10 0001 007B F6") + bytes(246)


@given(before=words, bit=st.integers(0, 15), is_set=st.booleans())
def test_a_mask_write_changes_its_bit_and_no_other(before: int, bit: int, is_set: bool) -> None:
    function, address, and_mask, or_mask = struct.unpack(">BHHH", WriteRequest.of_bit(4, bit, is_set).pdu)
    after = (before & and_mask) | (or_mask & ~and_mask & 0xFFFF)
    assert (function, address) == (22, 4)
    assert after == (before | 1 << bit if is_set else before & ~(1 << bit))


@pytest.mark.parametrize("request_", WRITES)
def test_a_write_is_taken_when_the_device_echoes_function_address_and_value_or_count(request_: WriteRequest) -> None:
    assert request_.accept(echo_of(request_)) == b""


@pytest.mark.parametrize("request_", WRITES)
@pytest.mark.parametrize("at", [1, 2, 3, 4, -1])
def test_an_echo_that_differs_in_one_byte_confirms_nothing(request_: WriteRequest, at: int) -> None:
    echo = bytearray(echo_of(request_))
    echo[at] ^= 1
    with pytest.raises(BadFrame) as refused:
        request_.accept(bytes(echo))
    assert refused.value.reason == "echo"


@pytest.mark.parametrize("request_", WRITES)
def test_an_echo_that_is_short_or_long_confirms_nothing(request_: WriteRequest) -> None:
    echo = echo_of(request_)
    for wrong in [echo + b"\0", *(echo[:length] for length in range(1, len(echo)))]:
        with pytest.raises(BadFrame):
            request_.accept(wrong)


@pytest.mark.parametrize("request_", WRITES)
def test_a_refused_write_is_the_device_s_exception_and_another_function_s_answer_is_refused(request_: WriteRequest) -> None:
    assert request_.accept(bytes([request_.pdu[0] | 0x80, 2])) == ModbusException(2)
    with pytest.raises(BadFrame) as refused:
        request_.accept(b"\x03" + request_.pdu[1:5])
    assert refused.value.reason == "function"
