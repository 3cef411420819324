"""Merging adjacent runs of samples. No loop over rows or groups: every column of the result is one ``reduceat`` over the rows of its group."""

from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt

from plant.aggregates.summary import COLUMNS, NO_TIME, Summaries, no_summaries, usable_mask
from plant.batch import Float64Column, Int16Column, Int64Column
from plant.quality import UNCERTAIN_FLOOR, good_mask
from plant.times import MICROSECONDS

_LATEST: Final = np.iinfo(np.int64).max

Positions = npt.NDArray[np.intp]
Mask = npt.NDArray[np.bool_]


def merge(rows: Summaries, edges: Int64Column) -> Summaries:
    """One row for each interval ``[edges[i], edges[i + 1])``, merged from the rows inside it; an interval without samples gives an empty row.

    ``edges`` int64, increasing. Rows before the first and after the last edge are left out.

    Raises:
        ValueError: a row lies across an edge, rows are not in order of time, or edges do not increase.
    """
    if len(edges) < 2 or (edges[1:] <= edges[:-1]).any():
        raise ValueError("intervals need two edges or more, each later than the one before")
    if not rows.filled.all():
        rows = rows.select(rows.filled)
    if (rows.first_time[1:] <= rows.last_time[:-1]).any():
        raise ValueError("summaries to merge overlap, or are not in order of time")
    cut = np.searchsorted(rows.first_time, edges, "left")
    ends = cut[cut > 0] - 1
    if (rows.last_time[ends] >= edges[cut > 0]).any():
        raise ValueError("a summary lies across an edge of an interval: choose edges that are edges of the summaries, or summarise the samples there")
    if cut[0] != 0 or cut[-1] != len(rows):
        rows = rows.select(slice(int(cut[0]), int(cut[-1])))
        cut = cut - cut[0]
    sizes = np.diff(cut)
    held = np.flatnonzero(sizes)
    if not len(held):
        return no_summaries(len(sizes), rows.stepped, rows.uncertain_as_bad)
    merged = rows if len(held) == len(rows) else _merge_groups(rows, cut[:-1][held], sizes[held])
    return merged if len(held) == len(sizes) else _spread(merged, held, len(sizes))


def _merge_groups(rows: Summaries, starts: Positions, sizes: npt.NDArray[np.int64]) -> Summaries:
    group = np.repeat(np.arange(len(starts)), sizes)
    last = starts + sizes - 1
    inner = group[1:] == group[:-1]
    gap = np.where(inner, rows.first_time[1:] - rows.last_time[:-1], 0)
    starts_good = good_mask(rows.last_quality[:-1])
    ends_good = good_mask(rows.first_quality[1:])
    starts_usable, ends_usable = usable_mask(rows.last_quality[:-1], rows.uncertain_as_bad), usable_mask(rows.first_quality[1:], rows.uncertain_as_bad)
    firm = starts_good if rows.stepped else starts_good & ends_good
    value = rows.last_value[:-1]
    level = value if rows.stepped else np.where(ends_usable, 0.5 * (value + rows.first_value[1:]), value)

    def duration(column: Int64Column, mask: Mask) -> Int64Column:
        whole = column.copy()
        whole[1:] += np.where(mask, gap, 0)
        return np.add.reduceat(whole, starts)

    integral = rows.integral.copy()
    integral[1:] += np.where(starts_usable, level * (gap / MICROSECONDS), 0.0)
    good_count = np.add.reduceat(rows.good_count, starts)
    mean, squares = _moments(rows, starts, group, good_count)
    minimum, minimum_time = _extreme(np.minimum, rows.minimum, rows.minimum_time, starts, group)
    maximum, maximum_time = _extreme(np.maximum, rows.maximum, rows.maximum_time, starts, group)
    uncertain_count = np.add.reduceat(rows.uncertain_count, starts)
    bad_count = np.add.reduceat(rows.bad_count, starts)
    usable = _usable_columns(rows, starts, group)
    return Summaries(
        stepped=rows.stepped,
        uncertain_as_bad=rows.uncertain_as_bad,
        first_time=rows.first_time[starts],
        first_value=rows.first_value[starts],
        first_quality=rows.first_quality[starts],
        last_time=rows.last_time[last],
        last_value=rows.last_value[last],
        last_quality=rows.last_quality[last],
        first_usable_time=usable.first_time,
        first_usable_value=usable.first_value,
        last_usable_time=usable.last_time,
        last_usable_value=usable.last_value,
        good_count=good_count,
        uncertain_count=uncertain_count,
        bad_count=bad_count,
        mean=mean,
        squares=squares,
        minimum=minimum,
        minimum_time=minimum_time,
        maximum=maximum,
        maximum_time=maximum_time,
        uncertain_minimum=np.fmin.reduceat(rows.uncertain_minimum, starts),
        uncertain_maximum=np.fmax.reduceat(rows.uncertain_maximum, starts),
        good_duration=duration(rows.good_duration, starts_good),
        uncertain_duration=duration(rows.uncertain_duration, rows.last_quality[:-1] >= UNCERTAIN_FLOOR),
        firm_duration=duration(rows.firm_duration, firm),
        zero_duration=duration(rows.zero_duration, starts_good & (value == 0.0)),
        integral=np.add.reduceat(integral, starts),
        line_integral=usable.line_integral,
        transitions=usable.transitions,
        worst_quality=_worst(rows.worst_quality, starts, group),
        bad_time=_earliest(rows.bad_time, starts, bad_count),
    )


