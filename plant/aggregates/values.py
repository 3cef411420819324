"""What an aggregate answers."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from plant.batch import Float64Column, Int16Column, Int64Column


@dataclass(frozen=True, slots=True, eq=False)
class AggregateValues:
    """One row for each interval.

    ``time`` int64, start of the interval in UTC microseconds; ``value`` float64, NaN where there is none: in the unit of the tag, for Total in unit times
    seconds, for durations in milliseconds, for WorstQuality the stored form of the StatusCode; ``quality`` int16, stored form of the StatusCode;
    ``percent_good`` float64, 0 to 100: the share of the interval during which the tag was Good, whatever the function; ``actual_time`` int64: when the
    value occurred for MinimumActualTime, MaximumActualTime, Start and End, else ``time``; ``partial`` bool: the data begin or end inside the interval, so that
    the same question may be answered otherwise later.
    """

    time: Int64Column
    value: Float64Column
    quality: Int16Column
    percent_good: Float64Column
    actual_time: Int64Column
    partial: npt.NDArray[np.bool_]

    def __len__(self) -> int:
        return len(self.time)
