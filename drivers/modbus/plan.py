"""Which blocks to read for a set of tags: the fewest requests within the device's limits, and of such plans one that reads the fewest addresses.

Rules:

1. A block holds points of one table and one scan period; each of its values is whole, and it begins and ends with one.
2. No block is longer than the device allows, has a hole wider than ``max_gap``, or touches a forbidden address.
3. A hole of bits counts 16 to a register.

Why the plan is the best one: a point that lies within another comes with it and is left out at first. The rest, in order of address, have growing
begins and growing ends, so a read of the first and the last of some brings all between, and a plan of fewest reads can be dealt out in runs of
neighbours. A hole too wide and a forbidden address part two neighbours for good; between such walls only the length counts, and the cheapest cuts
(requests first, then addresses) are the shortest path from the first point to the last, found over all places to cut.

Why 10 registers of hole by default: on a serial line a request and its answer cost 8 + 5 characters and two silences of 3.5 beside the data, in Modbus
TCP 12 + 9 bytes; a register costs two. A hole of 10 registers is what another request costs at the least; the time in which a device turns round comes on
top. Wider holes would pay for slow devices, and are likelier to hold addresses that a device does not have, for which it refuses the whole read.
Sources: MODBUS over Serial Line V1.02, 2.5.1.1; MODBUS Messaging on TCP/IP Implementation Guide V1.0b, 3.1.3.
"""

from bisect import bisect_left
from collections import defaultdict, deque
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final

from plant.device import AddressRange, ModbusAddress, ModbusDevice, ModbusTable
from plant.tag import Tag

_BITS_A_REGISTER: Final = 16


@dataclass(frozen=True, slots=True)
class Point:
    """A tag with its Modbus address."""

    tag: Tag
    address: ModbusAddress


@dataclass(frozen=True, slots=True)
class Block:
    """One read request and the points it brings. ``count`` is registers, or bits of a bit table."""

    table: ModbusTable
    address: int
    count: int
    points: tuple[Point, ...]

    def halves(self) -> "tuple[Block, Block] | None":
        """Two blocks with half the points each, or ``None`` for a single point. Points that share a register stay whole in each."""
        if len(self.points) < 2:
            return None
        middle = len(self.points) // 2
        return _block(self.table, self.points[:middle]), _block(self.table, self.points[middle:])


@dataclass(frozen=True, slots=True)
class ScanClass:
    """Blocks that are read together every ``period`` seconds."""

    period: float
    blocks: tuple[Block, ...]


def points_of(tags: Sequence[Tag]) -> list[Point]:
    """Tags with a Modbus address; the site loader has seen to it that a Modbus device has no others."""
    return [Point(tag, tag.source) for tag in tags if isinstance(tag.source, ModbusAddress)]


def plan(device: ModbusDevice, points: Sequence[Point]) -> list[ScanClass]:
    """Scan classes, fastest first, with the blocks of each by table and address; O(n log n) in the points.

    Raises:
        ValueError: a point lies on a forbidden address, or is longer than one read. The site loader refuses both, and nothing here reads them.
    """
    for point in points:
        _check(device, point)
    classes: dict[int, dict[ModbusTable, list[Point]]] = defaultdict(lambda: defaultdict(list))
    for point in points:
        classes[point.tag.scan_ms][point.address.table].append(point)
    return [
        ScanClass(scan_ms / 1000, tuple(block for table in ModbusTable for block in _blocks(device, table, classes[scan_ms][table])))
        for scan_ms in sorted(classes)
    ]


def _check(device: ModbusDevice, point: Point) -> None:
    address = point.address
    if address.length > _limit(device, address.table):
        raise ValueError(f"{point.tag.name} is {address.length} registers long, and {device.name} gives {device.max_registers} at once")
    if _is_forbidden(device.forbidden, address.table, address.address, address.end):
        raise ValueError(f"{point.tag.name} at {address.table} {address.address} lies where {device.name} forbids to read")


def _limit(device: ModbusDevice, table: ModbusTable) -> int:
    return device.max_bits if table.is_bit else device.max_registers


def _is_forbidden(forbidden: Sequence[AddressRange], table: ModbusTable, first: int, end: int) -> bool:
    """Whether any address from ``first`` to before ``end`` is."""
    return any(one.table is table and one.first < end and first <= one.last for one in forbidden)


def _blocks(device: ModbusDevice, table: ModbusTable, points: Sequence[Point]) -> list[Block]:
    ordered = sorted(points, key=lambda point: (point.address.address, -point.address.end, point.tag.id))
    outer: list[ModbusAddress] = []
    for point in ordered:
        if not outer or point.address.end > outer[-1].end:
            outer.append(point.address)
    runs = [run for neighbours in _between_walls(device, table, outer) for run in _cheapest_runs(neighbours, _limit(device, table))]
    ends = [run[-1].end for run in runs]
    dealt: list[list[Point]] = [[] for _ in runs]
    for point in ordered:
        dealt[bisect_left(ends, point.address.end)].append(point)
    return [_block(table, of_block) for of_block in dealt]


def _between_walls(device: ModbusDevice, table: ModbusTable, outer: Sequence[ModbusAddress]) -> Iterator[Sequence[ModbusAddress]]:
    gap = device.max_gap * (_BITS_A_REGISTER if table.is_bit else 1)
    begun = 0
    for place in range(1, len(outer)):
        hole, end = outer[place - 1].end, outer[place].address
        if end - hole > gap or _is_forbidden(device.forbidden, table, hole, end):
            yield outer[begun:place]
            begun = place
    if outer:
        yield outer[begun:]


def _cheapest_runs(outer: Sequence[ModbusAddress], limit: int) -> list[Sequence[ModbusAddress]]:
    """Neighbours cut into runs of at most ``limit`` addresses: the fewest runs, of such cuts the fewest addresses, and of those the shortest last run.

    ``cost[n]`` is (runs, addresses) of the first n points. A run that begins with point b and ends before n costs one more than ``cost[b]``, and
    the end of its last point less the begin of b: the best b is the same for all n that it reaches, and ``begins`` keeps only those that can be best.
    """
    cost = [(0, 0)]
    begin_of: list[int] = []
    begins: deque[tuple[tuple[int, int], int]] = deque()
    for last, address in enumerate(outer):
        runs, addresses = cost[last]
        key = (runs, addresses - address.address)
        while begins and begins[-1][0] >= key:
            begins.pop()
        begins.append((key, last))
        while address.end - outer[begins[0][1]].address > limit:
            begins.popleft()
        (runs, addresses), begin = begins[0]
        cost.append((runs + 1, addresses + address.end))
        begin_of.append(begin)
    cut: list[Sequence[ModbusAddress]] = []
    end = len(outer)
    while end:
        begin = begin_of[end - 1]
        cut.append(outer[begin:end])
        end = begin
    return cut[::-1]


def _block(table: ModbusTable, points: Sequence[Point]) -> Block:
    start = min(point.address.address for point in points)
    end = max(point.address.end for point in points)
    return Block(table, start, end - start, tuple(points))
