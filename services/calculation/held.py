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
    ordered = samples.select(np.argsort(samples.time, kind="stable"))
    at = np.searchsorted(ordered.time, times, side="right") - 1 + len(before)
    candidates = SampleBatch.concatenate([before, ordered])
    known = at >= 0
    value = np.full(len(times), np.nan)
    quality = np.full(len(times), Quality.BAD_WAITING_FOR_INITIAL_DATA, np.int16)
    value[known] = candidates.value[at[known]]
    quality[known] = candidates.quality[at[known]]
    return Held(value, quality, known)
