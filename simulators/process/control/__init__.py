"""Controllers of the simulated plant: PID block, its tuning, and set-point programmes."""

from simulators.process.control.pid import GainSchedule, Mode, Pid
from simulators.process.control.programme import Programme, Segment
from simulators.process.control.tuning import Tuning, simc

__all__ = ["GainSchedule", "Mode", "Pid", "Programme", "Segment", "Tuning", "simc"]
