"""Which blocks are read: what must hold for any set of tags, and the border cases by hand."""

from collections.abc import Iterator, Sequence
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from drivers.modbus.plan import Block, Point, plan, points_of
from plant.device import AddressRange, Encoding, LinkLost, ModbusAddress, ModbusDevice, ModbusTable, TcpLine
from tests.samples import make_tag

DEVICE = ModbusDevice("MB-TST-01", "SEP", TcpLine("127.0.0.1", 502), 1)


@st.composite
def addresses(draw: st.DrawFn, max_registers: int) -> ModbusAddress:
    table = draw(st.sampled_from(ModbusTable))
    address = draw(st.integers(0, 300 if table.is_bit else 120))
    if table.is_bit:
        return ModbusAddress(table, address, Encoding.BIT)
    encoding = draw(st.sampled_from([encoding for encoding in Encoding if encoding.registers <= max_registers]))
    length = encoding.registers or draw(st.integers(1, max_registers))
    return ModbusAddress(table, address, encoding, length=length, bit=draw(st.integers(0, 15)) if encoding is Encoding.BIT else None)


@st.composite
def ranges(draw: st.DrawFn) -> AddressRange:
    first = draw(st.integers(0, 130))
    return AddressRange(draw(st.sampled_from(ModbusTable)), first, first + draw(st.integers(0, 5)))


@st.composite
def devices_with_points(draw: st.DrawFn) -> tuple[ModbusDevice, list[Point]]:
    """Points where the device allows to read: the site loader lets no others through."""
    device = replace(
        DEVICE,
        max_registers=draw(st.integers(1, 125)),
        max_bits=draw(st.integers(1, 200)),
        max_gap=draw(st.integers(0, 20)),
        forbidden=tuple(draw(st.lists(ranges(), max_size=6))),
    )
    sources = [
        source for source in draw(st.lists(addresses(device.max_registers), max_size=40)) if not is_forbidden(device, source.table, source.address, source.end)
    ]
    return device, [point(number, source, draw(st.sampled_from([100, 500, 1000]))) for number, source in enumerate(sources, 1)]


def is_forbidden(device: ModbusDevice, table: ModbusTable, first: int, end: int) -> bool:
    forbidden = {address for one in device.forbidden if one.table is table for address in range(one.first, one.last + 1)}
    return not forbidden.isdisjoint(range(first, end))


def point(tag_id: int, address: ModbusAddress, scan_ms: int = 1000) -> Point:
    return Point(make_tag(tag_id, source=address, scan_ms=scan_ms), address)


def registers(*spans: tuple[int, int]) -> list[Point]:
    """Texts of (address, registers) in the holding table."""
    return [point(number, ModbusAddress(ModbusTable.HOLDING, at, Encoding.STRING, length=length)) for number, (at, length) in enumerate(spans, 1)]


def bits(*at: int) -> list[Point]:
    return [point(number, ModbusAddress(ModbusTable.COIL, address, Encoding.BIT)) for number, address in enumerate(at, 1)]


def spans(device: ModbusDevice, points: list[Point]) -> list[tuple[int, int]]:
    """(address, count) of the blocks of a plan with one scan class."""
    (scan,) = plan(device, points)
    return [(block.address, block.count) for block in scan.blocks]


def widest_hole(block: Block) -> int:
    covered = {address for point in block.points for address in range(point.address.address, point.address.end)}
    longest = hole = 0
    for address in range(block.address, block.address + block.count):
        hole = 0 if address in covered else hole + 1
        longest = max(longest, hole)
    return longest


@given(devices_with_points())
def test_every_point_is_in_exactly_one_block(drawn: tuple[ModbusDevice, list[Point]]) -> None:
    device, points = drawn
    planned = [point.tag.id for scan in plan(device, points) for block in scan.blocks for point in block.points]
    assert sorted(planned) == [point.tag.id for point in points]


@given(devices_with_points())
def test_there_is_one_scan_class_a_period_fastest_first_and_it_holds_the_points_of_that_period(drawn: tuple[ModbusDevice, list[Point]]) -> None:
    device, points = drawn
    classes = plan(device, points)
    assert [scan.period for scan in classes] == sorted({point.tag.scan_ms / 1000 for point in points})
    for scan in classes:
        assert {point.tag.scan_ms / 1000 for block in scan.blocks for point in block.points} == {scan.period}


@given(devices_with_points())
def test_no_block_is_over_the_limit_of_the_device_nor_spans_a_hole_wider_than_allowed(drawn: tuple[ModbusDevice, list[Point]]) -> None:
    device, points = drawn
    for scan in plan(device, points):
        for block in scan.blocks:
            assert 1 <= block.count <= (device.max_bits if block.table.is_bit else device.max_registers)
            assert widest_hole(block) <= device.max_gap * (16 if block.table.is_bit else 1)


