"""The aggregate functions by the names of OPC UA Part 13, Table 5."""

from enum import StrEnum
from typing import Final


class AggregateFunction(StrEnum):
    """What is asked of each interval; the value is the BrowseName of the standard."""

    INTERPOLATIVE = "Interpolative"
    AVERAGE = "Average"
    TIME_AVERAGE = "TimeAverage"
    TIME_AVERAGE_2 = "TimeAverage2"
    TOTAL = "Total"
    TOTAL_2 = "Total2"
    MINIMUM = "Minimum"
    MAXIMUM = "Maximum"
    MINIMUM_ACTUAL_TIME = "MinimumActualTime"
    MAXIMUM_ACTUAL_TIME = "MaximumActualTime"
    RANGE = "Range"
    MINIMUM_2 = "Minimum2"
    MAXIMUM_2 = "Maximum2"
    RANGE_2 = "Range2"
    COUNT = "Count"
    DURATION_IN_STATE_ZERO = "DurationInStateZero"
    DURATION_IN_STATE_NON_ZERO = "DurationInStateNonZero"
    NUMBER_OF_TRANSITIONS = "NumberOfTransitions"
    START = "Start"
    END = "End"
    DELTA = "Delta"
    START_BOUND = "StartBound"
    END_BOUND = "EndBound"
    DELTA_BOUNDS = "DeltaBounds"
    DURATION_GOOD = "DurationGood"
    DURATION_BAD = "DurationBad"
    PERCENT_GOOD = "PercentGood"
    PERCENT_BAD = "PercentBad"
    WORST_QUALITY = "WorstQuality"
    WORST_QUALITY_2 = "WorstQuality2"
    STANDARD_DEVIATION_SAMPLE = "StandardDeviationSample"
    VARIANCE_SAMPLE = "VarianceSample"
    STANDARD_DEVIATION_POPULATION = "StandardDeviationPopulation"
    VARIANCE_POPULATION = "VariancePopulation"


INTERPOLATED_BOUNDS: Final = frozenset({AggregateFunction.INTERPOLATIVE, AggregateFunction.TIME_AVERAGE, AggregateFunction.TOTAL})
"""Functions that look past Bad samples for their bounds (Part 13, 3.1.8), and go on after the end of the data."""

EITHER_TREATMENT: Final = frozenset(
    {
        AggregateFunction.AVERAGE,
        AggregateFunction.COUNT,
        AggregateFunction.DURATION_IN_STATE_ZERO,
        AggregateFunction.DURATION_IN_STATE_NON_ZERO,
        AggregateFunction.START,
        AggregateFunction.END,
        AggregateFunction.DURATION_GOOD,
        AggregateFunction.DURATION_BAD,
        AggregateFunction.PERCENT_GOOD,
        AggregateFunction.PERCENT_BAD,
        AggregateFunction.WORST_QUALITY,
        AggregateFunction.WORST_QUALITY_2,
        AggregateFunction.STANDARD_DEVIATION_SAMPLE,
        AggregateFunction.VARIANCE_SAMPLE,
        AggregateFunction.STANDARD_DEVIATION_POPULATION,
        AggregateFunction.VARIANCE_POPULATION,
    }
)
"""Functions that need no column in which Good and Uncertain are mixed, so that summaries of either treatment serve them."""
