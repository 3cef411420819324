"""Aggregates of a tag's history by OPC UA Part 13: from samples, or from summaries that a store rolled up, with the same answer. Pure, vectorised.

``summarise`` and ``merge`` make summaries, ``aggregate`` finishes a function from them or from samples, ``trend`` thins a curve to what a screen shows.
"""

from plant.aggregates.aggregate import aggregate, served_by_summaries
from plant.aggregates.configuration import AggregateConfiguration
from plant.aggregates.function import AggregateFunction
from plant.aggregates.intervals import interval_edges
from plant.aggregates.merge import merge
from plant.aggregates.needs import columns_of
from plant.aggregates.plain import IMPLIED, NOT_PLAIN, implied
from plant.aggregates.samples import TagSamples
from plant.aggregates.summarise import summarise
from plant.aggregates.summary import COLUMNS, NO_TIME, STORED_COLUMNS, ColumnNotRead, Summaries, from_stored, with_companions
from plant.aggregates.trend import TREND_COLUMNS, points_of_summaries, trend
from plant.aggregates.values import AggregateValues

__all__ = [
    "COLUMNS",
    "IMPLIED",
    "NOT_PLAIN",
    "NO_TIME",
    "STORED_COLUMNS",
    "TREND_COLUMNS",
    "AggregateConfiguration",
    "AggregateFunction",
    "AggregateValues",
    "ColumnNotRead",
    "Summaries",
    "TagSamples",
    "aggregate",
    "columns_of",
    "from_stored",
    "implied",
    "interval_edges",
    "merge",
    "points_of_summaries",
    "served_by_summaries",
    "summarise",
    "trend",
    "with_companions",
]
