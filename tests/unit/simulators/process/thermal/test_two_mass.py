import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from simulators.process.thermal import DIFFUSION_FURNACE, FurnaceParameters, TwoMassFurnace

OUTPUTS = st.lists(st.floats(0.0, 100.0), min_size=3, max_size=3)


def heated(outputs: tuple[float, ...], hours: float, furnace: TwoMassFurnace | None = None) -> TwoMassFurnace:
    furnace = furnace or TwoMassFurnace()
    for _ in range(round(hours * 60.0)):
        furnace.step(60.0, outputs)
    return furnace


@settings(max_examples=30, deadline=None)
@given(runs=st.lists(st.tuples(OUTPUTS, st.floats(0.1, 60.0), st.floats(0.0, 6000.0)), min_size=1, max_size=20), start=st.floats(290.0, 1500.0))
def test_energy_is_conserved(runs: list[tuple[list[float], float, float]], start: float) -> None:
    furnace = TwoMassFurnace(start_k=start)
    before = furnace.stored_j
    for outputs, dt, gas in runs:
        furnace.step(dt, outputs, (gas, gas))
    account = furnace.account
    assert furnace.stored_j - before == pytest.approx(account.heating_j - account.shell_j - account.gas_j, abs=1e-9 * before)
    assert all(250.0 < one < 2500.0 for one in (*furnace.heater_k, *furnace.charge_k))


@settings(max_examples=10, deadline=None)
@given(outputs=OUTPUTS, more=st.floats(1.0, 30.0), zone=st.integers(0, 2))
def test_more_power_in_a_zone_makes_every_zone_hotter(outputs: list[float], more: float, zone: int) -> None:
    outputs[zone] *= 0.7
    raised = outputs.copy()
    raised[zone] += more
    low, high = heated(tuple(outputs), 1.0), heated(tuple(raised), 1.0)
    assert all(one > other for one, other in zip(high.heater_k, low.heater_k, strict=True))
    assert high.charge_k[zone] - low.charge_k[zone] == max(one - other for one, other in zip(high.charge_k, low.charge_k, strict=True))


def test_37_percent_hold_1065_degrees() -> None:
    furnace = heated((37.5,) * 3, 15.0, TwoMassFurnace(start_k=1300.0))
    assert furnace.charge_c == pytest.approx([1065.0] * 3, abs=1.5)
    assert furnace.heater_c == pytest.approx(furnace.charge_c, abs=0.5)


def test_40_percent_hold_the_diffusion_furnace_at_900_degrees() -> None:
    furnace = heated((40.0,), 15.0, TwoMassFurnace(DIFFUSION_FURNACE, start_k=1150.0))
    assert furnace.charge_c == pytest.approx([900.0], abs=5.0)


def test_a_zone_without_its_elements_is_held_up_by_its_neighbours() -> None:
    """Two of three phases are left: the zone falls, its neighbours fall less, and their controllers would have to give more."""
    furnace = heated((37.5,) * 3, 5.0, TwoMassFurnace(start_k=1338.0))
    furnace.element_health[1] = 2.0 / 3.0
    heated((37.5,) * 3, 10.0, furnace)
    assert furnace.heater_c[1] < furnace.heater_c[0] - 35.0
    assert furnace.heater_c[0] == pytest.approx(furnace.heater_c[2])
    assert furnace.heater_c[0] < 1060.0


def test_zones_that_do_not_see_each_other_are_apart() -> None:
    furnace = heated((80.0, 0.0, 0.0), 2.0, TwoMassFurnace(FurnaceParameters(coupling=0.0)))
    assert furnace.charge_c[0] > 500.0
    assert furnace.charge_c[1:] == pytest.approx([25.0, 25.0], abs=2.0)


@pytest.mark.parametrize(
    ("outputs", "message"),
    [
        ((50.0,), "furnace: outputs_percent has 1 numbers for 3 zones; give one a zone"),
        ((0.0, 101.0, 0.0), "furnace: output of zone 2 is 101 %; give 0 to 100 %"),
    ],
)
def test_outputs_that_no_furnace_has(outputs: tuple[float, ...], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        TwoMassFurnace().step(1.0, outputs)
