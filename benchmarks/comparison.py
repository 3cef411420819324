"""Two ways of doing the same work, measured in turns in one process."""

import statistics
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final, TypeVar

import numpy as np

ROUNDS: Final = 7

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Comparison:
    """``ours`` and ``baseline`` are in ``unit``: a rate, of which more is better, or with ``is_time`` a time or a size, of which less is. ``goal`` is the
    ratio that the design asks for, ``limit`` what it asks of ``ours`` by itself; ``None`` where it asks for none."""

    name: str
    baseline_name: str
    unit: str
    ours: float
    baseline: float
    goal: float | None
    is_time: bool = False
    limit: float | None = None

    @property
    def ratio(self) -> float:
        """How many times as good as the baseline."""
        return self.baseline / self.ours if self.is_time else self.ours / self.baseline


def compare(
    name: str, baseline_name: str, unit: str, goal: float, items: int, given: Callable[[int], T], ours: Callable[[T], None], baseline: Callable[[T], None]
) -> Comparison:
    """Rates of ``items`` done by either, the median of rounds taken in turns, so that a noisy neighbour meets both. ``given`` makes what both work on, by the
    number of the round, outside the time that is taken."""
    took: dict[str, list[float]] = {"ours": [], "baseline": []}
    for number in range(ROUNDS):
        for side, work in (("baseline", baseline), ("ours", ours)):
            material = given(number)
            begun = time.perf_counter()
            work(material)
            took[side].append(time.perf_counter() - begun)
    return Comparison(name, baseline_name, unit, items / statistics.median(took["ours"]), items / statistics.median(took["baseline"]), goal)


def in_turns(rounds: int, ours: Callable[[int], object], baseline: Callable[[int], object]) -> tuple[list[float], list[float]]:
    """Seconds that each round of ours and of the baseline took; both are called with the number of the round."""
    took: tuple[list[float], list[float]] = [], []
    for number in range(rounds):
        for seconds, work in zip(took, (ours, baseline), strict=True):
            begun = time.perf_counter()
            work(number)
            seconds.append(time.perf_counter() - begun)
    return took


def p95(seconds: Sequence[float]) -> float:
    """95th percentile, in milliseconds."""
    return 1000 * float(np.percentile(seconds, 95))
