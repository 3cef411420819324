import pytest

from plant import Quality
from simulators.plc import Direction, Plc, Program
from simulators.plc.devices import BlockValve, ControlValve, Discrepancy, Heater, HeaterAlarm, Motor, Starter, Stroke, Trip
from tests.unit.simulators.plc.program_parts import exact_plc, signal

DT = 0.1


class Pump:
    """A motor with its starter in the field."""

    def __init__(self, automatic: bool = False) -> None:
        self.plc = exact_plc(Program(blocks=[Motor("T.P1", "1", automatic=automatic)]))
        self.starter = Starter(0.5)

    def run(self, seconds: float) -> None:
        for _ in range(round(seconds / DT)):
            self.plc.connect("T.P1.YL1", float(self.starter.step(DT, self.plc.output("T.P1.HS1") == 1.0)))
            self.plc.connect("T.P1.XA1", float(self.starter.is_faulty))
            self.plc.step(DT)

    def is_on(self) -> bool:
        return self.plc.output("T.P1.HS1") == 1.0

    def trip(self) -> Trip:
        return Trip(round(self.plc.read("T.P1.HS1.TRIP")))


def test_a_pump_starts_and_stops_by_hand() -> None:
    pump = Pump()
    pump.plc.write("T.P1.HS1", 1.0)
    pump.run(10.0)
    assert (pump.is_on(), pump.starter.is_running, pump.trip()) == (True, True, Trip.NONE)
    pump.plc.write("T.P1.HS1", 0.0)
    pump.run(10.0)
    assert (pump.is_on(), pump.starter.is_running, pump.trip()) == (False, False, Trip.NONE)


def test_a_pump_in_automatic_is_the_program_s() -> None:
    pump = Pump(automatic=True)
    pump.plc.write("T.P1.HS1", 1.0)
    pump.run(1.0)
    assert not pump.is_on()
    pump.plc.write("T.P1.HS1.AUTO", 1.0)
    pump.run(1.0)
    assert pump.is_on()
    pump.plc.write("T.P1.HS1.MODE", 0.0)
    pump.plc.write("T.P1.HS1.AUTO", 0.0)
    pump.run(5.0)
    assert pump.is_on()


def test_a_pump_that_does_not_start_trips_and_waits_for_reset_and_command() -> None:
    pump = Pump()
    pump.starter = Starter(100.0)
    pump.plc.write("T.P1.HS1", 1.0)
    pump.run(2.9)
    assert (pump.is_on(), pump.trip()) == (True, Trip.NONE)
    pump.run(0.4)
    assert (pump.is_on(), pump.trip()) == (False, Trip.NOT_STARTED)
    pump.starter = Starter(0.5)
    pump.plc.write("T.P1.HS1", 1.0)
    pump.run(1.0)
    assert (pump.is_on(), pump.trip()) == (False, Trip.NOT_STARTED)
    pump.plc.write("T.P1.HS1.RESET", 1.0)
    pump.run(1.0)
    assert (pump.is_on(), pump.trip(), pump.plc.read("T.P1.HS1.RESET")) == (False, Trip.NONE, 0.0)
    pump.plc.write("T.P1.HS1", 1.0)
    pump.run(5.0)
    assert (pump.starter.is_running, pump.trip()) == (True, Trip.NONE)


@pytest.mark.parametrize("automatic", [False, True])
def test_a_drive_fault_trips_and_is_not_reset_while_it_lasts(automatic: bool) -> None:
    pump = Pump(automatic)
    pump.plc.write("T.P1.HS1.AUTO" if automatic else "T.P1.HS1", 1.0)
    pump.run(2.0)
    pump.starter.is_faulty = True
    pump.run(0.3)
    assert (pump.is_on(), pump.trip()) == (False, Trip.DRIVE_FAULT)
    pump.plc.write("T.P1.HS1.RESET", 1.0)
    pump.run(1.0)
    assert pump.trip() is Trip.DRIVE_FAULT
    pump.starter.is_faulty = False
    pump.run(1.0)
    assert pump.trip() is Trip.DRIVE_FAULT
    pump.plc.write("T.P1.HS1.RESET", 1.0)
    pump.run(2.0)
    assert (pump.is_on(), pump.trip()) == (automatic, Trip.NONE)


