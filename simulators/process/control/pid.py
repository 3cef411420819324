"""PID controller as the function block of a PLC has it. Pure: its only clock is the ``dt`` of ``step``.

Rules:

- ideal form on the error, derivative on the measurement: ``u = Kc (e + 1/Ti int e dt - Td dy/dt)``, so a step of the set-point makes no derivative kick;
- an output at its limit unwinds the integral by back-calculation (K. J. Astrom, T. Hagglund: Advanced PID Control, ISA 2006, chapter 3), exactly for
  any ``dt``;
- the integral has the unit of the output, and whatever else changes (mode, tuning, gain schedule, output written by hand) it takes up the difference:
  no transfer bumps the output;
- cascade is automatic with the set-point of a master. A master whose slave is not in cascade is told to ``follow`` the slave's set-point and is then
  itself ready to take over without a bump. An override or a min select tells the loser to ``follow`` the winner's output in the same way;
- a process value or set-point that is no number holds the output and stops the integral: what a broken transmitter means is for the logic around the
  block to say.
"""

import math
from collections.abc import Callable
from enum import IntEnum
from typing import Final

from simulators.process.bounds import Within
from simulators.process.control.tuning import Tuning
from simulators.process.time_step import check_step

GainSchedule = Callable[[float], float]
"""Factor of the gain at a process value: ``lambda ph: 0.3 if ph < 1.5 else 1.0``."""


_OUTPUT: Final = Within(-1e9, 1e9, "%")
"""Any number; it is clipped to the limits of the controller."""


class Mode(IntEnum):
    """As a ``.MODE`` tag has it."""

    MANUAL = 0
    AUTOMATIC = 1
    CASCADE = 2


class Pid:
    """Starts in manual at ``output``. ``low`` and ``high`` are limits of the output, %.

    ``set_point`` is the operator's, ``remote_set_point`` the master's; ``active_set_point`` is the one in force. Raises ValueError: limits that are no range.
    """

    def __init__(
        self, tuning: Tuning, low: float = 0.0, high: float = 100.0, output: float = 0.0, schedule: GainSchedule | None = None, name: str = "controller"
    ) -> None:
        if not low < high:
            raise ValueError(f"{name}: the output limits are {low:g} to {high:g}; give the low one first")
        self.name = name
        self.set_point = 0.0
        self.remote_set_point = 0.0
        self._tuning = tuning
        self._schedule = schedule
        self._low = low
        self._high = high
        self._mode = Mode.MANUAL
        self._output = min(max(output, low), high)
        self._integral = self._output
        self._filtered: float | None = None
        self._rate = 0.0
        self._last: tuple[float, float] | None = None
        """(gain with its schedule, what it multiplies) of the last step, which the integral makes up for when the gain changes. ``None``: begin anew."""

    @property
    def output(self) -> float:
        return self._output

    @property
    def mode(self) -> Mode:
        return self._mode

    @property
    def active_set_point(self) -> float:
        return self.remote_set_point if self._mode is Mode.CASCADE else self.set_point

    @property
    def tuning(self) -> Tuning:
        return self._tuning

    def tune(self, tuning: Tuning) -> None:
        self._tuning = tuning
        self._last = None

    def begin_anew(self) -> None:
        """The next process value is taken as if it had always been there, so that one that jumped for no reason of the process does not bump the output."""
        self._filtered = None
        self._rate = 0.0
        self._last = None

    def change_mode(self, mode: Mode) -> None:
        """Bumpless: leaving cascade, the operator's set-point becomes the master's last; entering it, the master's stays what it was told to follow."""
        if self._mode is Mode.CASCADE:
            self.set_point = self.remote_set_point
        elif self._mode is Mode.MANUAL and mode is not Mode.MANUAL:
            self._last = None
        self._mode = mode

    def write(self, output: float) -> None:
        """Output by hand, clipped to the limits. Raises ValueError unless in manual."""
        if self._mode is not Mode.MANUAL:
            raise ValueError(f"{self.name}: the output in {self._mode.name.lower()} is the controller's own; change it to manual first")
        self._output = min(max(_OUTPUT.check(self.name, "output", output), self._low), self._high)

    def step(self, dt: float, process_value: float) -> float:
        """The output, %, after ``dt`` seconds with this process value. Raises ValueError for a ``dt`` that no model may be stepped by."""
        if check_step(self.name, dt) == 0.0 or not math.isfinite(self.active_set_point - process_value):
            return self._output
        gain, error = self._measure(dt, process_value)
        acting = error - self._tuning.derivative_s * self._rate
        if self._mode is Mode.MANUAL or self._last is None:
            self._integral = self._output - gain * acting
        if self._mode is Mode.MANUAL:
            return self._output
        if self._last is None:
            self._last = gain, acting
        self._integral += (self._last[0] - gain) * self._last[1] + gain / self._tuning.integral_s * error * dt
        wanted = gain * acting + self._integral
        self._output = min(max(wanted, self._low), self._high)
        if wanted != self._output and math.isfinite(self._tuning.anti_windup_s):
            self._integral += (self._output - wanted) * -math.expm1(-dt / self._tuning.anti_windup_s)
        self._last = gain, acting
        return self._output

    def follow(self, dt: float, process_value: float, output: float) -> None:
        """Instead of ``step``: somebody else decides the output, and this controller keeps ready to go on from it. In manual it stays the operator's."""
        if self._mode is Mode.MANUAL:
            self.step(dt, process_value)
            return
        if check_step(self.name, dt) == 0.0 or not math.isfinite(self.active_set_point - process_value):
            return
        gain, error = self._measure(dt, process_value)
        self._output = min(max(_OUTPUT.check(self.name, "output", output), self._low), self._high)
        acting = error - self._tuning.derivative_s * self._rate
        self._integral = self._output - gain * acting
        self._last = gain, acting

    def _measure(self, dt: float, process_value: float) -> tuple[float, float]:
        """(gain, error), and the filtered rate of the process value for the derivative."""
        lag = self._tuning.derivative_s / self._tuning.derivative_filter
        if self._filtered is None:
            self._filtered = process_value
        if lag > 0.0:
            moved = (process_value - self._filtered) * -math.expm1(-dt / lag)
            self._filtered += moved
            self._rate = moved / dt
        else:
            self._filtered, self._rate = process_value, 0.0
        factor = 1.0 if self._schedule is None else self._schedule(process_value)
        return self._tuning.gain * factor, self.active_set_point - process_value
