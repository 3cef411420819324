"""Source times that cannot be: pure.

Rule: a source time more than five minutes ahead of the gateway's clock is a clock that is wrong. The sample is kept with the time of its arrival, as
Uncertain: left as it is, it would stay the newest of its tag for as long as the clock was ahead, and hide everything that is read meanwhile. A time in the
past is no fault by itself: a device may report late, a value may be old, and a recording is. Which of them are wrong is for ``drivers.source_clock``, which
knows what the device said before.
"""

from typing import Final

import numpy as np
import numpy.typing as npt

from plant import times
from plant.batch import Batch, Int64Column
from plant.quality import Quality

FURTHEST_OFF: Final = 300 * times.MICROSECONDS
"""Microseconds by which a clock may be wrong and be lived with."""

Rows = npt.NDArray[np.bool_]


def is_ahead(batch: Batch, received: int) -> Rows:
    """The rows of a batch that cannot be yet; ``received`` is the gateway's clock, UTC microseconds."""
    ahead: Rows = batch.time > received + FURTHEST_OFF
    return ahead


def set_right(batch: Batch, wrong: Rows, time: int | Int64Column, doubted: Rows | None = None) -> Batch:
    """A copy in which the rows ``wrong`` stand at ``time`` (UTC microseconds, one or
    one for each of them), a microsecond apart, so that they stay samples of their own; those that were
    Good, and are ``doubted`` (all, if that is not given), are ``UncertainSubNormal``."""
    right = batch.select(np.arange(len(batch)))
    right.time[wrong] = time + np.arange(np.count_nonzero(wrong))
    right.quality[(wrong if doubted is None else wrong & doubted) & (right.quality >= 0)] = Quality.UNCERTAIN_SUB_NORMAL
    return right
