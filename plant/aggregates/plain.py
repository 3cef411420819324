"""Rows of plain samples, all Good with StatusCode 0: most of their columns follow from the first and the last sample, and a store need not read them.

Nearly all rows of a plant that is well are plain, so that a question of a month reads a third of what it asks for.
"""

from collections.abc import Mapping
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from plant.aggregates.summary import NO_TIME

NOT_PLAIN: Final = ("bad_count", "uncertain_count", "first_quality", "last_quality")
"""A row is plain where all of these are 0. What lies between a first and a last sample of quality 0 may be Good otherwise, which no column tells of."""

_AS_FIRST: Final = {"first_usable_time": "first_time", "first_usable_value": "first_value"}
_AS_LAST: Final = {"last_usable_time": "last_time", "last_usable_value": "last_value"}
_COPIES: Final = _AS_FIRST | _AS_LAST
_WHOLE: Final = ("good_duration", "firm_duration")
_ZERO: Final = {
    "first_quality": np.int16,
    "last_quality": np.int16,
    "uncertain_count": np.int64,
    "bad_count": np.int64,
    "uncertain_duration": np.int64,
    "worst_quality": np.int16,
}
IMPLIED: Final = frozenset({*_COPIES, *_WHOLE, *_ZERO, "bad_time"})
"""Columns that follow, in a plain row, from ``first_time``, ``first_value``, ``last_time`` and ``last_value``."""


def implied(name: str, ends: Mapping[str, npt.NDArray[Any]]) -> npt.NDArray[Any]:
    """The column ``name``, one of ``IMPLIED``, as plain rows with these ends have it; an array of its own."""
    if name in _COPIES:
        return ends[_COPIES[name]].copy()
    if name in _WHOLE:
        return np.asarray(ends["last_time"] - ends["first_time"])
    count = len(ends["first_time"])
    return np.full(count, NO_TIME) if name == "bad_time" else np.zeros(count, _ZERO[name])
