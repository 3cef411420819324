"""DateTime of the wire to UTC microseconds.

Rule: a DateTime at either end of its range, 1601-01-01 or 9999-12-31T23:59:59, or beyond, means that there is no time. Source: OPC UA Part 6, 5.2.2.5.
"""

from typing import Final

import numpy as np

from plant.batch import Int64Column

FIRST_TIME: Final = -11_644_473_600_000_000
LAST_TIME: Final = 253_402_300_799_000_000
"""The ends, UTC microseconds since 1970; a time lies between them."""
NO_TIME: Final = -(2**63)
"""Stands for the missing time in a column."""

_TICKS: Final = 10
"""A DateTime counts 100 ns from 1601."""


def time_of(ticks: int) -> int | None:
    """UTC microseconds, rounded down."""
    time = ticks // _TICKS + FIRST_TIME
    return time if FIRST_TIME < time < LAST_TIME else None


def times_of(ticks: Int64Column) -> Int64Column:
    """As ``time_of``, with ``NO_TIME`` for none."""
    time = ticks // _TICKS + FIRST_TIME
    return np.where((time > FIRST_TIME) & (time < LAST_TIME), time, NO_TIME)
