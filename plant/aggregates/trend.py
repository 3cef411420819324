"""A curve thinned to what a screen can show, with every extreme and every gap."""

from typing import Final

import numpy as np
import numpy.typing as npt

from plant.aggregates.samples import TagSamples
from plant.aggregates.summary import NO_TIME, Summaries, with_companions
from plant.batch import Float64Column, Int16Column, Int64Column
from plant.quality import Quality

Positions = npt.NDArray[np.intp]

TREND_COLUMNS: Final = with_companions(("minimum", "maximum", "bad_time", "uncertain_count"))
"""What ``points_of_summaries`` looks at, and by which a caller knows where an Uncertain extreme may hide."""


def trend(time: Int64Column, value: Float64Column, quality: Int16Column, start: int, end: int, pixels: int) -> TagSamples:
    """At most 4 samples of each of ``pixels`` equal parts of ``[start, end)``, in order of time, none twice: the first, lowest, highest and last.

    Columns of one tag in order of time (int64 microseconds, float64, int16); samples outside the span are left out. Lowest and highest are of the samples
    that are not Bad, and never missing. A part with Bad samples keeps one of them, so that no line is drawn across: the last if it is Bad, else the
    first, else the earliest between; then the first sample gives way where the part would have 5. The value of a Bad sample is NaN.

    Raises:
        ValueError: times do not increase, ``end`` is not after ``start``, or there is no pixel.
    """
    if end <= start or pixels < 1:
        raise ValueError("a trend needs an end after its start, and a pixel or more")
    inside = slice(*(int(at) for at in np.searchsorted(time, [start, end])))
    samples = TagSamples(time[inside], value[inside], quality[inside], stepped=False)
    edges = np.array([start + (end - start) * pixel // pixels for pixel in range(pixels + 1)], np.int64)
    cut = np.searchsorted(samples.time, edges)
    sizes = np.diff(cut)
    starts, sizes = cut[:-1][sizes > 0], sizes[sizes > 0]
    if not len(starts):
        return samples
    last = starts + sizes - 1
    bad = samples.quality < 0
    lowest, highest = (_extreme(better, samples.value, bad, starts, sizes) for better in (np.minimum, np.maximum))
    hidden, hidden_bad = _hidden_bad(bad, starts, last)
    inner = (lowest != starts) & (lowest != last) & (highest != starts) & (highest != last)
    full = hidden & inner & (lowest != highest)
    some = ~bad[lowest]  # where all are Bad there is no lowest
    return samples.select(np.unique(np.concatenate([starts[~full], lowest[some], highest[some], hidden_bad[hidden], last])))


def points_of_summaries(rows: Summaries) -> TagSamples:
    """Samples that stand for the runs in a trend: first, lowest, highest, last and, if there is a Bad one, the first Bad; in order of time, none twice.

    Give them to ``trend`` in the place of the samples. A run does not keep the StatusCode of every sample: lowest and highest come as plain Good and the Bad
    one as plain Bad, unless they are the first or the last. Lowest and highest are of Good samples: where ``rows.uncertain_count`` is not 0, an Uncertain
    extreme may hide, and a caller that wants it reads the samples of those rows.
    """
    rows = rows.select(rows.filled)
    good = np.int16(Quality.GOOD)
    count = len(rows)
    time = np.concatenate([rows.first_time, rows.minimum_time, rows.maximum_time, rows.bad_time, rows.last_time])
    value = np.concatenate([rows.first_value, rows.minimum, rows.maximum, np.full(count, np.nan), rows.last_value])
    quality = np.concatenate(
        [rows.first_quality, np.full(count, good), np.full(count, good), np.where(rows.bad_time != NO_TIME, np.int16(Quality.BAD), good), rows.last_quality]
    )
    # First and last come with their own quality, so they go before what else stands at their time.
    rank = np.repeat(np.array([0, 1, 1, 1, 0]), count)
    order = np.lexsort((rank, time))
    order = order[time[order] != NO_TIME]
    order = order[np.r_[True, np.diff(time[order]) > 0]] if len(order) else order
    return TagSamples(time[order], value[order], quality[order], rows.stepped)


def _extreme(better: np.ufunc, value: Float64Column, bad: npt.NDArray[np.bool_], starts: Positions, sizes: npt.NDArray[np.int64]) -> Positions:
    """Position of the first lowest or highest value of each part; of some Bad sample where all are Bad."""
    worst = np.inf if better is np.minimum else -np.inf
    known = np.where(bad, worst, value) if bad.any() else value
    best = better.reduceat(known, starts)
    found = np.flatnonzero(known == np.repeat(best, sizes))
    return found[np.searchsorted(found, starts)]


def _hidden_bad(bad: npt.NDArray[np.bool_], starts: Positions, last: Positions) -> tuple[npt.NDArray[np.bool_], Positions]:
    """Which parts have Bad samples only between their first and last one, and the first Bad sample of each part or after it."""
    found = np.flatnonzero(bad)
    at = np.searchsorted(found, starts)
    first_bad = np.append(found, len(bad))[at]
    hidden = (first_bad > starts) & (first_bad < last) & ~bad[last]
    return hidden, first_bad
