"""When scans are due, and when a device is said to be overloaded."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from drivers.modbus.schedule import Schedule

periods = st.sampled_from([0.05, 0.1, 0.25, 1.0, 7.0, 60.0])


def on_the_grid(schedule: Schedule, due: float, slot: float) -> bool:
    return math.isclose((due - slot) / schedule.period, round((due - slot) / schedule.period), abs_tol=1e-4)


@given(period=periods, opened=st.floats(0, 1e6), took=st.lists(st.floats(0, 300), max_size=20))
def test_the_first_scan_is_due_at_once_and_every_other_on_one_grid_and_never_in_the_past(period: float, opened: float, took: list[float]) -> None:
    schedule = Schedule("PLC-1", period, opened)
    assert schedule.due == opened
    now, grid = opened, None
    for seconds in took:
        now = max(now, schedule.due) + seconds
        schedule.done(now)
        assert now < schedule.due + 1e-6
        assert schedule.due <= now + period + 1e-6
        grid = schedule.due if grid is None else grid
        assert on_the_grid(schedule, schedule.due, grid)


@given(period=periods, opened=st.floats(0, 1e6), slots=st.integers(0, 50))
def test_slots_that_a_scan_let_pass_are_counted_and_skipped(period: float, opened: float, slots: int) -> None:
    schedule = Schedule("PLC-1", period, opened)
    schedule.done(opened)
    due = schedule.due
    assert schedule.done(due + (slots + 0.5) * period) == slots
    assert schedule.due == pytest.approx(due + (slots + 1) * period)


def test_the_phase_is_the_device_s_own_and_the_same_after_a_reconnect() -> None:
    def phase(device: str, opened: float) -> float:
        schedule = Schedule(device, 1.0, opened)
        schedule.done(opened)
        return schedule.due % 1.0

    assert phase("PLC-1", 10.3) == pytest.approx(phase("PLC-1", 99.9))
    of_many = [phase(f"PLC-{number}", 0.0) for number in range(100)]
    in_tenths = [sum(tenth / 10 <= each < (tenth + 1) / 10 for each in of_many) for tenth in range(10)]
    assert max(in_tenths) <= 25, "a hundred devices are not asked all at once"


def scan(schedule: Schedule, *, late: bool) -> None:
    schedule.done(schedule.due + (1.5 if late else 0.1) * schedule.period)


def test_a_device_is_overloaded_while_most_of_the_last_ten_scans_were_late_and_until_few_are() -> None:
    schedule = Schedule("PLC-1", 1.0, 0.0)
    for _ in range(5):
        scan(schedule, late=True)
        assert not schedule.is_overloaded
    scan(schedule, late=True)
    assert schedule.is_overloaded
    for _ in range(11):
        scan(schedule, late=False)
    assert not schedule.is_overloaded


def test_a_device_on_the_edge_is_not_told_overloaded_and_relieved_in_turns() -> None:
    schedule = Schedule("PLC-1", 1.0, 0.0)
    for _ in range(10):
        scan(schedule, late=True)
    told = []
    for number in range(40):
        scan(schedule, late=number % 2 == 0)
        told.append(schedule.is_overloaded)
    assert all(told)


def test_a_device_is_not_overloaded_because_nobody_took_what_was_read_of_it() -> None:
    schedule = Schedule("PLC-1", 1.0, 0.0)
    for _ in range(20):
        schedule.excuse(1.2)
        scan(schedule, late=True)
    assert not schedule.is_overloaded
    for _ in range(20):
        schedule.excuse(0.2)
        scan(schedule, late=True)
    assert schedule.is_overloaded
