"""What is known again after a link was lost, when the device's word is older than ours.

A device that is back reports its current values with the times at which they last changed, which may lie before the loss. In order of time the Bad
sample of the loss would then stay the newest for as long as the value does not change: a set-point could be Bad for a month. So a tag's first value after
a loss, if it is older than the loss, is said twice: with its own time, and with the time at which the new session was opened, from which on it is known
again. Not with that of its arrival: the next change may have left the device before.
"""

from collections.abc import Sequence

import numpy as np

from plant.batch import Batch
from plant.tag_index import TagIndex


class Resumption:
    """The tags that a loss at ``lost_at`` (UTC microseconds) made Bad, until each was heard of again. ``None``: some time before the new session."""

    def __init__(self, tag_ids: Sequence[int], lost_at: int | None) -> None:
        self._index = TagIndex(tag_ids)
        self._awaited = np.ones(len(self._index), np.bool_)
        self._lost_at = lost_at

    @property
    def is_complete(self) -> bool:
        return not self._awaited.any()

    def complete(self, batch: Batch, known_from: int) -> Batch:
        """``batch``, led by its newest sample of each awaited tag that is older than the loss, at the time ``known_from``."""
        position = self._index.positions(batch.tag_id)
        rows = np.flatnonzero((position >= 0) & self._awaited[position])
        if not len(rows):
            return batch
        at = position[rows]
        self._awaited[at] = False
        newest = rows[np.lexsort((batch.time[rows], at))]
        is_last_of_tag = np.r_[position[newest][1:] != position[newest][:-1], True]
        stale = newest[is_last_of_tag]
        stale = stale[batch.time[stale] <= (known_from if self._lost_at is None else self._lost_at)]
        if not len(stale):
            return batch
        said = batch.select(np.concatenate([stale, np.arange(len(batch))]))
        said.time[: len(stale)] = known_from  # the selection is a copy
        return said
