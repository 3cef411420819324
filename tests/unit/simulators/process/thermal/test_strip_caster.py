import math

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from simulators.process.thermal import StripCaster


def test_a_heat_from_cold_charge_to_flakes() -> None:
    """Pumped below 1 Pa, filled with argon, molten, held, and poured: what a heat does, in the order it does it."""
    caster = StripCaster()
    while caster.chamber.pressure_pa > 1.0:
        caster.step(1.0, 0.0, pump_open=True)
    while caster.chamber.pressure_pa < 40e3:
        caster.step(1.0, 0.0, argon_pa_m3_per_s=2000.0)
    assert caster.oxygen_ppm == pytest.approx(8.0, abs=3.0)
    minutes = 0
    while caster.melt_c < 1440.0:
        caster.step(60.0, 95.0)
        minutes += 1
    assert 30 <= minutes <= 60
    for _ in range(120):
        caster.step(60.0, 55.0)
    assert caster.melt_c == pytest.approx(1440.0, abs=5.0)
    assert caster.coil_water_c == pytest.approx(34.0, abs=2.0)
    caster.step(1.0, 55.0, pour_kg_per_s=0.5, wheel_m_per_s=1.2)
    assert caster.thickness_mm == pytest.approx(0.30)
    for _ in range(1300):
        caster.step(1.0, 45.0, pour_kg_per_s=0.5, wheel_m_per_s=1.2)
    assert caster.melt_kg == 0.0
    assert caster.strip_kg == pytest.approx(600.0 * 0.985)
    assert (caster.iron_kg, caster.thickness_mm) == (0.0, 0.0)


def test_leak_test_of_a_tight_chamber() -> None:
    caster = StripCaster()
    for _ in range(30):
        caster.step(60.0, 0.0, pump_open=True)
    before = caster.chamber.pressure_pa
    caster.step(60.0, 0.0)
    assert 0.0 < caster.chamber.pressure_pa - before < 0.5


@pytest.mark.parametrize(("wheel", "pour", "thickness"), [(1.2, 0.5, 0.30), (0.9, 0.5, 0.3776), (1.2, 1.0, 0.4243), (0.0, 0.5, 5.0), (1.2, 0.0, 0.0)])
def test_strip_thickness(wheel: float, pour: float, thickness: float) -> None:
    assert StripCaster().strip_mm(wheel, pour) == pytest.approx(thickness, abs=1e-3)


def test_lamellae_of_2_to_5_micrometre_and_iron_in_thick_strip() -> None:
    caster = StripCaster(start_c=1440.0)
    caster.step(1.0, 55.0, pour_kg_per_s=0.5, wheel_m_per_s=1.2)
    assert caster.lamella_um == pytest.approx(3.5)
    assert caster.iron_kg == 0.0
    caster.step(10.0, 55.0, pour_kg_per_s=0.5, wheel_m_per_s=0.5)
    assert caster.thickness_mm > 0.4
    assert caster.lamella_um < 5.0
    assert caster.iron_kg == pytest.approx(5.0 * 0.985)


def test_nothing_runs_out_of_a_solid_charge() -> None:
    caster = StripCaster(start_c=1100.0)
    caster.step(60.0, 0.0, pour_kg_per_s=1.0)
    assert (caster.melt_kg, caster.strip_kg, caster.thickness_mm) == (600.0, 0.0, 0.0)


@pytest.mark.parametrize("celsius", [25.0, 1149.0, 1200.0, 1281.0, 1440.0])
def test_enthalpy_and_temperature_are_each_others_inverse(celsius: float) -> None:
    assert StripCaster(start_c=celsius).melt_c == pytest.approx(celsius)


def test_no_water_boils_the_coil() -> None:
    caster = StripCaster(start_c=1440.0)
    for _ in range(5):
        caster.step(60.0, 55.0, coil_water_l_per_min=0.0)
    assert caster.coil_water_c == pytest.approx(100.0, abs=0.1)


@settings(max_examples=25, deadline=None)
@given(
    start=st.floats(25.0, 1500.0),
    charge=st.floats(1.0, 700.0),
    steps=st.lists(st.tuples(st.floats(0.0, 60.0), st.floats(0.0, 100.0), st.floats(0.0, 3.0), st.floats(0.0, 3.0)), max_size=40),
)
def test_metal_and_energy_are_conserved(start: float, charge: float, steps: list[tuple[float, float, float, float]]) -> None:
    caster = StripCaster(charge, start_c=start)
    before, kept_kg = caster.enthalpy_j_per_kg, caster.melt_kg
    for dt, output, pour, wheel in steps:
        caster.step(dt, output, pour_kg_per_s=pour, wheel_m_per_s=wheel)
        assert min(caster.melt_kg, caster.strip_kg, caster.dross_kg) >= 0.0
        assert caster.melt_kg <= kept_kg
        kept_kg = caster.melt_kg
        assert math.isfinite(caster.melt_k)
        assert 250.0 < caster.melt_k < 5000.0
    assert caster.melt_kg + caster.strip_kg + caster.dross_kg == pytest.approx(charge, rel=1e-9)
    if caster.strip_kg == 0.0:
        assert charge * (caster.enthalpy_j_per_kg - before) == pytest.approx(caster.heating_j - caster.loss_j, rel=1e-9, abs=1e-3)


@pytest.mark.parametrize(
    "inputs", [{"output_percent": 101.0}, {"output_percent": 0.0, "pour_kg_per_s": -1.0}, {"output_percent": 0.0, "wheel_m_per_s": math.nan}]
)
def test_inputs_that_no_furnace_has(inputs: dict[str, float]) -> None:
    with pytest.raises(ValueError, match=r" is .*; give 0 to"):
        StripCaster().step(1.0, **inputs)  # type: ignore[arg-type]
