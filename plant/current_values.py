"""The current value of every tag: the sample with the latest source time, whatever the order of arrival."""

from collections.abc import Sequence

import numpy as np

from plant.batch import Batch, SampleBatch, TextBatch
from plant.tag import Tag
from plant.tag_index import TagIndex

_NEVER = np.iinfo(np.int64).min


class CurrentValues:
    """Columns with one place a tag. Of samples with one source time the one that arrived last counts; unknown tags are passed over."""

    def __init__(self, tags: Sequence[Tag]) -> None:
        self._numbers = TagIndex([tag.id for tag in tags if not tag.data_type.is_text])
        self._texts = TagIndex([tag.id for tag in tags if tag.data_type.is_text])
        self._time = np.full(len(self._numbers), _NEVER, np.int64)
        self._value = np.full(len(self._numbers), np.nan)
        self._quality = np.zeros(len(self._numbers), np.int16)
        self._changed = np.zeros(len(self._numbers), np.bool_)
        self._text_time = np.full(len(self._texts), _NEVER, np.int64)
        self._text = np.full(len(self._texts), "", np.object_)
        self._text_quality = np.zeros(len(self._texts), np.int16)
        self._text_changed = np.zeros(len(self._texts), np.bool_)

    def update(self, batch: Batch) -> None:
        if isinstance(batch, SampleBatch):
            self._update_numbers(batch)
        else:
            self._update_texts(batch)

    def forget(self, tag_id: int, start: int, end: int) -> int | None:
        """Time of the current value of a tag, if that is ``start <= time < end`` (UTC microseconds): it has none then, until it is updated."""
        for index, times, changed in ((self._numbers, self._time, self._changed), (self._texts, self._text_time, self._text_changed)):
            at = index.positions(np.array([tag_id], np.int32))
            at = at[at >= 0]
            if len(at) and start <= (time := int(times[at[0]])) < end:
                times[at], changed[at] = _NEVER, False
                return time
        return None

    def newer(self, batch: Batch) -> Batch:
        """The rows of ``batch`` that are later than the current value of their tag."""
        index, time = (self._numbers, self._time) if isinstance(batch, SampleBatch) else (self._texts, self._text_time)
        position = index.positions(batch.tag_id)
        known = np.flatnonzero(position >= 0)
        return batch.select(known[batch.time[known] > time[position[known]]])

    def _update_numbers(self, batch: SampleBatch) -> None:
        position = self._numbers.positions(batch.tag_id)
        # In order of time, a later assignment to the same position wins; the sort is stable, so of equal times the last arrival does.
        order = np.argsort(batch.time, kind="stable")
        order = order[(position[order] >= 0)]
        order = order[batch.time[order] >= self._time[position[order]]]
        at = position[order]
        self._time[at] = batch.time[order]
        self._value[at] = batch.value[order]
        self._quality[at] = batch.quality[order]
        self._changed[at] = True

    def _update_texts(self, batch: TextBatch) -> None:
        position = self._texts.positions(batch.tag_id)
        order = np.argsort(batch.time, kind="stable")
        order = order[(position[order] >= 0)]
        order = order[batch.time[order] >= self._text_time[position[order]]]
        at = position[order]
        self._text_time[at] = batch.time[order]
        self._text[at] = batch.value[order]
        self._text_quality[at] = batch.quality[order]
        self._text_changed[at] = True

    def of(self, tag_ids: Sequence[int]) -> tuple[SampleBatch, TextBatch]:
        """One sample of each of these tags that ever had one."""
        wanted = np.asarray(tag_ids, np.int32)
        return self._select(
            np.isin(self._numbers.ids, wanted) & (self._time != _NEVER),
            np.isin(self._texts.ids, wanted) & (self._text_time != _NEVER),
        )

    @property
    def newest(self) -> int | None:
        """Time of the newest of all; ``None`` before there is one."""
        newest = max((int(time.max()) for time in (self._time, self._text_time) if len(time)), default=_NEVER)
        return None if newest == _NEVER else newest

    def take_changed(self) -> tuple[SampleBatch, TextBatch]:
        """One sample of each tag updated since this was last called."""
        changed = self._select(self._changed, self._text_changed)
        self._changed[:] = False
        self._text_changed[:] = False
        return changed

    def _select(self, numbers: np.ndarray[tuple[int], np.dtype[np.bool_]], texts: np.ndarray[tuple[int], np.dtype[np.bool_]]) -> tuple[SampleBatch, TextBatch]:
        return (
            SampleBatch(self._numbers.ids[numbers], self._time[numbers], self._value[numbers], self._quality[numbers]),
            TextBatch(self._texts.ids[texts], self._text_time[texts], self._text[texts], self._text_quality[texts]),
        )