def test_a_pump_that_falls_off_and_one_that_runs_on() -> None:
    pump = Pump()
    pump.plc.write("T.P1.HS1", 1.0)
    pump.run(2.0)
    pump.starter = Starter(100.0)
    pump.run(0.3)
    assert (pump.is_on(), pump.trip()) == (False, Trip.NOT_RUNNING)

    pump = Pump()
    pump.plc.write("T.P1.HS1", 1.0)
    pump.run(2.0)
    pump.starter.is_welded = True
    pump.plc.write("T.P1.HS1", 0.0)
    pump.run(4.5)
    assert pump.trip() is Trip.NONE
    pump.run(1.0)
    assert pump.trip() is Trip.RUNS_ON
    pump.starter.is_welded = False
    pump.run(0.3)
    assert pump.trip() is Trip.NONE


def test_a_bad_fault_signal_is_a_fault() -> None:
    plc = exact_plc(Program(blocks=[Motor("T.P1", "1")]))
    plc.write("T.P1.HS1", 1.0)
    plc.connect("T.P1.XA1", 0.0, Quality.BAD)
    plc.step(0.5)
    assert (plc.output("T.P1.HS1"), plc.read("T.P1.HS1.TRIP")) == (0.0, float(Trip.DRIVE_FAULT))


class Valve:
    def __init__(self, fails_open: bool = False) -> None:
        self.plc = exact_plc(Program(blocks=[BlockValve("T.V1", "1", fails_open=fails_open)]))
        self.stroke = Stroke(2.0, 100.0 if fails_open else 0.0)

    def run(self, seconds: float) -> None:
        for _ in range(round(seconds / DT)):
            self.stroke.step(DT, 100.0 * self.plc.output("T.V1.XV1"))
            self.plc.connect("T.V1.ZSO1", float(self.stroke.is_open))
            self.plc.connect("T.V1.ZSC1", float(self.stroke.is_closed))
            self.plc.step(DT)

    def alarm(self) -> Discrepancy:
        return Discrepancy(round(self.plc.read("T.V1.XV1.ALARM")))


def test_a_valve_travels_with_neither_limit_and_without_an_alarm() -> None:
    valve = Valve()
    valve.run(5.0)
    valve.plc.write("T.V1.XV1", 1.0)
    valve.run(1.0)
    assert (valve.plc.read("T.V1.ZSO1"), valve.plc.read("T.V1.ZSC1"), valve.alarm()) == (0.0, 0.0, Discrepancy.NONE)
    valve.run(1.5)
    assert (valve.plc.read("T.V1.ZSO1"), valve.plc.read("T.V1.ZSC1"), valve.alarm()) == (1.0, 0.0, Discrepancy.NONE)
    valve.run(10.0)
    assert valve.alarm() is Discrepancy.NONE


def test_a_stuck_valve_alarms_after_its_travel_time_and_comes_back() -> None:
    valve = Valve()
    valve.run(1.0)
    valve.stroke.is_stuck = True
    valve.plc.write("T.V1.XV1", 1.0)
    valve.run(2.9)
    assert valve.alarm() is Discrepancy.NONE
    valve.run(0.4)
    assert valve.alarm() is Discrepancy.NOT_OPEN
    valve.stroke.is_stuck = False
    valve.run(2.5)
    assert valve.alarm() is Discrepancy.NONE
    valve.stroke.is_stuck = True
    valve.plc.write("T.V1.XV1", 0.0)
    valve.run(3.5)
    assert valve.alarm() is Discrepancy.NOT_CLOSED


