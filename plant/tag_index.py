"""From tag ids, which may be sparse, to dense positions in per-tag columns."""

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from plant.batch import Int32Column


class TagIndex:
    """Positions 0..n-1 of n tag ids, in ascending order of id."""

    def __init__(self, ids: Sequence[int]) -> None:
        self.ids: Int32Column = np.unique(np.asarray(ids, np.int32))

    def __len__(self) -> int:
        return len(self.ids)

    def positions(self, tag_id: Int32Column) -> npt.NDArray[np.intp]:
        """Position of each id; -1 where the id is not indexed. Same shape as ``tag_id``."""
        if not len(self.ids):
            return np.full(len(tag_id), -1, np.intp)
        at = np.minimum(np.searchsorted(self.ids, tag_id), len(self.ids) - 1)
        return np.where(self.ids[at] == tag_id, at, -1)
