import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from simulators.process.thermal import ND_RICH, ChamberParameters, VacuumChamber

COLD_K = 300.0
HOT_K = 1338.0
LEAK = 0.5
"""Pa m3/s: 5e-3 mbar m3/s."""


def pumped(leak: float = 0.0, charge_k: float = COLD_K, minutes: int = 20) -> VacuumChamber:
    chamber = VacuumChamber()
    chamber.leak_pa_m3_per_s = leak
    for _ in range(minutes):
        chamber.step(60.0, charge_k, pump_open=True)
    return chamber


def test_it_rests_at_2e_4_mbar() -> None:
    assert pumped().pressure_mbar == pytest.approx(2e-4, rel=1e-3)


def test_a_leak_lifts_it_to_3_5e_3_mbar() -> None:
    assert pumped(LEAK, HOT_K).pressure_mbar == pytest.approx(3.5e-3, rel=0.02)


def test_isolated_with_a_leak_it_rises_by_0_05_mbar_a_minute() -> None:
    chamber = pumped(LEAK, HOT_K)
    before = chamber.pressure_mbar
    for _ in range(10):
        chamber.step(60.0, HOT_K, pump_open=False)
    rise = (chamber.pressure_mbar - before) / 10.0
    # the leak alone; outgassing adds its 3e-4 mbar m3/s
    assert rise - 3e-4 / 6.0 * 60.0 == pytest.approx(0.05, rel=0.01)


def test_the_pump_takes_seconds_a_volume() -> None:
    chamber = VacuumChamber(start_pa=1000.0)
    chamber.step(4.0, COLD_K, pump_open=True)
    # V / S = 4 s
    assert chamber.pressure_pa == pytest.approx(1000.0 / 2.718281828, rel=1e-3)


def test_a_vessel_open_to_a_leak_stops_at_the_pressure_outside() -> None:
    chamber = VacuumChamber(ChamberParameters(volume_m3=0.01), start_pa=1000.0)
    chamber.leak_pa_m3_per_s = 50.0
    for _ in range(120):
        chamber.step(60.0, COLD_K, pump_open=False)
    assert chamber.pressure_pa == pytest.approx(101325.0, rel=0.01)


def test_the_hydride_holds_540_and_lets_go_at_600_degrees() -> None:
    assert ND_RICH.equilibrium_pa(813.15) == pytest.approx(26.0, rel=0.05)
    assert ND_RICH.equilibrium_pa(873.15) == pytest.approx(179.0, rel=0.05)
    chamber = VacuumChamber(hydride_mol=200.0, start_pa=0.0)
    for _ in range(60):
        chamber.step(60.0, 700.0, pump_open=True)
    assert chamber.hydride_mol > 198.0
    chamber.step(60.0, 873.15, pump_open=True)
    assert 50.0 < chamber.hydrogen_pa < 179.0


@settings(max_examples=25, deadline=None)
@given(
    runs=st.lists(st.tuples(st.floats(0.0, 60.0), st.floats(280.0, 1400.0), st.booleans(), st.floats(0.0, 1e4)), max_size=30),
    leak=st.floats(0.0, 20.0),
    hydride=st.floats(0.0, 400.0),
)
def test_gas_is_conserved_and_no_amount_is_negative(runs: list[tuple[float, float, bool, float]], leak: float, hydride: float) -> None:
    chamber = VacuumChamber(hydride_mol=hydride)
    chamber.leak_pa_m3_per_s = leak
    before = chamber.pressure_pa * chamber.parameters.volume_m3
    for dt, charge_k, pump_open, argon in runs:
        last = chamber.hydride_mol
        chamber.step(dt, charge_k, pump_open, argon)
        assert 0.0 <= chamber.hydride_mol <= last
        assert min(chamber.residual_pa, chamber.hydrogen_pa, chamber.argon_pa, chamber.pumped_pa_m3) >= -1e-9
    held = chamber.pressure_pa * chamber.parameters.volume_m3
    assert before + chamber.entered_pa_m3 - chamber.pumped_pa_m3 == pytest.approx(held, rel=1e-9, abs=1e-6 * (1.0 + chamber.entered_pa_m3))


@pytest.mark.parametrize(("charge_k", "argon"), [(0.0, 0.0), (300.0, -1.0)])
def test_inputs_that_no_chamber_has(charge_k: float, argon: float) -> None:
    with pytest.raises(ValueError, match=r" is .*; give"):
        VacuumChamber().step(1.0, charge_k, True, argon)
