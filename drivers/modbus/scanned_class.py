"""A scan class of one session: what is asked for in its next scan, by what the device refused before.

Rules:

1. A block refused for its address is halved until only the tags that the device does not have are Bad. These are left out of the blocks from the next scan on,
   and asked for alone and seldom (``quarantine``).
2. Where all of a class is refused it is asked for in whole blocks, and halved once a minute.
3. A block that fails (04) is halved too, sixteen times a minute at the most: it may be one register that fails, or all of the device.
4. A minute after a halving what is read is asked for whole again, because a device that is being loaded refuses what it has.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Final, Self

from drivers.modbus.decode import BlockDecoder
from drivers.modbus.frames import Answer, ModbusException, ReadRequest
from drivers.modbus.plan import Block, Point, ScanClass, plan
from drivers.modbus.probe import block_request
from drivers.modbus.quarantine import Quarantine
from drivers.modbus.schedule import Schedule
from plant.device import ModbusDevice

_WHOLE_AGAIN_AFTER: Final = 60.0
_FAILURES_HALVED: Final = 16


@dataclass(slots=True)
class DecodedBlock:
    """A block with what is made of it once: its request and its decoder."""

    block: Block
    request: ReadRequest
    decoder: BlockDecoder

    @classmethod
    def of(cls, block: Block) -> Self:
        return cls(block, block_request(block), BlockDecoder(block))

    @classmethod
    def of_one(cls, point: Point) -> Self:
        return cls.of(Block(point.address.table, point.address.address, point.address.length, (point,)))


class ScannedClass:
    """A scan class of one session: its schedule, and its blocks as planned and as asked for."""

    def __init__(self, device: ModbusDevice, scan_class: ScanClass, now: float) -> None:
        self.schedule = Schedule(device.name, scan_class.period, now)
        self._device = device
        self._points = [point for block in scan_class.blocks for point in block.points]
        self._first_planned = self._planned = [DecodedBlock.of(block) for block in scan_class.blocks]
        self._blocks = list(self._planned)
        self._alone: list[DecodedBlock] = []
        self._quarantine = Quarantine()
        self._is_out_of_date = False
        self._whole_until = -math.inf
        self._whole_again = math.inf
        self._failures_halved = 0
        self.is_mute = False
        """In its last scan the unit said nothing."""

    @property
    def shapes(self) -> set[tuple[int, int]]:
        """Of what is asked for now, and of what the scan that began last asked for alone."""
        return {decoded.request.shape for decoded in (*self._blocks, *self._alone)}

    def to_ask(self, now: float) -> Sequence[DecodedBlock]:
        """The blocks of a scan that begins ``now``, seconds of the monotonic clock."""
        if self._is_out_of_date:
            self._plan_anew(now)
        if now >= self._whole_again:
            self._begin_anew()
        self._alone = [] if now < self._whole_until else [DecodedBlock.of_one(point) for point in self._quarantine.due(now)]
        return [*self._blocks, *self._alone]

    def left_out(self, now: float) -> list[tuple[BlockDecoder, ModbusException]]:
        """Points that a scan that begins ``now`` does not ask for, with what the device last said of them."""
        return [] if now < self._whole_until else [(DecodedBlock.of_one(point).decoder, answer) for point, answer in self._quarantine.waiting(now)]

    def note(self, block: Block, answer: Answer, now: float) -> None:
        """``answer`` is the last word on ``block``."""
        if not isinstance(answer, ModbusException):
            self._is_out_of_date |= self._quarantine.release(block.points)
        elif answer.is_about_address and len(block.points) == 1:
            is_news = self._quarantine.put(block.points[0], answer, now)
            self._is_out_of_date |= is_news or self._is_all_refused

    @property
    def _is_all_refused(self) -> bool:
        return all(point in self._quarantine for point in self._points)

    def _plan_anew(self, now: float) -> None:
        others = [point for point in self._points if point not in self._quarantine]
        self._whole_until = -math.inf if others else now + _WHOLE_AGAIN_AFTER
        if others and len(others) < len(self._points):
            device = replace(self._device, forbidden=(*self._device.forbidden, *self._quarantine.walls(others)))
            self._planned = [DecodedBlock.of(block) for scan_class in plan(device, others) for block in scan_class.blocks]
        else:
            self._planned = self._first_planned
        self._begin_anew()
        self._is_out_of_date = False

    def _begin_anew(self) -> None:
        self._blocks, self._whole_again, self._failures_halved = list(self._planned), math.inf, 0

    def halved(self, decoded: DecodedBlock, answer: ModbusException, now: float) -> Sequence[DecodedBlock]:
        """What is asked for instead of ``decoded``, in this scan and the next ones; nothing where ``answer`` is the last word on it."""
        is_worth_it = (answer.is_about_address and now >= self._whole_until) or (answer.is_failure and self._failures_halved < _FAILURES_HALVED)
        halves = decoded.block.halves() if is_worth_it else None
        if halves is None:
            return ()
        self._failures_halved += answer.is_failure
        self._whole_again = min(self._whole_again, now + _WHOLE_AGAIN_AFTER)
        place = self._blocks.index(decoded)
        self._blocks[place : place + 1] = parts = [DecodedBlock.of(half) for half in halves]
        return parts
