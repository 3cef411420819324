"""From samples to summaries: each sample is a run of one, and runs are merged."""

from collections.abc import Callable, Collection
from typing import Any

import numpy as np
import numpy.typing as npt

from plant.aggregates.merge import merge
from plant.aggregates.samples import TagSamples
from plant.aggregates.summary import COLUMNS, NO_TIME, Summaries, usable_mask
from plant.batch import Int64Column
from plant.quality import UNCERTAIN_FLOOR, good_mask


def summarise(samples: TagSamples, edges: Int64Column, *, uncertain_as_bad: bool = True, columns: Collection[str] = COLUMNS) -> Summaries:
    """One row for each bucket ``[edges[i], edges[i + 1])``, empty where it holds no sample; samples outside the edges are left out. ``columns``: those to
    make, as ``with_companions`` gives them.

    A store keeps rows with ``uncertain_as_bad``, the standard's default: they serve every aggregate with that treatment.

    Raises:
        ValueError: edges do not increase.
    """
    first, behind = np.searchsorted(samples.time, edges[[0, -1]])
    return merge(runs_of_one(samples.select(slice(int(first), int(behind))), uncertain_as_bad, columns), edges)


def runs_of_one(samples: TagSamples, uncertain_as_bad: bool, columns: Collection[str] = COLUMNS) -> Summaries:
    """Each sample as a run of its own."""
    time, value, quality = samples.time, samples.value, samples.quality
    good, uncertain, usable = good_mask(quality), quality >= UNCERTAIN_FLOOR, usable_mask(quality, uncertain_as_bad)
    count = len(samples)
    all_usable = bool(usable.all())
    usable_time = time if all_usable else np.where(usable, time, NO_TIME)
    usable_value = value if all_usable else np.where(usable, value, np.nan)
    all_good = bool(good.all())
    good_time = time if all_good else np.where(good, time, NO_TIME)
    good_value = value if all_good else np.where(good, value, np.nan)
    nothing, zero = np.zeros(count, np.int64), np.zeros(count)
    there: dict[str, npt.NDArray[Any]] = {
        "first_time": time,
        "first_value": value,
        "first_quality": quality,
        "last_time": time,
        "last_value": value,
        "last_quality": quality,
        "first_usable_time": usable_time,
        "first_usable_value": usable_value,
        "last_usable_time": usable_time,
        "last_usable_value": usable_value,
        "mean": good_value,
        "squares": zero,
        "minimum": good_value,
        "minimum_time": good_time,
        "maximum": good_value,
        "maximum_time": good_time,
        "good_duration": nothing,
        "uncertain_duration": nothing,
        "firm_duration": nothing,
        "zero_duration": nothing,
        "integral": zero,
        "line_integral": zero,
        "transitions": nothing,
        "worst_quality": quality,
    }
    made: dict[str, Callable[[], npt.NDArray[Any]]] = {
        "good_count": lambda: good.astype(np.int64),
        "uncertain_count": lambda: uncertain.astype(np.int64),
        "bad_count": lambda: (quality < 0).astype(np.int64),
        "uncertain_minimum": lambda: np.where(uncertain, value, np.nan),
        "uncertain_maximum": lambda: np.where(uncertain, value, np.nan),
        "bad_time": lambda: np.where(quality < 0, time, NO_TIME),
    }
    return Summaries(samples.stepped, uncertain_as_bad, {name: there[name] if name in there else made[name]() for name in columns})
