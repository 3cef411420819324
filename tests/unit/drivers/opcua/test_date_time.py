"""DateTime of the wire to microseconds."""

import numpy as np
import pytest

from drivers.opcua.date_time import NO_TIME, time_of, times_of

EPOCH = 116_444_736_000_000_000
"""1970 in ticks of 100 ns since 1601."""
LAST = 2_650_467_743_990_000_000
"""9999-12-31T23:59:59. Source: OPC UA Part 6, 5.2.2.5."""


@pytest.mark.parametrize(
    ("ticks", "time"),
    [
        (EPOCH, 0),
        (EPOCH - 1, -1),
        (EPOCH + 19, 1),
        (0, None),
        (9, None),
        (10, -11_644_473_599_999_999),
        (-1, None),
        (-(2**63), None),
        (LAST, None),
        (LAST - 1, 253_402_300_798_999_999),
        (LAST + 10, None),
        (2**63 - 1, None),
    ],
)
def test_times_lie_between_the_ends_and_lose_what_is_less_than_a_microsecond(ticks: int, time: int | None) -> None:
    assert time_of(ticks) == time
    assert times_of(np.array([ticks, EPOCH])).tolist() == [NO_TIME if time is None else time, 0]
