"""What an input says at times of others: each sample holds until the next one."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from plant.batch import Float64Column, Int16Column, Int64Column, SampleBatch
from plant.quality import Quality


@dataclass(frozen=True, slots=True, eq=False)
class Held:
    """Value (float64, engineering units) and quality (int16) of one input at some times, and whether it had any by then; equal lengths.

    What is not known is NaN, ``BadWaitingForInitialData``.
    """

    value: Float64Column
    quality: Int16Column
    known: npt.NDArray[np.bool_]


def carried_forward(before: SampleBatch, samples: SampleBatch, times: Int64Column) -> Held:
    """The input at each of ``times`` (UTC microseconds).

    ``samples`` are of one tag, in order of arrival: of equal times the last one counts. ``before`` is at most one sample, which holds wherever none of
    ``samples`` does yet, whatever its own time.
    """
    value = np.full(len(times), before.value[0] if len(before) else np.nan)
    quality = np.full(len(times), before.quality[0] if len(before) else Quality.BAD_WAITING_FOR_INITIAL_DATA, np.int16)
    known = np.full(len(times), len(before) > 0)
    order = np.argsort(samples.time, kind="stable")
    newest = np.searchsorted(samples.time[order], times, side="right") - 1
    here = newest >= 0
    rows = order[newest[here]]
    value[here] = samples.value[rows]
    quality[here] = samples.quality[rows]
    known |= here
    return Held(value, quality, known)
