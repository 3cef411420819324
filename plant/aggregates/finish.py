"""Each function finished from what is known of its intervals. Clauses are those of OPC UA Part 13, release 1.05."""

from collections.abc import Callable
from typing import Final

import numpy as np

from plant.aggregates.bounds import NO_DATA, SUB_NORMAL, Mask, interpolated_bounds, simple_bounds
from plant.aggregates.function import AggregateFunction
from plant.aggregates.interval_data import IntervalData
from plant.aggregates.regions import line_is_soft
from plant.aggregates.status import GOOD
from plant.batch import Float64Column, Int16Column, Int64Column
from plant.quality import UNCERTAIN_FLOOR
from plant.times import MICROSECONDS

Answer = tuple[Float64Column, Int16Column]
"""Value and quality of each interval; the value of a Bad one is not looked at."""

_MILLISECOND: Final = MICROSECONDS // 1_000


def _average(data: IntervalData) -> Answer:
    """5.4.3.5: mean of the Good samples, not weighted."""
    return data.rows.mean, np.where(data.rows.good_count > 0, data.quality_by_count(), NO_DATA)


def _count(data: IntervalData) -> Answer:
    """5.4.3.21: Good samples."""
    return data.rows.good_count.astype(np.float64), _inside(data, data.quality_by_count())


def _transitions(data: IntervalData) -> Answer:
    """5.4.3.24: changes of value, the first against the usable sample before the interval; the first sample of all is a change too."""
    rows, before = data.rows, data.near.usable_before
    usable = ~np.isnan(rows.first_usable_value)
    entry = usable & ~(before.there[:-1] & (before.value[:-1] == rows.first_usable_value))
    return (rows.transitions + entry).astype(np.float64), _inside(data, data.quality_by_count())


def _start(data: IntervalData) -> Answer:
    """5.4.3.25: first sample, with its quality."""
    return data.rows.first_value, np.where(data.rows.filled, data.rows.first_quality, NO_DATA)


def _end(data: IntervalData) -> Answer:
    """5.4.3.26: last sample, with its quality."""
    return data.rows.last_value, np.where(data.rows.filled, data.rows.last_quality, NO_DATA)


def _delta(data: IntervalData) -> Answer:
    """5.4.3.27: last Good minus first Good; Uncertain if another sample was passed over in looking for either."""
    rows = data.rows
    passed_over = (rows.first_usable_time != rows.first_time) | (rows.last_usable_time != rows.last_time)
    return rows.last_usable_value - rows.first_usable_value, np.where(rows.good_count > 0, np.where(passed_over, SUB_NORMAL, GOOD), NO_DATA)


def _extreme_quality(data: IntervalData, surpassed: Mask) -> Int16Column:
    rows = data.rows
    soft = rows.bad_count > 0
    soft = soft | (rows.uncertain_count > 0 if data.configuration.treat_uncertain_as_bad else surpassed)
    return np.where(rows.good_count > 0, np.where(soft, SUB_NORMAL, GOOD), NO_DATA)


def _minimum(data: IntervalData) -> Answer:
    """5.4.3.10, 5.4.3.12: lowest Good sample; Uncertain if samples were left out for their quality, or an Uncertain one is lower."""
    return data.rows.minimum, _extreme_quality(data, data.rows.uncertain_minimum < data.rows.minimum)


def _maximum(data: IntervalData) -> Answer:
    """5.4.3.11, 5.4.3.13."""
    return data.rows.maximum, _extreme_quality(data, data.rows.uncertain_maximum > data.rows.maximum)


def _range(data: IntervalData) -> Answer:
    """5.4.3.14."""
    low, high = _minimum(data), _maximum(data)
    return high[0] - low[0], np.maximum(low[1], high[1])


def _extreme_with_bounds(data: IntervalData, better: np.ufunc, good: Float64Column, uncertain: Float64Column) -> Answer:
    """5.4.3.15, 5.4.3.16: usable samples, the start bound and, on a continuous tag, the end bound. ``better`` is ``np.fmin`` or ``np.fmax``."""
    bounds, _ = simple_bounds(data.near)
    value = better(good, bounds[:-1])
    if not data.configuration.treat_uncertain_as_bad:
        value = better(value, uncertain)
    if not data.near.stepped:
        value = better(value, bounds[1:])
    return value, _inside(data, np.where(np.isnan(value), NO_DATA, data.quality_by_time()))


