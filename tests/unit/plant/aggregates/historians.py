"""The example historians of OPC UA Part 13, A.1, as facts: samples, and how their aggregates are configured."""

from dataclasses import dataclass
from typing import Final

import numpy as np

from plant.aggregates import AggregateConfiguration, TagSamples
from plant.quality import Quality
from plant.times import MICROSECONDS

GOOD, UNCERTAIN, BAD = int(Quality.GOOD), int(Quality.UNCERTAIN), int(Quality.BAD)
_NONE: Final = float("nan")
_IRREGULAR: Final = [2, 25, 28, 39, 42, 48, 52, 72, 77, 83, 86, 90]
_QUALITY: Final = [GOOD, GOOD, GOOD, GOOD, BAD, GOOD, GOOD, GOOD, UNCERTAIN, GOOD, GOOD, GOOD]
_VALUES: Final = [10.0, 20, 25, 30, _NONE, 40, 50, 60, 70, 70, 80, 90]
_STATES: Final = [1.0, 0, 1, 1, _NONE, 1, 0, 0, 1, 1, 0, 1]


@dataclass(frozen=True, slots=True)
class Historian:
    samples: TagSamples
    configuration: AggregateConfiguration


def tag_samples(seconds: list[int], value: list[float], quality: list[int], *, stepped: bool) -> TagSamples:
    """Samples at whole seconds."""
    return TagSamples(np.array(seconds, np.int64) * MICROSECONDS, np.array(value, np.float64), np.array(quality, np.int16), stepped)


HISTORIANS: Final = {
    1: Historian(
        tag_samples(
            [10, 20, 30, 40, 50, 60, 70, 80, 90],
            [10.0, 20, 30, 40, 50, 60, 70, 80, 90],
            [GOOD, GOOD, GOOD, BAD, GOOD, GOOD, UNCERTAIN, GOOD, GOOD],
            stepped=False,
        ),
        AggregateConfiguration(treat_uncertain_as_bad=False),
    ),
    2: Historian(tag_samples(_IRREGULAR, _VALUES, _QUALITY, stepped=False), AggregateConfiguration()),
    3: Historian(tag_samples(_IRREGULAR, _VALUES, _QUALITY, stepped=True), AggregateConfiguration(percent_data_bad=50, percent_data_good=50)),
    4: Historian(tag_samples(_IRREGULAR, _STATES, _QUALITY, stepped=True), AggregateConfiguration()),
}
"""Number of the historian -> its data. The first archive entry of the standard's tables, "point created", is no sample."""
