import math

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from simulators.process.control import GainSchedule, Mode, Pid, Tuning, simc

UNBOUND = (-1e9, 1e9)


class LagWithDeadTime:
    """First-order process behind a dead time, exact for an input that holds over a step; ``dead_s`` is a whole number of steps."""

    def __init__(self, gain: float, lag_s: float, dead_s: float, dt: float) -> None:
        self.value = 0.0
        self._gain = gain
        self._share = -math.expm1(-dt / lag_s)
        self._waiting = [0.0] * round(dead_s / dt)

    def step(self, output: float) -> float:
        self._waiting.append(output)
        self.value += (self._gain * self._waiting.pop(0) - self.value) * self._share
        return self.value


def automatic(tuning: Tuning, low: float = 0.0, high: float = 100.0, schedule: GainSchedule | None = None) -> Pid:
    pid = Pid(tuning, low, high, schedule=schedule)
    pid.change_mode(Mode.AUTOMATIC)
    return pid


SIMC_LOOPS = [
    ("PRP.LCH101.TIC101", 0.9, 2400, 60, 180, 11.1, 960, 9, 2235),
    ("PRP.LCH101.AIC101", -0.04, 180, 15, 30, -100, 180, 0, 115),
    ("SEP.COL101.FIC101", 0.19, 3, 1, 2, 5.26, 3, 0, 8),
    ("PPT.RX101.TIC101", 0.8, 1800, 60, 180, 9.38, 960, 6, 2061),
    ("PPT.CAL101.TIC102", 15.0, 1500, 45, 135, 0.556, 720, 7, 1604),
    ("MET.CEL101.TIC101", 4.0, 3600, 60, 180, 3.75, 960, 11, 2349),
    ("MET.CEL101.WIC101", 0.2, 20, 5, 10, 6.67, 20, 0, 39),
    ("STC.VIM101.TIC101", 18.0, 600, 10, 30, 0.833, 160, 11, 392),
    ("STC.VIM101.SIC101", 0.03, 1.5, 0.2, 0.4, 83.3, 1.5, 0, 1.6),
    ("HDM.HD101.PIC101", 3.7, 40, 3, 6, 1.2, 36, 1, 20),
    ("HDM.JM101.PIC101", 0.11, 6, 1, 2, 18.2, 6, 0, 8),
    ("HDM.JM101.SIC101", 60.0, 4, 0.5, 1.0, 0.0444, 4, 0, 4),
    ("SIN.FUR101.TIC101", 26.0, 2700, 40, 120, 0.649, 640, 12, 1578),
    ("SIN.GBD101.TIC101", 22.0, 2200, 40, 120, 0.625, 640, 11, 1554),
    ("UTL.SCR101.AIC101", 0.08, 120, 20, 40, 25, 120, 0, 155),
    ("UTL.CHW101.TIC101", -0.25, 90, 15, 30, -8, 90, 0, 116),
]


@pytest.mark.parametrize(("name", "gain", "lag", "dead", "closed", "kc", "ti", "overshoot", "settle"), SIMC_LOOPS, ids=[loop[0] for loop in SIMC_LOOPS])
def test_loops_of_the_plant_answer_a_set_point_as_tuned(
    name: str, gain: float, lag: float, dead: float, closed: float, kc: float, ti: float, overshoot: float, settle: float
) -> None:
    tuning = simc(gain, lag, dead, closed)
    assert tuning.gain == pytest.approx(kc, rel=0.01)
    assert tuning.integral_s == pytest.approx(ti, rel=0.01)
    dt = dead / 20.0
    process, pid = LagWithDeadTime(gain, lag, dead, dt), automatic(tuning, *UNBOUND)
    pid.step(dt, 0.0)
    pid.set_point = 1.0
    values = [process.step(pid.step(dt, process.value)) for _ in range(round(40.0 * (closed + dead) / dt))]
    late = max(number for number, value in enumerate(values) if abs(value - 1.0) > 0.02)
    assert 100.0 * (max(values) - 1.0) == pytest.approx(overshoot, abs=1.0)
    assert (late + 1) * dt == pytest.approx(settle, rel=0.05)