def _minimum_2(data: IntervalData) -> Answer:
    return _extreme_with_bounds(data, np.fmin, data.rows.minimum, data.rows.uncertain_minimum)


def _maximum_2(data: IntervalData) -> Answer:
    return _extreme_with_bounds(data, np.fmax, data.rows.maximum, data.rows.uncertain_maximum)


def _range_2(data: IntervalData) -> Answer:
    """5.4.3.19."""
    low, high = _minimum_2(data), _maximum_2(data)
    return high[0] - low[0], high[1]


def _variance(degrees: int) -> Callable[[IntervalData], Answer]:
    """5.4.3.38, 5.4.3.40: of the Good samples, over their number less ``degrees``; 0 for a single one."""

    def finish(data: IntervalData) -> Answer:
        count = data.rows.good_count
        soft = data.rows.uncertain_count + data.rows.bad_count > 0
        quality = np.where(count > 0, np.where(soft, SUB_NORMAL, GOOD), NO_DATA)
        return data.rows.squares / np.maximum(count - degrees, 1), quality

    return finish


def _deviation(degrees: int) -> Callable[[IntervalData], Answer]:
    """5.4.3.37, 5.4.3.39."""

    def finish(data: IntervalData) -> Answer:
        variance, quality = _variance(degrees)(data)
        return np.sqrt(variance), quality

    return finish


def _worst_quality(data: IntervalData) -> Answer:
    """5.4.3.35: worst severity of the samples, the first StatusCode of it."""
    return data.rows.worst_quality.astype(np.float64), np.where(data.rows.filled, GOOD, NO_DATA)


def _worst_quality_2(data: IntervalData) -> Answer:
    """5.4.3.36: as WorstQuality, the simple bound at the start included; how Uncertain is treated does not matter."""
    near, rows = data.near.at(slice(None, -1)), data.rows
    severe, uncertain = near.before_quality < 0, near.before_quality >= UNCERTAIN_FLOOR
    if not near.stepped:
        uncertain = uncertain | ~near.after.there | (near.after_quality < 0) | (near.after_quality >= UNCERTAIN_FLOOR)
    bound = np.where(severe, NO_DATA, np.where(uncertain, SUB_NORMAL, GOOD))
    bound = np.where(near.exact, np.where(near.after_quality < 0, NO_DATA, near.after_quality), bound)
    worse = rows.filled & (_severity(rows.worst_quality) > _severity(bound))
    return np.where(worse, rows.worst_quality, bound).astype(np.float64), _inside(data, np.broadcast_to(GOOD, len(rows)))


def _severity(quality: Int16Column) -> Int16Column:
    return np.where(quality < 0, 2, quality >= UNCERTAIN_FLOOR).astype(np.int16)


def _interpolative(data: IntervalData) -> Answer:
    """5.4.3.4: interpolated bound at the start."""
    return interpolated_bounds(data.near.at(slice(None, -1)))


def _total(data: IntervalData) -> Answer:
    """5.4.3.8: integral of the line through the usable samples, from the first of all samples on."""
    soft = line_is_soft(data.rows, data.near)
    return data.regions.line_integral, np.where(data.regions.line_duration > 0, np.where(soft, SUB_NORMAL, GOOD), NO_DATA)


def _time_average(data: IntervalData) -> Answer:
    """5.4.3.6: that integral over the time it covers."""
    integral, quality = _total(data)
    return integral / (np.maximum(data.regions.line_duration, 1) / MICROSECONDS), quality


def _total_2(data: IntervalData) -> Answer:
    """5.4.3.9: integral over the regions that start with a usable sample."""
    return data.regions.integral, _inside(data, np.where(data.used > 0, data.quality_by_time(), NO_DATA))


def _time_average_2(data: IntervalData) -> Answer:
    """5.4.3.7: that integral over the time of those regions."""
    integral, quality = _total_2(data)
    return integral / (np.maximum(data.used, 1) / MICROSECONDS), quality


def _start_bound(data: IntervalData) -> Answer:
    """5.4.3.28: simple bound at the start."""
    return simple_bounds(data.near.at(slice(None, -1)))


def _end_bound(data: IntervalData) -> Answer:
    """5.4.3.29: simple bound at the end."""
    value, quality = simple_bounds(data.near.at(slice(1, None)))
    return value, _inside(data, quality)


