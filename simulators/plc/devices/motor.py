"""Direct-on-line motor: pump, agitator, fan.

| signal | is |
|---|---|
| ``HS101`` | run command, with its ``.MODE`` and ``.AUTO`` (``Hand``) |
| ``YL101`` | running, input |
| ``XA101`` | drive fault, input |
| ``HS101.TRIP`` | why it tripped (``Trip``), 0: it has not |
| ``HS101.RESET`` | 1 puts the trip back, and is taken back itself |

Rules (engineering practice):

- it trips on a drive fault (or a Bad fault signal), when it does not run ``start_s`` after its command, and when it stops running by itself;
- a trip takes the command away and stays until it is reset with the drive's fault gone. In manual the motor then waits for a new command, in automatic the
  program's wish counts at once;
- a motor that runs on ``stop_s`` after its command went is an alarm and no trip: there is nothing left to switch off.
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


class Trip(IntEnum):
    """What ``.TRIP`` has. ``RUNS_ON`` is the alarm, which goes by itself."""

    NONE = 0
    DRIVE_FAULT = 1
    NOT_STARTED = 2
    NOT_RUNNING = 3
    RUNS_ON = 4


@dataclass(frozen=True, slots=True)
class Motor:
    """``unit`` and ``number`` make its tags: ``Motor("SEP.P101", "101")`` has ``SEP.P101.HS101``."""

    unit: str
    number: str
    start_s: Annotated[float, PRESET] = 3.0
    stop_s: Annotated[float, PRESET] = 5.0
    automatic: bool = False

    def __post_init__(self) -> None:
        """Raises ValueError: a value out of its range."""
        check_parameters(self)

    @property
    def tag(self) -> str:
        return f"{self.unit}.HS{self.number}"

    @property
    def declares(self) -> tuple[Signal, ...]:
        return (
            *hand_signals(self.tag, 0.0, 1.0, 0.0, self.automatic),
            Signal(f"{self.unit}.YL{self.number}", Direction.INPUT),
            Signal(f"{self.unit}.XA{self.number}", Direction.INPUT),
            Signal(f"{self.tag}.TRIP", Direction.MEMORY, 0.0, float(max(Trip))),
            Signal(f"{self.tag}.RESET", Direction.MEMORY),
        )

    @property
    def uses(self) -> tuple[str, ...]:
        return ()

    def bind(self, image: SignalImage) -> Block:
        return _RunningMotor(self, image)


class _RunningMotor:
    def __init__(self, motor: Motor, image: SignalImage) -> None:
        self._image = image
        self._hand = Hand(motor.tag, image)
        *_, self._running_at, self._fault_at, self._trip_at, self._reset_at = (image.position(signal.name) for signal in motor.declares)
        self._not_running = OnDelay(motor.start_s)
        self._runs_on = OnDelay(motor.stop_s)
        self._has_run = False
        self._trip = Trip.NONE

    def scan(self, dt: float) -> None:
        image = self._image
        is_running = image.is_good(self._running_at) and image.value(self._running_at) == 1.0
        is_faulty = not image.is_good(self._fault_at) or image.value(self._fault_at) == 1.0
        if image.value(self._reset_at) == 1.0:
            # a fault that is still there trips again in this scan
            self._trip = Trip.NONE
            image.write(self._reset_at, 0.0)
        was_commanded = self._hand.given == 1.0 and self._hand.wanted() == 1.0 and self._trip in {Trip.NONE, Trip.RUNS_ON}
        self._judge(dt, was_commanded, is_running, is_faulty)
        may_run = self._trip in {Trip.NONE, Trip.RUNS_ON}
        self._hand.give(self._hand.wanted() if may_run else 0.0)
        image.write(self._trip_at, float(self._trip))

    def _judge(self, dt: float, is_commanded: bool, is_running: bool, is_faulty: bool) -> None:
        runs_on = self._runs_on.step(dt, is_running and not is_commanded)
        never_came = self._not_running.step(dt, is_commanded and not is_running and not self._has_run)
        fell_off = is_commanded and self._has_run and not is_running
        self._has_run = is_commanded and is_running
        if self._trip is Trip.RUNS_ON and not runs_on:
            self._trip = Trip.NONE
        if is_faulty:
            self._trip = Trip.DRIVE_FAULT if self._trip in {Trip.NONE, Trip.RUNS_ON} else self._trip
        elif never_came:
            self._trip = Trip.NOT_STARTED
        elif fell_off:
            self._trip = Trip.NOT_RUNNING
        elif runs_on and self._trip is Trip.NONE:
            self._trip = Trip.RUNS_ON
