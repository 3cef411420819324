"""Source times that cannot be: pure.

Rule: a source time more than five minutes ahead of the gateway's clock is a clock that is wrong. The sample is kept with the time of its arrival, as
Uncertain: left as it is, it would stay the newest of its tag for as long as the clock was ahead, and hide everything that is read meanwhile. Times in the
past stand: a device may report late, and a recording is old.
"""

from typing import Final

import numpy as np

from plant import times
from plant.batch import Batch
from plant.quality import Quality

FURTHEST_AHEAD: Final = 300 * times.MICROSECONDS


def count_ahead(batch: Batch, received: int) -> int:
    """Samples that ``set_right`` would change; ``received`` is the gateway's clock, UTC microseconds."""
    return int(np.count_nonzero(batch.time > received + FURTHEST_AHEAD))


def set_right(batch: Batch, received: int) -> Batch:
    """A copy in which samples from further ahead stand at ``received``, a microsecond apart, so that they stay samples of their own; those that were Good
    are ``UncertainSubNormal``."""
    ahead = batch.time > received + FURTHEST_AHEAD
    right = batch.select(np.arange(len(batch)))
    right.time[ahead] = received + np.arange(np.count_nonzero(ahead))
    right.quality[ahead & (right.quality >= 0)] = Quality.UNCERTAIN_SUB_NORMAL
    return right