def _delta_bounds(data: IntervalData) -> Answer:
    """5.4.3.30."""
    (first, first_quality), (last, last_quality) = _start_bound(data), _end_bound(data)
    soft = (first_quality >= UNCERTAIN_FLOOR) | (last_quality >= UNCERTAIN_FLOOR)
    bad = (first_quality < 0) | (last_quality < 0)
    return last - first, np.where(bad, NO_DATA, np.where(soft, SUB_NORMAL, GOOD))


def _milliseconds(data: IntervalData, duration: Int64Column, quality: Int16Column) -> Answer:
    return duration / _MILLISECOND, _inside(data, quality)


def _duration_good(data: IntervalData) -> Answer:
    """5.4.3.31: a region is what its first sample is; the first region is what the sample at or before the start is."""
    return _milliseconds(data, data.regions.good, np.broadcast_to(GOOD, len(data.rows)))


def _duration_bad(data: IntervalData) -> Answer:
    """5.4.3.32: as DurationGood, and Uncertain is Bad where it is treated so; without a sample at or before the start the first region is Bad."""
    return _milliseconds(data, data.known - data.used, np.broadcast_to(GOOD, len(data.rows)))


def _percent_good(data: IntervalData) -> Answer:
    """5.4.3.33."""
    value, quality = _duration_good(data)
    return 100.0 * value * _MILLISECOND / np.maximum(data.known, 1), quality


def _percent_bad(data: IntervalData) -> Answer:
    """5.4.3.34."""
    value, quality = _duration_bad(data)
    return 100.0 * value * _MILLISECOND / np.maximum(data.known, 1), quality


def _duration_zero(data: IntervalData) -> Answer:
    """5.4.3.22: a state is held until the next sample; only Good samples count."""
    return _milliseconds(data, data.regions.zero, data.quality_by_state())


def _duration_non_zero(data: IntervalData) -> Answer:
    """5.4.3.23."""
    return _milliseconds(data, data.regions.good - data.regions.zero, data.quality_by_state())


def _inside(data: IntervalData, quality: Int16Column) -> Int16Column:
    return np.where(data.outside, NO_DATA, quality)


FINISH: Final[dict[AggregateFunction, Callable[[IntervalData], Answer]]] = {
    AggregateFunction.INTERPOLATIVE: _interpolative,
    AggregateFunction.AVERAGE: _average,
    AggregateFunction.TIME_AVERAGE: _time_average,
    AggregateFunction.TIME_AVERAGE_2: _time_average_2,
    AggregateFunction.TOTAL: _total,
    AggregateFunction.TOTAL_2: _total_2,
    AggregateFunction.MINIMUM: _minimum,
    AggregateFunction.MAXIMUM: _maximum,
    AggregateFunction.MINIMUM_ACTUAL_TIME: _minimum,
    AggregateFunction.MAXIMUM_ACTUAL_TIME: _maximum,
    AggregateFunction.RANGE: _range,
    AggregateFunction.MINIMUM_2: _minimum_2,
    AggregateFunction.MAXIMUM_2: _maximum_2,
    AggregateFunction.RANGE_2: _range_2,
    AggregateFunction.COUNT: _count,
    AggregateFunction.DURATION_IN_STATE_ZERO: _duration_zero,
    AggregateFunction.DURATION_IN_STATE_NON_ZERO: _duration_non_zero,
    AggregateFunction.NUMBER_OF_TRANSITIONS: _transitions,
    AggregateFunction.START: _start,
    AggregateFunction.END: _end,
    AggregateFunction.DELTA: _delta,
    AggregateFunction.START_BOUND: _start_bound,
    AggregateFunction.END_BOUND: _end_bound,
    AggregateFunction.DELTA_BOUNDS: _delta_bounds,
    AggregateFunction.DURATION_GOOD: _duration_good,
    AggregateFunction.DURATION_BAD: _duration_bad,
    AggregateFunction.PERCENT_GOOD: _percent_good,
    AggregateFunction.PERCENT_BAD: _percent_bad,
    AggregateFunction.WORST_QUALITY: _worst_quality,
    AggregateFunction.WORST_QUALITY_2: _worst_quality_2,
    AggregateFunction.STANDARD_DEVIATION_SAMPLE: _deviation(1),
    AggregateFunction.VARIANCE_SAMPLE: _variance(1),
    AggregateFunction.STANDARD_DEVIATION_POPULATION: _deviation(0),
    AggregateFunction.VARIANCE_POPULATION: _variance(0),
}
