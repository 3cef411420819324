"""Processed history: aggregates by interval, and curves thinned to what a screen shows."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Final

import numpy as np

from plant.aggregates import (
    TREND_COLUMNS,
    AggregateConfiguration,
    AggregateFunction,
    AggregateValues,
    TagSamples,
    aggregate,
    columns_of,
    interval_edges,
    points_of_summaries,
    served_by_summaries,
    trend,
)
from plant.batch import Int64Column
from plant.tag import Tag
from services.retrieval.kept_hours import KeptHours
from services.retrieval.summaries import SummaryReader
from services.store import HOUR, MINUTE, Store

MOST_INTERVALS: Final = 11_000

_MINUTES_A_PIXEL: Final = 2
"""A pixel as wide as this is drawn from roll-ups."""


@dataclass(frozen=True, slots=True)
class Intervals:
    """``[start, end)`` in UTC microseconds, in intervals of ``length`` microseconds; 0: one for the whole.

    Raises:
        ValueError: the end is not after the start, or there are more than ``MOST_INTERVALS``.
    """

    start: int
    end: int
    length: int
    edges: Int64Column = field(init=False)

    def __post_init__(self) -> None:
        if self.end <= self.start:
            raise ValueError("an aggregate needs a 'to' that lies after 'from'")
        count = -(-(self.end - self.start) // self.length) if self.length else 1
        if count > MOST_INTERVALS:
            raise ValueError(f"{count} intervals are more than the {MOST_INTERVALS} of one answer; ask for a longer interval or a shorter time")
        object.__setattr__(self, "edges", interval_edges(self.start, self.end, self.length))


_STANDARD: Final = AggregateConfiguration()


class Processed:
    """Answers from a store, by roll-ups where they say what the samples say. Calls block; ``StoreUnavailable`` as the store raises it."""

    def __init__(self, store: Store) -> None:
        self._store = store

    def aggregates(
        self,
        tag: Tag,
        function: AggregateFunction,
        intervals: Intervals,
        *,
        configuration: AggregateConfiguration = _STANDARD,
        known_until: int | None = None,
    ) -> AggregateValues:
        """One value an interval, as ``plant.aggregates`` gives it; a loss of the ledger is Bad. ``known_until``: the time up to which the tag's last sample
        is known to hold, which is now for a device that is watched."""
        by_roll_ups = served_by_summaries(function, configuration)
        reader = SummaryReader(self._store, tag, intervals.edges, columns_of(function), roll_ups=by_roll_ups)
        around = reader.surroundings
        data = reader.from_roll_ups() if by_roll_ups else reader.from_samples(uncertain_as_bad=configuration.treat_uncertain_as_bad)
        return aggregate(function, data, intervals.edges, before=around.before, after=around.after, configuration=configuration, known_until=known_until)

    def trend(self, tag: Tag, start: int, end: int, pixels: int) -> TagSamples:
        """At most 4 samples a pixel, with every extreme and every gap; no sample twice. From roll-ups a pixel is made of whole minutes or hours, so that
        there may be fewer than asked for, and never more. Where retention removed the samples, the curve runs through those that each hour keeps."""
        is_fine = (end - start) // pixels < _MINUTES_A_PIXEL * MINUTE or pixels < 2
        edges = np.array([start, end], np.int64) if is_fine else _pixel_edges(start, end, pixels)
        kept = KeptHours(self._store, tag)
        since = min(max(start, kept.end), end)
        parts = [kept.points(start, since)]
        if since < end:
            reader = SummaryReader(self._store, tag, np.concatenate([[since], edges[(edges > since) & (edges < end)], [end]]), TREND_COLUMNS)
            parts += _thinned(reader.samples(), start, end, pixels) if is_fine else [points_of_summaries(reader.from_roll_ups(with_extremes=True))]
        points = TagSamples.concatenate(parts)
        return trend(points.time, points.value, points.quality, int(edges[0]), int(edges[-1]), pixels if is_fine else len(edges) - 1)


def _thinned(pieces: Iterator[TagSamples], start: int, end: int, pixels: int) -> Iterator[TagSamples]:
    """Piece by piece: what a trend keeps of a piece is all that the trend of the whole needs of it."""
    for piece in pieces:
        points = trend(piece.time, piece.value, piece.quality, start, end, pixels)
        yield TagSamples(points.time, points.value, points.quality, piece.stepped)


def _pixel_edges(start: int, end: int, pixels: int) -> Int64Column:
    """Edges of at most ``pixels`` equal spans of whole minutes, or hours, that cover ``[start, end)``."""
    unit = MINUTE if (end - start) // pixels < 2 * HOUR else HOUR
    width = -(-(end - start) // ((pixels - 1) * unit)) * unit  # one less: the first and the last may reach beyond start and end
    first = start // width * width
    return np.arange(first, end + width, width, dtype=np.int64)
