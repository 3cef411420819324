"""Pressure drop and ageing of a bed."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from simulators.process.separation import NARROW, Bed, BedParameters, Column, viscosity_pa_s


@pytest.mark.parametrize(("void", "drop"), [(0.38, 3.89), (0.36, 4.88), (0.34, 6.16), (0.32, 7.84)])
def test_pressure_drop_over_the_void(void: float, drop: float) -> None:
    assert Bed(BedParameters(void=void)).pressure_drop_bar(5.0, 20.0, 6.0) == pytest.approx(drop, abs=0.005)


@pytest.mark.parametrize(("bead_m", "drop"), [(100e-6, 1.46), (150e-6, 0.65), (300e-6, 0.16)])
def test_pressure_drop_over_the_bead(bead_m: float, drop: float) -> None:
    assert Bed(BedParameters(bead_m=bead_m)).pressure_drop_bar(5.0, 20.0, 1.0) == pytest.approx(drop, abs=0.005)


@pytest.mark.parametrize(("temperature_c", "water"), [(15.0, 1.138e-3), (20.0, 1.002e-3), (25.0, 0.890e-3), (30.0, 0.7975e-3), (40.0, 0.653e-3)])
def test_viscosity_is_that_of_water(temperature_c: float, water: float) -> None:
    assert viscosity_pa_s(temperature_c) == pytest.approx(water, rel=0.02)


def test_cold_feed_raises_the_pressure_drop() -> None:
    assert Bed().pressure_drop_bar(5.0, 10.0, 6.0) / Bed().pressure_drop_bar(5.0, 20.0, 6.0) == pytest.approx(np.exp(0.22))


@pytest.mark.parametrize(("factor", "days"), [(1.0, 60.0), (20.0, 3.0)])
def test_fines_fill_the_void_in_sixty_days_and_twenty_times_as_fast_in_three(factor: float, days: float) -> None:
    new = BedParameters()
    bed = Bed(BedParameters(fouling_per_m_ntu=factor * new.fouling_per_m_ntu))
    for _ in range(round(days * 24 * 60)):
        bed.step(60.0, 5.0, 3.0)
    assert bed.void == pytest.approx(0.34)
    assert bed.pressure_drop_bar(5.0, 20.0, 6.0) == pytest.approx(6.16, abs=0.01)
    assert bed.plate_height_factor == pytest.approx(2.0)
    bed.backwash()
    assert bed.void == pytest.approx(0.38 - 0.2 * 0.04)
    assert bed.plate_height_factor == pytest.approx(2.0), "what is stuck stays"


def test_what_a_backwash_takes_out_does_not_change_a_separation() -> None:
    bed = Bed(BedParameters(stuck=0.0))
    for _ in range(10_000):
        bed.step(60.0, 5.0, 30.0)
    assert bed.pressure_drop_bar(5.0, 20.0, 6.0) > 6.0
    assert (bed.plate_height_factor, bed.capacity_factor) == (1.0, 1.0)


def test_cycles_and_poison_take_capacity() -> None:
    bed = Bed()
    for _ in range(500):
        bed.count_cycle()
    assert bed.capacity_factor == pytest.approx((1.0 - 2e-4) ** 500)
    bed.take_poison(0.1)
    bed.take_poison(0.1)
    assert bed.capacity_factor == pytest.approx(0.81 * (1.0 - 2e-4) ** 500)
    assert bed.plate_height_factor == pytest.approx(1.0 / 0.81)


def test_a_column_takes_the_worst_bed_there_is() -> None:
    bed = Bed(BedParameters(fouling_per_m_ntu=1e-3, loss_per_cycle=0.1))
    bed.channel(10.0, 0.0)
    bed.take_poison(0.95)
    for _ in range(100):
        bed.step(60.0, 50.0, 1e4)
        bed.count_cycle()
    column = Column(NARROW)
    column.rebed(NARROW.capacity_mol_per_l * bed.capacity_factor, NARROW.plate_height_m * bed.plate_height_factor)
    assert column.parameters.stages == 15
    assert column.parameters.capacity_mol_per_l == pytest.approx(0.012)
    assert np.abs(column.imbalance()).max() < 1e-8


def test_channels_lower_the_pressure_drop_and_double_the_plates() -> None:
    bed = Bed()
    whole = bed.pressure_drop_bar(5.0, 20.0, 6.0)
    bed.channel()
    assert 0.92 < bed.pressure_drop_bar(5.0, 20.0, 6.0) / whole < 0.95
    assert bed.plate_height_factor == 2.0
    bed.channel(void=0.01)
    assert bed.pressure_drop_bar(5.0, 20.0, 6.0) / whole == pytest.approx(0.895, abs=0.001), "more than channels are known for"


@settings(max_examples=25, deadline=None)
@given(st.lists(st.tuples(st.floats(0.0, 60.0), st.floats(0.0, 50.0), st.floats(0.0, 1e4)), max_size=30))
def test_the_void_stays_a_void(steps: list[tuple[float, float, float]]) -> None:
    bed = Bed(BedParameters(fouling_per_m_ntu=1e-3))
    for dt, velocity_m_per_h, turbidity_ntu in steps:
        bed.step(dt, velocity_m_per_h, turbidity_ntu)
        assert 0.2 <= bed.void <= 0.38
        assert bed.loose >= 0.0
        assert bed.fixed >= 0.0
        assert bed.pressure_drop_bar(velocity_m_per_h, 20.0, 6.0) >= 0.0


def test_a_step_of_0_changes_nothing() -> None:
    bed = Bed()
    bed.step(0.0, 5.0, 3.0)
    assert bed.void == 0.38


def test_nonsense_is_refused() -> None:
    bed = Bed(name="COL101")
    with pytest.raises(ValueError, match=r"COL101: dt is -1 s; give 0 to 60 s"):
        bed.step(-1.0, 5.0, 3.0)
    with pytest.raises(ValueError, match=r"COL101: turbidity_ntu is nan NTU"):
        bed.step(1.0, 5.0, float("nan"))
    with pytest.raises(ValueError, match=r"COL101: share is 2; give 0 to 0\.95"):
        bed.take_poison(2.0)
    with pytest.raises(ValueError, match=r"COL101: spread is 0; give 1 to 10"):
        bed.channel(0.0)
    with pytest.raises(ValueError, match=r"viscosity: temperature_c is 1000 degC; give -5 to 100 degC"):
        bed.pressure_drop_bar(5.0, 1000.0, 6.0)
    with pytest.raises(ValueError, match=r"BedParameters: bead_m is 0 m; give 2e-05 to 0\.002 m"):
        BedParameters(bead_m=0.0)
