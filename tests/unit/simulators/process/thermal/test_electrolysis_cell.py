import math

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from simulators.process.constants import FARADAY
from simulators.process.thermal import CellParameters, ElectrolysisCell

NORMAL_FEED = 10.09
"""kg/h of oxide that 6 kA use, with the slag."""


def kwh_per_kg(cell: ElectrolysisCell, current: float) -> float:
    return cell.normal_v(current) * current / cell.metal_kg_per_s(current) / 3.6e6


def test_theory_is_1_7938_gram_an_ampere_hour() -> None:
    assert CellParameters().metal_kg_per_mol / (3.0 * FARADAY) * 3600e3 == pytest.approx(1.7938, abs=5e-4)


@pytest.mark.parametrize(("current", "volt", "tolerance"), [(4010.0, 6.28, 0.03), (5715.0, 8.32, 0.01), (6000.0, 8.66, 0.01)])
def test_voltage(current: float, volt: float, tolerance: float) -> None:
    assert ElectrolysisCell().normal_v(current) == pytest.approx(volt, abs=tolerance)


def test_metal_of_a_day_and_its_energy() -> None:
    cell = ElectrolysisCell()
    assert cell.metal_kg_per_s(6000.0) * 86400.0 == pytest.approx(201.0, abs=1.0)
    # two cells make the 381.7 kg of the reference module
    assert 2.0 * cell.metal_kg_per_s(5715.0) * 86400.0 == pytest.approx(381.7, rel=0.01)
    assert kwh_per_kg(cell, 5715.0) == pytest.approx(5.98, abs=0.05)


def test_six_hours_make_a_tap_of_50_kilogram_at_1050_degrees() -> None:
    cell = ElectrolysisCell()
    for _ in range(360):
        cell.step(60.0, 6000.0, NORMAL_FEED)
    assert cell.metal_kg == pytest.approx(50.4, abs=0.3)
    assert cell.bath_c == pytest.approx(1050.0, abs=2.0)
    assert cell.oxide_fraction == pytest.approx(0.025, abs=0.001)
    assert cell.tap(50.0) == 50.0
    assert cell.tap(50.0) == pytest.approx(0.37, abs=0.3)
    assert cell.metal_kg == 0.0


def test_gap_trims_the_bath_by_4_kelvin_a_percent() -> None:
    warm, cool = ElectrolysisCell(), ElectrolysisCell()
    for _ in range(600):
        warm.step(60.0, 6000.0, NORMAL_FEED, gap_percent=60.0)
        cool.step(60.0, 6000.0, NORMAL_FEED, gap_percent=50.0)
    assert (warm.bath_k - cool.bath_k) / 10.0 == pytest.approx(4.0, rel=0.05)


def test_a_cell_that_is_not_fed_has_an_anode_effect_and_more_oxide_ends_it() -> None:
    cell = ElectrolysisCell(oxide_fraction=0.0151)
    cell.step(1.0, 6000.0, 0.0)
    assert cell.voltage_v < 9.0
    while cell.oxide_fraction >= 0.015:
        cell.step(1.0, 6000.0, 0.0)
    for _ in range(2):
        cell.step(1.0, 6000.0, 0.0)
    assert cell.voltage_v > 19.0
    assert cell.cf4_ppm < 60.0
    for _ in range(60):
        cell.step(1.0, 6000.0, 0.0)
    assert cell.cf4_ppm > 200.0
    assert cell.bath_c > 1060.0
    for _ in range(300):
        cell.step(1.0, 6000.0, 20.2)
    assert cell.voltage_v == pytest.approx(8.66, abs=0.01)


def test_an_anode_effect_ends_at_more_oxide_than_it_began_at() -> None:
    cell = ElectrolysisCell(oxide_fraction=0.0149)
    cell.step(5.0, 6000.0, 0.0)
    while cell.oxide_fraction < 0.0165:
        cell.step(1.0, 6000.0, 40.0)
    assert cell.has_anode_effect
    while cell.oxide_fraction < 0.0181:
        cell.step(1.0, 6000.0, 40.0)
    cell.step(5.0, 6000.0, 0.0)
    assert cell.voltage_v < 9.0


def test_carbon_of_the_anode_leaves_as_monoxide() -> None:
    cell = ElectrolysisCell()
    for _ in range(360):
        cell.step(60.0, 6000.0, NORMAL_FEED)
    # two electrons a molecule, at the current efficiency
    carbon_mol = 0.78 * 6000.0 * 6.0 * 3600.0 / (2.0 * FARADAY)
    assert cell.anode_used_kg == pytest.approx(carbon_mol * 12.011e-3, rel=1e-3)
    assert cell.co_ppm == pytest.approx(122.0, abs=2.0)


def test_an_anode_effect_stays_within_15_to_30_volt() -> None:
    for fraction in (0.0, 0.0075, 0.0149):
        cell = ElectrolysisCell(oxide_fraction=fraction)
        cell.step(20.0, 6000.0, 0.0)
        assert 15.0 < cell.voltage_v < 30.0


def test_too_much_oxide_costs_a_tenth_of_the_efficiency() -> None:
    assert ElectrolysisCell(oxide_fraction=0.045).current_efficiency == pytest.approx(0.9 * ElectrolysisCell().current_efficiency)


@settings(max_examples=25, deadline=None)
@given(
    oxide=st.floats(0.0, 0.06),
    steps=st.lists(st.tuples(st.floats(0.0, 60.0), st.floats(0.0, 8000.0), st.floats(0.0, 20.0)), max_size=40),
)
def test_oxide_is_in_the_bath_in_metal_or_slag(oxide: float, steps: list[tuple[float, float, float]]) -> None:
    cell = ElectrolysisCell(oxide_fraction=oxide)
    held = cell.oxide_kg
    fed = 0.0
    for dt, current, feed in steps:
        cell.step(dt, current, feed)
        fed += feed / 3600.0 * dt
        assert min(cell.oxide_kg, cell.metal_kg, cell.slag_kg) >= 0.0
        assert math.isfinite(cell.voltage_v)
        assert 0.0 <= cell.voltage_v < 35.0
    per_metal = 336.48 / (2.0 * 144.24)
    assert cell.oxide_kg + cell.metal_kg * per_metal + cell.slag_kg == pytest.approx(held + fed, rel=1e-9, abs=1e-9)


@settings(max_examples=25, deadline=None)
@given(current=st.floats(500.0, 8000.0), more=st.floats(1.0, 1000.0))
def test_more_current_takes_more_voltage_and_makes_more_metal(current: float, more: float) -> None:
    cell = ElectrolysisCell()
    assert cell.normal_v(current + more) > cell.normal_v(current)
    assert cell.metal_kg_per_s(current + more) > cell.metal_kg_per_s(current)


@pytest.mark.parametrize(("current", "feed", "gap"), [(-1.0, 0.0, 55.0), (0.0, math.nan, 55.0), (0.0, 0.0, 101.0)])
def test_inputs_that_no_cell_has(current: float, feed: float, gap: float) -> None:
    with pytest.raises(ValueError, match=r" is .*; give 0 to"):
        ElectrolysisCell().step(1.0, current, feed, gap)
