"""Which samples of inputs of calculated tags nobody computed with live.

Rules:

1. A sample that comes behind a newer one of the same input is late.
2. So is one whose time lies in an outage of its device: what the device kept may come before the first live value, and is then behind none.
"""

from collections.abc import Sequence
from typing import Final

import numpy as np
import numpy.typing as npt

from plant.batch import Int64Column, SampleBatch
from plant.tag_index import TagIndex
from plant.times import MICROSECONDS
from services.store import LAST_TIME, InputChange

_NEVER: Final = np.iinfo(np.int64).min
_HOLE: Final = 60 * MICROSECONDS
"""Late samples of one commit that lie further apart are ranges of their own."""


class LateInputs:
    """The newest source time of every input, and the outage that is watched for what the device kept of it.

    A batch without inputs costs one ``searchsorted``, one without late samples some passes over the samples of its inputs.
    """

    def __init__(self, ids: Sequence[int]) -> None:
        self._index = TagIndex(ids)
        self._newest = np.full(len(self._index), _NEVER, np.int64)
        self._watched_from = np.full(len(self._index), _NEVER, np.int64)
        self._watched_until = np.full(len(self._index), _NEVER, np.int64)

    def watch(self, ids: Sequence[int], start: int, end: int) -> None:
        """Samples of these with ``start <= time < end`` are late even if they are the newest. Once an input is past ``end``, this has no meaning any more."""
        at = self._index.positions(np.asarray(ids, np.int32))
        at = at[at >= 0]
        is_over = self._watched_until[at] <= self._newest[at]
        self._watched_from[at] = np.where(is_over, start, np.minimum(self._watched_from[at], start))
        self._watched_until[at] = np.where(is_over, end, np.maximum(self._watched_until[at], end))

    @property
    def oldest(self) -> int:
        """The newest source time of the input that is furthest behind; the begin of all time where one had no sample yet."""
        return int(self._newest.min()) if len(self._newest) else LAST_TIME

    def take(self, samples: SampleBatch) -> Sequence[InputChange]:
        """Ranges of late samples in a batch (in order of arrival), whose times are known from now on."""
        position = self._index.positions(samples.tag_id)
        rows = np.flatnonzero(position >= 0)
        if not len(rows):
            return []
        rows = rows[np.argsort(position[rows], kind="stable")]
        at, time = position[rows], samples.time[rows]
        begins = np.flatnonzero(np.append(True, at[1:] != at[:-1]))
        before = np.append(_NEVER, time[:-1])
        before[begins] = self._newest[at[begins]]
        changes: list[InputChange] = []
        kept = (self._watched_from[at] <= time) & (time < self._watched_until[at])
        if np.any((time < before) | kept):
            for begin, end in zip(begins, [*begins[1:], len(at)], strict=True):
                changes += self._late(int(at[begin]), time[begin:end], kept[begin:end])
        self._newest[at[begins]] = np.maximum(self._newest[at[begins]], np.maximum.reduceat(time, begins))
        return changes

    def _late(self, at: int, time: Int64Column, kept: npt.NDArray[np.bool_]) -> Sequence[InputChange]:
        newest = np.maximum.accumulate(np.append(self._newest[at], time))[:-1]
        late = np.unique(time[(time < newest) | kept])
        if not len(late):
            return []
        runs = np.split(late, np.flatnonzero(np.diff(late) > _HOLE) + 1)
        return [InputChange(int(self._index.ids[at]), int(run[0]), int(run[-1]) + 1, by_hand=False) for run in runs]
