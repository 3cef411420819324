"""Seconds by which a process model is stepped.

Rule: a model is stepped by 0 to 60 s. 0 changes nothing; anything longer hides what sequences, interlocks and alarms look at. Inside, a model takes as many
equal sub-steps as it needs, so that the length of the caller's step does not change what is simulated.
"""

import math
from typing import Final

LONGEST_STEP_S: Final = 60.0


def substeps(dt: float, longest: float) -> tuple[int, float]:
    """(how many, seconds of each) equal sub-steps of at most ``longest`` seconds that make up ``dt``; (0, 0.0) for a step of 0.

    ``ValueError`` for a step that is no number, negative, or longer than 60 s.
    """
    if not 0.0 <= dt <= LONGEST_STEP_S:
        raise ValueError(f"a process model cannot be stepped by {dt!r} s; step it by 0 to {LONGEST_STEP_S:g} s, and more often for longer")
    if dt == 0.0:
        return 0, 0.0
    count = max(1, math.ceil(dt / longest))
    return count, dt / count


def finite(what: str, value: float, low: float = -math.inf, high: float = math.inf) -> float:
    """``value`` if it is a number from ``low`` to ``high``, else ``ValueError`` that names ``what``: an input that physics cannot have."""
    if not (math.isfinite(value) and low <= value <= high):
        raise ValueError(f"{what} cannot be {value!r}; give a number from {low:g} to {high:g}")
    return value
