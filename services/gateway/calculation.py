"""Calculated tags live: each batch of the field is evaluated as columns, with the latest sample of the inputs that are not in it."""

from collections.abc import Mapping

import numpy as np

from plant.batch import SampleBatch
from plant.device import Expression
from plant.tag import Tag
from services.calculation import Formula, Held, carried_forward


class Calculation:
    """One calculated tag and the latest sample of each of its inputs."""

    def __init__(self, tag: Tag, expression: Expression, by_name: Mapping[str, Tag]) -> None:
        self.tag = tag
        self._formula = Formula.of(tag, expression, by_name)
        self._latest: dict[int, SampleBatch] = {}

    def results(self, batch: SampleBatch) -> SampleBatch:
        """Samples of the calculated tag that the samples of ``batch`` cause, oldest first; empty if none does."""
        rows = {tag_id: np.flatnonzero(batch.tag_id == tag_id) for tag_id in self._formula.input_ids}
        times = np.unique(batch.time[np.concatenate(list(rows.values()))])
        if not len(times):
            return SampleBatch.empty()
        held: dict[int, Held] = {}
        for tag_id, row in rows.items():
            samples = batch.select(row)
            held[tag_id] = carried_forward(self._latest.get(tag_id, SampleBatch.empty()), samples, times)
            self._remember(tag_id, samples)
        return self._formula.results(times, held)

    def _remember(self, tag_id: int, samples: SampleBatch) -> None:
        if not len(samples):
            return
        newest = len(samples) - 1 - int(np.argmax(samples.time[::-1]))  # of equal times the last arrival
        latest = self._latest.get(tag_id)
        if latest is None or samples.time[newest] >= latest.time[0]:  # a late sample is no newer for having come last
            self._latest[tag_id] = samples.select(slice(newest, newest + 1))
