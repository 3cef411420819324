"""The outlet valve: travel, feedback, and a valve that sticks."""

import pytest

from simulators.process.separation import OutletValve, ValveParameters


def test_it_travels_a_quarter_second_a_port_and_reports_its_port_on_arrival() -> None:
    valve = OutletValve(1)
    seen = []
    for _ in range(8):
        valve.step(0.1, 4)
        seen.append(valve.position)
    assert seen == [0, 0, 0, 0, 0, 0, 0, 4]
    assert not valve.is_discrepant


def test_on_the_way_the_effluent_goes_to_the_nearer_port() -> None:
    valve = OutletValve(7)
    valve.step(0.3, 5)
    assert (valve.port, valve.position) == (6, 0)


def test_a_stuck_valve_is_discrepant_after_two_seconds() -> None:
    valve = OutletValve(4)
    valve.is_stuck = True
    for _ in range(4):
        valve.step(0.5, 5)
        assert not valve.is_discrepant
    valve.step(0.5, 5)
    assert valve.is_discrepant
    assert (valve.port, valve.position, valve.demand) == (4, 4, 5)
    valve.is_stuck = False
    valve.step(0.5, 5)
    assert valve.position == 5
    assert not valve.is_discrepant


def test_a_step_of_0_changes_nothing() -> None:
    valve = OutletValve(1, ValveParameters(travel_s_per_port=1.0))
    valve.step(0.5, 3)
    valve.step(0.0, 3)
    assert (valve.port, valve.position) == (2, 0)


def test_nonsense_is_refused() -> None:
    with pytest.raises(ValueError, match=r"COL101\.ZC101: demand is 8; give 1 to 7"):
        OutletValve(1, name="COL101.ZC101").step(0.1, 8)
    with pytest.raises(ValueError, match=r"dt is -1 s; give 0 to 60 s"):
        OutletValve(1).step(-1.0, 1)
    with pytest.raises(ValueError, match=r"outlet valve: port is 0; give 1 to 7"):
        OutletValve(0)
