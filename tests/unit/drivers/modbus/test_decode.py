"""Columns from the bytes of a block, judged by ``struct`` and by hand-written bytes."""

import math
import random
import struct
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from drivers.modbus.decode import BlockDecoder
from drivers.modbus.plan import Block, Point
from plant.batch import SampleBatch
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
    Encoding.FLOAT16: "e",
    Encoding.FLOAT32: "f",
    Encoding.FLOAT64: "d",
    Encoding.BCD16: "H",
    Encoding.BCD32: "I",
}
FLOATS = (Encoding.FLOAT16, Encoding.FLOAT32, Encoding.FLOAT64)
BCDS = (Encoding.BCD16, Encoding.BCD32)
WIDE = (Encoding.INT64, Encoding.UINT64)
SAFE = 2**53 - 1
"""The largest whole number that float64 tells from its neighbours."""
values_of = {
    Encoding.INT16: st.integers(-(2**15), 2**15 - 1),
    Encoding.UINT16: st.integers(0, 2**16 - 1),
    Encoding.INT32: st.integers(-(2**31), 2**31 - 1),
    Encoding.UINT32: st.integers(0, 2**32 - 1),
    Encoding.INT64: st.integers(-(2**63), 2**63 - 1),
    Encoding.UINT64: st.integers(0, 2**64 - 1),
    Encoding.FLOAT16: st.floats(width=16, allow_nan=False, allow_infinity=False),
    Encoding.FLOAT32: st.floats(width=32, allow_nan=False, allow_infinity=False),
    Encoding.FLOAT64: st.floats(allow_nan=False, allow_infinity=False),
    Encoding.BCD16: st.integers(0, 9_999),
    Encoding.BCD32: st.integers(0, 99_999_999),
}


def swapped(words: bytes) -> bytes:
    """Each word's two bytes exchanged."""
    return b"".join(words[at : at + 2][::-1] for at in range(0, len(words), 2))


def on_the_wire(encoding: Encoding, order: ByteOrder, value: float) -> bytes:
    """A value by ``struct`` alone: little-endian packing is ``DCBA``, and the two mixed orders are its and its opposite's words with bytes exchanged."""
    raw = int(str(value), 16) if encoding in BCDS else value
    big, little = struct.pack(f">{FORMATS[encoding]}", raw), struct.pack(f"<{FORMATS[encoding]}", raw)
    return {ByteOrder.ABCD: big, ByteOrder.DCBA: little, ByteOrder.BADC: swapped(big), ByteOrder.CDAB: swapped(little)}[order]


def quality_of(encoding: Encoding, value: float) -> Quality:
    return Quality.UNCERTAIN_SENSOR_NOT_ACCURATE if encoding in WIDE and abs(value) > SAFE else Quality.GOOD


def bits_of(value: float) -> bytes:
    """A float64 with all that ``==`` does not tell apart: the sign of a zero."""
    return struct.pack(">d", value)


def by_tag(batch: SampleBatch) -> list[tuple[int, int, float, int]]:
    """Rows in order of their tags: a block's columns are in an order of its own."""
    return sorted(rows_of(batch))


def decoder_of(*addresses: ModbusAddress, start: int = 0, count: int | None = None, eu_range: tuple[float, float] | None = (0.0, 100.0)) -> BlockDecoder:
    points = tuple(Point(make_tag(number, source=address, eu_range=eu_range), address) for number, address in enumerate(addresses, 1))
    end = max(address.end for address in addresses)
    return BlockDecoder(Block(addresses[0].table, start, end - start if count is None else count, points))


def holding(at: int, encoding: Encoding, order: ByteOrder = ByteOrder.ABCD, *, scale: float = 1.0, offset: float = 0.0) -> ModbusAddress:
    return ModbusAddress(ModbusTable.HOLDING, at, encoding, order, encoding.registers, scale=scale, offset=offset)


