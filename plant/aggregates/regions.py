"""Time between samples, cut at the edges of an interval (OPC UA Part 13, 5.4.3.2.2 and 5.4.3.2.3).

Rule: a region goes from one sample to the next and has its value and quality from both, wherever an edge cuts it. An interval is the cut region at its
start, the merged summary of its samples, and the cut region at its end; so what is summed over parts of an interval is what is summed over the whole.
"""

from dataclasses import dataclass

import numpy as np

from plant.aggregates.bounds import Mask, Neighbours, line, soft_line
from plant.aggregates.summary import NO_TIME, Summaries
from plant.batch import Float64Column, Int64Column
from plant.quality import UNCERTAIN_FLOOR, good_mask
from plant.times import MICROSECONDS


@dataclass(frozen=True, slots=True, eq=False)
class CutRegions:
    """Sums over the regions that are cut by an edge; as in ``Summaries``, and of the lines from usable to usable sample how long they are."""

    good: Int64Column
    uncertain: Int64Column
    firm: Int64Column
    zero: Int64Column
    integral: Float64Column
    line_integral: Float64Column
    line_duration: Int64Column

    def __add__(self, other: "CutRegions") -> "CutRegions":
        return CutRegions(
            self.good + other.good,
            self.uncertain + other.uncertain,
            self.firm + other.firm,
            self.zero + other.zero,
            self.integral + other.integral,
            self.line_integral + other.line_integral,
            self.line_duration + other.line_duration,
        )


@dataclass(frozen=True, slots=True, eq=False)
class Regions:
    """Sums over all regions of each interval. Each is added up when it is asked for: a function looks at few, and only their columns need to be there."""

    cut: CutRegions
    rows: Summaries

    @property
    def good(self) -> Int64Column:
        return self.cut.good + self.rows.good_duration

    @property
    def uncertain(self) -> Int64Column:
        return self.cut.uncertain + self.rows.uncertain_duration

    @property
    def firm(self) -> Int64Column:
        return self.cut.firm + self.rows.firm_duration

    @property
    def zero(self) -> Int64Column:
        return self.cut.zero + self.rows.zero_duration

    @property
    def integral(self) -> Float64Column:
        return self.cut.integral + self.rows.integral

    @property
    def line_integral(self) -> Float64Column:
        return self.cut.line_integral + self.rows.line_integral

    @property
    def line_duration(self) -> Int64Column:
        inside = np.where(self.rows.first_usable_time != NO_TIME, self.rows.last_usable_time - self.rows.first_usable_time, 0)
        return self.cut.line_duration + inside


def regions(rows: Summaries, near: Neighbours) -> Regions:
    """Of the intervals between the edges of ``near``; ``rows`` has one row for each."""
    start, end = near.at(slice(None, -1)), near.at(slice(1, None))
    known_end = np.minimum(end.edge, near.known_until)
    usable = rows.first_usable_time != NO_TIME
    opening = _cut(
        start,
        start.edge,
        np.where(start.after.there, np.minimum(start.after.time, known_end), known_end),
        start.edge,
        np.where(start.usable_after.there, np.minimum(start.usable_after.time, end.edge), end.edge),
    )
    closing = _cut(
        end,
        np.where(rows.filled, rows.last_time, known_end),
        known_end,
        np.where(usable, rows.last_usable_time, end.edge),
        end.edge,
    )
    return Regions(opening + closing, rows)


def line_is_soft(rows: Summaries, near: Neighbours) -> Mask:
    """True where the line through the usable samples of an interval is not wholly Good or does not cover it."""
    start, end = near.at(slice(None, -1)), near.at(slice(1, None))
    usable = rows.first_usable_time != NO_TIME
    opens_at_sample = usable & (rows.first_usable_time == start.edge)
    opening = ~opens_at_sample & (~start.usable_before.there | soft_line(start))
    # On a stepped tag the data may end inside an interval that holds no sample.
    closing = soft_line(end) if near.stepped else usable & soft_line(end)
    soft: Mask = opening | closing | (rows.uncertain_count + rows.bad_count > 0)
    return soft


def _cut(near: Neighbours, begin: Int64Column, end: Int64Column, line_begin: Int64Column, line_end: Int64Column) -> CutRegions:
    """The part from ``begin`` to ``end`` of the region around each edge, and of the line around it from ``line_begin`` to ``line_end``."""
    length = np.where(near.before.there, np.maximum(end - begin, 0), 0)
    good = near.before.there & good_mask(near.before_quality)
    level = near.before.value
    if not near.stepped:
        sloped = 0.5 * (line(near.before, near.after, begin, 0.0) + line(near.before, near.after, end, 0.0))
        level = np.where(near.after_usable, sloped, level)
    firm = good if near.stepped else good & near.after.there & good_mask(near.after_quality)
    before, after = near.usable_before, near.usable_after
    line_length = np.where(before.there, np.maximum(line_end - line_begin, 0), 0)
    line_level = before.value
    if not near.stepped:
        line_level = 0.5 * (line(before, after, line_begin, near.slope) + line(before, after, line_end, near.slope))
    return CutRegions(
        np.where(good, length, 0),
        np.where(near.before.there & (near.before_quality >= UNCERTAIN_FLOOR), length, 0),
        np.where(firm, length, 0),
        np.where(good & (near.before.value == 0.0), length, 0),
        np.where(near.before_usable & (length > 0), level, 0.0) * (length / MICROSECONDS),
        np.where(line_length > 0, line_level, 0.0) * (line_length / MICROSECONDS),
        line_length,
    )
