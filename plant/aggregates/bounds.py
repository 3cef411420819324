"""What stands next to each edge of the intervals, and the values at the edges that follow from it (OPC UA Part 13, 3.1.7 to 3.1.9).

Rule: *before* an edge is earlier than it, *after* is at it or later, so that each sample stands on one side. Both the nearest sample and the nearest
usable one are kept: simple bounds look at the first, interpolated bounds at the second, and if they differ, a sample was skipped.
"""

from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt

from plant.aggregates.summary import NO_TIME, Summaries, usable_mask
from plant.batch import Float64Column, Int16Column, Int64Column
from plant.quality import UNCERTAIN_FLOOR, Quality, good_mask

Mask = npt.NDArray[np.bool_]
SUB_NORMAL: Final = np.int16(Quality.UNCERTAIN_DATA_SUB_NORMAL)
NO_DATA: Final = np.int16(Quality.BAD_NO_DATA)


@dataclass(frozen=True, slots=True, eq=False)
class Points:
    """A sample for each edge, or none: ``time`` is ``NO_TIME`` and ``value`` NaN. Of usable samples the quality is that of the nearest sample."""

    time: Int64Column
    value: Float64Column

    @property
    def there(self) -> Mask:
        mask: Mask = self.time != NO_TIME
        return mask


@dataclass(frozen=True, slots=True, eq=False)
class Neighbours:
    """Samples on both sides of each edge; every column has one entry an edge."""

    edge: Int64Column
    before: Points
    before_quality: Int16Column
    after: Points
    after_quality: Int16Column
    usable_before: Points
    usable_after: Points
    stepped: bool
    uncertain_as_bad: bool
    known_until: int
    slope: float
    """Of a line through the last two usable samples, in units a microsecond; 0 holds the last one."""

    @property
    def before_usable(self) -> Mask:
        """The nearest sample before is there and usable."""
        return self.before.there & usable_mask(self.before_quality, self.uncertain_as_bad)

    @property
    def after_usable(self) -> Mask:
        return self.after.there & usable_mask(self.after_quality, self.uncertain_as_bad)

    @property
    def skipped_before(self) -> Mask:
        """A sample lies between the nearest usable one before and the edge."""
        return self.before.time > self.usable_before.time

    @property
    def skipped_after(self) -> Mask:
        return self.after.there & ~self.after_usable

    @property
    def exact(self) -> Mask:
        """A sample stands at the edge."""
        mask: Mask = self.after.time == self.edge
        return mask

    def at(self, index: slice) -> "Neighbours":
        """Of some of the edges."""

        def part(points: Points) -> Points:
            return Points(points.time[index], points.value[index])

        return Neighbours(
            self.edge[index],
            part(self.before),
            self.before_quality[index],
            part(self.after),
            self.after_quality[index],
            part(self.usable_before),
            part(self.usable_after),
            self.stepped,
            self.uncertain_as_bad,
            self.known_until,
            self.slope,
        )


def neighbours(rows: Summaries, edges: Int64Column, known_until: int, slope: float) -> Neighbours:
    """Of ``len(edges)`` edges; ``rows`` are the run before the first edge, one for each interval, and the run after the last."""
    position = np.arange(len(rows))

    def earlier(mask: Mask) -> npt.NDArray[np.intp]:
        return np.maximum.accumulate(np.where(mask, position, -1))[:-1]

    def later(mask: Mask) -> npt.NDArray[np.intp]:
        return np.minimum.accumulate(np.where(mask, position, len(rows))[::-1])[::-1][1:]

    def points(at: npt.NDArray[np.intp], time: Int64Column, value: Float64Column) -> Points:
        none = (at < 0) | (at >= len(rows))
        inside = np.where(none, 0, at)
        return Points(np.where(none, NO_TIME, time[inside]), np.where(none, np.nan, value[inside]))

    holds_usable = rows.first_usable_time != NO_TIME
    before, after, usable_before, usable_after = earlier(rows.filled), later(rows.filled), earlier(holds_usable), later(holds_usable)
    return Neighbours(
        edges,
        points(before, rows.last_time, rows.last_value),
        np.where(before < 0, NO_DATA, rows.last_quality[before]),
        points(after, rows.first_time, rows.first_value),
        np.where(after >= len(rows), NO_DATA, rows.first_quality[np.minimum(after, len(rows) - 1)]),
        points(usable_before, rows.last_usable_time, rows.last_usable_value),
        points(usable_after, rows.first_usable_time, rows.first_usable_value),
        rows.stepped,
        rows.uncertain_as_bad,
        known_until,
        slope,
    )


def line(before: Points, after: Points, at: Int64Column, slope: float) -> Float64Column:
    """Value at ``at`` on the line from ``before`` to ``after``, or of ``slope`` from ``before`` where there is no ``after``; NaN without ``before``."""
    length = np.where(after.there, after.time - before.time, 1)
    rise = np.where(after.there, after.value - before.value, slope)
    return before.value + rise * ((at - before.time) / np.where(before.there, length, 1))


def simple_bounds(near: Neighbours) -> tuple[Float64Column, Int16Column]:
    """Simple bounding value and its quality at each edge (3.1.9); NaN and BadNoData where the neighbour is not usable or the data ended."""
    held = near.before_usable
    beyond = ~near.after.there & (near.edge >= near.known_until)
    if near.stepped:
        value, soft = near.before.value, ~good_mask(near.before_quality)
    else:
        value = np.where(near.after_usable, line(near.before, near.after, near.edge, 0.0), near.before.value)
        soft = ~good_mask(near.before_quality) | ~good_mask(near.after_quality)
    there = held & ~beyond
    value = np.where(there, value, np.nan)
    quality = np.where(there, np.where(soft, SUB_NORMAL, np.int16(0)), NO_DATA)
    exact, raw = near.exact, near.exact & near.after_usable
    value = np.where(exact, np.where(raw, near.after.value, np.nan), value)
    return value, np.where(exact, np.where(raw, near.after_quality, NO_DATA), quality)


def interpolated_bounds(near: Neighbours) -> tuple[Float64Column, Int16Column]:
    """Interpolated bounding value and its quality at each edge (3.1.8); NaN and BadNoData before the first usable sample."""
    before, after = near.usable_before, near.usable_after
    value = before.value if near.stepped else line(before, after, near.edge, near.slope)
    soft = soft_line(near)
    raw = near.exact & near.after_usable
    # A Bad sample at the very edge is skipped, on a stepped tag too.
    soft |= near.exact & ~near.after_usable
    quality = np.where(before.there, np.where(soft, SUB_NORMAL, np.int16(0)), NO_DATA)
    return np.where(raw, near.after.value, value), np.where(raw, near.after_quality, quality)


def soft_line(near: Neighbours) -> Mask:
    """True where what leads over an edge from usable to usable sample is not wholly Good: something was skipped, is Uncertain, or is not there."""
    soft = near.skipped_before | (near.before.there & (near.before_quality >= UNCERTAIN_FLOOR))
    if near.stepped:
        return soft | (~near.after.there & (near.edge >= near.known_until))
    return soft | near.skipped_after | (near.after_quality >= UNCERTAIN_FLOOR) | ~near.usable_after.there
