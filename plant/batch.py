"""Sample batches: samples as columns, from the driver's decoder to the store, without an object for each sample."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt

Int32Column = npt.NDArray[np.int32]
Int64Column = npt.NDArray[np.int64]
Float64Column = npt.NDArray[np.float64]
Int16Column = npt.NDArray[np.int16]
TextColumn = npt.NDArray[np.object_]

_NO_TEXT: Final = ""


@dataclass(frozen=True, slots=True, eq=False)
class SampleBatch:
    """Numeric samples in order of arrival; the four columns have one length.

    ``tag_id`` int32; ``time`` int64, source time in UTC microseconds; ``value`` float64, engineering units (booleans 0 and 1, integers exact to
    2**53); ``quality`` int16, the stored form of the StatusCode. The value of a Bad sample is what was received, NaN if nothing was.
    """

    tag_id: Int32Column
    time: Int64Column
    value: Float64Column
    quality: Int16Column

    def __post_init__(self) -> None:
        _check_columns(self.tag_id, self.time, self.quality, (self.value, np.float64))

    def __len__(self) -> int:
        return len(self.tag_id)

    def select(self, index: npt.NDArray[np.bool_] | npt.NDArray[np.intp] | slice) -> "SampleBatch":
        """Rows by mask, positions or slice."""
        return SampleBatch(self.tag_id[index], self.time[index], self.value[index], self.quality[index])

    @staticmethod
    def empty() -> "SampleBatch":
        return SampleBatch(np.empty(0, np.int32), np.empty(0, np.int64), np.empty(0, np.float64), np.empty(0, np.int16))

    @staticmethod
    def concatenate(batches: Sequence["SampleBatch"]) -> "SampleBatch":
        if len(batches) == 1:
            return batches[0]
        if not batches:
            return SampleBatch.empty()
        return SampleBatch(
            np.concatenate([batch.tag_id for batch in batches]),
            np.concatenate([batch.time for batch in batches]),
            np.concatenate([batch.value for batch in batches]),
            np.concatenate([batch.quality for batch in batches]),
        )

    @staticmethod
    def of_one_time(tag_id: npt.ArrayLike, time: int, value: npt.ArrayLike, quality: npt.ArrayLike) -> "SampleBatch":
        """Samples that share a source time, as one scan of a device yields them. ``value`` and ``quality`` broadcast over ``tag_id``."""
        ids = np.array(tag_id, np.int32, ndmin=1)
        return SampleBatch(
            ids,
            np.full(len(ids), time, np.int64),
            np.array(np.broadcast_to(np.asarray(value, np.float64), ids.shape)),
            np.array(np.broadcast_to(np.asarray(quality, np.int16), ids.shape)),
        )


@dataclass(frozen=True, slots=True, eq=False)
class TextBatch:
    """Text samples: as ``SampleBatch``, with ``value`` a column of ``str``. The value of a Bad sample that carried none is empty."""

    tag_id: Int32Column
    time: Int64Column
    value: TextColumn
    quality: Int16Column

    def __post_init__(self) -> None:
        _check_columns(self.tag_id, self.time, self.quality, (self.value, np.object_))

    def __len__(self) -> int:
        return len(self.tag_id)

    def select(self, index: npt.NDArray[np.bool_] | npt.NDArray[np.intp] | slice) -> "TextBatch":
        """Rows by mask, positions or slice."""
        return TextBatch(self.tag_id[index], self.time[index], self.value[index], self.quality[index])

    @staticmethod
    def empty() -> "TextBatch":
        return TextBatch.of([], [], [], [])

    @staticmethod
    def of(tag_id: Sequence[int], time: Sequence[int], value: Sequence[str], quality: Sequence[int]) -> "TextBatch":
        texts = np.empty(len(value), np.object_)
        texts[:] = value
        return TextBatch(np.asarray(tag_id, np.int32), np.asarray(time, np.int64), texts, np.asarray(quality, np.int16))

    @staticmethod
    def concatenate(batches: Sequence["TextBatch"]) -> "TextBatch":
        if len(batches) == 1:
            return batches[0]
        if not batches:
            return TextBatch.empty()
        return TextBatch(
            np.concatenate([batch.tag_id for batch in batches]),
            np.concatenate([batch.time for batch in batches]),
            np.concatenate([batch.value for batch in batches]),
            np.concatenate([batch.quality for batch in batches]),
        )

    @staticmethod
    def without_value(tag_id: Sequence[int], time: int, quality: int) -> "TextBatch":
        """One sample of each tag that carries a quality and no text."""
        count = len(tag_id)
        return TextBatch.of(tag_id, [time] * count, [_NO_TEXT] * count, [quality] * count)


Batch = SampleBatch | TextBatch


def _check_columns(
    tag_id: Int32Column, time: Int64Column, quality: Int16Column, value: tuple[Float64Column | TextColumn, type[np.float64] | type[np.object_]]
) -> None:
    column, wanted = value
    dtypes = (tag_id.dtype, time.dtype, quality.dtype, column.dtype)
    if dtypes != (np.dtype(np.int32), np.dtype(np.int64), np.dtype(np.int16), np.dtype(wanted)):
        raise TypeError(f"columns are (int32, int64, int16, {np.dtype(wanted)}), not {tuple(map(str, dtypes))}")
    if not len(tag_id) == len(time) == len(quality) == len(column):
        raise ValueError(f"columns differ in length: {len(tag_id)}, {len(time)}, {len(quality)}, {len(column)}")
