"""Registers of a tag image, against bytes written out by ``struct``."""

import struct
from collections.abc import Sequence

import numpy as np
import pytest

from plant.device import ByteOrder, Encoding, ModbusAddress, ModbusTable
from plant.tag import DataType, Tag
from simulators.image import TagImage
from simulators.registers import RegisterTable, WriteRefused
from tests.samples import make_tag

FORMATS = {"int16": "h", "uint16": "H", "int32": "i", "uint32": "I", "int64": "q", "uint64": "Q", "float32": "f", "float64": "d"}
VALUES = {
    "int16": -1234,
    "uint16": 54321,
    "int32": -123456789,
    "uint32": 4000000001,
    "int64": -(2**52) + 5,
    "uint64": 2**53 - 7,
    "float32": 1.5,
    "float64": 0.1,
}


def words(octets: bytes) -> list[int]:
    return [octets[at] << 8 | octets[at + 1] for at in range(0, len(octets), 2)]


def expected_words(encoding: str, order: ByteOrder, value: float) -> list[int]:
    standard = struct.pack(f">{FORMATS[encoding]}", value)
    match order:
        case ByteOrder.ABCD:
            return words(standard)
        case ByteOrder.CDAB:
            return words(standard)[::-1]
        case ByteOrder.BADC:
            return [word >> 8 | (word & 0xFF) << 8 for word in words(standard)]
        case ByteOrder.DCBA:
            return words(standard[::-1])


def tag_at(tag_id: int, address: ModbusAddress, *, data_type: DataType = DataType.DOUBLE, writable: bool = True) -> Tag:
    return make_tag(tag_id, f"SEP.COL101.XX{tag_id}", data_type=data_type, writable=writable, eu_range=None, source=address)


def table_of(tags: Sequence[Tag], table: ModbusTable = ModbusTable.HOLDING) -> tuple[TagImage, RegisterTable]:
    image = TagImage(tags, 0)
    return image, RegisterTable(image, table)


@pytest.mark.parametrize("order", list(ByteOrder))
@pytest.mark.parametrize("encoding", sorted(FORMATS))
def test_encodings_and_orders_both_ways(encoding: str, order: ByteOrder) -> None:
    kind = Encoding(encoding)
    image, table = table_of([tag_at(1, ModbusAddress(ModbusTable.HOLDING, 10, kind, order, kind.registers))])
    image.write(0, VALUES[encoding], 1)
    wire = expected_words(encoding, order, VALUES[encoding])
    assert table.read().tolist() == wire
    image.write(0, 0.0, 2)
    assert table.write(10, wire, 3) is None
    assert image.value(0) == VALUES[encoding]
    assert image.times[0] == 3


def test_scale_and_offset() -> None:
    image, table = table_of([tag_at(1, ModbusAddress(ModbusTable.HOLDING, 0, Encoding.INT16, scale=0.1, offset=-50.0))])
    image.write(0, 25.04, 1)
    assert table.read().tolist() == [750]
    assert table.write(0, [1234], 2) is None
    assert image.value(0) == pytest.approx(73.4)


@pytest.mark.parametrize(
    ("encoding", "value", "raw"),
    [
        ("int16", 1e9, 32767),
        ("int16", -1e9, -32768),
        ("uint16", -1, 0),
        ("uint32", 1e12, 2**32 - 1),
        ("int32", float("nan"), 0),
        ("uint64", 1e30, 2**64 - 2048),
    ],
)
def test_whole_encodings_stop_at_their_ends(encoding: str, value: float, raw: int) -> None:
    kind = Encoding(encoding)
    image, table = table_of([tag_at(1, ModbusAddress(ModbusTable.HOLDING, 0, kind, length=kind.registers))])
    image.write(0, value, 1)
    assert table.read().tolist() == words(struct.pack(f">{FORMATS[encoding]}", raw))


@pytest.mark.parametrize(
    ("order", "wire"),
    [(ByteOrder.ABCD, b"LOT-000123\0\0\0\0"), (ByteOrder.CDAB, b"LOT-000123\0\0\0\0"), (ByteOrder.BADC, b"OL-T001032\0\0\0\0")],
)
def test_text_is_padded_and_swapped(order: ByteOrder, wire: bytes) -> None:
    image, table = table_of([tag_at(1, ModbusAddress(ModbusTable.HOLDING, 4, Encoding.STRING, order, 7), data_type=DataType.STRING)])
    image.write(0, "LOT-000123", 1)
    assert table.read().tolist() == words(wire)
    image.write(0, "", 2)
    assert table.write(4, words(wire), 3) is None
    assert image.value(0) == "LOT-000123"


