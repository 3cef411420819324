import math

import pytest

from plant import Quality
from simulators.plc import Direction, PidLoop, Plc, Program, when
from simulators.plc.interlocks import Cause, Effect, Group, Interlock, Reset
from simulators.process.control import Mode, Tuning, simc
from tests.unit.simulators.plc.program_parts import exact_plc, signal

TIC = "T.U.TIC1"


def loop(mode: Mode = Mode.AUTOMATIC, bad_output: float | None = 0.0) -> Plc:
    plc = exact_plc(Program(blocks=[PidLoop(TIC, Tuning(2.0, 50.0), 0.0, 200.0, 100.0, mode, 30.0, bad_output=bad_output)]))
    plc.connect(TIC, 95.0)
    plc.step(1.0)
    return plc


def test_a_loop_brings_a_process_to_its_set_point() -> None:
    plc = exact_plc(Program(blocks=[PidLoop(TIC, simc(2.0, 60.0, 5.0, 10.0), 0.0, 200.0, 100.0, Mode.AUTOMATIC)]), period_s=0.5)
    value = 20.0
    for _ in range(1200):
        plc.connect(TIC, value)
        plc.step(0.5)
        value += (20.0 + 2.0 * plc.output(f"{TIC}.OP") - value) * -math.expm1(-0.5 / 60.0)
    assert value == pytest.approx(100.0, abs=0.1)
    assert plc.output(f"{TIC}.OP") == pytest.approx(40.0, abs=0.2)


def test_manual_is_the_operator_s_and_automatic_is_not() -> None:
    plc = loop(Mode.MANUAL)
    assert plc.write(f"{TIC}.OP", 55.0)
    plc.step(1.0)
    assert plc.output(f"{TIC}.OP") == 55.0
    plc.write(f"{TIC}.MODE", 1.0)
    plc.step(0.1)
    assert plc.output(f"{TIC}.OP") == pytest.approx(55.0, abs=0.1)
    plc.write(f"{TIC}.OP", 5.0)
    plc.step(0.1)
    assert plc.output(f"{TIC}.OP") == pytest.approx(55.0, abs=0.1)


def test_a_bad_measurement_puts_it_in_manual_where_it_stays() -> None:
    plc = loop()
    plc.connect(TIC, 200.0, Quality.BAD_SENSOR_FAILURE)
    plc.step(0.1)
    assert (plc.output(f"{TIC}.OP"), plc.read(f"{TIC}.MODE")) == (0.0, 0.0)
    plc.connect(TIC, 95.0)
    plc.step(5.0)
    assert (plc.output(f"{TIC}.OP"), plc.read(f"{TIC}.MODE")) == (0.0, 0.0)
    plc.write(f"{TIC}.MODE", 1.0)
    plc.step(0.1)
    assert 0.0 < plc.output(f"{TIC}.OP") < 1.0


def test_a_bad_measurement_may_hold_the_output() -> None:
    plc = loop(bad_output=None)
    before = plc.output(f"{TIC}.OP")
    plc.connect(TIC, math.nan)
    plc.step(5.0)
    assert (plc.output(f"{TIC}.OP"), plc.read(f"{TIC}.MODE")) == (before, 0.0)


def test_cascade_without_a_master_is_automatic() -> None:
    plc = loop()
    plc.write(f"{TIC}.MODE", 2.0)
    plc.step(0.1)
    assert plc.read(f"{TIC}.MODE") == 1.0


def test_an_interlock_on_the_output_does_not_wind_the_loop_up() -> None:
    trip = Interlock("X", "x", (Group((Cause(when("T.U.LT1 > 90")[0]),)),), (Effect(f"{TIC}.OP", 0.0),), Reset.AUTOMATIC)
    block = PidLoop(TIC, Tuning(2.0, 50.0), 0.0, 200.0, 100.0, Mode.AUTOMATIC, 30.0)
    plc = exact_plc(Program([signal("T.U.LT1", Direction.INPUT)], [block], [trip]))
    plc.connect(TIC, 95.0)
    plc.step(1.0)
    plc.connect("T.U.LT1", 95.0)
    plc.step(0.1)
    assert plc.output(f"{TIC}.OP") == 0.0
    plc.step(60.0)
    plc.connect("T.U.LT1", 50.0)
    plc.step(0.1)
    assert plc.read(f"{TIC}.MODE") == 1.0
    assert plc.output(f"{TIC}.OP") == pytest.approx(2.0 * 5.0 * 0.1 / 50.0, abs=1e-6)


def test_a_cascade_takes_over_and_hands_back_without_a_bump() -> None:
    master = PidLoop("T.U.TIC1", Tuning(0.5, 300.0), 0.0, 200.0, 55.0, Mode.AUTOMATIC, output_high=150.0, drives="T.U.IIC1")
    slave = PidLoop("T.U.IIC1", Tuning(2.0, 20.0), 0.0, 150.0, 60.0, Mode.AUTOMATIC, master="T.U.TIC1")
    plc = exact_plc(Program(blocks=[master, slave]))
    plc.connect("T.U.TIC1", 50.0)
    plc.connect("T.U.IIC1", 60.0)
    plc.step(2.0)
    assert plc.read("T.U.TIC1.OP") == 60.0
    before = plc.output("T.U.IIC1.OP")
    plc.write("T.U.IIC1.MODE", 2.0)
    plc.step(0.1)
    # the master already steps in this scan if it sees its slave in cascade: 0.5 * 5 * 0.1 / 300
    assert plc.read("T.U.IIC1.SP") == pytest.approx(60.0, abs=0.01)
    assert plc.output("T.U.IIC1.OP") == pytest.approx(before, abs=0.05)
    plc.step(30.0)
    led = plc.read("T.U.IIC1.SP")
    assert led > 60.1
    plc.write("T.U.IIC1.MODE", 1.0)
    plc.step(0.1)
    assert plc.read("T.U.IIC1.SP") == pytest.approx(led, abs=0.01)
    plc.write("T.U.IIC1.SP", 40.0)
    plc.step(0.1)
    assert plc.read("T.U.TIC1.OP") == 40.0
