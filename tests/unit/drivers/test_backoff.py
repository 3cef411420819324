"""The wait before another attempt."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from drivers.backoff import Backoff


@given(failures=st.integers(1, 10_000), first=st.floats(0.01, 5.0), cap=st.floats(0.01, 60.0), floor=st.floats(0.0, 0.1))
def test_a_wait_lies_between_the_floor_and_the_doubled_and_capped_longest(failures: int, first: float, cap: float, floor: float) -> None:
    longest = min(cap, first * 2.0 ** min(failures - 1, 1000))
    wait = Backoff(first, cap, floor).wait(failures)
    assert min(floor, longest) <= wait <= longest


@given(failures=st.integers(1, 10**9))
def test_a_wait_is_never_zero_and_never_above_the_cap_however_often_it_failed(failures: int) -> None:
    assert 0.05 <= Backoff().wait(failures) <= 4.0


@pytest.mark.parametrize(("failures", "longest"), [(1, 0.5), (2, 1.0), (3, 2.0), (4, 4.0), (5, 4.0), (100, 4.0)])
def test_the_longest_wait_doubles_up_to_the_cap_and_all_of_it_is_used(failures: int, longest: float) -> None:
    waits = [Backoff().wait(failures) for _ in range(300)]
    assert max(waits) > 0.9 * longest, "300 even draws miss the upper tenth once in 10^13 runs"
    assert min(waits) < 0.2 * longest
    assert max(waits) <= longest


def test_devices_that_were_lost_together_do_not_come_back_together() -> None:
    assert len({Backoff().wait(1) for _ in range(50)}) > 40


def test_the_first_wait_is_the_same_however_long_the_outage_before_was() -> None:
    backoff = Backoff()
    backoff.wait(50)
    assert backoff.wait(1) <= 0.5
