"""History as it was known before it was changed: pure.

Of the revisions of one (tag, time) since then, the oldest tells what stood there: its old value, or nothing where it was inserted.
"""

import numpy as np

from plant.batch import Batch, SampleBatch, TextBatch
from services.store import Revisions


def as_known(now: Batch, revisions: Revisions) -> Batch:
    """``now``: samples of one tag in order of time; ``revisions``: those since the time in question, oldest first."""
    if not len(revisions):
        return now
    time, first = np.unique(revisions.time, return_index=True)
    untouched = now.select(~np.isin(now.time, time))
    first = first[revisions.was[first]]
    tag_id = np.full(len(first), now.tag_id[0] if len(now) else 0, np.int32)
    old = (tag_id, revisions.time[first], revisions.old_value[first], revisions.old_quality[first])
    if isinstance(untouched, SampleBatch):
        together: Batch = SampleBatch.concatenate([untouched, SampleBatch(old[0], old[1], old[2].astype(np.float64), old[3])])
    else:
        together = TextBatch.concatenate([untouched, TextBatch(old[0], old[1], old[2].astype(np.object_), old[3])])
    return together.select(np.argsort(together.time, kind="stable"))
