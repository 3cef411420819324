"""Bytes of a write: the inverse of decoding, or a refusal."""

import math
import struct

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from drivers.modbus.decode import BlockDecoder
from drivers.modbus.encode import encode, in_order
from drivers.modbus.plan import Block, Point
from plant.command import CommandValue
from plant.device import ByteOrder, Encoding, ModbusAddress, ModbusTable
from plant.quality import Quality
from tests.samples import make_tag

LIMITS = {
    Encoding.INT16: (-(2**15), 2**15 - 1),
    Encoding.UINT16: (0, 2**16 - 1),
    Encoding.INT32: (-(2**31), 2**31 - 1),
    Encoding.UINT32: (0, 2**32 - 1),
    Encoding.INT64: (-(2**63), 2**63 - 1),
    Encoding.UINT64: (0, 2**64 - 1),
    Encoding.BCD16: (0, 9_999),
    Encoding.BCD32: (0, 99_999_999),
}
FLOATS = (Encoding.FLOAT16, Encoding.FLOAT32, Encoding.FLOAT64)
EXACT = 2**53 - 1
"""Integers up to here are told from their neighbours by float64, the type of an engineering value."""


def holding(encoding: Encoding, order: ByteOrder = ByteOrder.ABCD, *, scale: float = 1.0, offset: float = 0.0, no_value: float | None = None) -> ModbusAddress:
    return ModbusAddress(ModbusTable.HOLDING, 0, encoding, order, encoding.registers, scale=scale, offset=offset, no_value=no_value)


def text(length: int, order: ByteOrder = ByteOrder.ABCD) -> ModbusAddress:
    return ModbusAddress(ModbusTable.HOLDING, 0, Encoding.STRING, order, length)


def decoder_of(address: ModbusAddress) -> BlockDecoder:
    return BlockDecoder(Block(address.table, 0, address.length, (Point(make_tag(1, source=address), address),)))


def decoded(address: ModbusAddress, wire: bytes) -> float:
    batch = decoder_of(address).numbers(wire, 0)
    assert batch.quality.tolist() == [Quality.GOOD]
    return float(batch.value[0])


@pytest.mark.parametrize("order", ByteOrder)
@pytest.mark.parametrize("encoding", LIMITS)
@given(data=st.data())
@settings(max_examples=30)
def test_a_whole_number_is_read_back_as_it_was_written(encoding: Encoding, order: ByteOrder, data: st.DataObject) -> None:
    low, high = LIMITS[encoding]
    value = data.draw(st.integers(max(low, -EXACT), min(high, EXACT)))
    address = holding(encoding, order)
    assert decoded(address, encode(address, float(value))) == value


@pytest.mark.parametrize("order", ByteOrder)
@given(
    half=st.floats(width=16, allow_nan=False, allow_infinity=False),
    single=st.floats(width=32, allow_nan=False, allow_infinity=False),
    double=st.floats(allow_nan=False, allow_infinity=False),
)
def test_a_float_is_read_back_as_it_was_written(order: ByteOrder, half: float, single: float, double: float) -> None:
    for encoding, value in zip(FLOATS, (half, single, double), strict=True):
        address = holding(encoding, order)
        assert decoded(address, encode(address, value)) == value


@given(st.binary(min_size=8, max_size=8), st.sampled_from([*LIMITS, *FLOATS]), st.sampled_from(ByteOrder))
def test_registers_that_were_read_are_written_back_as_the_same_bytes(wire: bytes, encoding: Encoding, order: ByteOrder) -> None:
    address = holding(encoding, order)
    wire = wire[: 2 * address.length]
    batch = decoder_of(address).numbers(wire, 0)
    value = float(batch.value[0])
    if math.isfinite(value) and (encoding in FLOATS or abs(value) <= EXACT):
        assert encode(address, value) == wire


@given(raw=st.integers(-(2**15), 2**15 - 1), scale=st.floats(0.001, 1000), sign=st.sampled_from([1, -1]), offset=st.floats(-100, 100))
def test_scale_and_offset_are_undone_and_the_nearest_register_value_is_written(raw: int, scale: float, sign: int, offset: float) -> None:
    address = holding(Encoding.INT16, scale=sign * scale, offset=offset)
    assert encode(address, raw * (sign * scale) + offset) == struct.pack(">h", raw)


