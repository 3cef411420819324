"""When a PLC scans: a cyclic task with its lateness, its execution time, its overruns and its watchdog. Pure: no clock.

A tick that finds the last scan still running is an overrun: it is lost, and the scan after begins as soon as the last one ends (a task with ``INTERVAL``,
IEC 61131-3, tasks; what an overrun does is the maker's, and this is usual). A scan longer than the watchdog stops the PLC.
"""

import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Annotated

import numpy as np

from simulators.process.bounds import Within, check_parameters


@dataclass(frozen=True, slots=True)
class ScanTiming:
    """``ValueError`` for what no PLC has."""

    period_s: Annotated[float, Within(1e-3, 5.0, "s")]
    """s from scan to scan."""
    lateness: Annotated[float, Within(0.0, 100.0)] = 0.02
    """Standard deviation of how late a scan begins, as a share of the period (half-normal; assumed)."""
    execution: Annotated[float, Within(0.0, 100.0)] = 0.2
    """Mean execution time, as a share of the period (assumed)."""
    execution_spread: Annotated[float, Within(0.0, 100.0)] = 0.05
    """Standard deviation of the execution time, as a share of the period (assumed)."""
    watchdog: Annotated[float, Within(1.0, 12.0)] = 10.0
    """Longest execution, in periods (assumed)."""

    def __post_init__(self) -> None:
        check_parameters(self)

    @property
    def watchdog_s(self) -> float:
        return self.watchdog * self.period_s


class ScanClock:
    """Says when the next scan begins: ``next_s``, seconds of the PLC's own clock. Same generator, same history."""

    def __init__(self, timing: ScanTiming, rng: np.random.Generator, start_s: float = 0.0) -> None:
        self.timing = timing
        self.overruns = 0
        """Ticks that were lost."""
        self.burden_s = 0.0
        """s of execution that the next scan takes on top of its own: what a scenario loads a PLC with."""
        self.execution_s = 0.0
        """s, of the last scan."""
        self._draws = _normals(rng)
        self._start_s = start_s
        self._tick = 0
        self.next_s = start_s + self._lateness()

    def scanned(self) -> bool:
        """A scan began at ``next_s``: how long it took, and when the next begins. False if it ran into the watchdog."""
        timing = self.timing
        own = max(0.0, timing.execution + timing.execution_spread * next(self._draws)) * timing.period_s
        self.execution_s, self.burden_s = own + self.burden_s, 0.0
        end = self.next_s + self.execution_s
        due = self._start_s + (self._tick + 1) * timing.period_s
        lost = max(0, math.ceil((end - due) / timing.period_s))
        self.overruns += lost
        self._tick += max(1, lost)
        self.next_s = end if lost else self._start_s + self._tick * timing.period_s + self._lateness()
        return self.execution_s <= timing.watchdog_s

    def _lateness(self) -> float:
        return abs(next(self._draws)) * self.timing.lateness * self.timing.period_s


def _normals(rng: np.random.Generator) -> Iterator[float]:
    while True:
        yield from rng.standard_normal(256).tolist()
