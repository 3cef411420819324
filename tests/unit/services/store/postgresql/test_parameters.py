"""Binary arrays and rows, as the server reads them."""

from struct import pack

import numpy as np

from services.store.postgresql.copying import moments, times_of, to_copy
from services.store.postgresql.parameters import array_of, moments_of


def test_arrays_as_the_sources_of_postgresql_have_them() -> None:
    assert array_of(np.array([7], np.int32)).data == pack(">iiIii", 1, 0, 23, 1, 1) + pack(">ii", 4, 7)
    assert array_of(np.array([], np.float64)).data == pack(">iiI", 0, 0, 701)
    assert moments_of(np.array([946_684_800_000_001], np.int64)).data[-12:] == pack(">iq", 8, 1)


def test_a_copy_of_any_columns() -> None:
    data = to_copy([np.array([1], np.int32), moments(np.array([0], np.int64)), np.array([True])])
    body = data[19:-2]
    assert body == pack(">hiiiq", 3, 4, 1, 8, -946_684_800_000_000) + pack(">i?", 1, True)
    assert times_of(moments(np.array([5], np.int64))).tolist() == [5]
