"""Which cells of history a question reads: hours and minutes that were rolled up, and samples for the rest. Pure.

Rules:

1. A roll-up is used only where no edge of an interval lies inside its bucket: then it gives the answer that its samples would.
2. Hours in which something came since they were rolled up, or in which a loss begins, are read as samples.
3. Hours that hold nothing are not read at all: history is asked for the hours that it has.
4. Where retention removed the samples there is nothing to read but whole hours: one that is cut, or in which a loss begins, is lost, each piece of it.
"""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from plant.batch import Int64Column
from services.store import HOUR, MINUTE

MOST_EDGES_AN_HOUR = 30
"""With more edges than this in an hour nearly every minute is cut, and reading samples costs less."""

Mask = npt.NDArray[np.bool_]


@dataclass(frozen=True, slots=True, eq=False)
class Ranges:
    """Disjoint spans ``[start, end)`` of time, ascending; int64 UTC microseconds."""

    start: Int64Column
    end: Int64Column

    def __len__(self) -> int:
        return len(self.start)

    def contain(self, time: Int64Column) -> Mask:
        """For each time whether it lies in one of the spans."""
        at = np.searchsorted(self.start, time, "right") - 1
        inside: Mask = (at >= 0) & (time < np.append(self.end, 0)[at])
        return inside

    def joined(self, gap: int) -> "Ranges":
        """Spans that are no more than ``gap`` apart made one."""
        if len(self) < 2:
            return self
        apart = self.start[1:] - self.end[:-1] > gap
        return Ranges(self.start[np.r_[True, apart]], self.end[np.r_[apart, True]])

    def within(self, start: int, end: int) -> "Ranges":
        """What of them lies in ``[start, end)``."""
        first, last = np.maximum(self.start, start), np.minimum(self.end, end)
        return Ranges(first[first < last], last[first < last])

    @staticmethod
    def of_cells(cells: Int64Column, width: int) -> "Ranges":
        """Cells of one width, by their begins in any order."""
        begins = np.unique(cells)
        return Ranges(begins, begins + width).joined(0)

    @staticmethod
    def union(*parts: "Ranges") -> "Ranges":
        """Of parts that do not overlap each other."""
        start, end = np.concatenate([part.start for part in parts]), np.concatenate([part.end for part in parts])
        order = np.argsort(start)
        return Ranges(start[order], end[order]).joined(0)


def begin_of(time: Int64Column | int, width: int) -> Int64Column:
    """Begins of the cells of ``width`` that ``time`` lies in."""
    found: Int64Column = np.asarray(time, np.int64) // width * width
    return found


def edges_inside(cells: Int64Column, width: int, edges: Int64Column) -> npt.NDArray[np.intp]:
    """How many of ``edges`` lie inside each cell, its own two ends not counted."""
    return np.searchsorted(edges, cells + width, "left") - np.searchsorted(edges, cells, "right")


@dataclass(frozen=True, slots=True, eq=False)
class HourCells:
    """Begins of hours that a question touches: ``whole`` are answered by their roll-up, ``split`` by minutes, ``raw`` by samples, and ``lost`` by nothing
    any more."""

    whole: Int64Column
    split: Int64Column
    raw: Int64Column
    lost: Int64Column


def sort_hours(rolled_up: Int64Column, raw: Int64Column, edges: Int64Column, kept_from: int) -> HourCells:
    """``rolled_up``: begins of the hours that have a roll-up; ``raw``: of those that are to be read as samples, whether they have one or not;
    ``kept_from``: a whole hour, before which there are no samples to read."""
    inside = edges_inside(rolled_up, HOUR, edges)
    is_whole = (inside == 0) & ~np.isin(rolled_up, raw)
    is_lost = ~is_whole & (rolled_up < kept_from)
    is_split = ~is_whole & ~is_lost & (inside <= MOST_EDGES_AN_HOUR) & ~np.isin(rolled_up, raw)
    read = np.union1d(raw[raw >= kept_from], rolled_up[~is_whole & ~is_lost & ~is_split])
    return HourCells(rolled_up[is_whole], rolled_up[is_split], read, rolled_up[is_lost])


def begins_of_pieces(cells: Int64Column, width: int, edges: Int64Column) -> Int64Column:
    """Where the pieces begin into which ``edges`` cut the cells, from the first edge on; ascending."""
    inner = edges[:-1]
    return np.union1d(np.maximum(cells, edges[0]), inner[np.isin(begin_of(inner, width), cells)])


def sort_minutes(split: Int64Column, rolled_up: Int64Column, edges: Int64Column) -> tuple[Mask, Ranges]:
    """Which of the minutes ``rolled_up`` (begins) of the hours ``split`` are answered by their roll-up, and what is to be read as samples: minutes that
    are cut, and hours of which no minutes were kept. Minutes before the first and behind the last edge are neither."""
    has_minutes = np.isin(split, begin_of(rolled_up, HOUR))
    is_cut = edges_inside(rolled_up, MINUTE, edges) > 0
    is_asked_for = (rolled_up >= edges[0]) & (rolled_up + MINUTE <= edges[-1])
    return ~is_cut & is_asked_for, Ranges.union(Ranges.of_cells(split[~has_minutes], HOUR), Ranges.of_cells(rolled_up[is_cut], MINUTE))
