"""Everything that the functions are finished from, one entry for each interval."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from plant.aggregates.bounds import Neighbours
from plant.aggregates.configuration import AggregateConfiguration
from plant.aggregates.regions import Regions
from plant.aggregates.status import share_quality
from plant.aggregates.summary import Summaries
from plant.batch import Int16Column, Int64Column


@dataclass(frozen=True, slots=True, eq=False)
class IntervalData:
    """``rows``: the merged samples of each interval; ``near``: the neighbours of its ``len(rows) + 1`` edges; ``regions``: sums over its time."""

    rows: Summaries
    near: Neighbours
    regions: Regions
    configuration: AggregateConfiguration

    @property
    def start(self) -> Int64Column:
        return self.near.edge[:-1]

    @property
    def known(self) -> Int64Column:
        """Length of each interval as far as the data are known."""
        return np.maximum(np.minimum(self.near.edge[1:], self.near.known_until) - self.start, 0)

    @property
    def outside(self) -> npt.NDArray[np.bool_]:
        """True where the interval lies before the first sample or after the end of the data."""
        mask: npt.NDArray[np.bool_] = (self.known == 0) | ~(self.near.before.there[:-1] | self.rows.filled)
        return mask

    @property
    def partial(self) -> npt.NDArray[np.bool_]:
        """True where the data begin or end inside the interval."""
        begins = ~self.near.before.there[:-1] & (self.rows.first_time > self.start)
        ends = ~self.near.after.there[1:] & (self.near.edge[1:] >= self.near.known_until)
        return ~self.outside & (begins | ends)

    def quality_by_count(self) -> Int16Column:
        """PercentValues of Part 13."""
        rows = self.rows
        total = rows.good_count + rows.uncertain_count + rows.bad_count
        soft = np.zeros_like(total) if self.configuration.treat_uncertain_as_bad else rows.uncertain_count
        return share_quality(rows.good_count, soft, total - rows.good_count - soft, total, self.configuration)

    def quality_by_time(self) -> Int16Column:
        """PercentTime of Part 13: a region that is held up to a sample that is not usable, or that has an Uncertain end, is neither Good nor Bad."""
        used = self.used
        return share_quality(self.regions.firm, used - self.regions.firm, self.known - used, self.known, self.configuration)

    def quality_by_state(self) -> Int16Column:
        """PercentTime where the value is held until the next sample, whatever that is."""
        used = self.used
        return share_quality(self.regions.good, used - self.regions.good, self.known - used, self.known, self.configuration)

    @property
    def used(self) -> Int64Column:
        """Time in regions that start with a usable sample."""
        return self.regions.good if self.configuration.treat_uncertain_as_bad else self.regions.good + self.regions.uncertain
