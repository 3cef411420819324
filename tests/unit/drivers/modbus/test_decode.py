"""Columns from the bytes of a block, judged by ``struct`` and by hand-written bytes."""

import math
import struct

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from drivers.modbus.decode import BlockDecoder
from drivers.modbus.plan import Block, Point
from plant.device import ByteOrder, Encoding, ModbusAddress, ModbusTable
from plant.quality import Quality
from tests.samples import make_tag, rows_of

TIME = 1_795_000_000_000_001
FORMATS = {
    Encoding.INT16: "h",
    Encoding.UINT16: "H",
    Encoding.INT32: "i",
    Encoding.UINT32: "I",
    Encoding.INT64: "q",
    Encoding.UINT64: "Q",
    Encoding.FLOAT32: "f",
    Encoding.FLOAT64: "d",
}
FLOATS = (Encoding.FLOAT32, Encoding.FLOAT64)
values_of = {
    Encoding.INT16: st.integers(-(2**15), 2**15 - 1),
    Encoding.UINT16: st.integers(0, 2**16 - 1),
    Encoding.INT32: st.integers(-(2**31), 2**31 - 1),
    Encoding.UINT32: st.integers(0, 2**32 - 1),
    Encoding.INT64: st.integers(-(2**63), 2**63 - 1),
    Encoding.UINT64: st.integers(0, 2**64 - 1),
    Encoding.FLOAT32: st.floats(width=32, allow_nan=False, allow_infinity=False),
    Encoding.FLOAT64: st.floats(allow_nan=False, allow_infinity=False),
}


def swapped(words: bytes) -> bytes:
    """Each word's two bytes exchanged."""
    return b"".join(words[at : at + 2][::-1] for at in range(0, len(words), 2))


def on_the_wire(encoding: Encoding, order: ByteOrder, value: float) -> bytes:
    """A value by ``struct`` alone: little-endian packing is ``DCBA``, and the two mixed orders are its and its opposite's words with bytes exchanged."""
    big, little = struct.pack(f">{FORMATS[encoding]}", value), struct.pack(f"<{FORMATS[encoding]}", value)
    return {ByteOrder.ABCD: big, ByteOrder.DCBA: little, ByteOrder.BADC: swapped(big), ByteOrder.CDAB: swapped(little)}[order]


def decoder_of(*addresses: ModbusAddress, start: int = 0, count: int | None = None) -> BlockDecoder:
    points = tuple(Point(make_tag(number, source=address), address) for number, address in enumerate(addresses, 1))
    end = max(address.end for address in addresses)
    return BlockDecoder(Block(addresses[0].table, start, end - start if count is None else count, points))


def holding(at: int, encoding: Encoding, order: ByteOrder = ByteOrder.ABCD, *, scale: float = 1.0, offset: float = 0.0) -> ModbusAddress:
    return ModbusAddress(ModbusTable.HOLDING, at, encoding, order, encoding.registers, scale=scale, offset=offset)


