"""Seconds by which a process model is stepped.

Rule: a model is stepped by 0 to 60 s. 0 changes nothing; anything longer hides what sequences, interlocks and alarms look at. Inside, a model takes as many
equal sub-steps as it needs, so that the length of the caller's step does not change what is simulated.
"""

import math
from typing import Final

from simulators.process.bounds import Within

LONGEST_STEP_S: Final = 60.0
_STEP: Final = Within(0.0, LONGEST_STEP_S, "s")


def check_step(place: str, dt: float) -> float:
    """``dt``. Raises ValueError for a step that is no number, negative, or longer than 60 s; ``place`` is the name of the model."""
    return _STEP.check(place, "dt", dt)


def substeps(place: str, dt: float, longest: float) -> tuple[int, float]:
    """(how many, seconds of each) equal sub-steps of at most ``longest`` seconds that make up ``dt``; (0, 0.0) for a step of 0. Raises ValueError."""
    if check_step(place, dt) == 0.0:
        return 0, 0.0
    count = max(1, math.ceil(dt / longest))
    return count, dt / count
