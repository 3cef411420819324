"""The value of a tag at a time, from the samples around it: pure.

Rules (OPC UA Part 13, 3.1.8 interpolated bounding value and 4.2.1.2 on data quality, with stepped = the tag's type):

1. A sample at the very time is the answer, as it is.
2. Nothing before: no value, ``BadNoData``.
3. The sample before is Bad: no value, its quality. What is unknown stays unknown until the next sample.
4. Stepped: the value before, with its quality.
5. Continuous: the straight line between two Good samples. Where the one after is missing or not Good, the value before is held and
   ``UncertainDataSubNormal`` says so; where the one before is Uncertain, so is the answer. No line is drawn across a loss: nobody knows what was there.
6. Inside a loss: the value before, ``UncertainNoCommunicationLastUsableValue``.
"""

from dataclasses import dataclass

import numpy as np

from plant.batch import SampleBatch
from plant.quality import Quality, is_bad, is_good


@dataclass(frozen=True, slots=True)
class ValueAt:
    """``time`` is the time asked for, UTC microseconds; ``value`` NaN where there is none."""

    time: int
    value: float
    quality: int


def value_at(time: int, before: SampleBatch, after: SampleBatch, *, stepped: bool, lost: bool = False) -> ValueAt:
    """``before`` is the newest sample at or before ``time``, ``after`` the oldest after it; each empty where there is none or none that counts. ``lost``:
    ``time`` lies in an interval of the loss ledger."""
    if not len(before):
        return ValueAt(time, np.nan, Quality.BAD_NO_DATA)
    quality, value = int(before.quality[0]), float(before.value[0])
    if before.time[0] == time:
        return ValueAt(time, value, quality)
    if is_bad(quality):
        return ValueAt(time, np.nan, quality)
    if lost:
        return ValueAt(time, value, Quality.UNCERTAIN_NO_COMMUNICATION_LAST_USABLE_VALUE)
    if stepped or not is_good(quality):
        return ValueAt(time, value, quality)
    if not len(after) or not is_good(int(after.quality[0])):
        return ValueAt(time, value, Quality.UNCERTAIN_DATA_SUB_NORMAL)
    share = (time - int(before.time[0])) / (int(after.time[0]) - int(before.time[0]))
    return ValueAt(time, value + share * (float(after.value[0]) - value), quality)
