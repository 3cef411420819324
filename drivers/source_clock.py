"""The clocks by which a device dates its samples, as far as what it says tells of them.

An old time is no wrong one. The first value of a tag in a session bears the time at which it last changed, which may be a year ago; what a server queued while
the link was lost comes late; a recording is old altogether. A clock that went back is told from these by what is known beside the time:

1. A server whose own clock is more than five minutes behind ours dates by it: what is that old stands at the time of its arrival.
2. The samples of a tag come in their order. One that is more than five seconds older than the newest that the device said of its tag, and was not queued when
   the link was lost, is dated by a clock that went back. It stands at the time of its arrival, or just after the newest of its tag where that is later: else
   that one would be the current value, and Good, until the clock had caught up, which may take half a century. Where it went back by no more than five
   minutes and the tag was heard of within these, it stands just after the newest: a source that is always late, and of which one sample was dated by another
   clock, the server's, is then believed again as soon as it is past that one. What did not go back and is older than what was moved to its arrival stands
   just after that as well, until it is past it: such a step is over after twice the time by which the source is late, at most.
3. What is set right is ``UncertainSubNormal`` if it was Good: its value is what the device says, its time is not. But a tag whose newest sample was Bad may
   come back with a value that is older than that: it stands at the time of its arrival as well, with its quality.
4. The first value of a tag in a session begins its order anew, unless it is older than the last that the device said of the tag or more than a day older
   than the newest: ``drivers.resumption`` has it known again after the loss. A clock that lost its time with the link is noticed by this nevertheless.
5. What was wrong of a tag is over with its next sample that is right; of one that does not change, when the device has sent nothing wrong for a minute and
   then something right.
6. A device without a clock is dated by ours: nothing of it is old or ahead, whatever our clock does.
7. What lies more than five seconds from its arrival, and is not a tag's first of a session, is counted and left as it is: it may only be late.
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
_LAGS_AT_MOST: Final = 86_400 * times.MICROSECONDS
"""By which a source may be late for all its life; one that is further behind has a clock that is wrong."""
_OVER_AFTER: Final = 60 * times.MICROSECONDS
_NEVER: Final = int(np.iinfo(np.int64).min) // 2


class SourceClock:
    """Of one device, in all its sessions. Times are UTC microseconds, by our clock unless they are the device's own."""

    def __init__(self, tag_ids: Sequence[int], metrics: DriverMetrics, *, has_clock: bool = True) -> None:
        self._index = TagIndex(tag_ids)
        self._metrics = metrics
        self._has_clock = has_clock
        places = len(self._index) + 1  # the last is for what is no tag of the device
        self._newest = np.full(places, _NEVER, np.int64)
        """Times as they were set right: they tell where a sample may stand."""
        self._newest_said = np.full(places, _NEVER, np.int64)
        """Times as the device said them, but for those that a rule of the server's clock set right: they tell what went back."""
        self._last_said = np.full(places, _NEVER, np.int64)
        self._heard_at = np.full(places, _NEVER, np.int64)
        self._is_bad = np.zeros(places, np.bool_)
        self._has_come = np.zeros(places, np.bool_)
        self._is_wrong = np.zeros(places, np.bool_)
        self._wrong_at = _NEVER
        self._newest_of_all = _NEVER
        self._opened_at = 0
        self._queued_from: int | None = None

    def begin(self, opened_at: int, queued_from: int | None) -> None:
        """A new session; ``queued_from`` is the device's time since when it may have queued what it sends now, ``None`` where that is nothing."""
        self._has_come[:] = self._is_wrong[:] = False
        self._opened_at, self._queued_from = opened_at, queued_from

    def set_right(self, batch: Batch, received: int, offset: float | None) -> Batch:
        """``batch`` (not empty) as it came, or a copy with other times and qualities. ``offset`` is the server's clock minus ours, in seconds, if known."""
        if not self._has_clock:
            return batch
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
        said = batch.time
        if batch.time.min() < max(self._newest_of_all, int(batch.time.max())) - _FURTHEST_BACK:  # else it is newer than all, within the tolerance
            batch, went_back = self._moved_on(batch, position, received)
            wrong |= went_back
        self._count_apart(batch, position, received)
        self._note_wrong(wrong, said, position, received)
        self._has_come[position] = True
        self._heard_at[position] = received
        self._last_said[position] = said
        self._is_bad[position] = batch.quality < 0
        np.maximum.at(self._newest, position, batch.time)
        np.maximum.at(self._newest_said, position, said)
        self._newest_of_all = max(self._newest_of_all, int(batch.time.max()))
        return batch

    def _moved_on(self, batch: Batch, position: npt.NDArray[np.intp], received: int) -> tuple[Batch, Rows]:
        """``batch`` without times that went back, and the rows of those that did by a clock."""
        order = np.argsort(position, kind="stable")
        place, time = position[order], batch.time[order]
        is_first = np.r_[True, place[1:] != place[:-1]]
        self._begin_anew(place[is_first], time[is_first])
        so_far = np.where(is_first, _NEVER, np.r_[_NEVER, _newest_so_far(time, is_first)[:-1]])
        before, before_said = np.maximum(self._newest[place], so_far), np.maximum(self._newest_said[place], so_far)
        goes_back = time < before_said - _FURTHEST_BACK
        is_late = goes_back | (time < before - _FURTHEST_BACK)
        if self._queued_from is not None and received < self._opened_at + _QUEUES_LAST:
            is_late &= time < self._queued_from - _FURTHEST_BACK
        moved = np.zeros(len(batch), np.bool_)
        moved[order[is_late]] = True
        if not moved.any():
            return batch, moved
        was_bad = np.where(is_first, self._is_bad[place], np.r_[False, batch.quality[order][:-1] < 0])
        heard_at = np.where(is_first, self._heard_at[place], received)
        is_small = ~goes_back | ((before_said - time <= FURTHEST_OFF) & (received - heard_at <= FURTHEST_OFF))
        stands_at = np.where(is_late, before + 1, _NEVER)
        stands_at = np.where(is_late & (was_bad | ~is_small), np.maximum(received, stands_at), stands_at)
        where = np.empty(len(batch), np.int64)
        where[order] = _newest_so_far(stands_at, is_first)
        doubted = np.zeros(len(batch), np.bool_)
        doubted[order[is_late & ~was_bad]] = True
        self._metrics.set_right(int(np.count_nonzero(doubted)), "back")
        return set_right(batch, moved, where[moved], doubted), doubted

    def _begin_anew(self, place: npt.NDArray[np.intp], time: Int64Column) -> None:
        """The order of the tags at ``place``, each named once, whose first sample of the session is dated ``time``."""
        lags = ~self._has_come[place] & (time >= self._last_said[place]) & (time > self._newest_said[place] - _LAGS_AT_MOST)
        self._newest[place[lags]] = self._newest_said[place[lags]] = time[lags]

    def _note_wrong(self, wrong: Rows, said: Int64Column, position: npt.NDArray[np.intp], received: int) -> None:
        if wrong.any():
            self._wrong_at = received
        elif received > self._wrong_at + _OVER_AFTER and (self._has_come[position] | (np.abs(said - received) <= FURTHEST_OFF)).any():
            self._is_wrong[:] = False
        self._is_wrong[position] = wrong

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
