"""On/off valve with two limit switches.

| signal | is |
|---|---|
| ``XV101`` | open command, with its ``.MODE`` and ``.AUTO`` (``Hand``) |
| ``ZSO101``, ``ZSC101`` | open and closed limit, inputs |
| ``XV101.ALARM`` | discrepancy (``Discrepancy``), 0: there is none |

Rules (engineering practice):

- neither limit is right while it travels: the alarm comes when the limits have not agreed with the command for ``travel_s`` (the valve's travel time and
  what it may be late), counted anew from each change of the command;
- both limits at once, or a Bad one, is a fault of the switches and alarms after ``switch_s``, wherever the valve is;
- the alarm goes by itself; what a plant does about a valve that does not obey is an interlock on the alarm.

Where it fails to without air or current is ``fails_open``: the safe value of its command, and of a ``Stroke`` in the field.
"""

from dataclasses import dataclass
from enum import IntEnum
from typing import Annotated

from simulators.plc.block import Block
from simulators.plc.devices.hand import Hand, hand_signals
from simulators.plc.on_delay import PRESET, OnDelay
from simulators.plc.signal import Direction, Signal
from simulators.plc.signal_image import SignalImage
from simulators.process.bounds import check_parameters


class Discrepancy(IntEnum):
    """What ``.ALARM`` has."""

    NONE = 0
    NOT_OPEN = 1
    NOT_CLOSED = 2
    SWITCHES = 3


@dataclass(frozen=True, slots=True)
class BlockValve:
    """``BlockValve("HDM.HD101", "101")`` has ``HDM.HD101.XV101``."""

    unit: str
    number: str
    travel_s: Annotated[float, PRESET] = 3.0
    switch_s: Annotated[float, PRESET] = 1.0
    fails_open: bool = False
    automatic: bool = False

    def __post_init__(self) -> None:
        """Raises ValueError: a value out of its range."""
        check_parameters(self)

    @property
    def tag(self) -> str:
        return f"{self.unit}.XV{self.number}"

    @property
    def declares(self) -> tuple[Signal, ...]:
        safe = float(self.fails_open)
        return (
            *hand_signals(self.tag, 0.0, 1.0, safe, self.automatic),
            Signal(f"{self.unit}.ZSO{self.number}", Direction.INPUT, initial=safe),
            Signal(f"{self.unit}.ZSC{self.number}", Direction.INPUT, initial=1.0 - safe),
            Signal(f"{self.tag}.ALARM", Direction.MEMORY, 0.0, float(max(Discrepancy))),
        )

    @property
    def uses(self) -> tuple[str, ...]:
        return ()

    def bind(self, image: SignalImage) -> Block:
        return _RunningValve(self, image)


class _RunningValve:
    def __init__(self, valve: BlockValve, image: SignalImage) -> None:
        self._image = image
        self._hand = Hand(valve.tag, image)
        *_, self._open_at, self._closed_at, self._alarm_at = (image.position(signal.name) for signal in valve.declares)
        self._travel = OnDelay(valve.travel_s)
        self._switches = OnDelay(valve.switch_s)
        self._command = self._hand.given

    def scan(self, dt: float) -> None:
        image = self._image
        wanted = self._hand.wanted()
        if wanted != self._command:
            self._command = wanted
            self._travel.reset()
        self._hand.give(wanted)
        is_open, is_closed = image.value(self._open_at) == 1.0, image.value(self._closed_at) == 1.0
        is_known = image.is_good(self._open_at) and image.is_good(self._closed_at)
        arrived = is_open and not is_closed if wanted == 1.0 else is_closed and not is_open
        is_late = self._travel.step(dt, not arrived)
        alarm = Discrepancy.NONE
        if self._switches.step(dt, not is_known or (is_open and is_closed)):
            alarm = Discrepancy.SWITCHES
        elif is_late:
            alarm = Discrepancy.NOT_OPEN if wanted == 1.0 else Discrepancy.NOT_CLOSED
        image.write(self._alarm_at, float(alarm))
