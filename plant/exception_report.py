"""Exception reporting: of what a device sends, what is worth keeping.

Rules, for each tag:

1. No deadband: every sample is reported.
2. Otherwise a sample is reported when it is the first, its quality is another, its value left the deadband around the last reported value, or the
   maximum interval has passed since the last report.
3. When a continuous tag breaks out, the sample held back just before it is reported too, so that the corner of the curve survives.
4. A sample is never reported with another time or value than it came with.
"""

from collections.abc import Sequence
from typing import Final

import numpy as np
import numpy.typing as npt

from plant.batch import Float64Column, Int16Column, Int64Column, SampleBatch, TextBatch
from plant.tag import Tag
from plant.tag_index import TagIndex
from plant.times import MICROSECONDS

MAXIMUM_INTERVAL: Final = 30 * MICROSECONDS
"""Longest silence of a tag whose device sends samples, so that silence means something."""


class ExceptionReport:
    """The filter's memory for a set of tags: last reported and last held sample of each."""

    def __init__(self, tags: Sequence[Tag], maximum_interval: int = MAXIMUM_INTERVAL) -> None:
        self._maximum_interval = maximum_interval
        self._index = TagIndex([tag.id for tag in tags])
        count = len(self._index)
        by_id = {tag.id: tag for tag in tags}
        ordered = [by_id[int(tag_id)] for tag_id in self._index.ids]
        self._deadband = np.array([np.nan if tag.deadband is None else tag.deadband for tag in ordered], np.float64)
        self._continuous = np.array([not tag.is_stepped for tag in ordered], np.bool_)
        self._seen = np.zeros(count, np.bool_)
        self._value = np.zeros(count)
        self._quality = np.zeros(count, np.int16)
        self._time = np.zeros(count, np.int64)
        self._held = np.zeros(count, np.bool_)
        self._held_value = np.zeros(count)
        self._held_quality = np.zeros(count, np.int16)
        self._held_time = np.zeros(count, np.int64)
        self._text: dict[int, tuple[str, int, int]] = {}

    def filter(self, batch: SampleBatch) -> SampleBatch:
        """The samples of ``batch`` to report, with corners that were held back, in order of arrival. Unknown tags pass."""
        position = self._index.positions(batch.tag_id)
        filtered = np.flatnonzero((position >= 0) & ~np.isnan(self._deadband[position]))
        if not len(filtered):
            return batch
        keep = np.ones(len(batch), np.bool_)
        keep[filtered] = False
        corners: list[SampleBatch] = []
        corner_places: list[npt.NDArray[np.intp]] = []
        for rows in _one_row_a_tag(filtered, position[filtered]):
            reported, corner_rows, corner = self._filter_distinct(batch, rows, position[rows])
            keep[rows] = reported
            if len(corner):
                corners.append(corner)
                corner_places.append(corner_rows)
        kept = np.flatnonzero(keep)
        if not corners:
            return batch.select(kept)
        # A corner stands directly before the sample that broke out.
        everything = SampleBatch.concatenate([*corners, batch.select(kept)])
        places = np.concatenate([*(2 * place for place in corner_places), 2 * kept + 1])
        return everything.select(np.argsort(places, kind="stable"))

    def _filter_distinct(
        self, batch: SampleBatch, rows: npt.NDArray[np.intp], at: npt.NDArray[np.intp]
    ) -> tuple[npt.NDArray[np.bool_], npt.NDArray[np.intp], SampleBatch]:
        time, value, quality = batch.time[rows], batch.value[rows], batch.quality[rows]
        changed = self._seen[at] & ((quality != self._quality[at]) | _left_deadband(value, self._value[at], self._deadband[at]))
        overdue = np.abs(time - self._time[at]) >= self._maximum_interval
        reported = ~self._seen[at] | changed | overdue
        corner = changed & self._held[at] & self._continuous[at]
        corner_at = at[corner]
        corners = SampleBatch(self._index.ids[corner_at], self._held_time[corner_at], self._held_value[corner_at], self._held_quality[corner_at])
        self._remember(at[reported], time[reported], value[reported], quality[reported])
        silent = ~reported
        self._hold(at[silent], time[silent], value[silent], quality[silent])
        return reported, rows[corner], corners

    def _remember(self, at: npt.NDArray[np.intp], time: Int64Column, value: Float64Column, quality: Int16Column) -> None:
        self._seen[at] = True
        self._held[at] = False
        self._time[at], self._value[at], self._quality[at] = time, value, quality

    def _hold(self, at: npt.NDArray[np.intp], time: Int64Column, value: Float64Column, quality: Int16Column) -> None:
        self._held[at] = True
        self._held_time[at], self._held_value[at], self._held_quality[at] = time, value, quality

    def filter_text(self, batch: TextBatch) -> TextBatch:
        """As ``filter``, for text tags: any change of text or quality is reported."""
        position = self._index.positions(batch.tag_id)
        keep = np.ones(len(batch), np.bool_)
        for row in np.flatnonzero(position >= 0):
            at, time, text, quality = int(position[row]), int(batch.time[row]), str(batch.value[row]), int(batch.quality[row])
            last = self._text.get(at)
            keep[row] = last is None or last[:2] != (text, quality) or abs(time - last[2]) >= self._maximum_interval
            if keep[row]:
                self._text[at] = (text, quality, time)
        return batch.select(keep)


def _left_deadband(value: Float64Column, reported: Float64Column, deadband: Float64Column) -> npt.NDArray[np.bool_]:
    same = (value == reported) | (np.isnan(value) & np.isnan(reported))
    with np.errstate(invalid="ignore"):
        inside = np.abs(value - reported) <= deadband
    left: npt.NDArray[np.bool_] = ~(same | inside)
    return left


def _one_row_a_tag(rows: npt.NDArray[np.intp], position: npt.NDArray[np.intp]) -> Sequence[npt.NDArray[np.intp]]:
    """Splits rows so that each part holds a tag once, keeping the order of a tag's rows over the parts. One part for an ordinary scan."""
    if np.bincount(position).max() == 1:
        return [rows]
    order = np.argsort(position, kind="stable")
    starts = np.r_[True, np.diff(position[order]) != 0]
    occurrence = np.arange(len(order)) - np.maximum.accumulate(np.where(starts, np.arange(len(order)), 0))
    parts = np.empty(len(order), np.intp)
    parts[order] = occurrence
    return [rows[parts == part] for part in range(int(parts.max()) + 1)]
