"""The points of a scan class that the device refuses for their address, asked alone: pure.

Rules:

1. No read touches the address of a point that is refused, but one of that point alone: the first time after a minute, then after twice as long each time, an
   hour at the most. A new session asks for everything.
2. An address that is refused with one point and answered with another is no wall.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from drivers.modbus.frames import ModbusException
from drivers.modbus.plan import Point
from plant.device import AddressRange

FIRST_AGAIN: Final = 60.0
"""Seconds; a device that is being loaded refuses what it will have."""
AGAIN_AT_MOST: Final = 3600.0


@dataclass(slots=True)
class _Kept:
    point: Point
    answer: ModbusException
    wait: float
    again: float


class Quarantine:
    """Of one scan class and session. Times are seconds of one monotonic clock."""

    def __init__(self) -> None:
        self._kept: dict[int, _Kept] = {}

    def __contains__(self, point: Point) -> bool:
        return point.tag.id in self._kept

    def put(self, point: Point, answer: ModbusException, now: float) -> bool:
        """``point`` was asked alone and refused. Whether that is news."""
        kept = self._kept.get(point.tag.id)
        if kept is None:
            self._kept[point.tag.id] = _Kept(point, answer, FIRST_AGAIN, now + FIRST_AGAIN)
            return True
        kept.answer, kept.wait = answer, min(2 * kept.wait, AGAIN_AT_MOST)
        kept.again = now + kept.wait
        return False

    def release(self, points: Sequence[Point]) -> bool:
        """``points`` were answered. Whether that is news of any."""
        if not self._kept:
            return False
        news = [point for point in points if point in self]
        for point in news:
            del self._kept[point.tag.id]
        return bool(news)

    def due(self, now: float) -> list[Point]:
        """Those to be asked again."""
        return [kept.point for kept in self._kept.values() if kept.again <= now]

    def waiting(self, now: float) -> list[tuple[Point, ModbusException]]:
        """The others, with what was last said of them."""
        return [(kept.point, kept.answer) for kept in self._kept.values() if kept.again > now]

    def walls(self, others: Sequence[Point]) -> tuple[AddressRange, ...]:
        """Addresses that no read for ``others`` may touch."""
        theirs = {(point.address.table, address) for point in others for address in range(point.address.address, point.address.end)}
        return tuple(
            AddressRange(kept.point.address.table, address, address)
            for kept in self._kept.values()
            for address in range(kept.point.address.address, kept.point.address.end)
            if (kept.point.address.table, address) not in theirs
        )