def test_ideal_form_in_figures() -> None:
    pid = automatic(Tuning(2.0, 50.0), *UNBOUND)
    pid.step(1.0, 0.0)
    pid.set_point = 10.0
    first = pid.step(1.0, 0.0)
    assert first == pytest.approx(2.0 * 10.0 + 2.0 / 50.0 * 10.0)
    assert pid.step(1.0, 0.0) - first == pytest.approx(2.0 / 50.0 * 10.0)


def test_the_derivative_looks_at_the_measurement_alone() -> None:
    pid = automatic(Tuning(2.0, derivative_s=30.0), *UNBOUND)
    output = 0.0
    for number in range(200):
        output = pid.step(1.0, 0.5 * number)
    # u = Kc (e - Td dy/dt), e = 0 - y, and the same output whatever the set-point did
    assert output == pytest.approx(2.0 * (-0.5 * 199 - 30.0 * 0.5), rel=1e-3)
    pid.set_point = 7.0
    assert pid.step(1.0, 100.0) - output == pytest.approx(2.0 * (7.0 - 0.5), rel=1e-3)


def test_an_output_at_its_limit_does_not_wind_up() -> None:
    """After ten minutes of a set-point out of reach the output leaves its limit when the error changes its sign, not when a wound-up integral has run off."""
    pid = automatic(Tuning(1.0, 60.0, tracking_s=20.0))
    pid.set_point = 200.0
    for _ in range(600):
        assert pid.step(1.0, 50.0) <= 100.0
    assert pid.output == 100.0
    pid.set_point = 40.0
    seconds = next(number for number in range(1, 1000) if pid.step(1.0, 50.0) < 100.0)
    assert seconds == 1
    # an integral of 600 s of 150 EU would hold 1 500 % and take 1 000 s and more to run off at -10 EU
    assert next(number for number in range(1, 10_000) if pid.step(1.0, 50.0) == 0.0) < 120


def test_manual_holds_and_transfer_is_bumpless() -> None:
    pid = Pid(Tuning(3.0, 100.0), output=42.0)
    pid.set_point = 500.0
    assert [pid.step(1.0, value) for value in (0.0, 10.0, 20.0)] == [42.0] * 3
    pid.write(30.0)
    pid.set_point = 20.0
    pid.change_mode(Mode.AUTOMATIC)
    assert pid.step(1.0, 20.0) == pytest.approx(30.0)
    assert pid.step(1.0, 21.0) < 30.0
    pid.change_mode(Mode.MANUAL)
    held = pid.output
    assert pid.step(1.0, 90.0) == held


@settings(max_examples=25, deadline=None)
@given(error=st.floats(-100, 100), output=st.floats(0, 100), gain=st.floats(0.01, 50), integral=st.floats(1, 5000))
def test_no_transfer_to_automatic_bumps_the_output(error: float, output: float, gain: float, integral: float) -> None:
    pid = Pid(Tuning(gain, integral, derivative_s=integral / 8.0), output=output)
    pid.set_point = 50.0
    pid.step(0.1, 50.0 - error)
    pid.change_mode(Mode.AUTOMATIC)
    after = pid.step(0.1, 50.0 - error)
    assert abs(after - output) <= gain / integral * abs(error) * 0.1 + 1e-6


def test_an_output_in_automatic_is_not_written() -> None:
    pid = automatic(Tuning(1.0, 10.0))
    with pytest.raises(ValueError, match="controller: the output in automatic is the controller's own; change it to manual first"):
        pid.write(10.0)


def test_cascade_takes_over_and_hands_back_without_a_bump() -> None:
    slave, master = Pid(Tuning(2.0, 20.0)), Pid(Tuning(0.5, 300.0))
    slave.set_point, master.set_point = 60.0, 55.0
    master.change_mode(Mode.AUTOMATIC)
    slave.change_mode(Mode.AUTOMATIC)
    for _ in range(5):
        slave.step(1.0, 60.0)
        master.follow(1.0, 50.0, slave.set_point)
    before = slave.output
    slave.change_mode(Mode.CASCADE)
    slave.remote_set_point = master.step(1.0, 50.0)
    assert slave.active_set_point == pytest.approx(60.0 + 0.5 / 300.0 * 5.0)
    assert slave.step(1.0, 60.0) == pytest.approx(before, abs=0.02)
    slave.remote_set_point = 70.0
    slave.change_mode(Mode.AUTOMATIC)
    assert slave.set_point == slave.active_set_point == 70.0


