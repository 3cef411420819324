"""The tag image of one device: what a PLC holds in memory, and every protocol server shows.

Rule: one writer at a time and no ``await`` within a change, so that whoever reads the image between two steps of the event loop sees one moment of the
device: a request that spans many tags is consistent by that alone.
"""

import math
from collections.abc import Sequence
from typing import Final

import numpy as np
import numpy.typing as npt

from plant.batch import Float64Column, Int16Column, Int64Column
from plant.quality import Quality
from plant.tag import Tag

Positions = npt.NDArray[np.intp]

_FLOAT32_STEP: Final = 2.0**-23
"""Widest rounding, relative, of a limit that travels as float32: 0.3 arrives as 0.300000012 and is no value beyond 0.3."""


class Changes:
    """Positions that changed since they were last taken: one for each server that has to pass changes on."""

    def __init__(self, count: int) -> None:
        self.mask: npt.NDArray[np.bool_] = np.zeros(count, np.bool_)

    def take(self) -> Positions:
        """Positions changed since the last call, ascending."""
        positions = np.flatnonzero(self.mask)
        self.mask[positions] = False
        return positions


class TagImage:
    """Current value, quality and source time of every tag of a device, at the tag's position in ``tags``.

    ``values`` float64 in engineering units (NaN at the position of a text), ``texts`` the values of text tags ("" elsewhere), ``quality`` int16 in its
    stored form, ``times`` int64 source time in UTC microseconds. The columns are for reading; changes go through the methods, which keep the change sets.
    ``version`` grows with each change; ``written`` are the tags that clients wrote, for the device's behaviour to act upon.
    """

    def __init__(self, tags: Sequence[Tag], time: int, quality: Quality = Quality.GOOD) -> None:
        count = len(tags)
        self.tags: tuple[Tag, ...] = tuple(tags)
        self.positions: dict[str, int] = {tag.name: position for position, tag in enumerate(self.tags)}
        self.values: Float64Column = np.array([np.nan if tag.data_type.is_text else 0.0 for tag in self.tags], np.float64)
        self.texts: list[str] = [""] * count
        self.quality: Int16Column = np.full(count, quality, np.int16)
        self.times: Int64Column = np.full(count, time, np.int64)
        self.version = 0
        self.written = Changes(count)
        self._listeners: list[Changes] = []

    def listen(self) -> Changes:
        """A new change set, in which every tag counts as changed."""
        changes = Changes(len(self.tags))
        changes.mask[:] = True
        self._listeners.append(changes)
        return changes

    def value(self, position: int) -> float | str:
        """Value of one tag in its own kind."""
        return self.texts[position] if self.tags[position].data_type.is_text else float(self.values[position])

    def update(self, positions: Positions, values: Float64Column, time: int) -> None:
        """Gives numeric tags new values, Good, of one source time; only tags whose value or quality differs from before count as changed."""
        differs = (self.values[positions] != values) | (self.quality[positions] != Quality.GOOD)
        if differs.any():
            self.assign(positions[differs], values[differs], time)

    def assign(self, positions: Positions, values: Float64Column, time: int) -> None:
        """Gives numeric tags values, Good, of one source time; all of them count as changed, whatever they held before."""
        self.values[positions] = values
        self.quality[positions] = Quality.GOOD
        self.times[positions] = time
        self._note(positions)

    def write(self, position: int, value: float | str, time: int) -> None:
        """One tag as a client sets it; within its range, also where rounding on the wire put it a little beyond."""
        eu_range = self.tags[position].eu_range
        if isinstance(value, str):
            self.texts[position] = value
        else:
            self.values[position] = value if eu_range is None else min(max(value, eu_range[0]), eu_range[1])
        self.quality[position] = Quality.GOOD
        self.times[position] = time
        self.written.mask[position] = True
        self._note(np.array([position], np.intp))

    def set_quality(self, positions: Positions, quality: Quality, time: int) -> None:
        """Keeps the values and says that they are of another quality."""
        self.quality[positions] = quality
        self.times[positions] = time
        self._note(positions)

    def refusal(self, position: int, value: float | str) -> Quality | None:
        """Why the device takes no such value for this tag, or ``None``: ``BadNotWritable``, ``BadTypeMismatch`` or ``BadOutOfRange``."""
        tag = self.tags[position]
        if not tag.writable:
            return Quality.BAD_NOT_WRITABLE
        if tag.data_type.is_text is not isinstance(value, str):
            return Quality.BAD_TYPE_MISMATCH
        if isinstance(value, str):
            return None
        if not math.isfinite(value):
            return Quality.BAD_OUT_OF_RANGE
        if tag.eu_range is None:
            return None
        low, high = tag.eu_range
        slack = _FLOAT32_STEP * max(abs(low), abs(high))
        return None if low - slack <= value <= high + slack else Quality.BAD_OUT_OF_RANGE

    def _note(self, positions: Positions) -> None:
        self.version += 1
        for changes in self._listeners:
            changes.mask[positions] = True
