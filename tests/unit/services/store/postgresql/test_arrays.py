"""Binary arrays, as the server writes and reads them."""

from struct import pack

import numpy as np
import pytest

from services.store.postgresql.arrays import take_columns
from services.store.postgresql.copying import moments, times_of, to_copy
from services.store.postgresql.parameters import array_of, moments_of


class Result:
    """One row of a binary result."""

    def __init__(self, *values: bytes | None) -> None:
        self._values = values

    def get_value(self, row: int, column: int) -> bytes | None:
        assert row == 0
        return self._values[column]


@pytest.mark.parametrize("column", [np.array([1, -2], np.int32), np.array([0.5, np.nan, -np.inf]), np.array([-32768, 32767], np.int16)])
def test_what_is_sent_is_what_is_read(column: np.ndarray) -> None:
    (back,) = take_columns(Result(array_of(column).data), {"x": column.dtype})
    assert back.dtype == column.dtype
    assert np.array_equal(back, column, equal_nan=column.dtype.kind == "f")


def test_arrays_as_the_sources_of_postgresql_have_them() -> None:
    assert array_of(np.array([7], np.int32)).data == pack(">iiIii", 1, 0, 23, 1, 1) + pack(">ii", 4, 7)
    assert array_of(np.array([], np.float64)).data == pack(">iiI", 0, 0, 701)
    assert moments_of(np.array([946_684_800_000_001], np.int64)).data[-12:] == pack(">iq", 8, 1)
    assert len(take_columns(Result(None), {"x": np.int64})[0]) == 0


def test_a_copy_of_any_columns() -> None:
    data = to_copy([np.array([1], np.int32), moments(np.array([0], np.int64)), np.array([True])])
    body = data[19:-2]
    assert body == pack(">hiiiq", 3, 4, 1, 8, -946_684_800_000_000) + pack(">i?", 1, True)
    assert times_of(moments(np.array([5], np.int64))).tolist() == [5]