def read_one(address: ModbusAddress, wire: bytes, eu_range: tuple[float, float] | None = (0.0, 100.0)) -> tuple[float, int]:
    """Value and quality of a block of one tag."""
    batch = decoder_of(address, eu_range=eu_range).numbers(wire, TIME)
    return float(batch.value[0]), int(batch.quality[0])


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
    batch = decoder.numbers(wire, TIME)
    assert rows_of(batch) == [(1, TIME, float(value), quality_of(encoding, value))]
    assert bits_of(float(batch.value[0])) == bits_of(float(value))
    assert len(decoder.texts(wire, TIME)) == 0


@pytest.mark.parametrize(
    ("order", "wire"),
    [(ByteOrder.ABCD, "01020304"), (ByteOrder.CDAB, "03040102"), (ByteOrder.BADC, "02010403"), (ByteOrder.DCBA, "04030201")],
)
def test_the_letters_of_an_order_say_which_byte_comes_where_on_the_wire(order: ByteOrder, wire: str) -> None:
    assert decoder_of(holding(0, Encoding.UINT32, order)).numbers(bytes.fromhex(wire), TIME).value.tolist() == [0x01020304]


@pytest.mark.parametrize(
    ("order", "wire"),
    [
        (ByteOrder.ABCD, "0102030405060708"),
        (ByteOrder.CDAB, "0708050603040102"),
        (ByteOrder.BADC, "0201040306050807"),
        (ByteOrder.DCBA, "0807060504030201"),
    ],
)
def test_values_of_64_bits_have_their_words_and_bytes_ordered_by_the_same_rule(order: ByteOrder, wire: str) -> None:
    batch = decoder_of(holding(0, Encoding.UINT64, order), holding(0, Encoding.FLOAT64, order)).numbers(bytes.fromhex(wire), TIME)
    assert batch.value.tolist() == [float(0x0102030405060708), struct.unpack(">d", bytes.fromhex("0102030405060708"))[0]]


mixtures = st.lists(
    st.sampled_from(list(FORMATS)).flatmap(
        lambda encoding: st.tuples(st.just(encoding), st.sampled_from(ByteOrder), values_of[encoding], st.sampled_from([0, 0, 0, 1, 5]))
    ),
    min_size=1,
    max_size=30,
)


