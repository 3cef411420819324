"""A pump between its tank and a column."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from simulators.process.separation import Pump, PumpParameters, PumpReading, vapour_pressure_bar

BED = 3.9 / 9.12
"""bar per m3/h."""


def settled(suction_bar: float = 0.6, demand_rpm: float = 2100.0, resistance_bar_h_per_m3: float = BED, noise: float = 0.0) -> list[PumpReading]:
    pump = Pump(np.random.default_rng(1), PumpParameters(flow_noise=noise), "P101")
    readings = [pump.step(0.5, demand_rpm, suction_bar, 1.2, resistance_bar_h_per_m3) for _ in range(420)]
    return readings[20:]


def test_it_is_at_its_duty_at_normal_speed() -> None:
    reading = settled()[-1]
    assert reading.flow_m3_per_h == pytest.approx(9.12, rel=0.03)
    assert reading.discharge_bar == pytest.approx(5.1, abs=0.15)
    assert reading.current_a == pytest.approx(18.0, rel=0.03)
    assert reading.vibration_mm_per_s == pytest.approx(1.8)
    assert reading.cavitation == 0.0


def test_head_and_bed_meet() -> None:
    parameters = PumpParameters()
    reading = settled()[-1]
    head_m = parameters.head_m * (2100.0 / parameters.nominal_rpm) ** 2 - parameters.friction_m_h2_per_m6 * reading.flow_m3_per_h**2
    assert 0.6 + head_m * 0.0980665 == pytest.approx(reading.discharge_bar, rel=1e-6)
    assert 1.2 + BED * reading.flow_m3_per_h == pytest.approx(reading.discharge_bar, rel=1e-6)


def test_a_shut_outlet_stops_the_flow_and_shows_the_whole_head() -> None:
    reading = settled(resistance_bar_h_per_m3=1e6)[-1]
    assert reading.flow_m3_per_h == pytest.approx(0.0, abs=1e-5)
    assert reading.discharge_bar == pytest.approx(0.6 + 100.0 * (2100.0 / 2900.0) ** 2 * 0.0980665, rel=1e-3)


def test_a_fouled_bed_takes_flow() -> None:
    assert settled(resistance_bar_h_per_m3=1.6 * BED)[-1].flow_m3_per_h < 0.8 * settled()[-1].flow_m3_per_h


def test_a_stopped_pump_passes_nothing() -> None:
    reading = settled(demand_rpm=0.0)[-1]
    assert (reading.flow_m3_per_h, reading.current_a, reading.vibration_mm_per_s) == (0.0, 0.0, 0.0)


def test_the_drive_ramps() -> None:
    pump = Pump(np.random.default_rng(1))
    pump.step(1.0, 2100.0, 0.6, 1.2, BED)
    assert pump.speed_rpm == 300.0
    pump.step(0.0, 2100.0, 0.6, 1.2, BED)
    assert pump.speed_rpm == 300.0


def test_a_blocked_strainer_cavitates_and_every_instrument_tells() -> None:
    """Suction has to fall to -0.74 bar: with 2.5 m required, 0.1 bar gauge still leaves 11 m."""
    assert settled(suction_bar=0.1)[-1].cavitation == 0.0
    assert settled(suction_bar=-0.72)[-1].cavitation == 0.0
    before, after = settled(suction_bar=0.6, noise=0.002), settled(suction_bar=-0.85, noise=0.002)
    assert after[-1].cavitation == 1.0
    assert after[-1].suction_head_m < 1.5

    def mean(readings: list[PumpReading], name: str) -> float:
        return float(np.mean([getattr(reading, name) for reading in readings]))

    def spread(readings: list[PumpReading], name: str) -> float:
        return float(np.std([getattr(reading, name) for reading in readings])) / mean(readings, name)

    assert mean(after, "flow_m3_per_h") < 0.6 * mean(before, "flow_m3_per_h")
    assert spread(after, "flow_m3_per_h") == pytest.approx(8.0 * spread(before, "flow_m3_per_h"), rel=0.3)
    assert mean(after, "current_a") < 0.8 * mean(before, "current_a")
    assert spread(after, "current_a") > 0.03
    assert before[-1].vibration_mm_per_s < 4.5
    assert after[-1].vibration_mm_per_s > 7.1


@settings(max_examples=30, deadline=None)
@given(st.floats(0.0, 60.0), st.floats(0.0, 3600.0), st.floats(-1.0, 4.0), st.floats(0.0, 10.0), st.floats(0.0, 100.0), st.floats(0.0, 100.0))
def test_nothing_negative_runs_back(
    dt: float, demand_rpm: float, suction_bar: float, outlet_bar: float, resistance_bar_h_per_m3: float, temperature_c: float
) -> None:
    reading = Pump(np.random.default_rng(1)).step(dt, demand_rpm, suction_bar, outlet_bar, resistance_bar_h_per_m3, temperature_c)
    assert reading.flow_m3_per_h >= 0.0
    assert reading.current_a >= 0.0
    assert reading.vibration_mm_per_s >= 0.0
    assert 0.0 <= reading.cavitation <= 1.0


@pytest.mark.parametrize(("temperature_c", "pressure"), [(20.0, 0.02339), (60.0, 0.1995), (100.0, 1.0142)])
def test_vapour_pressure_is_that_of_water(temperature_c: float, pressure: float) -> None:
    assert vapour_pressure_bar(temperature_c) == pytest.approx(pressure, rel=0.03)


def test_nonsense_is_refused() -> None:
    pump = Pump(np.random.default_rng(1), name="P101")
    with pytest.raises(ValueError, match=r"P101: dt is -1 s; give 0 to 60 s"):
        pump.step(-1.0, 2100.0, 0.6, 1.2, BED)
    with pytest.raises(ValueError, match=r"P101: demand_rpm is 9000 rpm; give 0 to 3600 rpm"):
        pump.step(1.0, 9000.0, 0.6, 1.2, BED)
    with pytest.raises(ValueError, match=r"P101: suction_bar is -2 bar; give -1\.013 to 16 bar"):
        pump.step(1.0, 2100.0, -2.0, 1.2, BED)
    with pytest.raises(ValueError, match=r"P101: resistance_bar_h_per_m3 is inf bar h/m3"):
        pump.step(1.0, 2100.0, 0.6, 1.2, float("inf"))
    with pytest.raises(ValueError, match=r"PumpParameters: head_m is 0 m; give 1 to 500 m"):
        PumpParameters(head_m=0.0)
