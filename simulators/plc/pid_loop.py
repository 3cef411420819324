"""A PID loop of a PLC: the block of ``simulators.process.control`` between the signals of a tag.

| signal | is |
|---|---|
| ``TIC101`` | process value, input |
| ``TIC101.SP`` | set-point: the operator's, and in cascade what the master says |
| ``TIC101.OP`` | output, %; in manual the operator's |
| ``TIC101.MODE`` | 0 manual, 1 automatic, 2 cascade |

Rules (engineering practice):

- an output that is forced or held by an interlock is followed, in every mode: the loop goes on from it without a bump when it is released;
- a process value whose force begins or ends jumps for no reason of the process, and is taken as it is, without a bump;
- a process value that is Bad puts the loop in manual at ``bad_output``; it stays there until an operator or the program takes it out again;
- cascade without a master is automatic.
"""

from dataclasses import dataclass
from typing import Annotated

from simulators.plc.block import Block
from simulators.plc.signal import Direction, Signal
from simulators.plc.signal_image import SignalImage
from simulators.process.bounds import Within, check_parameters
from simulators.process.control import GainSchedule, Mode, Pid, Tuning


@dataclass(frozen=True, slots=True)
class PidLoop:
    """``low`` and ``high`` are the range of process value and set-point. ``master`` is the tag of the loop whose output is this one's set-point; a loop
    that ``drives`` another has its output, in the unit of that set-point, in memory. ``bad_output`` is clipped to the limits of the output; ``None`` holds the
    last."""

    tag: str
    tuning: Tuning
    low: float
    high: float
    set_point: float = 0.0
    mode: Mode = Mode.MANUAL
    output: float = 0.0
    output_low: float = 0.0
    output_high: float = 100.0
    bad_output: Annotated[float | None, Within(-1e9, 1e9)] = 0.0
    schedule: GainSchedule | None = None
    master: str | None = None
    drives: str | None = None

    def __post_init__(self) -> None:
        """Raises ValueError: a value out of its range."""
        check_parameters(self)

    @property
    def declares(self) -> tuple[Signal, ...]:
        rest = min(max(0.0, self.output_low), self.output_high)
        kind = Direction.OUTPUT if self.drives is None else Direction.MEMORY
        return (
            Signal(self.tag, Direction.INPUT, self.low, self.high, self.low),
            Signal(f"{self.tag}.SP", Direction.MEMORY, self.low, self.high, self.set_point),
            Signal(f"{self.tag}.OP", kind, self.output_low, self.output_high, self.output, rest),
            Signal(f"{self.tag}.MODE", Direction.MEMORY, 0.0, 2.0, float(self.mode)),
        )

    @property
    def uses(self) -> tuple[str, ...]:
        master = () if self.master is None else (f"{self.master}.OP",)
        return master if self.drives is None else (*master, f"{self.drives}.SP", f"{self.drives}.MODE")

    def bind(self, image: SignalImage) -> Block:
        return _RunningLoop(self, image)


class _RunningLoop:
    def __init__(self, loop: PidLoop, image: SignalImage) -> None:
        self._loop = loop
        self._image = image
        self._pid = Pid(loop.tuning, loop.output_low, loop.output_high, loop.output, loop.schedule, loop.tag)
        self._pv, self._sp, self._op, self._mode = (image.position(signal.name) for signal in loop.declares)
        self._master = None if loop.master is None else image.position(f"{loop.master}.OP")
        self._slave = None if loop.drives is None else (image.position(f"{loop.drives}.MODE"), image.position(f"{loop.drives}.SP"))
        self._pv_forced = False

    def scan(self, dt: float) -> None:
        image, pid = self._image, self._pid
        value = image.value(self._pv)
        if image.is_forced(self._pv) is not self._pv_forced:
            self._pv_forced = not self._pv_forced
            pid.begin_anew()
        is_good = image.is_good(self._pv)
        self._take_mode(is_good)
        self._take_set_point()
        if not is_good and self._loop.bad_output is not None:
            pid.write(self._loop.bad_output)
            image.write(self._op, pid.output)
        if image.is_overridden(self._op):
            self._follow(dt, value, image.value(self._op))
        elif pid.mode is not Mode.MANUAL and self._slave is not None and image.value(self._slave[0]) != Mode.CASCADE:
            self._follow(dt, value, image.value(self._slave[1]))
            image.write(self._op, pid.output)
        else:
            if pid.mode is Mode.MANUAL:
                pid.write(image.value(self._op))
            image.write(self._op, pid.step(dt, value))

    def _take_mode(self, is_good: bool) -> None:
        mode = Mode(round(self._image.value(self._mode))) if is_good else Mode.MANUAL
        if mode is Mode.CASCADE and self._master is None:
            mode = Mode.AUTOMATIC
        if mode is not self._pid.mode:
            self._pid.change_mode(mode)
        self._image.write(self._mode, float(mode))

    def _take_set_point(self) -> None:
        image, pid = self._image, self._pid
        if pid.mode is Mode.CASCADE and self._master is not None:
            image.write(self._sp, image.value(self._master))
            pid.remote_set_point = image.value(self._sp)
        pid.set_point = image.value(self._sp)

    def _follow(self, dt: float, value: float, output: float) -> None:
        if self._pid.mode is Mode.MANUAL:
            self._pid.write(output)
        self._pid.follow(dt, value, output)
