"""Histories for property tests: short, with everything that makes aggregates hard close together."""

from dataclasses import dataclass

import numpy as np
from hypothesis import strategies as st

from plant.aggregates import AggregateConfiguration, TagSamples
from plant.batch import Int64Column
from plant.quality import Quality
from plant.times import MICROSECONDS

SPAN = 40
_VALUES = st.sampled_from([0.0, 0.0, 1.0, 1.0, -2.5, 7.25, 1e6, 0.1, float("nan"), float("inf")])
_QUALITIES = st.sampled_from(
    [Quality.GOOD, Quality.GOOD, Quality.GOOD, Quality.GOOD_CLAMPED, Quality.UNCERTAIN, Quality.UNCERTAIN_SUBSTITUTE_VALUE, Quality.BAD, Quality.BAD_TIMEOUT]
)


@dataclass(frozen=True, slots=True)
class History:
    """Samples at whole seconds, and intervals whose edges may meet them."""

    samples: TagSamples
    edges: Int64Column
    known_until: int | None

    @property
    def end_of_knowledge(self) -> int:
        """What the engine documents: at least to behind the last sample; unsaid, to the end of the last sample's interval."""
        time = self.samples.time
        if not len(time):
            return int(self.edges[0])
        behind = int(time[-1]) + 1
        if self.known_until is not None:
            return max(self.known_until, behind)
        if time[-1] >= self.edges[-1]:
            return behind
        return int(self.edges[np.searchsorted(self.edges, time[-1], "right")])


@st.composite
def tag_histories(draw: st.DrawFn, stepped: bool | None = None) -> TagSamples:
    times = sorted(draw(st.sets(st.integers(0, SPAN), max_size=25)))
    value = [draw(_VALUES) for _ in times]
    quality = [int(draw(_QUALITIES)) for _ in times]
    return TagSamples(
        np.array(times, np.int64) * MICROSECONDS,
        np.array(value, np.float64),
        np.array(quality, np.int16),
        draw(st.booleans()) if stepped is None else stepped,
    )


@st.composite
def edges_of(draw: st.DrawFn) -> Int64Column:
    return np.array(sorted(draw(st.sets(st.integers(-5, SPAN + 8), min_size=2, max_size=8))), np.int64) * MICROSECONDS


@st.composite
def histories(draw: st.DrawFn) -> History:
    known_until = draw(st.none() | st.integers(0, SPAN + 10))
    return History(draw(tag_histories()), draw(edges_of()), None if known_until is None else known_until * MICROSECONDS)


def configurations() -> st.SearchStrategy[AggregateConfiguration]:
    percentages = st.sampled_from([(100, 100), (50, 50), (100, 60), (30, 80), (0, 100), (100, 0)])
    return st.builds(
        lambda tolerant, percentage, sloped: AggregateConfiguration(not tolerant, percentage[0], percentage[1], sloped),
        st.booleans(),
        percentages,
        st.booleans(),
    )
