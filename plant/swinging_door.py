"""Swinging door: of a closed stretch of history, the samples that are worth keeping.

Rules, for each tag:

1. The first and the last sample are kept, both samples of every change of quality, every sample that is not Good, and every value that is no finite
   number with both its neighbours.
2. Of the others a sample is left out only where the straight line between the kept samples around it is nearer than the deviation, or where all three
   values are the same. The distance is that to the real line: rounding is on the side of keeping.
3. A kept sample keeps its time, value and quality; no sample is made up.
4. No line passes over more than ``LONGEST_LINE`` samples, so that a long stretch is thinned in parts, side by side.

From the last kept sample each later one opens a door: the slopes of the lines that pass it within the deviation. A line to a sample is good if its slope
lies in all doors on the way; the one taken is the farthest before the doors have closed on each other. (Bristol, "Swinging door trending: adaptive
trend recording?", ISA National Conference, 1990, keeps the sample before the one that closes the doors, and a line to that one may pass others at
nearly twice the deviation.) Doors only propose: every line is measured before a sample is left out, and a line that is too far off loses nothing.
"""

from collections.abc import Sequence
from typing import Final

import numpy as np
import numpy.typing as npt

from plant.batch import Float64Column, SampleBatch
from plant.quality import good_mask
from plant.tag import Tag
from plant.tag_index import TagIndex

Mask = npt.NDArray[np.bool_]
Rows = npt.NDArray[np.intp]

LONGEST_LINE: Final = 1024

_PATIENCE: Final = 64
"""Samples looked at behind the farthest good line, or as many as that line passes over if these are more: the work stays proportional to the samples."""

_ROUNDING: Final = 8 * float(np.finfo(np.float64).eps)
_SMALLEST: Final = float(np.finfo(np.float64).tiny)


class SwingingDoor:
    """The deviations of a set of tags. Tags without one, stepped tags and tags that are not of the set keep every sample."""

    def __init__(self, tags: Sequence[Tag]) -> None:
        thinned = {tag.id: tag.compression_deviation for tag in tags if tag.compression_deviation is not None and not tag.is_stepped}
        self._index = TagIndex(list(thinned))
        self._deviation = np.array([*(thinned[int(tag_id)] for tag_id in self._index.ids), np.nan], np.float64)

    def thin(self, batch: SampleBatch) -> Mask:
        """As the function ``thin``, with each tag's own deviation."""
        return thin(batch, self._deviation[self._index.positions(batch.tag_id)])


def thin(batch: SampleBatch, deviation: Float64Column) -> Mask:
    """True for each row of ``batch`` that is kept; bool, (n,).

    ``batch`` holds whole stretches of any number of tags, ordered by tag id and time, no two samples of a tag at one time. ``deviation`` float64 (n,):
    that of the row's tag, in its engineering units, 0 or more; 0 leaves out only what repeats the same value, NaN nothing.

    Raises:
        ValueError: the rows are not in order, or a deviation is negative, infinite or of another length than the batch.
    """
    if deviation.shape != batch.value.shape or not (np.isnan(deviation) | ((deviation >= 0) & np.isfinite(deviation))).all():
        raise ValueError(f"a batch of {len(batch)} rows needs as many deviations of 0 or more, or NaN to keep every sample")
    same_tag = batch.tag_id[1:] == batch.tag_id[:-1]
    if not ((batch.tag_id[1:] > batch.tag_id[:-1]) | (same_tag & (batch.time[1:] > batch.time[:-1]))).all():
        raise ValueError("the rows are not in order of tag id and time, each time once: sort them before they are thinned")
    kept = _kept_in_any_case(batch, same_tag) | np.isnan(deviation)
    if kept.all():
        return kept
    place = np.arange(len(batch))
    kept |= (place - _kept_before(kept)) % LONGEST_LINE == 0
    with np.errstate(all="ignore"):
        inaccuracy = _ROUNDING * (np.abs(batch.value) + deviation) + _SMALLEST
        reach = np.maximum(deviation - inaccuracy, 0.0)
        _swing(batch, reach, kept)
        is_near = distances(batch, kept) <= deviation - inaccuracy / 2
    before, after = _kept_before(kept), _kept_after(kept)
    repeats = (batch.value == batch.value[before]) & (batch.value == batch.value[after])
    is_off = np.zeros(len(batch), np.bool_)
    is_off[before[~(kept | is_near | repeats)]] = True
    return kept | is_off[before]


