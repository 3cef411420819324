"""Which columns of summaries each function is finished from: what a store reads for a question, and no more."""

from typing import Final

from plant.aggregates.function import AggregateFunction
from plant.aggregates.summary import with_companions

_EVERY: Final = ("first_usable_time", "good_duration")
"""What stands at the edges, and ``percent_good``."""

_COUNTS: Final = ("good_count", "uncertain_count", "bad_count")
_LINE: Final = ("line_integral", "uncertain_count", "bad_count")
_BY_TIME: Final = ("uncertain_duration", "firm_duration")
_LOWEST: Final = ("minimum", "uncertain_minimum")
_HIGHEST: Final = ("maximum", "uncertain_maximum")
_OWN: Final[dict[AggregateFunction, tuple[str, ...]]] = {
    AggregateFunction.INTERPOLATIVE: (),
    AggregateFunction.AVERAGE: ("mean", *_COUNTS),
    AggregateFunction.TIME_AVERAGE: _LINE,
    AggregateFunction.TIME_AVERAGE_2: ("integral", *_BY_TIME),
    AggregateFunction.TOTAL: _LINE,
    AggregateFunction.TOTAL_2: ("integral", *_BY_TIME),
    AggregateFunction.MINIMUM: (*_LOWEST, *_COUNTS),
    AggregateFunction.MAXIMUM: (*_HIGHEST, *_COUNTS),
    AggregateFunction.MINIMUM_ACTUAL_TIME: (*_LOWEST, *_COUNTS),
    AggregateFunction.MAXIMUM_ACTUAL_TIME: (*_HIGHEST, *_COUNTS),
    AggregateFunction.RANGE: (*_LOWEST, *_HIGHEST, *_COUNTS),
    AggregateFunction.MINIMUM_2: (*_LOWEST, *_BY_TIME),
    AggregateFunction.MAXIMUM_2: (*_HIGHEST, *_BY_TIME),
    AggregateFunction.RANGE_2: (*_LOWEST, *_HIGHEST, *_BY_TIME),
    AggregateFunction.COUNT: _COUNTS,
    AggregateFunction.DURATION_IN_STATE_ZERO: ("zero_duration", "uncertain_duration"),
    AggregateFunction.DURATION_IN_STATE_NON_ZERO: ("zero_duration", "uncertain_duration"),
    AggregateFunction.NUMBER_OF_TRANSITIONS: ("transitions", *_COUNTS),
    AggregateFunction.START: (),
    AggregateFunction.END: (),
    AggregateFunction.DELTA: ("good_count",),
    AggregateFunction.START_BOUND: (),
    AggregateFunction.END_BOUND: (),
    AggregateFunction.DELTA_BOUNDS: (),
    AggregateFunction.DURATION_GOOD: (),
    AggregateFunction.DURATION_BAD: ("uncertain_duration",),
    AggregateFunction.PERCENT_GOOD: (),
    AggregateFunction.PERCENT_BAD: ("uncertain_duration",),
    AggregateFunction.WORST_QUALITY: ("worst_quality",),
    AggregateFunction.WORST_QUALITY_2: ("worst_quality",),
    AggregateFunction.STANDARD_DEVIATION_SAMPLE: ("squares", *_COUNTS),
    AggregateFunction.VARIANCE_SAMPLE: ("squares", *_COUNTS),
    AggregateFunction.STANDARD_DEVIATION_POPULATION: ("squares", *_COUNTS),
    AggregateFunction.VARIANCE_POPULATION: ("squares", *_COUNTS),
}


def columns_of(function: AggregateFunction) -> tuple[str, ...]:
    """The columns that ``aggregate`` looks at for this function, under any configuration that summaries serve, as ``with_companions`` gives them."""
    return with_companions((*_EVERY, *_OWN[function]))
