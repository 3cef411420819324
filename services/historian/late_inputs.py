"""Which samples of inputs of calculated tags come late, that is behind a newer one of the same input: nobody computes with these live."""

from collections.abc import Sequence
from typing import Final

import numpy as np

from plant.batch import Int64Column, SampleBatch
from plant.tag_index import TagIndex
from plant.times import MICROSECONDS
from services.store import InputChange

_NEVER: Final = np.iinfo(np.int64).min
_HOLE: Final = 60 * MICROSECONDS
"""Late samples of one commit that lie further apart are ranges of their own."""


class LateInputs:
    """The newest source time of every input. A batch without inputs costs one ``searchsorted``, one without late samples some passes over its inputs."""

    def __init__(self, ids: Sequence[int]) -> None:
        self._index = TagIndex(ids)
        self._newest = np.full(len(self._index), _NEVER, np.int64)

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
        if np.any(time < before):
            for begin, end in zip(begins, [*begins[1:], len(at)], strict=True):
                changes += self._late(int(at[begin]), time[begin:end])
        self._newest[at[begins]] = np.maximum(self._newest[at[begins]], np.maximum.reduceat(time, begins))
        return changes

    def _late(self, at: int, time: Int64Column) -> Sequence[InputChange]:
        newest = np.maximum.accumulate(np.append(self._newest[at], time))[:-1]
        late = np.unique(time[time < newest])
        if not len(late):
            return []
        runs = np.split(late, np.flatnonzero(np.diff(late) > _HOLE) + 1)
        return [InputChange(int(self._index.ids[at]), int(run[0]), int(run[-1]) + 1, by_hand=False) for run in runs]
