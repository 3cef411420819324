from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from simulators.process.magnet import AlignedPress, MagnetLot, magnetic_properties

NORMAL = MagnetLot(density_g_per_cm3=7.55, grain_um=6.0, alignment=0.95, dysprosium_wt_percent=1.02, terbium_wt_percent=0.30, oxygen_ppm=1200.0)


def test_properties_of_the_normal_magnet() -> None:
    magnet = magnetic_properties(NORMAL)
    assert magnet.remanence_t == pytest.approx(1.35, abs=0.005)
    assert magnet.coercivity_ka_per_m == pytest.approx(1989.0, abs=1.0)
    assert magnet.energy_kj_per_m3 == pytest.approx(354.0, abs=1.0)


def test_alignment_of_the_press_is_the_one_of_the_normal_magnet() -> None:
    press = AlignedPress()
    press.fill(1.0)
    for _ in range(50):
        press.step(0.1, False, 0.0, 900.0)
    assert magnetic_properties(replace(NORMAL, alignment=press.alignment)).remanence_t == pytest.approx(1.35, abs=0.005)


def test_hot_magnet() -> None:
    cold, hot = magnetic_properties(NORMAL), magnetic_properties(NORMAL, 150.0)
    assert hot.remanence_t == pytest.approx(cold.remanence_t * (1.0 - 0.0012 * 130.0))
    assert hot.coercivity_ka_per_m == pytest.approx(cold.coercivity_ka_per_m * (1.0 - 0.0055 * 130.0))


def test_oxygen_costs_coercivity_above_1500_ppm() -> None:
    at_limit, above = (magnetic_properties(replace(NORMAL, oxygen_ppm=ppm)).coercivity_ka_per_m for ppm in (1500.0, 4000.0))
    assert at_limit == magnetic_properties(NORMAL).coercivity_ka_per_m
    assert at_limit - above == pytest.approx(150.0)


@settings(max_examples=25, deadline=None)
@given(
    density=st.floats(6.0, 7.6),
    grain=st.floats(2.0, 40.0),
    alignment=st.floats(0.0, 1.0),
    dysprosium=st.floats(0.0, 10.0),
    terbium=st.floats(0.0, 3.0),
    oxygen=st.floats(0.0, 60000.0),
    celsius=st.floats(20.0, 200.0),
)
def test_directions(density: float, grain: float, alignment: float, dysprosium: float, terbium: float, oxygen: float, celsius: float) -> None:
    lot = MagnetLot(density, grain, alignment, dysprosium, terbium, oxygen)
    magnet = magnetic_properties(lot, celsius)
    assert min(magnet.remanence_t, magnet.coercivity_ka_per_m, magnet.energy_kj_per_m3) >= 0.0
    assert magnetic_properties(replace(lot, grain_um=grain * 1.1), celsius).coercivity_ka_per_m <= magnet.coercivity_ka_per_m
    doped = magnetic_properties(replace(lot, dysprosium_wt_percent=dysprosium + 0.5), celsius)
    assert doped.remanence_t <= magnet.remanence_t
    assert doped.coercivity_ka_per_m >= magnet.coercivity_ka_per_m
    assert magnetic_properties(replace(lot, density_g_per_cm3=density * 0.98), celsius).remanence_t <= magnet.remanence_t


def test_magnets_and_temperatures_that_are_none() -> None:
    with pytest.raises(ValueError, match=r"MagnetLot: alignment is 1\.2; give 0 to 1"):
        replace(NORMAL, alignment=1.2)
    with pytest.raises(ValueError, match="magnetic properties: temperature_c is -40 degC; give 20 to 200 degC"):
        magnetic_properties(NORMAL, -40.0)