@pytest.mark.parametrize(
    ("order", "wire"),
    [
        (ByteOrder.ABCD, "0102030405060708"),
        (ByteOrder.CDAB, "0708050603040102"),
        (ByteOrder.BADC, "0201040306050807"),
        (ByteOrder.DCBA, "0807060504030201"),
    ],
)
def test_the_bytes_of_an_order_stand_on_the_wire_as_its_letters_say(order: ByteOrder, wire: str) -> None:
    assert in_order(order, bytes.fromhex("0102030405060708")) == bytes.fromhex(wire)
    assert in_order(order, b"\1\2") == (b"\1\2" if order in {ByteOrder.ABCD, ByteOrder.CDAB} else b"\2\1")


@pytest.mark.parametrize(
    ("encoding", "value", "wire"),
    [
        (Encoding.BCD16, 1234.0, "1234"),
        (Encoding.BCD16, 7.0, "0007"),
        (Encoding.BCD16, 6.5, "0006"),
        (Encoding.BCD32, 12_345_678.0, "12345678"),
        (Encoding.BCD32, 90.0, "00000090"),
        (Encoding.FLOAT16, 1.0, "3C00"),
        (Encoding.FLOAT16, -2.0, "C000"),
        (Encoding.FLOAT16, 65504.0, "7BFF"),
    ],
)
def test_decimal_digits_and_short_floats_are_written_as_their_bits(encoding: Encoding, value: float, wire: str) -> None:
    assert encode(holding(encoding), value) == bytes.fromhex(wire)


@pytest.mark.parametrize(("encoding", "high"), [(Encoding.BCD16, 9_999), (Encoding.BCD32, 99_999_999)])
@pytest.mark.parametrize("below", [True, False])
def test_a_number_that_the_digits_cannot_hold_is_refused_with_the_range_named(encoding: Encoding, high: int, *, below: bool) -> None:
    value = -1.0 if below else high + 1.0
    with pytest.raises(ValueError, match=f"does not fit {encoding}: its register value {value:.0f} is not within 0 to {high}"):
        encode(holding(encoding), value)


@pytest.mark.parametrize(
    ("encoding", "no_value", "scale", "value"),
    [
        (Encoding.INT16, -32768.0, 0.1, -3276.8),
        (Encoding.INT16, -32768.0, 0.1, -3276.82),
        (Encoding.UINT16, 65535.0, 1.0, 65535.0),
        (Encoding.UINT64, 0.0, 1.0, 0.2),
        (Encoding.FLOAT16, -999.9, 1.0, -999.9),
        (Encoding.FLOAT32, -9999.9, 1.0, -9999.9),
        (Encoding.FLOAT64, -9999.9, 1.0, -9999.9),
        (Encoding.BCD16, 9999.0, 1.0, 9999.0),
    ],
)
def test_what_the_registers_hold_where_there_is_no_value_is_never_written_as_one(encoding: Encoding, no_value: float, scale: float, value: float) -> None:
    address = holding(encoding, scale=scale, no_value=no_value)
    with pytest.raises(ValueError, match=r"cannot be written: its register value .* means that there is no value"):
        encode(address, value)
    assert len(encode(address, 10.0)) == 2 * encoding.registers


@given(st.integers(-(2**15), 2**15 - 1), st.integers(-(2**15), 2**15 - 1))
def test_what_is_refused_for_no_value_is_exactly_what_would_be_read_back_as_none(raw: int, no_value: int) -> None:
    address = holding(Encoding.INT16, no_value=float(no_value))
    try:
        wire = encode(address, float(raw))
    except ValueError:
        assert raw == no_value
    else:
        assert decoded(address, wire) == raw


@pytest.mark.parametrize(("value", "raw"), [(4.26, 43), (4.24, 42), (-4.26, -43), (0.04, 0)])
def test_a_value_between_two_register_values_goes_to_the_nearer(value: float, raw: int) -> None:
    assert encode(holding(Encoding.INT16, scale=0.1), value) == struct.pack(">h", raw)


def test_a_coil_is_one_byte() -> None:
    coil = ModbusAddress(ModbusTable.COIL, 0, Encoding.BIT)
    assert (encode(coil, 0.0), encode(coil, 1.0)) == (b"\0", b"\1")
    inverted = ModbusAddress(ModbusTable.COIL, 0, Encoding.BIT, scale=-1.0, offset=1.0)
    assert (encode(inverted, 0.0), encode(inverted, 1.0)) == (b"\1", b"\0")