def test_a_valve_that_is_sent_back_on_its_way_has_its_whole_time_again() -> None:
    valve = Valve()
    valve.stroke = Stroke(2.8)
    valve.run(1.0)
    valve.plc.write("T.V1.XV1", 1.0)
    valve.run(2.5)
    valve.plc.write("T.V1.XV1", 0.0)
    for _ in range(30):
        valve.run(0.1)
        assert valve.alarm() is Discrepancy.NONE
    assert valve.stroke.is_closed


@pytest.mark.parametrize("fails_open", [False, True])
def test_a_valve_fails_to_its_position_with_the_plc_and_with_the_air(fails_open: bool) -> None:
    valve = Valve(fails_open)
    valve.run(3.0)
    valve.plc.write("T.V1.XV1", float(not fails_open))
    valve.run(3.0)
    assert valve.stroke.is_open is not fails_open
    valve.plc.stop()
    valve.run(3.0)
    assert valve.stroke.is_open is fails_open
    valve.plc.start()
    valve.run(3.0)
    valve.stroke.has_energy = False
    valve.run(6.0)
    assert valve.stroke.is_open is fails_open
    assert valve.alarm() is (Discrepancy.NOT_CLOSED if fails_open else Discrepancy.NOT_OPEN)


def test_both_limits_at_once_or_a_bad_one_is_a_fault_of_the_switches() -> None:
    plc = exact_plc(Program(blocks=[BlockValve("T.V1", "1")]))
    plc.connect("T.V1.ZSO1", 1.0)
    plc.step(0.9)
    assert plc.read("T.V1.XV1.ALARM") == Discrepancy.NONE
    plc.step(0.3)
    assert plc.read("T.V1.XV1.ALARM") == Discrepancy.SWITCHES
    plc.connect("T.V1.ZSO1", 0.0)
    plc.step(0.2)
    assert plc.read("T.V1.XV1.ALARM") == Discrepancy.NONE
    plc.connect("T.V1.ZSC1", 1.0, Quality.BAD)
    plc.step(1.2)
    assert plc.read("T.V1.XV1.ALARM") == Discrepancy.SWITCHES


def control_valve(stroke: Stroke, seconds: float, plc: Plc) -> None:
    for _ in range(round(seconds / DT)):
        plc.connect("T.V1.ZT1", stroke.step(DT, plc.output("T.V1.FV1")))
        plc.step(DT)


def test_a_control_valve_follows_its_loop_shuts_tight_and_alarms_when_it_does_not_follow() -> None:
    source = signal("T.V1.FIC1.OP", Direction.MEMORY)
    plc = exact_plc(Program([source], [ControlValve("T.V1.FV1", "T.V1.ZT1", "T.V1.FIC1.OP")]))
    stroke = Stroke(8.0, stiction_percent=2.0)
    plc.write("T.V1.FIC1.OP", 60.0)
    control_valve(stroke, 20.0, plc)
    assert (stroke.position_percent, plc.read("T.V1.FV1.ALARM")) == (60.0, 0.0)
    plc.write("T.V1.FIC1.OP", 61.0)
    control_valve(stroke, 20.0, plc)
    assert (stroke.position_percent, plc.output("T.V1.FV1")) == (60.0, 61.0)
    plc.write("T.V1.FIC1.OP", 0.4)
    control_valve(stroke, 20.0, plc)
    assert (stroke.position_percent, plc.output("T.V1.FV1")) == (0.0, 0.0)
    plc.write("T.V1.FV1.MODE", 0.0)
    plc.write("T.V1.FV1", 30.0)
    plc.write("T.V1.FIC1.OP", 90.0)
    stroke.is_stuck = True
    control_valve(stroke, 9.8, plc)
    assert (plc.output("T.V1.FV1"), plc.read("T.V1.FV1.ALARM")) == (30.0, 0.0)
    control_valve(stroke, 0.5, plc)
    assert plc.read("T.V1.FV1.ALARM") == 1.0
    stroke.is_stuck = False
    control_valve(stroke, 5.0, plc)
    assert plc.read("T.V1.FV1.ALARM") == 0.0
    plc.connect("T.V1.ZT1", 30.0, Quality.BAD)
    plc.step(11.0)
    assert plc.read("T.V1.FV1.ALARM") == 1.0