def test_text_is_cut_at_the_end_of_its_field() -> None:
    image, table = table_of([tag_at(1, ModbusAddress(ModbusTable.HOLDING, 0, Encoding.STRING, length=2), data_type=DataType.STRING)])
    image.write(0, "LOT-\u00e9", 1)
    assert table.read().tolist() == words(b"LOT-")


def test_bits_of_one_word() -> None:
    tags = [tag_at(bit + 1, ModbusAddress(ModbusTable.HOLDING, 3, Encoding.BIT, bit=bit), data_type=DataType.BOOLEAN) for bit in (0, 7, 15)]
    image, table = table_of(tags)
    image.write(1, 1.0, 1)
    image.write(2, 1.0, 1)
    assert table.read().tolist() == [0x8080]
    assert table.write(3, [0x8001], 5) is None
    assert [image.value(position) for position in range(3)] == [1.0, 0.0, 1.0]
    assert image.times.tolist() == [5, 5, 1], "the bit that was written as it stood is not touched"


@pytest.mark.parametrize(("order", "word"), [(ByteOrder.ABCD, 0x8001), (ByteOrder.CDAB, 0x8001), (ByteOrder.BADC, 0x0180), (ByteOrder.DCBA, 0x0180)])
def test_bits_of_a_word_stand_where_their_number_stands_in_the_word_s_own_order(order: ByteOrder, word: int) -> None:
    bits = [tag_at(bit + 1, ModbusAddress(ModbusTable.HOLDING, 3, Encoding.BIT, order, bit=bit), data_type=DataType.BOOLEAN) for bit in (0, 15)]
    image, table = table_of(bits)
    image.write(0, 1.0, 1)
    image.write(1, 1.0, 1)
    assert table.read().tolist() == [word]
    number, number_table = table_of([tag_at(1, ModbusAddress(ModbusTable.HOLDING, 3, Encoding.UINT16, order))])
    number.write(0, float(0x8001), 1)
    assert number_table.read().tolist() == [word]
    assert table.write(3, [word & 0x0101], 2) is None
    assert sorted([image.value(0), image.value(1)]) == [0.0, 1.0]


def test_a_hole_reads_zero_and_takes_no_write() -> None:
    tags = [tag_at(1, ModbusAddress(ModbusTable.HOLDING, 5, Encoding.UINT16)), tag_at(2, ModbusAddress(ModbusTable.HOLDING, 8, Encoding.UINT16))]
    image, table = table_of(tags)
    image.write(0, 11.0, 1)
    image.write(1, 22.0, 1)
    assert (table.start, table.count) == (5, 4)
    assert table.read().tolist() == [11, 0, 0, 22]
    assert table.write(5, [1, 2, 3, 4], 2) == WriteRefused(is_address=True)
    assert image.value(0) == 11.0


def test_a_refused_write_leaves_all_tags_alone() -> None:
    tags = [
        make_tag(1, "SEP.COL101.FIC101.SP", writable=True, eu_range=(0.0, 10.0), source=ModbusAddress(ModbusTable.HOLDING, 0, Encoding.UINT16)),
        make_tag(2, "SEP.COL101.FIC102.SP", writable=True, eu_range=(0.0, 10.0), source=ModbusAddress(ModbusTable.HOLDING, 1, Encoding.UINT16)),
        make_tag(3, "SEP.COL101.FT103", writable=False, source=ModbusAddress(ModbusTable.HOLDING, 2, Encoding.UINT16)),
    ]
    image, table = table_of(tags)
    assert table.write(0, [5, 11], 1) == WriteRefused(is_address=False)
    assert table.write(1, [5, 5], 1) == WriteRefused(is_address=True)
    assert np.array_equal(image.values, [0.0, 0.0, 0.0])


def test_a_table_without_tags_has_no_addresses() -> None:
    _, table = table_of([], ModbusTable.COIL)
    assert not table.exists(0, 1)