@pytest.mark.parametrize("value", [2.0, -1.0, 0.5, math.nan, math.inf])
def test_a_coil_takes_0_and_1_and_nothing_else(value: float) -> None:
    with pytest.raises(ValueError, match="neither 0 nor 1"):
        encode(ModbusAddress(ModbusTable.COIL, 0, Encoding.BIT), value)


@pytest.mark.parametrize("encoding", [encoding for encoding in Encoding if encoding is not Encoding.STRING])
@pytest.mark.parametrize("value", ["12.5", "", "high"])
def test_text_for_a_number_is_refused_even_if_it_looks_like_one(encoding: Encoding, value: str) -> None:
    table = ModbusTable.COIL if encoding is Encoding.BIT else ModbusTable.HOLDING
    with pytest.raises(ValueError, match="is text, the registers hold a number"):
        encode(ModbusAddress(table, 0, encoding, length=encoding.registers), value)


@pytest.mark.parametrize("encoding", [Encoding.INT16, Encoding.UINT16, Encoding.INT32, Encoding.UINT32])
def test_a_whole_number_fits_up_to_its_limits_and_one_beyond_is_refused(encoding: Encoding) -> None:
    low, high = LIMITS[encoding]
    address = holding(encoding)
    assert decoded(address, encode(address, float(low))) == low
    assert decoded(address, encode(address, float(high))) == high
    for beyond in (low - 1, high + 1):
        with pytest.raises(ValueError, match=f"does not fit {encoding}"):
            encode(address, float(beyond))


@pytest.mark.parametrize(
    ("encoding", "value"),
    [(Encoding.INT64, 2.0**63), (Encoding.UINT64, 2.0**64), (Encoding.UINT64, -1.0), (Encoding.FLOAT32, 1e39), (Encoding.FLOAT16, 65520.0)],
)
def test_a_number_beyond_the_widest_types_is_refused(encoding: Encoding, value: float) -> None:
    with pytest.raises(ValueError, match=f"does not fit {encoding}"):
        encode(holding(encoding), value)


def test_the_limits_are_those_of_the_register_not_of_the_engineering_value() -> None:
    address = holding(Encoding.INT16, scale=0.1, offset=100.0)
    assert encode(address, 100.0 + 3276.7) == struct.pack(">h", 32767)
    with pytest.raises(ValueError, match="does not fit int16"):
        encode(address, 100.0 + 3276.8)


@pytest.mark.parametrize("encoding", LIMITS)
@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf])
def test_what_is_no_number_is_refused_for_whole_numbers_with_the_type_named(encoding: Encoding, value: float) -> None:
    with pytest.raises(ValueError, match=f"does not fit {encoding}"):
        encode(holding(encoding), value)


@pytest.mark.parametrize("encoding", FLOATS)
@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf])
def test_what_is_no_number_is_refused_for_floats_because_reading_it_back_would_be_bad(encoding: Encoding, value: float) -> None:
    with pytest.raises(ValueError, match=f"does not fit {encoding}"):
        encode(holding(encoding), value)


@pytest.mark.parametrize("order", ByteOrder)
@given(content=st.text(st.characters(min_codepoint=33, max_codepoint=126), max_size=16))
def test_a_text_is_read_back_as_it_was_written(order: ByteOrder, content: str) -> None:
    address = text(8, order)
    wire = encode(address, content)
    assert len(wire) == 16
    batch = decoder_of(address).texts(wire, 0)
    assert (batch.value.tolist(), batch.quality.tolist()) == ([content], [Quality.GOOD])


def test_a_short_text_overwrites_all_its_registers_so_that_nothing_of_the_old_one_is_left() -> None:
    assert encode(text(4), "LOT") == b"LOT\0\0\0\0\0"
    assert encode(text(2, ByteOrder.BADC), "LOT") == b"OL\0T"


@pytest.mark.parametrize("value", ["LOT-00012", "LÖT", 12.5, 0.0])
def test_a_text_that_is_too_long_or_not_ascii_and_a_number_for_a_text_are_refused(value: CommandValue) -> None:
    with pytest.raises(ValueError, match="no ASCII text of at most 8 characters"):
        encode(text(4), value)
