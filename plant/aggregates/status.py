"""Quality of an aggregate from the shares of its data (OPC UA Part 13, 5.4.3.2.1)."""

from typing import Final

import numpy as np

from plant.aggregates.bounds import SUB_NORMAL
from plant.aggregates.configuration import AggregateConfiguration
from plant.batch import Int16Column, Int64Column
from plant.quality import Quality

GOOD: Final = np.int16(Quality.GOOD)
BAD: Final = np.int16(Quality.BAD)


def share_quality(good: Int64Column, soft: Int64Column, bad: Int64Column, total: Int64Column, configuration: AggregateConfiguration) -> Int16Column:
    """Quality from counts or durations. ``soft`` is what is usable and not Good; nothing at all is Good.

    Rules: Bad from ``percent_data_bad`` on, else Good from ``percent_data_good`` on, else UncertainDataSubNormal; where both hold, the percentage of
    Good decides (4.2.1.2). Where Uncertain is not treated as Bad it counts with the Good, and a result that it is part of stays Uncertain.
    """
    tolerant = not configuration.treat_uncertain_as_bad
    enough = (good + soft if tolerant else good) * 100 >= configuration.percent_data_good * total
    is_good = (enough & (soft == 0) if tolerant else enough) | (good == total)
    is_bad = (bad > 0) & (bad * 100 >= configuration.percent_data_bad * total) & ~enough
    return np.where(is_good, GOOD, np.where(is_bad, BAD, SUB_NORMAL))