@given(devices_with_points())
def test_a_block_is_of_one_table_and_holds_each_of_its_values_whole_and_nothing_at_its_ends(drawn: tuple[ModbusDevice, list[Point]]) -> None:
    device, points = drawn
    for scan in plan(device, points):
        for block in scan.blocks:
            assert {point.address.table for point in block.points} == {block.table}
            assert min(point.address.address for point in block.points) == block.address
            assert max(point.address.end for point in block.points) == block.address + block.count


@given(devices_with_points())
def test_no_block_touches_a_forbidden_address(drawn: tuple[ModbusDevice, list[Point]]) -> None:
    device, points = drawn
    for scan in plan(device, points):
        for block in scan.blocks:
            assert not is_forbidden(device, block.table, block.address, block.address + block.count)


@given(devices_with_points())
def test_there_are_never_more_requests_than_tags_and_never_two_that_one_could_replace(drawn: tuple[ModbusDevice, list[Point]]) -> None:
    device, points = drawn
    for scan in plan(device, points):
        assert len(scan.blocks) <= len({point.tag.id for block in scan.blocks for point in block.points})
        for before, after in zip(scan.blocks, scan.blocks[1:], strict=False):
            assert before.table is not after.table or cost_of_read(device, before.points + after.points) is None


def cost_of_read(device: ModbusDevice, points: Sequence[Point]) -> int | None:
    """Addresses that one read of the points brings, or ``None`` if the device does not allow it."""
    table, first, end = points[0].address.table, min(point.address.address for point in points), max(point.address.end for point in points)
    block = Block(table, first, end - first, tuple(points))
    limit, gap = (device.max_bits, device.max_gap * 16) if table.is_bit else (device.max_registers, device.max_gap)
    return None if block.count > limit or widest_hole(block) > gap or is_forbidden(device, table, first, end) else block.count


def partitions(points: Sequence[Point]) -> Iterator[list[list[Point]]]:
    """Every way to part the points into groups."""
    if not points:
        yield []
        return
    head, *rest = points
    for groups in partitions(rest):
        yield [[head], *groups]
        for place, group in enumerate(groups):
            yield [*groups[:place], [head, *group], *groups[place + 1 :]]


def cheapest_plan(device: ModbusDevice, points: Sequence[Point]) -> tuple[int, int]:
    """(requests, addresses) of the best of all partitions."""
    best = (len(points) + 1, 0)
    for groups in partitions(points):
        costs = [cost_of_read(device, group) for group in groups]
        if None not in costs:
            best = min(best, (len(groups), sum(cost for cost in costs if cost is not None)))
    return best


@st.composite
def small_maps(draw: st.DrawFn) -> tuple[ModbusDevice, list[Point]]:
    """Few points close together, which overlap, lie within another, and meet every limit."""
    forbidden = draw(st.lists(st.integers(0, 30).map(lambda at: AddressRange(ModbusTable.HOLDING, at, at)), max_size=2))
    device = replace(DEVICE, max_registers=draw(st.integers(4, 14)), max_gap=draw(st.integers(0, 6)), forbidden=tuple(forbidden))
    spans = draw(st.lists(st.tuples(st.integers(0, 30), st.sampled_from([1, 1, 2, 2, 4])), min_size=1, max_size=7))
    return device, registers(*(span for span in spans if not is_forbidden(device, ModbusTable.HOLDING, span[0], sum(span))))


@given(small_maps())
@settings(max_examples=150, deadline=None)
def test_no_way_to_part_the_points_needs_fewer_requests_nor_as_many_and_fewer_registers(drawn: tuple[ModbusDevice, list[Point]]) -> None:
    device, points = drawn
    blocks = [block for scan in plan(device, points) for block in scan.blocks]
    assert sorted(point.tag.id for block in blocks for point in block.points) == [point.tag.id for point in points]
    assert all(cost_of_read(device, block.points) == block.count for block in blocks)
    assert (len(blocks), sum(block.count for block in blocks)) == (cheapest_plan(device, points) if points else (0, 0))


@given(devices_with_points())
def test_halving_keeps_all_points_and_stays_within_the_block_and_ends_at_one_point(drawn: tuple[ModbusDevice, list[Point]]) -> None:
    device, points = drawn
    waiting = [block for scan in plan(device, points) for block in scan.blocks]
    alone = []
    while waiting:
        block = waiting.pop()
        halves = block.halves()
        if halves is None:
            alone.append(block)
            continue
        first, second = halves
        assert first.points + second.points == block.points
        assert abs(len(first.points) - len(second.points)) <= 1
        for half in halves:
            assert half.table is block.table
            assert block.address <= half.address
            assert half.address + half.count <= block.address + block.count
        waiting += halves
    assert sorted(block.points[0].tag.id for block in alone) == [point.tag.id for point in points]
    for block in alone:
        (only,) = block.points
        assert (block.address, block.count) == (only.address.address, only.address.length)


