"""What lies next to a question where retention removed the samples: hours keep the nearest of each.

Rules:

1. Before the time from which samples are kept only hours count: what was written there afterwards is in none of them, and in no aggregate or trend.
2. An hour counts as a whole or not at all, as it does inside a question; and not if a loss begins in it, since nobody can say any more on which side of
   the loss its samples stood: the loss counts from the begin of that hour.
3. A curve is drawn through the samples that an hour keeps, at their own times: none of its extremes depends on how wide a pixel is.
"""

from collections.abc import Sequence
from itertools import pairwise
from typing import Final

import numpy as np
import numpy.typing as npt

from plant.aggregates import NO_TIME, TREND_COLUMNS, Summaries, TagSamples, points_of_summaries, with_companions
from plant.batch import Float64Column, Int16Column, Int64Column
from plant.quality import Quality
from plant.tag import Tag
from services.retrieval.cells import begin_of
from services.retrieval.losses import begins_of, losses_of, with_losses
from services.store import FIRST_TIME, HOUR, RollUps, Store

_REACHES: Final = tuple(days * 24 * HOUR for days in (0, 1, 32, 1_024, 4_000_000))
"""How far is looked in one go, and then in the next: what is asked for is near, but for a tag that hardly changes. The last is for ever."""


class KeptHours:
    """Hours of a tag of which only the roll-up is left. ``end``: where they end, a whole hour; the begin of all time while nothing was removed."""

    def __init__(self, store: Store, tag: Tag) -> None:
        self._store = store
        self._tag = tag
        self.end = max(store.kept_from(), FIRST_TIME)

    def before(self, time: int) -> TagSamples:
        """The last sample and the last Good one of the hours that end at or before ``time``, in order; one if they are the same."""
        end = int(begin_of(min(time, self.end), HOUR))
        rows = self._until_good([(max(end - far, FIRST_TIME), end - near) for near, far in pairwise(_REACHES)])
        good = rows.select(_holds_good(rows)).select(slice(-1, None))
        rows = rows.select(slice(-1, None))
        return self._points(rows.last_time, rows.last_value, rows.last_quality, good.last_usable_time, good.last_usable_value)

    def after(self, time: int) -> TagSamples:
        """The first sample and the first Good one of the hours that begin at or after ``time``."""
        start = -int(begin_of(-time, HOUR))
        rows = self._until_good([(start + near, min(start + far, self.end)) for near, far in pairwise(_REACHES)])
        good = rows.select(_holds_good(rows)).select(slice(0, 1))
        rows = rows.select(slice(0, 1))
        return self._points(rows.first_time, rows.first_value, rows.first_quality, good.first_usable_time, good.first_usable_value)

    def losses(self, first: int, last: int) -> Int64Column:
        """Times of the Bad samples that stand for losses which touch the open interval from ``first`` to ``last``, by rule 2; ascending."""
        begins = self._begins(first, last)
        old = begins[begins < self.end]
        if not len(old):
            return begins
        hour = begin_of(begins, HOUR)
        held = self._store.hours(self._tag.id, int(hour[0]), int(old[-1]) + 1, with_companions(())).start
        return np.unique(np.where(np.isin(hour, held), hour, begins))

    def points(self, start: int, end: int) -> TagSamples:
        """What a trend draws of the hours in ``[start, end)``, where samples are removed: of each the first, lowest, highest and last, and the first Bad;
        and losses, where they began."""
        found = self._store.hours(self._tag.id, int(begin_of(start, HOUR)), end, TREND_COLUMNS)
        points = points_of_summaries(found.summaries.told_as(stepped=self._tag.is_stepped))
        points = with_losses(points, self._begins(start - 1, end))
        return points.select((points.time >= start) & (points.time < end))

    def _until_good(self, spans: Sequence[tuple[int, int]]) -> Summaries:
        """Hours of these spans, one after the other until there is a Good sample; in order of time."""
        rows = RollUps.empty(stepped=self._tag.is_stepped).summaries
        for start, end in spans:
            if start < end and not _holds_good(rows).any():
                rows = Summaries.concatenate([rows, self._hours(start, end)])
        return rows.select(np.argsort(rows.first_time))

    def _hours(self, start: int, end: int) -> Summaries:
        found = self._store.hours(self._tag.id, start, end)
        return found.summaries.select(~np.isin(found.start, begin_of(self._begins(start, end), HOUR)))

    def _begins(self, first: int, last: int) -> Int64Column:
        return begins_of(self._store, self._tag.id, losses_of(self._store, self._tag.device, first, last), last, self.end)

    def _points(self, time: Int64Column, value: Float64Column, quality: Int16Column, good_time: Int64Column, good_value: Float64Column) -> TagSamples:
        """The nearest sample, and a Good one, whose own StatusCode is not kept, unless it is the same."""
        _, order = np.unique(np.concatenate([time, good_time]), return_index=True)
        values, qualities = np.concatenate([value, good_value]), np.concatenate([quality, np.full(len(good_time), Quality.GOOD, np.int16)])
        return TagSamples(np.concatenate([time, good_time])[order], values[order], qualities[order], self._tag.is_stepped)


def _holds_good(rows: Summaries) -> npt.NDArray[np.bool_]:
    mask: npt.NDArray[np.bool_] = rows.last_usable_time != NO_TIME
    return mask
