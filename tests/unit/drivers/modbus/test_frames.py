"""Frames against the bytes of the standard, and against everything a wrong, late or broken answer can get wrong."""

import struct

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from drivers.modbus.frames import LONGEST_PDU, BadFrame, ModbusException, adu, check_header, read_answer, read_request, write_answer, write_request
from plant.device import ModbusTable
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
    assert read_request(table, address, count) == bytes.fromhex(expected)


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
    assert write_request(table, address, bytes.fromhex(data)) == bytes.fromhex(expected)


@given(transaction=words, unit=units, pdu=st.binary(min_size=1, max_size=LONGEST_PDU))
def test_the_header_of_a_request_fits_the_request_and_is_accepted_as_that_of_its_answer(transaction: int, unit: int, pdu: bytes) -> None:
    frame = adu(transaction, unit, pdu)
    assert struct.unpack(">HHHB", frame[:7]) == (transaction, 0, len(pdu) + 1, unit)
    assert frame[7:] == pdu
    assert check_header(frame[:7], transaction, unit) == len(pdu)


@given(transaction=words, got=words, protocol=words, length=words, unit=units, got_unit=units)
def test_a_header_is_accepted_only_when_transaction_protocol_length_and_unit_are_right(
    transaction: int, got: int, protocol: int, length: int, unit: int, got_unit: int
) -> None:
    header = struct.pack(">HHHB", got, protocol, length, got_unit)
    if (got, protocol, got_unit) == (transaction, 0, unit) and 2 <= length <= 254:
        assert check_header(header, transaction, unit) == length - 1
    else:
        with pytest.raises(BadFrame):
            check_header(header, transaction, unit)


@pytest.mark.parametrize(
    ("header", "reason", "named"),
    [
        ((8, 0, 5, 7), "transaction", ("8", "9")),
        ((10, 0, 5, 7), "transaction", ("10", "9")),
        ((9, 1, 5, 7), "header", ("protocol 1",)),
        ((9, 0, 0, 7), "header", ("length 0",)),
        ((9, 0, 1, 7), "header", ("length 1",)),
        ((9, 0, 255, 7), "header", ("length 255",)),
        ((9, 0, 0xFFFF, 7), "header", ("length 65535",)),
        ((9, 0, 5, 6), "unit", ("6", "7")),
    ],
)
def test_a_wrong_header_is_refused_with_its_reason_and_what_was_wrong(header: tuple[int, int, int, int], reason: str, named: tuple[str, ...]) -> None:
    with pytest.raises(BadFrame) as refused:
        check_header(struct.pack(">HHHB", *header), 9, 7)
    assert refused.value.reason == reason
    assert all(name in str(refused.value) for name in named)


@given(table=st.sampled_from(ModbusTable), data=st.data())
def test_the_data_of_an_answer_that_is_as_long_as_asked_for_is_returned_untouched(table: ModbusTable, data: st.DataObject) -> None:
    count = data.draw(st.integers(1, 2000 if table.is_bit else 125))
    size = -(-count // 8) if table.is_bit else 2 * count
    content = data.draw(st.binary(min_size=size, max_size=size))
    assert read_answer(bytes([READ_FUNCTION[table], size]) + content, table, count) == content


@given(table=st.sampled_from(ModbusTable), count=st.integers(1, 125), said=st.integers(0, 255), sent=st.integers(0, 251))
def test_an_answer_is_refused_when_its_byte_count_or_its_length_is_not_what_was_asked_for(table: ModbusTable, count: int, said: int, sent: int) -> None:
    pdu = bytes([READ_FUNCTION[table], said]) + bytes(sent)
    if said == sent == (-(-count // 8) if table.is_bit else 2 * count):
        assert read_answer(pdu, table, count) == bytes(sent)
    else:
        with pytest.raises(BadFrame) as refused:
            read_answer(pdu, table, count)
        assert refused.value.reason == "length"


def test_an_answer_without_even_a_byte_count_is_refused() -> None:
    with pytest.raises(BadFrame) as refused:
        read_answer(b"\x03", ModbusTable.HOLDING, 1)
    assert refused.value.reason == "length"


@given(table=st.sampled_from(ModbusTable), function=st.integers(0, 255), rest=st.binary(max_size=20))
def test_an_answer_of_another_function_is_refused(table: ModbusTable, function: int, rest: bytes) -> None:
    assume(function not in {READ_FUNCTION[table], READ_FUNCTION[table] | 0x80})
    with pytest.raises(BadFrame) as refused:
        read_answer(bytes([function]) + rest, table, 1)
    assert refused.value.reason == "function"


@given(table=st.sampled_from(ModbusTable), code=st.integers(0, 255), rest=st.binary(max_size=4))
def test_an_exception_is_two_bytes_and_is_that_of_the_function_asked_for(table: ModbusTable, code: int, rest: bytes) -> None:
    pdu = bytes([READ_FUNCTION[table] | 0x80, code]) + rest
    if rest:
        with pytest.raises(BadFrame):
            read_answer(pdu, table, 1)
    else:
        assert read_answer(pdu, table, 1) == ModbusException(code)


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


WRITES = [(ModbusTable.COIL, b"\x01"), (ModbusTable.HOLDING, b"\x12\x34"), (ModbusTable.HOLDING, b"\x12\x34\x56\x78")]


@pytest.mark.parametrize(("table", "data"), WRITES)
def test_a_write_is_taken_when_the_device_echoes_function_address_and_value_or_count(table: ModbusTable, data: bytes) -> None:
    request = write_request(table, 0x0102, data)
    assert write_answer(request[:5], request) is None


@pytest.mark.parametrize(("table", "data"), WRITES)
@pytest.mark.parametrize("at", [1, 2, 3, 4])
def test_an_echo_that_differs_in_one_byte_confirms_nothing(table: ModbusTable, data: bytes, at: int) -> None:
    request = write_request(table, 0x0102, data)
    echo = bytearray(request[:5])
    echo[at] ^= 1
    with pytest.raises(BadFrame) as refused:
        write_answer(bytes(echo), request)
    assert refused.value.reason == "echo"


@pytest.mark.parametrize(("table", "data"), WRITES)
@pytest.mark.parametrize("length", [1, 2, 4, 6])
def test_an_echo_that_is_short_or_long_confirms_nothing(table: ModbusTable, data: bytes, length: int) -> None:
    request = write_request(table, 0x0102, data)
    with pytest.raises(BadFrame):
        write_answer((request[:5] + b"\0")[:length], request)


@pytest.mark.parametrize(("table", "data"), WRITES)
def test_a_refused_write_is_the_device_s_exception_and_another_function_s_answer_is_refused(table: ModbusTable, data: bytes) -> None:
    request = write_request(table, 0x0102, data)
    assert write_answer(bytes([request[0] | 0x80, 2]), request) == ModbusException(2)
    with pytest.raises(BadFrame) as refused:
        write_answer(b"\x03" + request[1:5], request)
    assert refused.value.reason == "function"
