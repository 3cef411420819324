"""Merging adjacent runs of samples. No loop over rows or groups: every column of the result is one ``reduceat`` over the rows of its group."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from plant.aggregates.summary import KEYS, NO_TIME, Summaries, no_summaries, usable_mask
from plant.batch import Float64Column, Int16Column, Int64Column
from plant.quality import UNCERTAIN_FLOOR, good_mask
from plant.times import MICROSECONDS

_LATEST: Final = np.iinfo(np.int64).max

Positions = npt.NDArray[np.intp]
Mask = npt.NDArray[np.bool_]
Columns = Mapping[str, npt.NDArray[Any]]

_COUNTS: Final = ("good_count", "uncertain_count", "bad_count")
_USABLE_FAMILY: Final = ("first_usable_time", "first_usable_value", "last_usable_time", "last_usable_value", "line_integral", "transitions")


def merge(rows: Summaries, edges: Int64Column) -> Summaries:
    """One row for each interval ``[edges[i], edges[i + 1])``, merged from the rows inside it, with their columns; an interval without samples gives an
    empty row.

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
        return no_summaries(len(sizes), rows.stepped, rows.uncertain_as_bad, rows.columns)
    merged = rows if len(held) == len(rows) else _merge_groups(rows, cut[:-1][held], sizes[held])
    return merged if len(held) == len(sizes) else _spread(merged, held, len(sizes))


@dataclass(frozen=True, slots=True, eq=False)
class _Groups:
    """``rows`` of adjacent groups: ``starts`` and ``last`` are the first and last row of each, ``group`` the group of each row."""

    rows: Summaries
    starts: Positions
    last: Positions
    group: Positions


def _merge_groups(rows: Summaries, starts: Positions, sizes: npt.NDArray[np.int64]) -> Summaries:
    groups = _Groups(rows, starts, starts + sizes - 1, np.repeat(np.arange(len(starts)), sizes))
    merged: dict[str, npt.NDArray[Any]] = {}
    for family, merge_family in _FAMILIES.items():
        if any(name in family for name in rows.columns):
            merged |= merge_family(groups)
    return Summaries(rows.stepped, rows.uncertain_as_bad, merged)


def _ends(groups: _Groups) -> Columns:
    rows, starts, last = groups.rows, groups.starts, groups.last
    return {name: getattr(rows, name)[starts if name.startswith("first") else last] for name in KEYS}


def _counts(groups: _Groups) -> Columns:
    return {name: np.add.reduceat(getattr(groups.rows, name), groups.starts) for name in groups.rows.columns if name in _COUNTS}


def _over_regions(groups: _Groups) -> Columns:
    """Durations and the integral, with the regions between the rows of a group."""
    rows, starts, asked = groups.rows, groups.starts, groups.rows.columns
    inner = groups.group[1:] == groups.group[:-1]
    gap = np.where(inner, rows.first_time[1:] - rows.last_time[:-1], 0)
    value, quality = rows.last_value[:-1], rows.last_quality[:-1]
    starts_good = good_mask(quality)
    masks: dict[str, Callable[[], Mask]] = {
        "good_duration": lambda: starts_good,
        "uncertain_duration": lambda: quality >= UNCERTAIN_FLOOR,
        "firm_duration": lambda: starts_good if rows.stepped else starts_good & good_mask(rows.first_quality[1:]),
        "zero_duration": lambda: starts_good & (value == 0.0),
    }
    merged: dict[str, npt.NDArray[Any]] = {}
    for name, mask in masks.items():
        if name in asked:
            whole = getattr(rows, name).copy()
            whole[1:] += np.where(mask(), gap, 0)
            merged[name] = np.add.reduceat(whole, starts)
    if "integral" in asked:
        ends_usable = usable_mask(rows.first_quality[1:], rows.uncertain_as_bad)
        level = value if rows.stepped else np.where(ends_usable, 0.5 * (value + rows.first_value[1:]), value)
        integral = rows.integral.copy()
        integral[1:] += np.where(usable_mask(quality, rows.uncertain_as_bad), level * (gap / MICROSECONDS), 0.0)
        merged["integral"] = np.add.reduceat(integral, starts)
    return merged


def _extremes(groups: _Groups) -> Columns:
    rows, starts, asked = groups.rows, groups.starts, groups.rows.columns
    merged: dict[str, npt.NDArray[Any]] = {}
    if "minimum" in asked:
        merged["minimum"], merged["minimum_time"] = _extreme(np.minimum, rows.minimum, rows.minimum_time, starts, groups.group)
    if "maximum" in asked:
        merged["maximum"], merged["maximum_time"] = _extreme(np.maximum, rows.maximum, rows.maximum_time, starts, groups.group)
    if "uncertain_minimum" in asked:
        merged["uncertain_minimum"] = np.fmin.reduceat(rows.uncertain_minimum, starts)
    if "uncertain_maximum" in asked:
        merged["uncertain_maximum"] = np.fmax.reduceat(rows.uncertain_maximum, starts)
    return merged