@given(drawn=mixtures, shuffle=st.randoms(use_true_random=False))
def test_a_mixture_of_encodings_and_orders_with_holes_between_comes_with_each_value_beside_its_tag(
    drawn: list[tuple[Encoding, ByteOrder, float, int]], shuffle: random.Random
) -> None:
    placed, wire = [], b""
    for encoding, order, value, hole in drawn:
        wire += b"\xee\xee" * hole
        placed.append((holding(len(wire) // 2, encoding, order), value))
        wire += on_the_wire(encoding, order, value)
    shuffle.shuffle(placed)
    decoder = decoder_of(*(address for address, _ in placed), start=0, count=len(wire) // 2)
    batch = decoder.numbers(wire, TIME)
    assert batch.tag_id.tolist() == decoder.tag_id.tolist()
    assert by_tag(batch) == [(number, TIME, float(value), quality_of(address.encoding, value)) for number, (address, value) in enumerate(placed, 1)]


@pytest.mark.parametrize("order", ByteOrder)
@given(floats=st.lists(values_of[Encoding.FLOAT32], min_size=62, max_size=62))
@settings(max_examples=10)
def test_a_full_block_of_floats_is_what_struct_says(order: ByteOrder, floats: list[float]) -> None:
    wire = b"".join(on_the_wire(Encoding.FLOAT32, order, value) for value in floats)
    batch = decoder_of(*(holding(2 * number, Encoding.FLOAT32, order) for number in range(62))).numbers(wire, TIME)
    assert (batch.tag_id.tolist(), batch.value.tolist(), set(batch.quality.tolist())) == (list(range(1, 63)), floats, {Quality.GOOD})


def test_two_answers_make_two_batches_that_do_not_share_what_differs() -> None:
    decoder = decoder_of(holding(0, Encoding.FLOAT32), holding(2, Encoding.INT16))
    first = decoder.numbers(struct.pack(">fh", 1.5, 7), TIME)
    second = decoder.numbers(struct.pack(">fh", math.nan, -7), TIME + 1)
    assert by_tag(first) == [(1, TIME, 1.5, Quality.GOOD), (2, TIME, 7.0, Quality.GOOD)]
    assert second.value.tolist()[1] == -7.0
    assert second.quality.tolist() == [Quality.BAD_SENSOR_FAILURE, Quality.GOOD]
    with pytest.raises(ValueError, match="read-only"):
        first.quality[0] = Quality.BAD


@given(words=st.lists(st.integers(0, 0xFFFF), min_size=1, max_size=8), data=st.data())
def test_a_bit_of_a_register_is_counted_from_the_least_significant(words: list[int], data: st.DataObject) -> None:
    picks = data.draw(st.lists(st.tuples(st.integers(0, len(words) - 1), st.integers(0, 15)), min_size=1, max_size=20))
    decoder = decoder_of(*(ModbusAddress(ModbusTable.INPUT, 100 + word, Encoding.BIT, bit=bit) for word, bit in picks), start=100, count=len(words))
    wire = struct.pack(f">{len(words)}H", *words)
    assert by_tag(decoder.numbers(wire, TIME)) == [(number, TIME, float(words[word] >> bit & 1), Quality.GOOD) for number, (word, bit) in enumerate(picks, 1)]


@pytest.mark.parametrize("order", ByteOrder)
@pytest.mark.parametrize("bit", range(16))
def test_a_bit_is_that_of_the_number_whose_register_has_the_same_order(order: ByteOrder, bit: int) -> None:
    decoder = decoder_of(ModbusAddress(ModbusTable.HOLDING, 0, Encoding.BIT, order, bit=bit), ModbusAddress(ModbusTable.HOLDING, 0, Encoding.UINT16, order))
    wire = (1 << bit).to_bytes(2, "little" if order in {ByteOrder.BADC, ByteOrder.DCBA} else "big")
    assert decoder.numbers(wire, TIME).value.tolist() == [1.0, float(1 << bit)]


def test_bits_and_numbers_of_the_same_register_do_not_disturb_each_other() -> None:
    bit_15, bit_0 = (ModbusAddress(ModbusTable.HOLDING, 1, Encoding.BIT, bit=bit) for bit in (15, 0))
    decoder = decoder_of(bit_15, holding(0, Encoding.INT16), bit_0, holding(1, Encoding.UINT16))
    assert [value for _, _, value, _ in by_tag(decoder.numbers(bytes.fromhex("FFFE 8000"), TIME))] == [1.0, -2.0, 0.0, 32768.0]


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


@pytest.mark.parametrize(("encoding", "wire"), [(Encoding.FLOAT16, "7C01"), (Encoding.FLOAT32, "7F800001"), (Encoding.FLOAT64, "7FF0000000000001")])
@pytest.mark.parametrize("scale", [1.0, 0.1])
@pytest.mark.parametrize("clamp", [False, True])
def test_a_signalling_nan_is_a_sensor_failure_and_no_warning(encoding: Encoding, wire: str, scale: float, *, clamp: bool) -> None:
    value, quality = read_one(replace(holding(0, encoding, scale=scale), clamp=clamp), bytes.fromhex(wire))
    assert math.isnan(value)
    assert quality == Quality.BAD_SENSOR_FAILURE


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
    assert [value for _, _, value, _ in by_tag(decoder.numbers(struct.pack(">4h", 10, 1, 10, 10), TIME))] == [6.0, 0.0, 20.0, 10.0]


@pytest.mark.parametrize(("encoding", "wire"), [(Encoding.BCD16, "0A00"), (Encoding.BCD16, "000F"), (Encoding.BCD16, "FFFF"), (Encoding.BCD32, "12345B78")])
@pytest.mark.parametrize("order", ByteOrder)
def test_a_bcd_with_four_bits_that_are_no_digit_is_a_decoding_error_without_a_value(encoding: Encoding, order: ByteOrder, wire: str) -> None:
    big = bytes.fromhex(wire)
    sent = {ByteOrder.ABCD: big, ByteOrder.DCBA: big[::-1], ByteOrder.BADC: swapped(big), ByteOrder.CDAB: swapped(big[::-1])}[order]
    neighbour = ModbusAddress(ModbusTable.HOLDING, encoding.registers, encoding, order, encoding.registers, scale=0.1)
    batch = decoder_of(holding(0, encoding, order, scale=0.1), neighbour).numbers(sent + on_the_wire(encoding, order, 1234), TIME)
    assert np.array_equal(batch.value, [math.nan, 1234 * 0.1], equal_nan=True)
    assert batch.quality.tolist() == [Quality.BAD_DECODING_ERROR, Quality.GOOD]


@given(word=st.integers(0, 0xFFFF))
def test_a_bcd_is_the_number_that_its_hexadecimal_digits_spell_and_nothing_where_they_spell_none(word: int) -> None:
    value, quality = read_one(holding(0, Encoding.BCD16), struct.pack(">H", word))
    if f"{word:x}".isdecimal():
        assert (value, quality) == (int(f"{word:x}"), Quality.GOOD)
    else:
        assert math.isnan(value)
        assert quality == Quality.BAD_DECODING_ERROR


@pytest.mark.parametrize(
    ("encoding", "raw", "quality"),
    [
        (Encoding.UINT64, SAFE, Quality.GOOD),
        (Encoding.UINT64, SAFE + 1, Quality.UNCERTAIN_SENSOR_NOT_ACCURATE),
        (Encoding.UINT64, SAFE + 2, Quality.UNCERTAIN_SENSOR_NOT_ACCURATE),
        (Encoding.UINT64, 2**64 - 1, Quality.UNCERTAIN_SENSOR_NOT_ACCURATE),
        (Encoding.INT64, -SAFE, Quality.GOOD),
        (Encoding.INT64, -SAFE - 1, Quality.UNCERTAIN_SENSOR_NOT_ACCURATE),
        (Encoding.INT64, -(2**63), Quality.UNCERTAIN_SENSOR_NOT_ACCURATE),
        (Encoding.FLOAT64, 2**60, Quality.GOOD),
    ],
)
@pytest.mark.parametrize("scale", [1.0, 0.001])
def test_a_whole_number_that_the_column_does_not_tell_from_its_neighbour_is_uncertain_however_it_is_scaled(
    encoding: Encoding, raw: int, quality: Quality, scale: float
) -> None:
    assert read_one(holding(0, encoding, scale=scale), struct.pack(f">{FORMATS[encoding]}", raw)) == (float(raw) * scale, quality)


def none_is(no_value: float, encoding: Encoding, at: int = 0, *, scale: float = 1.0, clamp: bool = False) -> ModbusAddress:
    return ModbusAddress(ModbusTable.HOLDING, at, encoding, length=encoding.registers, scale=scale, no_value=no_value, clamp=clamp)


@pytest.mark.parametrize(
    ("encoding", "no_value"),
    [
        (Encoding.INT16, -32768),
        (Encoding.UINT16, 0xFFFF),
        (Encoding.INT32, -(2**31)),
        (Encoding.UINT32, 2**32 - 1),
        (Encoding.INT64, -(2**63)),
        (Encoding.UINT64, 2**64 - 1),
        (Encoding.FLOAT16, -999.9),
        (Encoding.FLOAT32, -9999.9),
        (Encoding.FLOAT32, 3.4028235e38),
        (Encoding.FLOAT64, -9999.9),
        (Encoding.BCD16, 9999),
        (Encoding.BCD32, 99_999_999),
    ],
)
def test_the_register_value_that_says_that_there_is_none_is_a_sensor_failure_without_a_value(encoding: Encoding, no_value: float) -> None:
    value, quality = read_one(none_is(float(no_value), encoding, scale=0.1), on_the_wire(encoding, ByteOrder.ABCD, no_value))
    assert math.isnan(value)
    assert quality == Quality.BAD_SENSOR_FAILURE


def test_the_register_value_is_compared_before_it_is_scaled_and_only_for_the_tag_that_has_one() -> None:
    decoder = decoder_of(none_is(100.0, Encoding.INT16, scale=0.1), holding(1, Encoding.INT16), none_is(10.0, Encoding.INT16, 2, scale=10.0))
    batch = decoder.numbers(struct.pack(">3h", 1000, 100, 1), TIME)
    assert rows_of(batch) == [(1, TIME, 100.0, Quality.GOOD), (2, TIME, 100.0, Quality.GOOD), (3, TIME, 10.0, Quality.GOOD)]
    missing = decoder.numbers(struct.pack(">3h", 100, 100, 10), TIME)
    assert missing.quality.tolist() == [Quality.BAD_SENSOR_FAILURE, Quality.GOOD, Quality.BAD_SENSOR_FAILURE]


def held(encoding: Encoding, at: int = 0, *, scale: float = 1.0, offset: float = 0.0, no_value: float | None = None) -> ModbusAddress:
    return ModbusAddress(ModbusTable.HOLDING, at, encoding, length=encoding.registers, scale=scale, offset=offset, no_value=no_value, clamp=True)


@given(raw=values_of[Encoding.INT16], low=st.integers(-1000, 1000), span=st.integers(1, 1000))
def test_a_value_outside_the_range_is_held_at_its_edge_and_uncertain(raw: int, low: int, span: int) -> None:
    value, quality = read_one(held(Encoding.INT16), struct.pack(">h", raw), (float(low), float(low + span)))
    assert value == min(max(raw, low), low + span)
    assert quality == (Quality.GOOD if low <= raw <= low + span else Quality.UNCERTAIN_ENGINEERING_UNITS_EXCEEDED)


@given(edge=st.floats(0.001, 1e6), encoding=st.sampled_from([Encoding.FLOAT32, Encoding.FLOAT64, Encoding.INT32]), scale=st.sampled_from([1.0, 0.1, 0.001]))
@example(0.1, Encoding.FLOAT32, 1.0)
@example(0.3, Encoding.INT32, 0.1)
def test_the_edge_itself_as_the_register_rounds_it_is_good_and_not_beyond_it(edge: float, encoding: Encoding, scale: float) -> None:
    raw = edge / scale
    wire = struct.pack(f">{FORMATS[encoding]}", round(raw) if encoding is Encoding.INT32 else raw)
    for eu_range in ((-2e6, edge), (edge, 2e6)):
        value, quality = read_one(held(encoding, scale=scale), wire, eu_range)
        assert quality == Quality.GOOD
        assert eu_range[0] <= value <= eu_range[1]


def test_only_a_tag_that_asks_for_it_is_held() -> None:
    batch = decoder_of(holding(0, Encoding.INT16), held(Encoding.INT16, 1)).numbers(struct.pack(">2h", 500, 500), TIME)
    assert rows_of(batch) == [(1, TIME, 500.0, Quality.GOOD), (2, TIME, 100.0, Quality.UNCERTAIN_ENGINEERING_UNITS_EXCEEDED)]


@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf])
def test_what_is_no_number_is_not_held_at_an_edge(value: float) -> None:
    got, quality = read_one(held(Encoding.FLOAT32), struct.pack(">f", value))
    assert (str(got), quality) == (str(value), Quality.BAD_SENSOR_FAILURE)


def test_no_value_outranks_the_edge_and_the_edge_outranks_accuracy() -> None:
    assert read_one(held(Encoding.INT16, no_value=-32768.0), struct.pack(">h", -32768))[1] == Quality.BAD_SENSOR_FAILURE
    assert read_one(held(Encoding.UINT64), struct.pack(">Q", 2**60)) == (100.0, Quality.UNCERTAIN_ENGINEERING_UNITS_EXCEEDED)


def test_a_tag_without_a_range_is_not_held() -> None:
    assert read_one(held(Encoding.INT16), struct.pack(">h", 30_000), None) == (30_000.0, Quality.GOOD)


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
