"""What a calculated tag is computed by.

Rules:

1. A result has the source time of an input sample; the other inputs hold their value.
2. Its quality is the worst of its inputs (Bad before Uncertain before Good; among equals the first input's). A Bad result carries no value (NaN).
3. A Good result that is not finite is Bad, ``BadOutOfRange``: the inputs lie outside the expression's domain.
4. Nothing is computed before every input had a sample.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numexpr
import numpy as np

from plant.batch import Int16Column, Int64Column, SampleBatch
from plant.device import Expression
from plant.quality import UNCERTAIN_FLOOR, Quality
from plant.site import Site
from plant.tag import Tag
from services.calculation.held import Held


@dataclass(frozen=True, slots=True)
class Formula:
    """An expression of the site with its tags by id: the result's, and those of ``inputs`` by variable."""

    tag_id: int
    text: str
    inputs: Mapping[str, int]

    @staticmethod
    def of(tag: Tag, expression: Expression, by_name: Mapping[str, Tag]) -> "Formula":
        return Formula(tag.id, expression.text, {variable: by_name[name].id for variable, name in expression.inputs.items()})

    @property
    def input_ids(self) -> Sequence[int]:
        """Each input once."""
        return list(dict.fromkeys(self.inputs.values()))

    def results(self, times: Int64Column, held: Mapping[int, Held]) -> SampleBatch:
        """Results at those of ``times`` at which every input is known. ``held`` has every input at ``times``, by tag id."""
        if not len(times):
            return SampleBatch.empty()
        columns = {variable: held[tag_id].value for variable, tag_id in self.inputs.items()}
        value = np.array(np.broadcast_to(numexpr.evaluate(self.text, local_dict=columns, global_dict={}), times.shape), np.float64)
        quality = _worst([held[tag_id].quality for tag_id in self.inputs.values()])
        quality = np.where((quality >= 0) & ~np.isfinite(value), np.int16(Quality.BAD_OUT_OF_RANGE), quality)
        value[quality < 0] = np.nan
        known = np.logical_and.reduce([held[tag_id].known for tag_id in self.inputs.values()])
        return SampleBatch(np.full(len(times), self.tag_id, np.int32), times, value, quality).select(known)


def formulas_of(site: Site) -> Sequence[Formula]:
    """Those of all calculated tags of a site."""
    return [Formula.of(tag, tag.source, site.by_name) for tag in site.tags if isinstance(tag.source, Expression)]


def _worst(qualities: Sequence[Int16Column]) -> Int16Column:
    table = np.stack(qualities)
    severity = np.where(table < 0, 2, np.where(table >= UNCERTAIN_FLOOR, 1, 0))
    worst: Int16Column = np.take_along_axis(table, severity.argmax(axis=0)[np.newaxis], axis=0)[0]
    return worst