@pytest.mark.parametrize(
    ("max_gap", "second", "expected"),
    [(0, 2, [(0, 4)]), (0, 3, [(0, 2), (3, 2)]), (10, 12, [(0, 14)]), (10, 13, [(0, 2), (13, 2)])],
    ids=["next to it", "a hole of one where none is allowed", "the widest hole", "a hole one wider"],
)
def test_a_block_grows_over_a_hole_of_at_most_the_gap(max_gap: int, second: int, expected: list[tuple[int, int]]) -> None:
    assert spans(replace(DEVICE, max_gap=max_gap), registers((0, 2), (second, 2))) == expected


@pytest.mark.parametrize(("second", "expected"), [(161, [(0, 162)]), (162, [(0, 1), (162, 1)])])
def test_a_hole_of_bits_counts_16_to_a_register(second: int, expected: list[tuple[int, int]]) -> None:
    assert spans(replace(DEVICE, max_gap=10), bits(0, second)) == expected


def test_a_value_that_would_be_torn_by_the_limit_begins_the_next_block() -> None:
    assert spans(replace(DEVICE, max_registers=5), registers((0, 2), (2, 2), (4, 2), (6, 2))) == [(0, 4), (4, 4)]
    assert spans(replace(DEVICE, max_registers=6), registers((0, 2), (2, 2), (4, 2), (6, 2))) == [(0, 6), (6, 2)]


def test_the_full_limits_of_the_standard_are_used() -> None:
    assert spans(DEVICE, registers(*((at, 1) for at in range(126)))) == [(0, 125), (125, 1)]
    assert spans(DEVICE, bits(*range(2001))) == [(0, 2000), (2000, 1)]


def test_of_plans_with_as_many_requests_the_one_that_reads_fewer_registers_is_taken() -> None:
    """Filled up from the left, the first block would bring the hole before 6, too: 14 registers in as many requests."""
    assert spans(replace(DEVICE, max_registers=8), registers((0, 2), (6, 2), (8, 6))) == [(0, 2), (6, 8)]


@pytest.mark.parametrize(
    ("table", "address", "expected"),
    [
        (ModbusTable.HOLDING, 2, [(0, 2), (4, 2)]),
        (ModbusTable.HOLDING, 3, [(0, 2), (4, 2)]),
        (ModbusTable.HOLDING, 6, [(0, 6)]),
        (ModbusTable.INPUT, 2, [(0, 6)]),
    ],
)
def test_a_forbidden_address_in_a_hole_parts_its_neighbours_and_one_elsewhere_does_not(
    table: ModbusTable, address: int, expected: list[tuple[int, int]]
) -> None:
    device = replace(DEVICE, forbidden=(AddressRange(table, address, address),))
    assert spans(device, registers((0, 2), (4, 2))) == expected


@pytest.mark.parametrize("forbidden", [(3, 3), (4, 9), (0, 100), (0, 3)])
def test_a_point_on_a_forbidden_address_is_refused_and_never_read(forbidden: tuple[int, int]) -> None:
    device = replace(DEVICE, forbidden=(AddressRange(ModbusTable.HOLDING, *forbidden),))
    with pytest.raises(ValueError, match=r"SEP.COL101.PT101 at holding 3 lies where MB-TST-01 forbids to read"):
        plan(device, registers((3, 2)))


def test_a_point_longer_than_a_read_is_refused_and_never_torn() -> None:
    with pytest.raises(ValueError, match="is 5 registers long, and MB-TST-01 gives 4 at once"):
        plan(replace(DEVICE, max_registers=4), registers((0, 5)))


def test_a_long_text_over_many_points_brings_them_all_and_holds_no_hole() -> None:
    assert spans(replace(DEVICE, max_gap=0, max_registers=40), registers((0, 30), (1, 1), (28, 2), (29, 4))) == [(0, 33)]


def test_ten_thousand_points_are_planned_at_once() -> None:
    """Every sixth register over the whole table: 21 values to a read of 121 registers. Quadratic work would take longer than a test may."""
    (scan,) = plan(DEVICE, registers(*((6 * number, 1) for number in range(10_000))))
    assert len(scan.blocks) == -(-10_000 // 21)


def test_points_that_share_a_register_share_a_block_and_a_short_one_in_a_long_one_does_not_shorten_it() -> None:
    assert spans(replace(DEVICE, max_gap=0), registers((0, 8), (0, 1), (2, 1), (8, 1))) == [(0, 9)]


def test_points_come_in_the_order_of_their_addresses_whatever_the_order_of_the_tags() -> None:
    (scan,) = plan(DEVICE, registers((6, 2), (0, 2), (4, 2)))
    assert [point.address.address for point in scan.blocks[0].points] == [0, 4, 6]


def test_no_tags_are_no_scan_class_and_a_tag_of_another_source_is_no_point() -> None:
    assert plan(DEVICE, []) == []
    assert points_of([make_tag(1, source=LinkLost("MB-TST-01"))]) == []
    address = ModbusAddress(ModbusTable.COIL, 3, Encoding.BIT)
    tag = make_tag(2, source=address)
    assert points_of([tag]) == [Point(tag, address)]