def _severities(groups: _Groups) -> Columns:
    rows, starts, asked = groups.rows, groups.starts, groups.rows.columns
    merged: dict[str, npt.NDArray[Any]] = {}
    if "worst_quality" in asked:
        merged["worst_quality"] = _worst(rows.worst_quality, starts, groups.group)
    if "bad_time" in asked:
        merged["bad_time"] = _earliest(rows.bad_time, starts)
    return merged


def _usable_columns(groups: _Groups) -> Columns:
    """What a group knows of its usable samples."""
    rows, asked, count = groups.rows, groups.rows.columns, len(groups.starts)
    merged = {name: column for name, column in _no_usable(count).items() if name in asked}
    held = np.flatnonzero(rows.first_usable_time != NO_TIME)
    if not len(held):
        return merged
    # The few columns that are needed, not whole rows: a run of one for each sample comes by here.
    group = groups.group[held]
    first_time, first_value = rows.first_usable_time[held], rows.first_usable_value[held]
    last_time, last_value = rows.last_usable_time[held], rows.last_usable_value[held]
    inner = group[1:] == group[:-1]
    begins = np.flatnonzero(np.r_[True, ~inner])
    ends = np.r_[begins[1:], len(held)] - 1
    at = group[begins]
    before, after = last_value[:-1], first_value[1:]
    merged["first_usable_time"][at] = first_time[begins]
    merged["first_usable_value"][at] = first_value[begins]
    merged["last_usable_time"][at] = last_time[ends]
    merged["last_usable_value"][at] = last_value[ends]
    if "line_integral" in asked:
        gap = np.where(inner, first_time[1:] - last_time[:-1], 0)
        line = rows.line_integral[held]
        line[1:] += (before if rows.stepped else 0.5 * (before + after)) * (gap / MICROSECONDS)
        merged["line_integral"][at] = np.add.reduceat(line, begins)
    if "transitions" in asked:
        transitions = rows.transitions[held]
        transitions[1:] += inner & (before != after)
        merged["transitions"][at] = np.add.reduceat(transitions, begins)
    return merged


def _no_usable(count: int) -> dict[str, npt.NDArray[Any]]:
    return {name: getattr(no_summaries(count, False, True, (*KEYS, name)), name) for name in _USABLE_FAMILY}


def _moments(groups: _Groups) -> Columns:
    """Mean and sum of squared distances of each group: the parallel form of Chan, Golub and LeVeque (1979), distances taken from a value near by."""
    rows, starts, group = groups.rows, groups.starts, groups.group
    has_good = rows.good_count > 0
    mean = np.where(has_good, rows.mean, 0.0)
    near = mean[np.minimum(np.searchsorted(np.flatnonzero(has_good), starts), max(int(has_good.sum()) - 1, 0))] if not has_good.all() else mean[starts]
    offset = np.add.reduceat(rows.good_count * (mean - near[group]), starts)
    with np.errstate(invalid="ignore", divide="ignore"):
        merged = near + offset / np.add.reduceat(rows.good_count, starts)
    if "squares" not in rows.columns:
        return {"mean": merged}
    distance = np.where(has_good, mean - np.nan_to_num(merged)[group], 0.0)
    return {"mean": merged, "squares": np.add.reduceat(rows.squares + rows.good_count * distance * distance, starts)}


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


def _earliest(time: Int64Column, starts: Positions) -> Int64Column:
    earliest = np.minimum.reduceat(np.where(time == NO_TIME, _LATEST, time), starts)
    return np.where(earliest == _LATEST, NO_TIME, earliest)


def _first(mask: Mask, starts: Positions) -> Positions:
    """Position of the first True of each group; every group has one."""
    found = np.flatnonzero(mask)
    return found[np.searchsorted(found, starts)]


def _spread(rows: Summaries, at: Positions, count: int) -> Summaries:
    """``count`` rows, empty but for those at ``at``."""
    spread = no_summaries(count, rows.stepped, rows.uncertain_as_bad, rows.columns)
    for name in rows.columns:
        getattr(spread, name)[at] = getattr(rows, name)
    return spread


_FAMILIES: Final[dict[tuple[str, ...], Callable[[_Groups], Columns]]] = {
    KEYS: _ends,
    _USABLE_FAMILY: _usable_columns,
    _COUNTS: _counts,
    ("mean", "squares"): _moments,
    ("minimum", "maximum", "uncertain_minimum", "uncertain_maximum"): _extremes,
    ("good_duration", "uncertain_duration", "firm_duration", "zero_duration", "integral"): _over_regions,
    ("worst_quality", "bad_time"): _severities,
}
"""Columns that are merged together, and how; every column belongs to one family, a time of an extreme to its extreme's."""
