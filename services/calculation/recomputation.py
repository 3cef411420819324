"""Results of a calculated tag over stored history, after samples of its inputs came late, were corrected or deleted.

Rules:

1. A changed sample affects the results from its time to the next sample of the same input, and no others: live results are computed before the exception
   report, the stored inputs are what passed it, so that computing anew what is not affected would only make it coarser.
2. Where it is affected, a result stands at the time of every stored sample of an input, and stays at every time at which one is stored.
3. A result that would be as it is stored is not written.
4. A stored result is withdrawn where a changed input is not known any more. Where another input is not known (its history is older than what is kept)
   nothing can be said, and the result stays.
"""

from collections.abc import Collection, Mapping
from dataclasses import dataclass

import numpy as np

from plant.batch import Int64Column, SampleBatch
from services.calculation.formula import Formula
from services.calculation.held import carried_forward


@dataclass(frozen=True, slots=True, eq=False)
class Recomputed:
    """What is to be written: results at times that had none, results that ``revised`` replaces, and times (int64) of results that are ``withdrawn``."""

    inserted: SampleBatch
    revised: SampleBatch
    withdrawn: Int64Column

    def __len__(self) -> int:
        return len(self.inserted) + len(self.revised) + len(self.withdrawn)


def recomputed(formula: Formula, inputs: Mapping[int, SampleBatch], stored: SampleBatch, start: int, end: int, changed: Collection[int]) -> Recomputed:
    """Compares what is stored with what follows from the inputs, at ``start <= time < end`` (UTC microseconds).

    ``inputs`` has the stored samples of every input by tag id, each oldest first and with the newest one before ``start``, if there is any. ``stored``
    are the stored results, oldest first. ``changed`` are the inputs for which the range is affected. What lies outside the range is passed over.
    """
    stored = _within(stored, start, end)
    times = np.unique(np.concatenate([stored.time, *(_within(samples, start, end).time for samples in inputs.values())]))
    nothing = SampleBatch.empty()
    held = {tag_id: carried_forward(nothing, inputs[tag_id], times) for tag_id in formula.input_ids}
    results = formula.results(times, held)
    place = np.searchsorted(stored.time, results.time)
    is_stored = np.zeros(len(results), np.bool_)
    inside = place < len(stored)
    is_stored[inside] = stored.time[place[inside]] == results.time[inside]
    again = results.select(is_stored)
    before = stored.select(place[is_stored])
    same = ((again.value == before.value) | (np.isnan(again.value) & np.isnan(before.value))) & (again.quality == before.quality)
    lost = np.zeros(len(times), np.bool_)
    for tag_id in changed:
        lost |= ~held[tag_id].known
    return Recomputed(results.select(~is_stored), again.select(~same), np.intersect1d(times[lost], stored.time, assume_unique=True))


def _within(samples: SampleBatch, start: int, end: int) -> SampleBatch:
    return samples.select(slice(int(np.searchsorted(samples.time, start)), int(np.searchsorted(samples.time, end))))