@dataclass(frozen=True, slots=True, eq=False)
class _Usable:
    """What a group knows of its usable samples; one entry a group."""

    first_time: Int64Column
    first_value: Float64Column
    last_time: Int64Column
    last_value: Float64Column
    line_integral: Float64Column
    transitions: Int64Column


def _usable_columns(rows: Summaries, starts: Positions, group: Positions) -> _Usable:
    groups = len(starts)
    result = _Usable(
        np.full(groups, NO_TIME), np.full(groups, np.nan), np.full(groups, NO_TIME), np.full(groups, np.nan), np.zeros(groups), np.zeros(groups, np.int64)
    )
    held = np.flatnonzero(rows.first_usable_time != NO_TIME)
    if not len(held):
        return result
    # The few columns that are needed, not whole rows: a run of one for each sample comes by here.
    group = group[held]
    first_time, first_value = rows.first_usable_time[held], rows.first_usable_value[held]
    last_time, last_value = rows.last_usable_time[held], rows.last_usable_value[held]
    inner = group[1:] == group[:-1]
    begins = np.flatnonzero(np.r_[True, ~inner])
    ends = np.r_[begins[1:], len(held)] - 1
    at = group[begins]
    before, after = last_value[:-1], first_value[1:]
    gap = np.where(inner, first_time[1:] - last_time[:-1], 0)
    line = rows.line_integral[held]
    line[1:] += (before if rows.stepped else 0.5 * (before + after)) * (gap / MICROSECONDS)
    transitions = rows.transitions[held]
    transitions[1:] += inner & (before != after)
    result.first_time[at] = first_time[begins]
    result.first_value[at] = first_value[begins]
    result.last_time[at] = last_time[ends]
    result.last_value[at] = last_value[ends]
    result.line_integral[at] = np.add.reduceat(line, begins)
    result.transitions[at] = np.add.reduceat(transitions, begins)
    return result


def _moments(rows: Summaries, starts: Positions, group: Positions, good_count: Int64Column) -> tuple[Float64Column, Float64Column]:
    """Mean and sum of squared distances of each group: the parallel form of Chan, Golub and LeVeque (1979), distances taken from a value near by."""
    has_good = rows.good_count > 0
    mean = np.where(has_good, rows.mean, 0.0)
    near = mean[np.minimum(np.searchsorted(np.flatnonzero(has_good), starts), max(int(has_good.sum()) - 1, 0))] if not has_good.all() else mean[starts]
    offset = np.add.reduceat(rows.good_count * (mean - near[group]), starts)
    with np.errstate(invalid="ignore", divide="ignore"):
        merged = near + offset / good_count
    distance = np.where(has_good, mean - np.nan_to_num(merged)[group], 0.0)
    return merged, np.add.reduceat(rows.squares + rows.good_count * distance * distance, starts)


def _extreme(better: np.ufunc, value: Float64Column, time: Int64Column, starts: Positions, group: Positions) -> tuple[Float64Column, Int64Column]:
    """Best value of each group and the time when it came first; NaN and ``NO_TIME`` where no row of the group has one."""
    worst = np.inf if better is np.minimum else -np.inf
    known = np.where(np.isnan(value), worst, value)
    best = better.reduceat(known, starts)
    first = _first(known == best[group], starts)
    return value[first], time[first]


def _worst(quality: Int16Column, starts: Positions, group: Positions) -> Int16Column:
    severity = np.where(quality < 0, np.int8(2), (quality >= UNCERTAIN_FLOOR).astype(np.int8))
    return quality[_first(severity == np.maximum.reduceat(severity, starts)[group], starts)]


def _earliest(time: Int64Column, starts: Positions, count: Int64Column) -> Int64Column:
    return np.where(count > 0, np.minimum.reduceat(np.where(time == NO_TIME, _LATEST, time), starts), NO_TIME)


def _first(mask: Mask, starts: Positions) -> Positions:
    """Position of the first True of each group; every group has one."""
    found = np.flatnonzero(mask)
    return found[np.searchsorted(found, starts)]


def _spread(rows: Summaries, at: Positions, count: int) -> Summaries:
    """``count`` rows, empty but for those at ``at``."""
    spread = no_summaries(count, rows.stepped, rows.uncertain_as_bad)
    for name in COLUMNS:
        getattr(spread, name)[at] = getattr(rows, name)
    return spread
