"""What hangs on the terminals of a PLC: an actuator with its stroke, and a motor with its starter. Pure; the field, not the program."""

from typing import Final

from simulators.process.bounds import PERCENT, Within
from simulators.process.time_step import check_step

_TRAVEL: Final = Within(1e-3, 86_400.0, "s")
_START: Final = Within(0.0, 86_400.0, "s")


class Stroke:
    """Valve body and actuator. ``position_percent`` goes to the demand at 100 % of the stroke in ``travel_s``, without ``has_energy`` to ``fails_to_percent``.

    ``stuck`` it stays where it is, whatever happens. ``stiction_percent`` is the error below which it does not begin to move; once it moves, it arrives.
    """

    def __init__(
        self, travel_s: float, fails_to_percent: float = 0.0, stiction_percent: float = 0.0, position_percent: float | None = None, name: str = "stroke"
    ) -> None:
        self.name = name
        self._rate = 100.0 / _TRAVEL.check(name, "travel_s", travel_s)
        self._fails_to = PERCENT.check(name, "fails_to_percent", fails_to_percent)
        self._stiction = PERCENT.check(name, "stiction_percent", stiction_percent)
        self._is_moving = False
        self.position_percent = self._fails_to if position_percent is None else PERCENT.check(name, "position_percent", position_percent)
        self.has_energy = True
        """Air, or current."""
        self.is_stuck = False

    @property
    def is_open(self) -> bool:
        """Open limit switch, at 98 % (assumed)."""
        return self.position_percent >= 98.0

    @property
    def is_closed(self) -> bool:
        """Closed limit switch, at 2 % (assumed)."""
        return self.position_percent <= 2.0

    def step(self, dt: float, demand_percent: float) -> float:
        """The position, %, after ``dt`` seconds of a demand. Raises ValueError for a ``dt`` or a demand that cannot be."""
        check_step(self.name, dt)
        PERCENT.check(self.name, "demand_percent", demand_percent)
        if dt == 0.0:
            return self.position_percent
        target = demand_percent if self.has_energy else self._fails_to
        error = target - self.position_percent
        self._is_moving = error != 0.0 and (self._is_moving or abs(error) > self._stiction or not self.has_energy)
        if self._is_moving and not self.is_stuck:
            way = self._rate * dt
            self.position_percent = target if abs(error) <= way else self.position_percent + (way if error > 0.0 else -way)
        return self.position_percent


class Starter:
    """Contactor and motor: ``is_running`` follows its command after ``start_s``, and stops at once. It does not start while ``is_faulty``."""

    def __init__(self, start_s: float = 0.5, name: str = "motor") -> None:
        self.name = name
        self._start_s = _START.check(name, "start_s", start_s)
        self._commanded_s = 0.0
        self.is_running = False
        self.is_faulty = False
        self.is_welded = False
        """The contactor does not open any more."""

    def step(self, dt: float, command: bool) -> bool:
        """Whether it runs after ``dt`` seconds of a command. Raises ValueError for a ``dt`` that cannot be."""
        if check_step(self.name, dt) == 0.0:
            return self.is_running
        self._commanded_s = self._commanded_s + dt if command and not self.is_faulty else 0.0
        self.is_running = (self._commanded_s >= self._start_s and self._commanded_s > 0.0) or (self.is_welded and self.is_running)
        return self.is_running
