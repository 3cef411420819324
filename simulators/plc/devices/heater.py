"""Electric heater: a contactor, and behind it a power controller (burst firing) that takes its demand from a loop.

| signal | is |
|---|---|
| ``HS101`` | contactor command, with its ``.MODE`` and ``.AUTO`` (``Hand``) |
| ``JC101`` | power demand to the controller, %, output |
| ``IT101`` | mean heater current, A, input |
| ``HS101.ALARM`` | ``HeaterAlarm``, 0: there is none |
| ``HS101.RESET`` | 1 puts a trip back, and is taken back itself |

Rules (engineering practice):

- no demand without contactor; when the contactor closes, the demand rises by no more than ``rise_percent_per_s``;
- of burst firing the mean current goes with the demand: ``full_a`` at 100 %. Less than ``1 - tolerance`` of it for ``fault_s`` is an open element, an alarm:
  the heater goes on with what it has. A Bad current alarms in the same way;
- current without demand, above ``idle_a`` for ``fault_s``, is a thyristor that conducts for good: the contactor opens and stays so until it is reset.
"""

from dataclasses import dataclass
from enum import IntEnum
from typing import Annotated

from simulators.plc.block import Block
from simulators.plc.devices.hand import Hand, hand_signals
from simulators.plc.on_delay import PRESET, OnDelay
from simulators.plc.signal import Direction, Signal
from simulators.plc.signal_image import SignalImage
from simulators.process.bounds import SHARE, Within, check_parameters


class HeaterAlarm(IntEnum):
    """What ``.ALARM`` has; ``CONDUCTING`` is a trip."""

    NONE = 0
    OPEN_ELEMENT = 1
    CONDUCTING = 2


@dataclass(frozen=True, slots=True)
class Heater:
    """``demand`` is the output of the loop, %. ``Heater("SIN.FUR101", "101", "SIN.FUR101.TIC101.OP", 1200.0)`` has ``SIN.FUR101.HS101``."""

    unit: str
    number: str
    demand: str
    full_a: Annotated[float, Within(1e-3, 1e5, "A")]
    rise_percent_per_s: Annotated[float, Within(1e-3, 1e5, "%/s")] = 10.0
    tolerance: Annotated[float, SHARE] = 0.25
    idle_a: Annotated[float, Within(0.0, 1e5, "A")] = 20.0
    fault_s: Annotated[float, PRESET] = 10.0
    automatic: bool = False

    def __post_init__(self) -> None:
        """Raises ValueError: a value out of its range."""
        check_parameters(self)

    @property
    def tag(self) -> str:
        return f"{self.unit}.HS{self.number}"

    @property
    def power(self) -> str:
        return f"{self.unit}.JC{self.number}"

    @property
    def declares(self) -> tuple[Signal, ...]:
        return (
            *hand_signals(self.tag, 0.0, 1.0, 0.0, self.automatic),
            Signal(self.power, Direction.OUTPUT, 0.0, 100.0),
            Signal(f"{self.unit}.IT{self.number}", Direction.INPUT, 0.0, 2.0 * self.full_a),
            Signal(f"{self.tag}.ALARM", Direction.MEMORY, 0.0, float(max(HeaterAlarm))),
            Signal(f"{self.tag}.RESET", Direction.MEMORY),
        )

    @property
    def uses(self) -> tuple[str, ...]:
        return (self.demand,)

    def bind(self, image: SignalImage) -> Block:
        return _RunningHeater(self, image)


class _RunningHeater:
    def __init__(self, heater: Heater, image: SignalImage) -> None:
        self._heater = heater
        self._image = image
        self._hand = Hand(heater.tag, image)
        *_, self._power_at, self._current_at, self._alarm_at, self._reset_at = (image.position(signal.name) for signal in heater.declares)
        self._demand_at = image.position(heater.demand)
        self._open = OnDelay(heater.fault_s)
        self._conducting = OnDelay(heater.fault_s)
        self._is_tripped = False

    def scan(self, dt: float) -> None:
        image, heater = self._image, self._heater
        # judged by what the heater got in the last scan: the current of this one is not measured yet
        power, is_on = image.value(self._power_at), self._hand.given == 1.0
        is_good, current = image.is_good(self._current_at), image.value(self._current_at)
        expected = heater.full_a * power / 100.0 if is_on else 0.0
        is_open = self._open.step(dt, not is_good or (expected > heater.idle_a and current < (1.0 - heater.tolerance) * expected))
        is_conducting = self._conducting.step(dt, is_good and expected == 0.0 and current > heater.idle_a)
        if image.value(self._reset_at) == 1.0:
            self._is_tripped = False
            image.write(self._reset_at, 0.0)
        self._is_tripped = self._is_tripped or is_conducting
        self._hand.give(0.0 if self._is_tripped else self._hand.wanted())
        demand = image.value(self._demand_at) if self._hand.given == 1.0 else 0.0
        image.write(self._power_at, min(demand, power + heater.rise_percent_per_s * dt))
        alarm = HeaterAlarm.CONDUCTING if self._is_tripped else HeaterAlarm.OPEN_ELEMENT if is_open else HeaterAlarm.NONE
        image.write(self._alarm_at, float(alarm))
