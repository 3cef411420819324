"""What thinning did to history: how many samples are left of each tag, and how far the lines between them are from what was received."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from plant.batch import Float64Column, Int32Column, SampleBatch
from plant.swinging_door import distances


@dataclass(frozen=True, slots=True)
class CompressionReport:
    """One tag: ``raw`` samples received (1 or more), ``kept`` of them left; ``worst_error`` is the greatest distance of a sample from the straight line
    between the kept ones around it, engineering units, infinite if one was left out where no line can be drawn."""

    tag_id: int
    raw: int
    kept: int
    worst_error: float

    @property
    def ratio(self) -> float:
        """Samples received for each one that is left; infinite if none is."""
        return self.raw / self.kept if self.kept else float("inf")


def worst_error(batch: SampleBatch, kept: npt.NDArray[np.bool_]) -> tuple[Int32Column, Float64Column]:
    """Ids of the tags in ``batch``, ascending, and the worst error of each; int32 and float64, (tags,).

    ``batch`` is ordered by tag id and time, ``kept`` bool (n,) as ``thin`` gives it.
    """
    tag_id, start = np.unique(batch.tag_id, return_index=True)
    return tag_id, np.maximum.reduceat(distances(batch, kept), start) if len(batch) else np.empty(0, np.float64)


def compression_reports(batch: SampleBatch, kept: npt.NDArray[np.bool_]) -> Sequence[CompressionReport]:
    """A report for each tag in ``batch``, in order of id; arguments as for ``worst_error``."""
    tag_id, error = worst_error(batch, kept)
    of_tag = np.searchsorted(tag_id, batch.tag_id)
    raw, left = np.bincount(of_tag, minlength=len(tag_id)), np.bincount(of_tag[kept], minlength=len(tag_id))
    rows = zip(tag_id.tolist(), raw.tolist(), left.tolist(), error.tolist(), strict=True)
    return [CompressionReport(*row) for row in rows]