def distances(batch: SampleBatch, kept: Mask) -> Float64Column:
    """How far each row lies from the straight line between the kept samples around it, engineering units; float64 (n,), 0 for kept rows.

    Infinite for a row that is left out where no line can be drawn: before the first or after the last kept sample of its tag, or with a value there
    or at the line's ends that is no finite number. ``batch`` is ordered as for ``thin``.
    """
    if not len(batch):
        return np.empty(0, np.float64)
    out = np.flatnonzero(~kept)
    start, end = _kept_before(kept)[out], _kept_after(kept)[out]
    can_be_drawn = kept[start] & kept[end] & (batch.tag_id[start] == batch.tag_id[out]) & (batch.tag_id[end] == batch.tag_id[out])
    first, last = batch.value[start], batch.value[end]
    with np.errstate(all="ignore"):
        # As unsigned numbers, differences of times are right however far these are apart.
        part = (batch.time[out] - batch.time[start]).view(np.uint64) / (batch.time[end] - batch.time[start]).view(np.uint64)
        distance = np.abs(first + (last - first) * part - batch.value[out])
    found = np.zeros(len(batch), np.float64)
    found[out] = np.where(can_be_drawn & np.isfinite(distance), distance, np.inf)
    return found


def _kept_in_any_case(batch: SampleBatch, same_tag: Mask) -> Mask:
    edge = ~same_tag | (batch.quality[1:] != batch.quality[:-1])
    no_number = ~np.isfinite(batch.value)
    kept = ~good_mask(batch.quality) | no_number
    kept[:1] = kept[-1:] = True
    kept[1:] |= edge | no_number[:-1]
    kept[:-1] |= edge | no_number[1:]
    return kept


def _kept_before(kept: Mask) -> Rows:
    """Place of the last kept row at or before each row; 0 where there is none."""
    found: Rows = np.maximum.accumulate(np.where(kept, np.arange(len(kept)), 0))
    return found


def _kept_after(kept: Mask) -> Rows:
    """Place of the first kept row at or after each row; the last place where there is none."""
    return len(kept) - 1 - _kept_before(kept[::-1])[::-1]


def _swing(batch: SampleBatch, reach: Float64Column, kept: Mask) -> None:
    """Adds to ``kept`` the ends of lines that pass each row within its ``reach``.

    All gaps between kept rows go in step, one row each at a time, so that the cost of a step is shared by as many as there are.
    """
    time, value = batch.time, batch.value
    lowest, highest = value - reach, value + reach
    edges = np.flatnonzero(kept)
    is_gap = np.diff(edges) > 1
    anchor, last = edges[:-1][is_gap], edges[1:][is_gap]
    low, high = np.full(len(anchor), -np.inf), np.full(len(anchor), np.inf)
    anchor_time, anchor_value = time[anchor], value[anchor]
    row, farthest = anchor + 1, anchor + 1
    while len(anchor):
        elapsed = (time[row] - anchor_time).astype(np.float64)
        slope = (value[row] - anchor_value) / elapsed
        np.copyto(farthest, row, where=(low <= slope) & (slope <= high))
        np.maximum(low, (lowest[row] - anchor_value) / elapsed, out=low)
        np.minimum(high, (highest[row] - anchor_value) / elapsed, out=high)
        is_over = ~(low <= high) | (row == last) | (row - farthest > np.maximum(farthest - anchor, _PATIENCE))
        row += 1
        over = np.flatnonzero(is_over)
        if not len(over):
            continue
        start = farthest[over]
        kept[start] = True
        anchor[over], anchor_time[over], anchor_value[over] = start, time[start], value[start]
        row[over] = farthest[over] = start + 1
        low[over], high[over] = -np.inf, np.inf
        goes_on = anchor < last
        if not goes_on.all():
            anchor, last, row, farthest = anchor[goes_on], last[goes_on], row[goes_on], farthest[goes_on]
            low, high, anchor_time, anchor_value = low[goes_on], high[goes_on], anchor_time[goes_on], anchor_value[goes_on]
