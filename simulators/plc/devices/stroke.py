"""What hangs on the terminals of a PLC: an actuator with its stroke, and a motor with its starter. Pure; the field, not the program."""

from simulators.process.time_step import finite, substeps


class Stroke:
    """Valve body and actuator. ``position`` %, goes to the demand at 100 % of the stroke in ``travel_s``, or to ``fails_to`` without ``has_energy``.

    ``stuck`` it stays where it is, whatever happens. ``stiction`` is the error in % below which it does not begin to move; once it moves, it arrives.
    """

    def __init__(self, travel_s: float, fails_to: float = 0.0, stiction: float = 0.0, position: float | None = None) -> None:
        self._rate = 100.0 / finite("travel_s of a stroke", travel_s, 1e-3)
        self._fails_to = finite("fails_to of a stroke, %", fails_to, 0.0, 100.0)
        self._stiction = finite("stiction of a stroke, %", stiction, 0.0, 100.0)
        self._is_moving = False
        self.position = self._fails_to if position is None else finite("position of a stroke, %", position, 0.0, 100.0)
        self.has_energy = True
        """Air, or current."""
        self.is_stuck = False

    @property
    def is_open(self) -> bool:
        """Open limit switch, at 98 % (assumed)."""
        return self.position >= 98.0

    @property
    def is_closed(self) -> bool:
        """Closed limit switch, at 2 % (assumed)."""
        return self.position <= 2.0

    def step(self, dt: float, demand: float) -> float:
        """The position after ``dt`` seconds of a demand in %. ``ValueError`` for a ``dt`` or a demand that cannot be."""
        substeps(dt, dt or 1.0)
        target = finite("demand of a stroke, %", demand, 0.0, 100.0) if self.has_energy else self._fails_to
        error = target - self.position
        self._is_moving = error != 0.0 and (self._is_moving or abs(error) > self._stiction or not self.has_energy)
        if self._is_moving and not self.is_stuck:
            way = self._rate * dt
            self.position = target if abs(error) <= way else self.position + (way if error > 0.0 else -way)
        return self.position


class Starter:
    """Contactor and motor: ``is_running`` follows its command after ``start_s``, and stops at once. It does not start while ``is_faulty``."""

    def __init__(self, start_s: float = 0.5) -> None:
        self._start_s = finite("start_s of a motor", start_s, 0.0)
        self._commanded_s = 0.0
        self.is_running = False
        self.is_faulty = False
        self.is_welded = False
        """The contactor does not open any more."""

    def step(self, dt: float, command: bool) -> bool:
        substeps(dt, dt or 1.0)
        self._commanded_s = self._commanded_s + dt if command and not self.is_faulty else 0.0
        self.is_running = (self._commanded_s >= self._start_s and self._commanded_s > 0.0) or (self.is_welded and self.is_running)
        return self.is_running
