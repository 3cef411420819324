import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from simulators.process.magnet import BoundaryDiffusion


def soaked(celsius: float, hours: float) -> BoundaryDiffusion:
    charge = BoundaryDiffusion()
    for _ in range(round(hours * 60.0)):
        charge.step(60.0, celsius + 273.15)
    return charge


@pytest.mark.parametrize(("celsius", "hours", "depth"), [(900, 10, 2.60), (860, 10, 1.88), (930, 10, 3.27), (900, 20, 3.68)])
def test_depth(celsius: float, hours: float, depth: float) -> None:
    assert soaked(celsius, hours).depth_mm == pytest.approx(depth, abs=0.01)


def test_terbium_of_a_charge() -> None:
    charge = soaked(900.0, 10.0)
    assert charge.absorbed_kg == pytest.approx(0.945 * 0.75)
    assert charge.absorbed_wt_percent == pytest.approx(0.283, abs=0.001)
    assert soaked(860.0, 10.0).absorbed_kg == pytest.approx(0.945 * 0.75 * 1.88 / 2.5, rel=0.01)


def test_the_low_soak_adds_next_to_nothing() -> None:
    charge = soaked(900.0, 10.0)
    before = charge.depth_mm
    for _ in range(240):
        charge.step(60.0, 773.15)
    assert charge.depth_mm - before < 0.01


@settings(max_examples=25, deadline=None)
@given(steps=st.lists(st.tuples(st.floats(0.0, 60.0), st.floats(280.0, 1300.0)), max_size=40))
def test_depth_only_grows_and_no_more_goes_in_than_there_is(steps: list[tuple[float, float]]) -> None:
    charge = BoundaryDiffusion()
    for dt, kelvin in steps:
        before = charge.depth_mm
        charge.step(dt, kelvin)
        assert charge.depth_mm >= before
        assert 0.0 <= charge.absorbed_kg <= 0.945 * 0.75


@pytest.mark.parametrize(("charge", "source"), [(0.0, 1.0), (250.0, -1.0)])
def test_charges_that_no_furnace_has(charge: float, source: float) -> None:
    with pytest.raises(ValueError, match=r" is .*; give"):
        BoundaryDiffusion(charge, source)
