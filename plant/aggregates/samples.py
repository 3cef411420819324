"""The samples of one tag as columns, made fit for arithmetic."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from plant.batch import Float64Column, Int16Column, Int64Column
from plant.quality import Quality


@dataclass(frozen=True, slots=True, eq=False)
class TagSamples:
    """Samples of one tag in order of time, none twice: ``time`` int64 UTC microseconds, ``value`` float64, ``quality`` int16 (stored form).

    ``stepped``: the tag holds its value until the next sample; else it is continuous, and lines are drawn between samples. A value that is no finite
    number is Bad in every aggregate: a sample of better quality with such a value is taken as BadOutOfRange. The value of a Bad sample is not looked at.

    Raises:
        ValueError: columns differ in length, or times do not increase.
    """

    time: Int64Column
    value: Float64Column
    quality: Int16Column
    stepped: bool

    def __post_init__(self) -> None:
        if not len(self.time) == len(self.value) == len(self.quality):
            raise ValueError(f"columns differ in length: {len(self.time)}, {len(self.value)}, {len(self.quality)}")
        late = np.flatnonzero(self.time[1:] <= self.time[:-1])
        if len(late):
            raise ValueError(f"sample {late[0] + 1} of a tag is not later than the one before it: sort by time and leave out doubles")
        finite = np.isfinite(self.value)
        good_or_uncertain = self.quality >= 0
        if not (finite & good_or_uncertain).all():
            # The dataclass is frozen for its readers; these are its own last touches.
            object.__setattr__(self, "quality", np.where(good_or_uncertain & ~finite, np.int16(Quality.BAD_OUT_OF_RANGE), self.quality))
            object.__setattr__(self, "value", np.where(good_or_uncertain & finite, self.value, np.nan))

    def __len__(self) -> int:
        return len(self.time)

    def select(self, index: npt.NDArray[np.bool_] | npt.NDArray[np.intp] | slice) -> "TagSamples":
        """Rows by mask, positions or slice, still in order of time."""
        return TagSamples(self.time[index], self.value[index], self.quality[index], self.stepped)

    @staticmethod
    def empty(stepped: bool) -> "TagSamples":
        return TagSamples(np.empty(0, np.int64), np.empty(0, np.float64), np.empty(0, np.int16), stepped)

    @staticmethod
    def concatenate(parts: Sequence["TagSamples"]) -> "TagSamples":
        """Parts of one tag, in order of time; at least one."""
        return TagSamples(
            np.concatenate([part.time for part in parts]),
            np.concatenate([part.value for part in parts]),
            np.concatenate([part.quality for part in parts]),
            parts[0].stepped,
        )
