import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from simulators.process.thermal import SinteringState

ZERO_C = 273.15


def soaked(celsius: float, hours: float) -> SinteringState:
    state = SinteringState()
    for _ in range(round(hours * 60.0)):
        state.step(60.0, celsius + ZERO_C, celsius + ZERO_C)
    return state


@pytest.mark.parametrize(
    ("celsius", "hours", "density"),
    [(1000, 4, 0.950), (1030, 4, 0.983), (1050, 4, 0.9915), (1065, 4, 0.995), (1080, 4, 0.997), (1065, 1, 0.961), (900, 1, 0.5853)],
)
def test_density_of_the_master_sintering_curve(celsius: float, hours: float, density: float) -> None:
    assert soaked(celsius, hours).relative_density == pytest.approx(density, abs=0.0007)


@pytest.mark.parametrize(("celsius", "grain"), [(1050, 5.55), (1065, 6.0), (1080, 6.52), (1100, 7.31), (1120, 8.22)])
def test_grain_after_four_hours(celsius: float, grain: float) -> None:
    assert soaked(celsius, 4).grain_um == pytest.approx(grain, abs=0.01)


def test_green_part_as_pressed() -> None:
    state = SinteringState()
    assert (state.relative_density, state.grain_um) == (0.58, 4.0)
    assert state.density_g_per_cm3 == pytest.approx(4.408)


@settings(max_examples=25, deadline=None)
@given(st.lists(st.tuples(st.floats(0.0, 60.0), st.floats(300.0, 1500.0), st.floats(300.0, 1500.0)), max_size=50))
def test_density_and_grain_only_grow(steps: list[tuple[float, float, float]]) -> None:
    state = SinteringState()
    for dt, start, end in steps:
        before = state.relative_density, state.grain_um
        state.step(dt, start, end)
        assert state.relative_density >= before[0]
        assert state.grain_um >= before[1]
        assert state.relative_density <= 1.0


@settings(max_examples=25, deadline=None)
@given(celsius=st.floats(900.0, 1120.0), more=st.floats(1.0, 60.0))
def test_hotter_is_denser_and_coarser(celsius: float, more: float) -> None:
    cool, hot = soaked(celsius, 0.25), soaked(celsius + more, 0.25)
    assert hot.relative_density > cool.relative_density
    assert hot.grain_um > cool.grain_um
