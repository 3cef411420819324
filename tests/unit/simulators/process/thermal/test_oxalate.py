import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from simulators.process.constants import CO2_KG_PER_MOL, CO_KG_PER_MOL, WATER_KG_PER_MOL
from simulators.process.thermal import OxalateCharge

STEPS = ("dehydration", "to oxycarbonate", "to oxide")


@pytest.fixture(scope="module")
def heated() -> dict[tuple[str, float], float]:
    """(step, progress) -> degC at 3.2 K/min behind a furnace lag of 600 s, and the mass factor in the end."""
    charge, kelvin = OxalateCharge(1.0), 298.0
    reached: dict[tuple[str, float], float] = {}
    for number in range(8 * 720):
        set_point = min(298.0 + min(number * 5.0, 4.6 * 3600.0) / 60.0 * 3.2, 1173.0)
        kelvin += (set_point - kelvin) * 5.0 / 600.0
        charge.step(5.0, kelvin)
        for step, progress in zip(STEPS, charge.progress, strict=True):
            for share in (0.5, 0.99):
                if progress >= share:
                    reached.setdefault((step, share), kelvin - 273.15)
    reached["mass", 0.0] = charge.mass_factor
    reached["loss", 0.0] = charge.loss_on_ignition_wt_percent
    return reached


@pytest.mark.parametrize(("step", "half", "nearly_all"), list(zip(STEPS, (164.0, 407.0, 647.0), (199.0, 449.0, 709.0), strict=True)))
def test_temperatures_of_the_decompositions(heated: dict[tuple[str, float], float], step: str, half: float, nearly_all: float) -> None:
    assert heated[step, 0.5] == pytest.approx(half, abs=1.5)
    assert heated[step, 0.99] == pytest.approx(nearly_all, abs=1.5)


def test_mass_factor_of_the_oxide(heated: dict[tuple[str, float], float]) -> None:
    assert heated["mass", 0.0] == pytest.approx(0.4592, abs=1e-4)
    assert heated["loss", 0.0] == pytest.approx(0.0, abs=1e-6)


def test_carbon_monoxide_of_a_day() -> None:
    charge = OxalateCharge(1050.0)
    for kelvin in (450.0, 750.0, 1200.0):
        for _ in range(120):
            charge.step(60.0, kelvin)
    # 1.05 t of oxalate are 4.3 kmol of CO
    assert charge.gas_mol[1] == pytest.approx(4300.0, rel=0.005)
    assert charge.gas_mol[2] == pytest.approx(charge.gas_mol[1], rel=1e-6)


@settings(max_examples=25, deadline=None)
@given(loaded=st.floats(0.0, 2000.0), steps=st.lists(st.tuples(st.floats(0.0, 60.0), st.floats(280.0, 1500.0)), max_size=40))
def test_mass_is_conserved_and_nothing_is_negative(loaded: float, steps: list[tuple[float, float]]) -> None:
    charge = OxalateCharge(loaded)
    for dt, kelvin in steps:
        before = charge.progress
        charge.step(dt, kelvin)
        assert min(charge.hydrate, charge.oxalate, charge.oxycarbonate, charge.oxide, charge.co_mol_per_s) >= 0.0
        assert all(after >= one - 1e-12 for one, after in zip(before, charge.progress, strict=True))
        assert charge.progress[0] + 1e-12 >= charge.progress[1] >= charge.progress[2] - 1e-12
    water, co, co2 = charge.gas_mol
    gases = water * WATER_KG_PER_MOL + co * CO_KG_PER_MOL + co2 * CO2_KG_PER_MOL
    assert charge.solid_kg + gases == pytest.approx(loaded, rel=1e-9, abs=1e-12)


def test_an_empty_furnace_has_no_loss() -> None:
    charge = OxalateCharge(0.0)
    charge.step(60.0, 1200.0)
    assert (charge.mass_factor, charge.loss_on_ignition_wt_percent, charge.progress) == (1.0, 0.0, (0.0, 0.0, 0.0))