def test_a_control_valve_that_is_sent_on_and_on_is_not_late() -> None:
    plc = exact_plc(Program([], [ControlValve("T.V1.FV1", "T.V1.ZT1", automatic=False)]))
    stroke = Stroke(200.0)
    for number in range(11):
        plc.write("T.V1.FV1", 90.0 if number % 2 == 0 else 60.0)
        control_valve(stroke, 8.0, plc)
        assert plc.read("T.V1.FV1.ALARM") == 0.0
    control_valve(stroke, 3.0, plc)
    assert plc.read("T.V1.FV1.ALARM") == 1.0


class Oven:
    def __init__(self) -> None:
        demand = signal("T.F1.TIC1.OP", Direction.MEMORY)
        self.plc = exact_plc(Program([demand], [Heater("T.F1", "1", "T.F1.TIC1.OP", 1200.0)]))
        self.health, self.is_conducting = 1.0, False

    def run(self, seconds: float) -> None:
        for _ in range(round(seconds / DT)):
            share = 1.0 if self.is_conducting else self.plc.output("T.F1.JC1") / 100.0
            self.plc.connect("T.F1.IT1", 1200.0 * share * self.health)
            self.plc.step(DT)

    def alarm(self) -> HeaterAlarm:
        return HeaterAlarm(round(self.plc.read("T.F1.HS1.ALARM")))


def test_a_heater_gets_no_power_without_its_contactor_and_rises_slowly_with_it() -> None:
    oven = Oven()
    oven.plc.write("T.F1.TIC1.OP", 60.0)
    oven.run(5.0)
    assert oven.plc.output("T.F1.JC1") == 0.0
    oven.plc.write("T.F1.HS1", 1.0)
    oven.run(3.0)
    assert oven.plc.output("T.F1.JC1") == pytest.approx(30.0, abs=1.5)
    oven.run(30.0)
    assert (oven.plc.output("T.F1.JC1"), oven.alarm()) == (60.0, HeaterAlarm.NONE)
    oven.plc.write("T.F1.HS1", 0.0)
    oven.run(0.1)
    assert oven.plc.output("T.F1.JC1") == 0.0


def test_an_open_element_alarms_and_the_heater_goes_on() -> None:
    oven = Oven()
    oven.plc.write("T.F1.HS1", 1.0)
    oven.plc.write("T.F1.TIC1.OP", 60.0)
    oven.run(20.0)
    oven.health = 2.0 / 3.0
    oven.run(9.8)
    assert oven.alarm() is HeaterAlarm.NONE
    oven.run(0.5)
    assert (oven.alarm(), oven.plc.output("T.F1.JC1")) == (HeaterAlarm.OPEN_ELEMENT, 60.0)
    oven.health = 1.0
    oven.run(0.3)
    assert oven.alarm() is HeaterAlarm.NONE


def test_a_thyristor_that_conducts_for_good_opens_the_contactor_until_the_reset() -> None:
    oven = Oven()
    oven.plc.write("T.F1.HS1", 1.0)
    oven.run(20.0)
    oven.is_conducting = True
    oven.run(10.5)
    assert (oven.alarm(), oven.plc.output("T.F1.HS1")) == (HeaterAlarm.CONDUCTING, 0.0)
    oven.is_conducting = False
    oven.plc.write("T.F1.HS1", 1.0)
    oven.run(1.0)
    assert oven.plc.output("T.F1.HS1") == 0.0
    oven.plc.write("T.F1.HS1.RESET", 1.0)
    oven.run(0.2)
    oven.plc.write("T.F1.HS1", 1.0)
    oven.run(0.2)
    assert (oven.alarm(), oven.plc.output("T.F1.HS1")) == (HeaterAlarm.NONE, 1.0)
