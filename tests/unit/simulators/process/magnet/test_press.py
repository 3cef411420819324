import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from simulators.process.magnet import AlignedPress, PressParameters

COIL_A = 900.0


def stop_for(press: AlignedPress, density: float, powder_kg: float = 1.0) -> float:
    return powder_kg / (press.parameters.die_m2 * density * 1e3)


def aligned(powder_kg: float = 1.0, coil_a: float = COIL_A, parameters: PressParameters | None = None) -> AlignedPress:
    press = AlignedPress(parameters)
    press.fill(powder_kg)
    for _ in range(50):
        press.step(0.1, False, 0.0, coil_a)
    return press


@pytest.mark.parametrize(("pressure", "density"), [(0.0, 3.2), (24.5, 3.8), (88.9, 4.4), (150.0, 4.687), (200.0, 4.8)])
def test_density_over_pressure(pressure: float, density: float) -> None:
    assert AlignedPress().density_at(pressure) == pytest.approx(density, abs=0.001)


@settings(max_examples=25, deadline=None)
@given(pressure=st.floats(0.0, 180.0), more=st.floats(0.1, 10.0))
def test_more_pressure_is_denser_and_the_curve_has_an_inverse(pressure: float, more: float) -> None:
    press = AlignedPress()
    density = press.density_at(pressure)
    assert press.density_at(pressure + more) >= density
    assert press.pressure_at(density) == pytest.approx(pressure, rel=1e-9, abs=1e-9)


def test_a_stroke_in_figures() -> None:
    """600 kN at 210 bar press to 4.4 g/cm3, and the force rises to it as the curve says."""
    press = aligned()
    stop = stop_for(press, 4.4)
    forces = []
    while press.height_m > stop:
        press.step(0.1, True, stop, COIL_A)
        forces.append(press.force_kn)
        assert press.force_kn * 1e3 / press.parameters.die_m2 / 1e6 == pytest.approx(press.pressure_at(press.green_g_per_cm3))
    assert forces == sorted(forces)
    assert forces[0] == 0.0
    assert press.force_kn == pytest.approx(600.0, rel=0.005)
    assert press.ram_bar == pytest.approx(210.0, rel=0.005)
    assert press.is_sound
    assert press.eject() == pytest.approx(4.4)
    assert (press.powder_kg, press.force_kn) == (0.0, 0.0)


def test_a_double_fill_trips_before_the_stop_within_100_ms_of_the_normal_force() -> None:
    press = aligned(1.5)
    stop = stop_for(press, 4.4)
    over_600 = over_280_bar = None
    for number in range(1000):
        press.step(0.01, True, stop, COIL_A)
        if over_600 is None and press.force_kn > 600.0:
            over_600 = number
        if over_280_bar is None and press.ram_bar > 280.0:
            over_280_bar = number
    assert over_600 is not None
    assert over_280_bar is not None
    assert (over_280_bar - over_600) * 10 <= 100
    assert press.ram_bar == pytest.approx(300.0)
    assert press.height_m > 1.3 * stop
    assert press.peak_force_kn == pytest.approx(857.0, rel=0.01)


def test_field_aligns_loose_powder_to_what_quality_control_counts_on() -> None:
    press = aligned()
    assert press.field_t == pytest.approx(1.9, abs=0.001)
    assert press.alignment == pytest.approx(0.95, abs=0.001)
    assert aligned(parameters=PressParameters(alignment_per_t=1.6)).alignment == pytest.approx(0.914, abs=0.001)
    weak = aligned(coil_a=300.0)
    assert weak.alignment < 0.8
    while weak.green_g_per_cm3 < 4.0:
        weak.step(0.1, True, stop_for(weak, 4.4), 300.0)
    before = weak.alignment
    for _ in range(50):
        weak.step(0.1, True, stop_for(weak, 4.4), COIL_A)
    assert weak.field_t > 1.8
    assert weak.alignment == before


def test_a_weak_stroke_gives_a_part_that_breaks() -> None:
    press = aligned()
    for _ in range(100):
        press.step(0.1, True, stop_for(press, 3.6), COIL_A)
    assert not press.is_sound


@settings(max_examples=25, deadline=None)
@given(
    powder=st.floats(0.1, 3.0),
    steps=st.lists(st.tuples(st.floats(0.0, 2.0), st.booleans(), st.floats(0.0, 0.1), st.floats(0.0, 1500.0)), max_size=30),
)
def test_powder_only_gets_denser_and_the_relief_valve_holds(powder: float, steps: list[tuple[float, bool, float, float]]) -> None:
    press = AlignedPress()
    press.fill(powder)
    for dt, pressing, stop, coil in steps:
        before = press.green_g_per_cm3
        press.step(dt, pressing, stop, coil)
        assert before - 1e-12 <= press.green_g_per_cm3 <= 4.8 + 1e-9
        assert 0.0 <= press.ram_bar <= 300.0 + 1e-6
        assert 0.0 <= press.alignment <= 0.96
        assert press.powder_kg == powder


def test_inputs_that_no_press_has() -> None:
    with pytest.raises(ValueError, match=r"press: powder_kg is 0 kg; give 1e-06 to 1000 kg"):
        AlignedPress().fill(0.0)
    with pytest.raises(ValueError, match=r"press: stop_m is -1 m; give 0 to 10 m"):
        AlignedPress().step(0.1, True, -1.0)
