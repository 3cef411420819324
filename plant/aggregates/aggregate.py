"""The aggregate engine: one way from samples or summaries to the values of an aggregate."""

from typing import Final

import numpy as np

from plant.aggregates.bounds import neighbours
from plant.aggregates.configuration import AggregateConfiguration
from plant.aggregates.finish import FINISH
from plant.aggregates.function import EITHER_TREATMENT, INTERPOLATED_BOUNDS, AggregateFunction
from plant.aggregates.interval_data import IntervalData
from plant.aggregates.merge import merge
from plant.aggregates.needs import columns_of
from plant.aggregates.regions import regions
from plant.aggregates.samples import TagSamples
from plant.aggregates.summarise import runs_of_one
from plant.aggregates.summary import NO_TIME, Summaries, usable_mask
from plant.aggregates.values import AggregateValues
from plant.batch import Int64Column

STANDARD: Final = AggregateConfiguration()
_FOREVER: Final = np.iinfo(np.int64).max


def served_by_summaries(function: AggregateFunction, configuration: AggregateConfiguration = STANDARD) -> bool:
    """Whether stored summaries, made with Uncertain as Bad, give the answer that the samples give. If not, the caller reads samples.

    Not served: functions that mix Good and Uncertain values where Uncertain is not treated as Bad, and extrapolation along a slope, which needs the last
    two samples. Summaries without any Uncertain sample serve the first kind too, and ``aggregate`` takes them.
    """
    if configuration.use_sloped_extrapolation and function in INTERPOLATED_BOUNDS:
        return False
    return configuration.treat_uncertain_as_bad or function in EITHER_TREATMENT or function is AggregateFunction.DELTA


def aggregate(
    function: AggregateFunction,
    data: TagSamples | Summaries,
    edges: Int64Column,
    *,
    before: TagSamples | None = None,
    after: TagSamples | None = None,
    configuration: AggregateConfiguration = STANDARD,
    known_until: int | None = None,
) -> AggregateValues:
    """One value for each interval ``[edges[i], edges[i + 1])``.

    ``data``: samples of the intervals, or summaries none of which lies across an edge, with the columns that ``columns_of(function)`` names or more; what
    lies outside counts as ``before`` and ``after``.
    ``before``: samples earlier than ``data``, as many as there may be, at least the last one, the last Good one and the last that is not Bad (often one
    sample); ``after``: likewise the first one, the first Good and the first not Bad after ``data``. Without them the history of the tag begins or ends
    with ``data``. ``known_until``: the time up to which the last sample is known to hold, where there is none after it: the present, for a
    tag that is reported by exception. Nothing is known from there on, and the part of an interval behind it does not count. Without it, the last sample
    holds to the end of its interval (Part 13, 5.3.3.2).

    Raises:
        ColumnNotRead: the summaries lack a column that the function needs.
        ValueError: edges do not increase, a summary lies across one, times do not increase, or the summaries cannot serve (see ``served_by_summaries``).
    """
    rows, slope = _rows(function, data, before, after, configuration, np.concatenate([[NO_TIME + 1], edges, [_FOREVER]]))
    inner = rows.select(slice(1, -1))
    near = neighbours(rows, edges, _known_until(rows, edges, known_until), slope)
    interval = IntervalData(inner, near, regions(inner, near), configuration)
    value, quality = FINISH[function](interval)
    start = edges[:-1]
    none = quality < 0
    percent_good = np.where(interval.known > 0, 100.0 * interval.regions.good / np.maximum(interval.known, 1), 0.0)
    own_time = _OWN_TIME.get(function)
    actual = start if own_time is None else np.where(inner.filled & (getattr(inner, own_time) != NO_TIME), getattr(inner, own_time), start)
    return AggregateValues(start, np.where(none, np.nan, value), quality, percent_good, actual, interval.partial)


_OWN_TIME: Final = {
    AggregateFunction.MINIMUM_ACTUAL_TIME: "minimum_time",
    AggregateFunction.MAXIMUM_ACTUAL_TIME: "maximum_time",
    AggregateFunction.START: "first_time",
    AggregateFunction.END: "last_time",
}


def _rows(
    function: AggregateFunction,
    data: TagSamples | Summaries,
    before: TagSamples | None,
    after: TagSamples | None,
    configuration: AggregateConfiguration,
    edges: Int64Column,
) -> tuple[Summaries, float]:
    """A row for all before the intervals, one for each, and one for all after; and the slope after the last usable sample."""
    as_bad = configuration.treat_uncertain_as_bad or function is AggregateFunction.DELTA
    outer = [TagSamples.empty(data.stepped) if part is None else part for part in (before, after)]
    sloped = configuration.use_sloped_extrapolation and function in INTERPOLATED_BOUNDS and not data.stepped
    if isinstance(data, TagSamples):
        samples = TagSamples.concatenate([outer[0], data, outer[1]])
        return merge(runs_of_one(samples, as_bad, columns_of(function)), edges), _last_slope(samples, as_bad) if sloped else 0.0
    if sloped:
        raise ValueError("summaries do not hold the last two samples that sloped extrapolation needs: read samples")
    if data.uncertain_as_bad != as_bad:
        if function not in EITHER_TREATMENT and data.uncertain_count.any():
            raise ValueError(f"{function} of Uncertain samples, treated otherwise than the summaries treat them: read samples")
        data = data.told_as(uncertain_as_bad=as_bad)
    before_data, after_data = (runs_of_one(part, as_bad, data.columns) for part in outer)
    return merge(Summaries.concatenate([before_data, data, after_data]), edges), 0.0


def _known_until(rows: Summaries, edges: Int64Column, known_until: int | None) -> int:
    filled = np.flatnonzero(rows.filled)
    if not len(filled):
        return int(edges[0])
    last = int(filled[-1])
    end_of_data = int(rows.last_time[last]) + 1
    if known_until is not None:
        return max(known_until, end_of_data)
    if last == len(rows) - 1:
        return end_of_data
    return int(edges[last])


def _last_slope(samples: TagSamples, uncertain_as_bad: bool) -> float:
    last = np.flatnonzero(usable_mask(samples.quality, uncertain_as_bad))[-2:]
    if len(last) < 2:
        return 0.0
    value, time = samples.value[last], samples.time[last]
    return float((value[1] - value[0]) / (time[1] - time[0]))
