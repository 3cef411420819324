"""The clocks by which a device dates its samples, as far as what it says tells of them.

An old time is no wrong one. The first value of a tag in a session bears the time at which it last changed, which may be a year ago; what a server queued while
the link was lost comes late; a recording is old altogether. A clock that went back is told from these by what is known beside the time:

1. A server whose own clock is more than five minutes behind ours dates by it: what is that old stands at the time of its arrival.
2. The samples of a tag come in their order. One that is more than five seconds older than the newest of its tag, and was not queued when the link was lost,
   is dated by a clock that went back. It stands at the time of its arrival, or just after the newest of its tag where that is later: else that one would be the
   current value, and Good, until the clock had caught up, which may take half a century.
3. What is set right is ``UncertainSubNormal`` if it was Good: its value is what the device says, its time is not. But a tag whose newest sample was Bad may
   come back with a value that is older than that: it stands at the time of its arrival as well, with its quality.
4. What lies more than five seconds from its arrival, and is not a tag's first of a session, is counted and left as it is: it may only be late.
"""

from collections.abc import Sequence
from typing import Final

import numpy as np
import numpy.typing as npt

from drivers.metrics import DriverMetrics
from plant import times
from plant.batch import Batch, Int64Column
from plant.source_time import FURTHEST_OFF, Rows, is_ahead, set_right
from plant.tag_index import TagIndex

_FURTHEST_BACK: Final = 5 * times.MICROSECONDS
_TOLERATED: Final = 5.0
_QUEUES_LAST: Final = 600 * times.MICROSECONDS
"""Microseconds after a session was opened in which what was queued before may come."""
_NEVER: Final = int(np.iinfo(np.int64).min) // 2


class SourceClock:
    """Of one device, in all its sessions. Times are UTC microseconds, by our clock unless they are the device's own."""

    def __init__(self, tag_ids: Sequence[int], metrics: DriverMetrics) -> None:
        self._index = TagIndex(tag_ids)
        self._metrics = metrics
        places = len(self._index) + 1  # the last is for what is no tag of the device
        self._newest = np.full(places, _NEVER, np.int64)
        self._is_bad = np.zeros(places, np.bool_)
        self._has_come = np.zeros(places, np.bool_)
        self._is_wrong = np.zeros(places, np.bool_)
        self._newest_of_all = _NEVER
        self._opened_at = 0
        self._queued_from: int | None = None

    def begin(self, opened_at: int, queued_from: int | None) -> None:
        """A new session; ``queued_from`` is the device's time since when it may have queued what it sends now, ``None`` where that is nothing."""
        self._has_come[:] = self._is_wrong[:] = False
        self._opened_at, self._queued_from = opened_at, queued_from

    def set_right(self, batch: Batch, received: int, offset: float | None) -> Batch:
        """``batch`` (not empty) as it came, or a copy with other times and qualities. ``offset`` is the server's clock minus ours, in seconds, if known."""
        position = self._index.positions(batch.tag_id)
        wrong = is_ahead(batch, received)
        if wrong.any():
            self._metrics.set_right(int(np.count_nonzero(wrong)), "ahead")
        if offset is not None and offset * times.MICROSECONDS < -FURTHEST_OFF:
            behind = batch.time < received - FURTHEST_OFF
            self._metrics.set_right(int(np.count_nonzero(behind)), "behind")
            wrong |= behind
        if wrong.any():
            batch = set_right(batch, wrong, received)
        if batch.time.min() < max(self._newest_of_all, int(batch.time.max())) - _FURTHEST_BACK:  # else it is newer than all, within the tolerance
            batch, went_back = self._moved_on(batch, position, received)
            wrong |= went_back
        self._count_apart(batch, position, received)
        self._has_come[position] = True
        self._is_wrong[position] = wrong
        self._is_bad[position] = batch.quality < 0
        np.maximum.at(self._newest, position, batch.time)
        self._newest_of_all = max(self._newest_of_all, int(batch.time.max()))
        return batch

    def _moved_on(self, batch: Batch, position: npt.NDArray[np.intp], received: int) -> tuple[Batch, Rows]:
        """``batch`` without times that went back, and the rows of those that did by a clock."""
        order = np.argsort(position, kind="stable")
        place, time = position[order], batch.time[order]
        is_first = np.r_[True, place[1:] != place[:-1]]
        before = np.where(is_first, self._newest[place], np.maximum(self._newest[place], np.r_[_NEVER, _newest_so_far(time, is_first)[:-1]]))
        went_back = time < before - _FURTHEST_BACK
        if self._queued_from is not None and received < self._opened_at + _QUEUES_LAST:
            went_back &= time < self._queued_from - _FURTHEST_BACK
        moved = np.zeros(len(batch), np.bool_)
        moved[order[went_back]] = True
        if not moved.any():
            return batch, moved
        was_bad = np.where(is_first, self._is_bad[place], np.r_[False, batch.quality[order][:-1] < 0])
        doubted = np.zeros(len(batch), np.bool_)
        doubted[order[went_back & ~was_bad]] = True
        self._metrics.set_right(int(np.count_nonzero(doubted)), "back")
        return set_right(batch, moved, max(received, int(before[went_back].max()) + 1), doubted), doubted

    def _count_apart(self, batch: Batch, position: npt.NDArray[np.intp], received: int) -> None:
        apart = np.abs(batch.time - received) > _TOLERATED * times.MICROSECONDS
        if apart.any():
            self._metrics.apart(int(np.count_nonzero(apart & self._has_come[position])))

    def trouble(self, offset: float | None) -> str | None:
        """What is wrong with the times of the device, for people; ``offset`` as in ``set_right``."""
        if offset is not None and abs(offset) > _TOLERATED:
            return f"its clock is {abs(offset):.0f} s {'ahead of' if offset > 0 else 'behind'} ours: set it"
        wrong = int(np.count_nonzero(self._is_wrong))
        if wrong == 0:
            return None
        text = "source times that went back or lie ahead of ours, so that their values are Uncertain and stand at the time of their arrival"
        return f"{wrong} of its tags have {text}: set the clock that it dates them by"


def _newest_so_far(time: Int64Column, is_first: Rows) -> Int64Column:
    """The maximum of each group up to and with each row; the groups follow each other, and ``is_first`` is where each begins."""
    values, rank = np.unique(time, return_inverse=True)
    group = (np.cumsum(is_first) - 1) * len(values)
    newest: Int64Column = values[np.maximum.accumulate(group + rank) - group]
    return newest
