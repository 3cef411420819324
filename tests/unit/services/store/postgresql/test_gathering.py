"""Columns that a server gathered, as it sends them."""

from struct import pack

import numpy as np
import pytest

from services.store.postgresql.gathering import MOMENT, gathered, take_columns


class Result:
    """One row of a binary result."""

    def __init__(self, *values: bytes | None) -> None:
        self._values = values

    def get_value(self, row: int, column: int) -> bytes | None:
        assert row == 0
        return self._values[column]


@pytest.mark.parametrize("column", [np.array([1, -2], np.int32), np.array([0.5, np.nan, -np.inf]), np.array([-32768, 32767], np.int16), np.array([2**62])])
def test_what_is_sent_is_what_is_read(column: np.ndarray) -> None:
    back = take_columns(Result(b"something else", column.astype(column.dtype.newbyteorder(">")).tobytes()), {"x": column.dtype}, behind=1)["x"]
    assert back.dtype == column.dtype
    assert back.dtype.isnative
    assert back.flags.writeable
    assert np.array_equal(back, column, equal_nan=column.dtype.kind == "f")


def test_a_moment_counts_from_2000_and_nothing_is_null() -> None:
    found = take_columns(Result(pack(">q", 1), None, None), {"time": MOMENT, "none": MOMENT, "x": np.float64})
    assert found["time"].tolist() == [946_684_800_000_001]
    assert found["time"].dtype == np.int64
    assert (len(found["none"]), len(found["x"])) == (0, 0)


def test_each_kind_has_its_own_way_to_be_sent() -> None:
    selected = gathered({"a": np.int16, "b": np.float64, "c": MOMENT}).as_string(None)
    assert selected == """string_agg(int2send("a"), ''), string_agg(float8send("b"), ''), string_agg(timestamptz_send("c"), '')"""
