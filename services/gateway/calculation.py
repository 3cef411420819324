"""Values that the gateway computes from other tags, as columns, with the quality of their inputs.

Rules:

1. A result has the source time of the input sample that caused it; the other inputs hold their latest value.
2. Its quality is the worst of its inputs (Bad before Uncertain before Good; among equals the first input's). A Bad result carries no value (NaN).
3. A Good result that is not finite is Bad, ``BadOutOfRange``: the inputs lie outside the expression's domain.
4. Nothing is computed before every input had a sample.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numexpr
import numpy as np
import numpy.typing as npt

from plant.batch import Float64Column, Int16Column, Int64Column, SampleBatch
from plant.device import Expression
from plant.quality import UNCERTAIN_FLOOR, Quality
from plant.tag import Tag


@dataclass(slots=True)
class _Latest:
    time: int
    value: float
    quality: int


class Calculation:
    """One calculated tag and the latest sample of each of its inputs."""

    def __init__(self, tag: Tag, expression: Expression, by_name: Mapping[str, Tag]) -> None:
        self.tag = tag
        self._text = expression.text
        self._inputs = {variable: by_name[name].id for variable, name in expression.inputs.items()}
        self._latest: dict[str, _Latest] = {}

    def results(self, batch: SampleBatch) -> SampleBatch:
        """Samples of the calculated tag that the samples of ``batch`` cause, oldest first; empty if none does."""
        rows = {variable: np.flatnonzero(batch.tag_id == tag_id) for variable, tag_id in self._inputs.items()}
        times = np.unique(batch.time[np.concatenate(list(rows.values()))])
        if not len(times):
            return SampleBatch.empty()
        columns: dict[str, Float64Column] = {}
        qualities: list[Int16Column] = []
        known = np.ones(len(times), np.bool_)
        for variable, row in rows.items():
            value, quality, is_known = self._carried_forward(variable, batch, row, times)
            columns[variable] = value
            qualities.append(quality)
            known &= is_known
        value = np.array(np.broadcast_to(numexpr.evaluate(self._text, local_dict=columns, global_dict={}), times.shape), np.float64)
        quality = _worst(qualities)
        quality = np.where((quality >= 0) & ~np.isfinite(value), np.int16(Quality.BAD_OUT_OF_RANGE), quality)
        value[quality < 0] = np.nan
        return SampleBatch(np.full(len(times), self.tag.id, np.int32), times, value, quality).select(known)

    def _carried_forward(
        self, variable: str, batch: SampleBatch, rows: npt.NDArray[np.intp], times: Int64Column
    ) -> tuple[Float64Column, Int16Column, npt.NDArray[np.bool_]]:
        """Value and quality of an input at each time, and whether it had any by then."""
        latest = self._latest.get(variable)
        value = np.full(len(times), np.nan if latest is None else latest.value)
        quality = np.full(len(times), Quality.BAD_WAITING_FOR_INITIAL_DATA if latest is None else latest.quality, np.int16)
        known = np.full(len(times), latest is not None)
        if len(rows):
            ordered = rows[np.argsort(batch.time[rows], kind="stable")]
            newest = np.searchsorted(batch.time[ordered], times, side="right") - 1
            here = newest >= 0
            value[here] = batch.value[ordered[newest[here]]]
            quality[here] = batch.quality[ordered[newest[here]]]
            known |= here
            last = ordered[-1]
            if latest is None or int(batch.time[last]) >= latest.time:  # a late sample is no newer for having come last
                self._latest[variable] = _Latest(int(batch.time[last]), float(batch.value[last]), int(batch.quality[last]))
        return value, quality, known


def _worst(qualities: Sequence[Int16Column]) -> Int16Column:
    table = np.stack(qualities)
    severity = np.where(table < 0, 2, np.where(table >= UNCERTAIN_FLOOR, 1, 0))
    worst: Int16Column = np.take_along_axis(table, severity.argmax(axis=0)[np.newaxis], axis=0)[0]
    return worst
