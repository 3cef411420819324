"""Which blocks to read for a set of tags: the fewest requests within the device's limits, and no value torn across two.

Rules: tags of one table and one scan period are sorted by address; a block grows over a hole when the hole is no wider than the device's ``max_gap``
(reading a hole is cheaper than another request) and the whole value fits; a value that does not fit begins the next block.
"""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass

from plant.device import ModbusAddress, ModbusDevice, ModbusTable
from plant.tag import Tag

_BITS_A_REGISTER = 16


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
    """Scan classes, fastest first, with the blocks of each."""
    classes: dict[int, list[Point]] = defaultdict(list)
    for point in points:
        classes[point.tag.scan_ms].append(point)
    return [ScanClass(scan_ms / 1000, tuple(_blocks(device, classes[scan_ms]))) for scan_ms in sorted(classes)]


def _blocks(device: ModbusDevice, points: Sequence[Point]) -> list[Block]:
    blocks: list[Block] = []
    for table in ModbusTable:
        of_table = sorted((point for point in points if point.address.table is table), key=lambda point: (point.address.address, point.tag.id))
        limit = device.max_bits if table.is_bit else device.max_registers
        gap = device.max_gap * (_BITS_A_REGISTER if table.is_bit else 1)
        open_points: list[Point] = []
        for point in of_table:
            if open_points and not _fits(open_points, point, limit, gap):
                blocks.append(_block(table, open_points))
                open_points = []
            open_points.append(point)
        if open_points:
            blocks.append(_block(table, open_points))
    return blocks


def _fits(open_points: Sequence[Point], point: Point, limit: int, gap: int) -> bool:
    start = open_points[0].address.address
    end = max(before.address.end for before in open_points)
    return point.address.address - end <= gap and point.address.end - start <= limit


def _block(table: ModbusTable, points: Sequence[Point]) -> Block:
    start = min(point.address.address for point in points)
    end = max(point.address.end for point in points)
    return Block(table, start, end - start, tuple(points))
