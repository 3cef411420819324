import math

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from simulators.process.control import Programme, Segment


def test_ramps_and_soaks_take_their_time() -> None:
    programme = Programme([Segment(350.0, 5.0, 3600.0), Segment(300.0, 10.0, 0.0)], start_c=25.0)
    seconds = 0.0
    while not programme.is_complete:
        programme.step(7.0)
        seconds += 7.0
        assert not (programme.is_soaking and programme.set_point_c != 350.0)
    assert seconds == pytest.approx((325.0 / 5.0 + 60.0 + 50.0 / 10.0) * 60.0, abs=7.0)
    assert programme.set_point_c == 300.0
    assert programme.step(60.0) == 300.0


@settings(max_examples=25, deadline=None)
@given(steps=st.lists(st.floats(0.0, 60.0), max_size=60))
def test_a_set_point_never_goes_faster_than_its_ramp(steps: list[float]) -> None:
    programme = Programme([Segment(100.0, 6.0, 60.0), Segment(40.0, 3.0, 0.0)], start_c=20.0)
    before = programme.set_point_c
    for dt in steps:
        after = programme.step(dt)
        assert 20.0 <= after <= 100.0
        assert abs(after - before) <= 0.1 * dt + 1e-9
        before = after


@pytest.mark.parametrize("fields", [(math.nan, 1.0, 0.0), (100.0, 0.0, 0.0), (100.0, -5.0, 0.0), (100.0, 5.0, -1.0), (100.0, 5.0, math.inf)])
def test_segments_that_no_furnace_runs(fields: tuple[float, float, float]) -> None:
    with pytest.raises(ValueError, match=r"Segment: .* is .*; give"):
        Segment(*fields)
