import math
from itertools import pairwise

import pytest

from plant import Quality
from simulators.plc import Direction, PidLoop, Plc, Program, when
from simulators.plc.devices import Motor, Trip
from simulators.plc.interlocks import Cause, Effect, Group, Interlock
from simulators.process.control import Mode, Tuning
from tests.unit.simulators.plc.program_parts import exact_plc, signal

LOOP = PidLoop("T.U.TIC1", Tuning(2.0, 60.0, derivative_s=10.0), 0.0, 200.0, set_point=100.0, mode=Mode.AUTOMATIC, output=30.0)
TRIP = Interlock("X", "x", (Group((Cause(when("T.U.LT1 > 90")[0]),)),), (Effect("T.U.TIC1.OP", 0.0),))


def loop_at_rest(value: float = 95.0) -> Plc:
    plc = exact_plc(Program([signal("T.U.LT1", Direction.INPUT)], [LOOP], [TRIP]))
    plc.connect("T.U.TIC1", value)
    plc.step(5.0)
    return plc


def test_a_forced_input_wins_over_its_terminal_until_released() -> None:
    plc = loop_at_rest()
    plc.force("T.U.LT1", 40.0)
    plc.connect("T.U.LT1", 99.0, Quality.BAD_SENSOR_FAILURE)
    plc.step(0.1)
    assert plc.read("T.U.LT1") == 40.0
    assert plc.image.quality[plc.image.position("T.U.LT1")] == Quality.GOOD_LOCAL_OVERRIDE
    assert plc.interlocks.tripped == []
    assert plc.forces == {"T.U.LT1": 40.0}
    assert plc.release("T.U.LT1")
    assert not plc.release("T.U.LT1")
    plc.step(0.1)
    assert plc.read("T.U.LT1") == 99.0
    assert plc.interlocks.tripped == ["X"]


def test_a_forced_output_wins_over_program_interlock_and_operator() -> None:
    plc = loop_at_rest()
    plc.force("T.U.TIC1.OP", 66.0)
    plc.connect("T.U.LT1", 99.0)
    plc.step(1.0)
    assert plc.output("T.U.TIC1.OP") == 66.0
    assert not plc.write("T.U.TIC1.OP", 5.0)
    assert plc.interlocks["X"].is_tripped
    assert plc.interlocks["X"].beaten == ["T.U.TIC1.OP"]
    plc.release("T.U.TIC1.OP")
    plc.step(0.1)
    assert plc.output("T.U.TIC1.OP") == 0.0


def test_a_loop_goes_on_from_a_released_output_without_a_bump() -> None:
    plc = loop_at_rest()
    before = plc.output("T.U.TIC1.OP")
    plc.force("T.U.TIC1.OP", 80.0)
    plc.step(60.0)
    assert plc.output("T.U.TIC1.OP") == 80.0
    assert before < 50.0
    plc.release("T.U.TIC1.OP")
    plc.step(0.1)
    # Kc e dt / Ti of one scan
    assert plc.output("T.U.TIC1.OP") == pytest.approx(80.0 + 2.0 * 5.0 * 0.1 / 60.0, abs=1e-6)


@pytest.mark.parametrize("forced", [30.0, 180.0])
def test_a_loop_takes_the_begin_and_the_end_of_a_forced_measurement_without_a_bump(forced: float) -> None:
    plc = loop_at_rest()
    outputs = [plc.output("T.U.TIC1.OP")]
    plc.force("T.U.TIC1", forced)
    plc.step(0.5)
    outputs.append(plc.output("T.U.TIC1.OP"))
    plc.step(5.0)
    outputs.append(plc.output("T.U.TIC1.OP"))
    plc.release("T.U.TIC1")
    plc.step(0.5)
    outputs.append(plc.output("T.U.TIC1.OP"))
    jumps = [abs(after - before) for before, after in pairwise(outputs)]
    # Kc |e| t / Ti, at most 2 * 80 * 0.5 / 60, and neither 2 * 85 of the proportional action nor a derivative that dies away
    assert max(jumps[0], jumps[2]) < 1.4
    assert jumps[1] > 1.0


def test_a_motor_in_manual_stays_as_it_was_forced() -> None:
    plc = exact_plc(Program(blocks=[Motor("T.P1", "1", start_s=1000.0)]))
    plc.force("T.P1.HS1", 1.0)
    plc.step(1.0)
    plc.release_all()
    plc.step(1.0)
    assert (plc.output("T.P1.HS1"), plc.forces) == (1.0, {})


def test_a_motor_that_is_forced_on_in_automatic_is_watched_as_one_that_was_commanded() -> None:
    plc = exact_plc(Program(blocks=[Motor("T.P1", "1", automatic=True)]))
    plc.force("T.P1.HS1", 1.0)
    plc.connect("T.P1.YL1", 1.0)
    plc.step(20.0)
    assert plc.read("T.P1.HS1.TRIP") == Trip.NONE
    plc.connect("T.P1.YL1", 0.0)
    plc.step(0.2)
    assert plc.read("T.P1.HS1.TRIP") == Trip.NOT_RUNNING
    plc.release_all()
    plc.step(0.2)
    assert plc.output("T.P1.HS1") == 0.0


def test_a_released_word_of_memory_keeps_its_value_until_it_is_written() -> None:
    plc = loop_at_rest()
    plc.force("T.U.TIC1.SP", 120.0)
    plc.step(0.1)
    plc.release("T.U.TIC1.SP")
    plc.step(0.1)
    assert plc.read("T.U.TIC1.SP") == 120.0
    assert plc.write("T.U.TIC1.SP", 90.0)
    plc.step(0.1)
    assert plc.read("T.U.TIC1.SP") == 90.0


@pytest.mark.parametrize("value", [-1.0, 100.5, math.nan, math.inf])
def test_a_force_out_of_range_is_refused_and_changes_nothing(value: float) -> None:
    plc = loop_at_rest()
    plc.force("T.U.LT1", 10.0)
    with pytest.raises(ValueError, match=r"^signal T\.U\.LT1: forced value is .*; give 0 to 100$"):
        plc.force("T.U.LT1", value)
    assert plc.forces == {"T.U.LT1": 10.0}


def test_a_force_of_nothing() -> None:
    with pytest.raises(ValueError, match=r"there is no signal 'T\.U\.LT7'; declare it in the program, or mend the name"):
        loop_at_rest().force("T.U.LT7", 1.0)
