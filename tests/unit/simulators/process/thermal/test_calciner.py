import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from simulators.process.control import Mode, Pid, Programme, Segment, simc
from simulators.process.thermal import Calciner


def test_recipe_makes_oxide_with_little_loss_on_ignition() -> None:
    furnace, programme, loop = Calciner(1050.0), Programme([Segment(450.0, 3.0, 7200.0), Segment(950.0, 5.0, 14400.0)]), Pid(simc(15.0, 1500.0, 45.0, 135.0))
    loop.change_mode(Mode.AUTOMATIC)
    highest_co = 0.0
    while not programme.is_complete:
        loop.set_point = programme.step(5.0)
        furnace.step(5.0, loop.step(5.0, furnace.chamber_c))
        highest_co = max(highest_co, furnace.co_ppm)
    assert furnace.charge.loss_on_ignition_wt_percent < 0.3
    assert furnace.charge.solid_kg == pytest.approx(1050.0 * 0.4592, rel=1e-3)
    assert loop.output == pytest.approx(62.0, abs=1.0)
    assert 10.0 < highest_co < 150.0


def test_without_its_burner_the_off_gas_trips() -> None:
    furnace = Calciner(1050.0)
    furnace.charge_k = furnace.chamber_k = 730.0
    while furnace.charge.progress[1] < 0.2:
        furnace.step(60.0, 60.0)
    burning = furnace.co_ppm
    furnace.step(60.0, 50.0, burner_on=False)
    assert furnace.co_ppm > 400.0 > burning


def test_draught_goes_with_the_fan() -> None:
    furnace = Calciner(1050.0)
    for fan, draught in ((1.0, -60.0), (0.5, -15.0), (0.0, 0.0)):
        furnace.step(1.0, 0.0, fan_share=fan)
        assert furnace.draught_pa == pytest.approx(draught)


@settings(max_examples=30, deadline=None)
@given(loaded=st.floats(0.0, 1500.0), steps=st.lists(st.tuples(st.floats(0.0, 60.0), st.floats(0.0, 100.0)), max_size=60))
def test_energy_is_conserved(loaded: float, steps: list[tuple[float, float]]) -> None:
    furnace = Calciner(loaded)
    furnace.charge_k = furnace.chamber_k = 600.0
    p = furnace.parameters

    def stored() -> float:
        return p.chamber_j_per_k * furnace.chamber_k + (p.tray_j_per_k + loaded * p.solid_heat_j_per_kg_k) * furnace.charge_k

    before = stored()
    for dt, output in steps:
        furnace.step(dt, output)
    assert stored() - before == pytest.approx(furnace.heating_j - furnace.loss_j - furnace.charge.heat_j, rel=1e-9, abs=1e-3)


@pytest.mark.parametrize(("output", "fan"), [(-1.0, 1.0), (101.0, 1.0), (50.0, 1.1)])
def test_inputs_that_no_furnace_has(output: float, fan: float) -> None:
    with pytest.raises(ValueError, match=r" is .*; give 0 to"):
        Calciner(100.0).step(1.0, output, fan)