def test_a_loser_of_a_min_select_follows_the_winner() -> None:
    flow, pressure = automatic(Tuning(1.0, 30.0)), automatic(Tuning(5.0, 30.0))
    flow.set_point, pressure.set_point = 100.0, 6.0
    chosen = 0.0
    for _ in range(300):
        wanted = flow.step(1.0, 20.0), pressure.step(1.0, 5.9)
        chosen = min(wanted)
        for pid, value in ((flow, 20.0), (pressure, 5.9)):
            if pid.output != chosen:
                pid.follow(1.0, value, chosen)
    # the override lets go at once when its error turns: the flow controller is not wound up
    assert chosen < 10.0
    assert flow.step(1.0, 101.0) < chosen


def test_a_controller_in_manual_follows_nobody() -> None:
    pid = Pid(Tuning(1.0, 30.0), output=40.0)
    pid.follow(1.0, 20.0, 75.0)
    assert pid.output == 40.0


@pytest.mark.parametrize("change", ["schedule", "tune"])
def test_a_new_gain_does_not_bump(change: str) -> None:
    pid = automatic(Tuning(2.0, 100.0), schedule=(lambda value: 0.3 if value < 1.5 else 1.0) if change == "schedule" else None)
    pid.set_point = 5.0
    before = pid.step(1.0, 1.6)
    for _ in range(10):
        before = pid.step(1.0, 1.6)
    if change == "tune":
        pid.tune(Tuning(0.6, 100.0))
    assert pid.step(1.0, 1.4) == pytest.approx(before, abs=0.3 if change == "schedule" else 0.1)


def test_a_process_value_that_jumps_does_not_bump_a_controller_that_begins_anew() -> None:
    bumped, anew = (automatic(Tuning(2.0, 50.0, derivative_s=10.0)) for _ in range(2))
    for pid in (bumped, anew):
        pid.set_point = 10.0
        for _ in range(10):
            pid.step(1.0, 8.0)
    before = anew.output
    anew.begin_anew()
    assert anew.step(1.0, 5.0) == pytest.approx(before + 2.0 / 50.0 * 5.0)
    assert bumped.step(1.0, 5.0) > before + 6.0


def test_a_value_that_is_no_number_holds_the_output() -> None:
    pid = automatic(Tuning(1.0, 10.0))
    pid.set_point = 50.0
    before = pid.step(1.0, 40.0)
    for _ in range(20):
        before = pid.step(1.0, 40.0)
    assert [pid.step(1.0, math.nan) for _ in range(5)] == [before] * 5
    assert pid.step(1.0, 40.0) == pytest.approx(before + 1.0)


@settings(max_examples=25, deadline=None)
@given(values=st.lists(st.tuples(st.floats(-1e4, 1e4), st.floats(-1e4, 1e4), st.floats(0.01, 60.0)), min_size=1, max_size=40), reverse=st.booleans())
def test_the_output_stays_in_its_limits_and_the_integral_in_reach(values: list[tuple[float, float, float]], reverse: bool) -> None:
    pid = automatic(Tuning(-5.0 if reverse else 5.0, 3.0, derivative_s=1.0), 10.0, 90.0)
    for set_point, value, dt in values:
        pid.set_point = set_point
        assert 10.0 <= pid.step(dt, value) <= 90.0
    pid.set_point = 0.0
    towards = -1e3 if not reverse else 1e3
    outputs = [pid.step(1.0, towards) for _ in range(60)]
    assert outputs[-1] == 90.0


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"gain": 0.0}, "Tuning: gain is 0; give a number other than 0"),
        ({"gain": math.nan}, "Tuning: gain is nan; give"),
        ({"gain": 1.0, "integral_s": 0.0}, "Tuning: integral_s is 0 s; give"),
        ({"gain": 1.0, "derivative_s": -1.0}, "Tuning: derivative_s is -1 s; give"),
        ({"gain": 1.0, "tracking_s": math.nan}, "Tuning: tracking_s is nan s; give"),
    ],
)
def test_tunings_that_no_controller_has(fields: dict[str, float], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        Tuning(**fields)


def test_limits_that_are_no_range() -> None:
    with pytest.raises(ValueError, match="give the low one first"):
        Pid(Tuning(1.0), 100.0, 0.0)