@pytest.mark.parametrize("order", ByteOrder)
@pytest.mark.parametrize("encoding", FORMATS)
@given(data=st.data(), start=st.integers(0, 65_000), before=st.binary(max_size=40), behind=st.binary(max_size=40))
@settings(max_examples=30)
def test_a_value_is_what_struct_says_wherever_it_stands_in_the_block(
    encoding: Encoding, order: ByteOrder, data: st.DataObject, start: int, before: bytes, behind: bytes
) -> None:
    value = data.draw(values_of[encoding])
    before, behind = before[: len(before) // 2 * 2], behind[: len(behind) // 2 * 2]
    wire = before + on_the_wire(encoding, order, value) + behind
    decoder = decoder_of(holding(start + len(before) // 2, encoding, order), start=start, count=len(wire) // 2)
    assert rows_of(decoder.numbers(wire, TIME)) == [(1, TIME, float(value), Quality.GOOD)]
    assert len(decoder.texts(wire, TIME)) == 0


@pytest.mark.parametrize(
    ("order", "wire"),
    [(ByteOrder.ABCD, "01020304"), (ByteOrder.CDAB, "03040102"), (ByteOrder.BADC, "02010403"), (ByteOrder.DCBA, "04030201")],
)
def test_the_letters_of_an_order_say_which_byte_comes_where_on_the_wire(order: ByteOrder, wire: str) -> None:
    assert decoder_of(holding(0, Encoding.UINT32, order)).numbers(bytes.fromhex(wire), TIME).value.tolist() == [0x01020304]


@given(
    st.lists(
        st.sampled_from(list(FORMATS)).flatmap(lambda encoding: st.tuples(st.just(encoding), st.sampled_from(ByteOrder), values_of[encoding])),
        min_size=1,
        max_size=30,
    )
)
def test_a_mixture_of_encodings_and_orders_in_one_block_comes_in_the_order_of_the_tags(drawn: list[tuple[Encoding, ByteOrder, float]]) -> None:
    addresses, wire = [], b""
    for encoding, order, value in drawn:
        addresses.append(holding(len(wire) // 2, encoding, order))
        wire += on_the_wire(encoding, order, value)
    decoder = decoder_of(*addresses)
    assert decoder.tag_id.tolist() == list(range(1, len(drawn) + 1))
    assert rows_of(decoder.numbers(wire, TIME)) == [(number, TIME, float(value), Quality.GOOD) for number, (_, _, value) in enumerate(drawn, 1)]


@given(words=st.lists(st.integers(0, 0xFFFF), min_size=1, max_size=8), data=st.data())
def test_a_bit_of_a_register_is_counted_from_the_least_significant(words: list[int], data: st.DataObject) -> None:
    picks = data.draw(st.lists(st.tuples(st.integers(0, len(words) - 1), st.integers(0, 15)), min_size=1, max_size=20))
    decoder = decoder_of(*(ModbusAddress(ModbusTable.INPUT, 100 + word, Encoding.BIT, bit=bit) for word, bit in picks), start=100, count=len(words))
    wire = struct.pack(f">{len(words)}H", *words)
    assert rows_of(decoder.numbers(wire, TIME)) == [(number, TIME, float(words[word] >> bit & 1), Quality.GOOD) for number, (word, bit) in enumerate(picks, 1)]


def test_bits_and_numbers_of_the_same_register_do_not_disturb_each_other() -> None:
    bit_15, bit_0 = (ModbusAddress(ModbusTable.HOLDING, 1, Encoding.BIT, bit=bit) for bit in (15, 0))
    decoder = decoder_of(bit_15, holding(0, Encoding.INT16), bit_0, holding(1, Encoding.UINT16))
    assert decoder.numbers(bytes.fromhex("FFFE 8000"), TIME).value.tolist() == [1.0, -2.0, 0.0, 32768.0]


@pytest.mark.parametrize("table", [ModbusTable.COIL, ModbusTable.DISCRETE])
@given(states=st.lists(st.booleans(), min_size=1, max_size=60), start=st.integers(0, 1000))
def test_bits_of_a_bit_table_are_packed_least_significant_first(table: ModbusTable, states: list[bool], start: int) -> None:
    packed = sum(state << position for position, state in enumerate(states)).to_bytes(-(-len(states) // 8), "little")
    decoder = decoder_of(*(ModbusAddress(table, start + position, Encoding.BIT) for position in range(len(states))), start=start)
    assert decoder.numbers(packed, TIME).value.tolist() == [float(state) for state in states]


def test_the_coils_of_the_standard_s_example_are_read_as_it_reads_them() -> None:
    decoder = decoder_of(*(ModbusAddress(ModbusTable.COIL, 19 + position, Encoding.BIT) for position in range(19)), start=19)
    assert decoder.numbers(bytes.fromhex("CD6B05"), TIME).value.tolist() == [float(bit) for bit in "1011001111010110101"]


@pytest.mark.parametrize("order", ByteOrder)
@pytest.mark.parametrize("encoding", FLOATS)
@pytest.mark.parametrize("value", [math.nan, -math.nan, math.inf, -math.inf])
def test_a_float_that_is_no_number_is_a_sensor_failure_with_the_value_as_it_came(encoding: Encoding, order: ByteOrder, value: float) -> None:
    decoder = decoder_of(holding(0, encoding, order), holding(4, Encoding.INT16))
    wire = on_the_wire(encoding, order, value).ljust(8, b"\0") + b"\x00\x2a"
    batch = decoder.numbers(wire, TIME)
    assert np.array_equal(batch.value, [value, 42.0], equal_nan=True)
    assert batch.quality.tolist() == [Quality.BAD_SENSOR_FAILURE, Quality.GOOD]


@pytest.mark.parametrize(("encoding", "wire"), [(Encoding.FLOAT32, "7F800001"), (Encoding.FLOAT64, "7FF0000000000001")])
@pytest.mark.parametrize("scale", [1.0, 0.1])
def test_a_signalling_nan_is_a_sensor_failure_and_no_warning(encoding: Encoding, wire: str, scale: float) -> None:
    batch = decoder_of(holding(0, encoding, scale=scale)).numbers(bytes.fromhex(wire), TIME)
    assert np.isnan(batch.value[0])
    assert batch.quality.tolist() == [Quality.BAD_SENSOR_FAILURE]


@pytest.mark.parametrize(("encoding", "value"), [(Encoding.FLOAT64, 1.7e308), (Encoding.FLOAT64, -1.7e308)])
def test_a_value_that_leaves_the_numbers_when_scaled_is_not_good(encoding: Encoding, value: float) -> None:
    batch = decoder_of(holding(0, encoding, scale=1000.0)).numbers(struct.pack(">d", value), TIME)
    assert batch.quality.tolist() == [Quality.BAD_SENSOR_FAILURE]


@given(raw=st.integers(-(2**15), 2**15 - 1), scale=st.floats(-1000, 1000), offset=st.floats(-1000, 1000))
def test_the_engineering_value_is_the_register_s_times_scale_plus_offset(raw: int, scale: float, offset: float) -> None:
    batch = decoder_of(holding(0, Encoding.INT16, scale=scale, offset=offset)).numbers(struct.pack(">h", raw), TIME)
    assert batch.value.tolist() == [raw * scale + offset]


def test_each_tag_has_its_own_scale_and_offset() -> None:
    decoder = decoder_of(
        holding(0, Encoding.INT16, scale=0.5, offset=1.0),
        ModbusAddress(ModbusTable.HOLDING, 1, Encoding.BIT, bit=0, scale=-1.0, offset=1.0),
        holding(2, Encoding.INT16, scale=2.0),
        holding(3, Encoding.INT16),
    )
    assert decoder.numbers(struct.pack(">4h", 10, 1, 10, 10), TIME).value.tolist() == [6.0, 0.0, 20.0, 10.0]


def text(at: int, length: int, order: ByteOrder = ByteOrder.ABCD) -> ModbusAddress:
    return ModbusAddress(ModbusTable.HOLDING, at, Encoding.STRING, order, length)


@pytest.mark.parametrize(
    ("wire", "expected"),
    [
        (b"LOT-0001", "LOT-0001"),
        (b"LOT\0\0\0\0\0", "LOT"),
        (b"LOT\0JUNK", "LOT"),
        (b"LOT\0\xff\xfe\xfd\xfc", "LOT"),
        (b"LOT     ", "LOT"),
        (b"  LOT   ", "  LOT"),
        (b"\0\0\0\0\0\0\0\0", ""),
    ],
    ids=["full", "padded", "old characters behind NUL", "bytes behind NUL", "blanks behind", "blanks before", "empty"],
)
def test_a_text_ends_at_the_first_nul_and_blanks_behind_it_are_dropped(wire: bytes, expected: str) -> None:
    batch = decoder_of(text(0, 4)).texts(wire, TIME)
    assert (batch.tag_id.tolist(), batch.time.tolist(), batch.value.tolist(), batch.quality.tolist()) == ([1], [TIME], [expected], [Quality.GOOD])


@pytest.mark.parametrize("wire", [b"L\xd6T-", b"\xff\xff\xff\xff", b"LOT\x80"])
def test_a_text_that_is_not_ascii_is_a_decoding_error(wire: bytes) -> None:
    assert decoder_of(text(0, 2)).texts(wire, TIME).quality.tolist() == [Quality.BAD_DECODING_ERROR]


@pytest.mark.parametrize(
    ("order", "wire"), [(ByteOrder.ABCD, b"LOT-0001"), (ByteOrder.CDAB, b"LOT-0001"), (ByteOrder.BADC, b"OL-T0010"), (ByteOrder.DCBA, b"OL-T0010")]
)
def test_the_characters_of_a_text_may_be_swapped_in_each_register_and_never_change_registers(order: ByteOrder, wire: bytes) -> None:
    assert decoder_of(text(0, 4, order)).texts(wire, TIME).value.tolist() == ["LOT-0001"]


@given(
    content=st.text(st.characters(min_codepoint=33, max_codepoint=126), max_size=20),
    start=st.integers(0, 60_000),
    before=st.integers(0, 10),
    behind=st.integers(0, 10),
)
def test_texts_and_numbers_of_a_block_part_and_each_keeps_its_place(content: str, start: int, before: int, behind: int) -> None:
    length = 10
    decoder = decoder_of(holding(start, Encoding.INT16), text(start + 1 + before, length), start=start, count=1 + before + length + behind)
    wire = b"\x00\x2a" + b"\xee\xee" * before + content.encode().ljust(2 * length, b"\0") + b"\xee\xee" * behind
    assert decoder.numbers(wire, TIME).value.tolist() == [42.0]
    texts = decoder.texts(wire, TIME)
    assert (decoder.text_ids, texts.tag_id.tolist(), texts.value.tolist(), texts.quality.tolist()) == ([2], [2], [content], [Quality.GOOD])
