"""What is known again after a link was lost, when the device's word is older than ours.

A device that is back reports its current values with the times at which they last changed, which may lie before the loss. In order of time the Bad
sample of the loss would then stay the newest for as long as the value does not change: a set-point could be Bad for a month. So a tag's first value after
a loss, if it is older than the loss, is said twice: with its own time, and with the time at which the new session was opened, from which on it is known
again. Not with that of its arrival: the next change may have left the device before.

What a device had queued comes oldest first, in one batch after the other. So what was said again is corrected, a microsecond further on, by every sample
that is newer than what it was made of and still older than itself.
"""

from collections.abc import Sequence

import numpy as np

from plant.batch import Batch
from plant.tag_index import TagIndex


class Resumption:
    """The tags that a loss at ``lost_at`` (UTC microseconds) made Bad, as each is heard of again. ``None``: some time before the new session."""

    def __init__(self, tag_ids: Sequence[int], lost_at: int | None) -> None:
        self._index = TagIndex(tag_ids)
        self._awaited = np.ones(len(self._index), np.bool_)
        self._awaited_count = len(self._index)
        self._lost_at = lost_at
        self._said_of = np.zeros(len(self._index), np.int64)
        """The device's time of the value that was said again."""
        self._said_at = np.zeros(len(self._index), np.int64)
        """The time with which it was said; 0 where nothing was."""
        self._said_until = 0

    def complete(self, batch: Batch, known_from: int) -> Batch:
        """``batch``, led by what is known again by it, at the time ``known_from`` or just after."""
        if not self._awaited_count and int(batch.time.min(initial=self._said_until)) >= self._said_until:
            return batch
        position = self._index.positions(batch.tag_id)
        rows = np.flatnonzero(position >= 0)
        newest = rows[np.lexsort((batch.time[rows], position[rows]))]
        newest = newest[np.r_[position[newest][1:] != position[newest][:-1], True][: len(newest)]]
        at, time = position[newest], batch.time[newest]
        is_first = self._awaited[at] & (time <= (known_from if self._lost_at is None else self._lost_at))
        is_correction = (self._said_of[at] < time) & (time < self._said_at[at])
        self._awaited[at] = False
        self._awaited_count = int(np.count_nonzero(self._awaited))
        is_said = is_first | is_correction
        if not is_said.any():
            return batch
        again = newest[is_said]
        said_at = np.where(is_first[is_said], known_from, self._said_at[at[is_said]] + 1)
        self._said_of[at[is_said]], self._said_at[at[is_said]] = time[is_said], said_at
        self._said_until = max(self._said_until, int(said_at.max()))
        said = batch.select(np.concatenate([again, np.arange(len(batch))]))
        said.time[: len(again)] = said_at  # the selection is a copy
        return said
