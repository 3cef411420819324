import math

import pytest

from plant import Quality
from simulators.plc import Direction, Plc, Program, when
from simulators.plc.devices import Motor
from simulators.plc.interlocks import Action, Cause, Effect, Group, Interlock, Reset, ResetAnswer
from tests.unit.simulators.plc.program_parts import exact_plc, signal

PRESSURES = ("T.U.PT1", "T.U.PT2", "T.U.PT3")
HIGH = tuple(Cause(when(f"{tag} > 50")[0], delay_s=1.0) for tag in PRESSURES)


def plant(*interlocks: Interlock) -> Plc:
    signals = [*(signal(tag, Direction.INPUT) for tag in PRESSURES), signal("T.U.TT1", Direction.INPUT)]
    signals += [signal("T.U.XV1", Direction.OUTPUT, high=1.0), signal("T.U.XV2", Direction.OUTPUT, high=1.0)]
    plc = exact_plc(Program(signals, interlocks=interlocks))
    plc.write("T.U.XV1", 1.0)
    plc.step(1.0)
    return plc


def shut(causes: tuple[Cause, ...] = HIGH, needed: int = 1, reset: Reset = Reset.MANUAL, until: str = "", healthy_s: float = 0.0) -> Interlock:
    return Interlock("X", "x", (Group(causes, needed),), (Effect("T.U.XV1", 0.0),), reset, until=when(until) if until else (), healthy_s=healthy_s)


@pytest.mark.parametrize(("needed", "high", "trips"), [(1, 1, True), (2, 1, False), (2, 2, True), (3, 2, False), (3, 3, True)])
def test_a_vote(needed: int, high: int, trips: bool) -> None:
    plc = plant(shut(needed=needed))
    for tag in PRESSURES[:high]:
        plc.connect(tag, 60.0)
    plc.step(5.0)
    assert plc.interlocks["X"].is_tripped is trips
    assert plc.output("T.U.XV1") == (0.0 if trips else 1.0)


def test_a_bad_signal_votes_for_the_trip() -> None:
    plc = plant(shut(needed=2))
    plc.connect("T.U.PT1", 0.0, Quality.BAD_SENSOR_FAILURE)
    plc.connect("T.U.PT2", math.nan)
    plc.step(1.0)
    assert plc.interlocks.tripped == []
    plc.step(0.1)
    assert plc.interlocks.tripped == ["X"]


def test_a_cause_that_comes_and_goes_begins_its_delay_anew() -> None:
    plc = plant(shut())
    for _ in range(20):
        plc.connect("T.U.PT1", 60.0)
        plc.step(0.9)
        plc.connect("T.U.PT1", 40.0)
        plc.step(0.1)
    assert plc.interlocks["X"].trips == 0


def test_first_out_is_what_came_first_and_is_kept() -> None:
    plc = plant(shut(needed=2))
    plc.connect("T.U.PT3", 60.0)
    plc.step(3.0)
    plc.connect("T.U.PT1", 60.0)
    plc.step(3.0)
    plc.connect("T.U.PT2", 60.0)
    plc.step(3.0)
    latch = plc.interlocks["X"]
    assert latch.first_out == "T.U.PT3 > 50"
    assert latch.present == [f"{tag} > 50" for tag in PRESSURES]
    for tag in PRESSURES:
        plc.connect(tag, 0.0)
    plc.step(1.0)
    assert plc.interlocks.reset("X") is ResetAnswer.DONE
    assert (latch.first_out, latch.present, latch.trips) == ("T.U.PT3 > 50", [], 1)
    plc.connect("T.U.PT2", 60.0)
    plc.connect("T.U.PT1", 60.0)
    plc.step(3.0)
    assert (latch.first_out, latch.trips) == ("T.U.PT1 > 50", 2)


def test_first_out_of_two_groups_that_trip_in_one_scan_is_the_cause_that_had_waited() -> None:
    one, two, three = (Cause(cause.condition) for cause in HIGH)
    plc = plant(Interlock("X", "x", (Group((one,)), Group((two, three), 2)), (Effect("T.U.XV1", 0.0),)))
    plc.connect("T.U.PT2", 60.0)
    plc.step(3.0)
    plc.connect("T.U.PT1", 60.0)
    plc.connect("T.U.PT3", 60.0)
    plc.step(0.1)
    assert plc.interlocks["X"].first_out == "T.U.PT2 > 50"


def test_a_bad_signal_enables_and_keeps_from_the_reset() -> None:
    plc = plant(Interlock("X", "x", (Group(HIGH),), (Effect("T.U.XV1", 0.0),), enabling=when("T.U.TT1 > 40"), until=when("T.U.TT1 < 30")))
    plc.connect("T.U.TT1", 0.0, Quality.BAD)
    plc.connect("T.U.PT1", 60.0)
    plc.step(1.2)
    assert plc.interlocks.tripped == ["X"]
    plc.connect("T.U.PT1", 0.0)
    plc.step(1.0)
    assert plc.interlocks.reset("X") is ResetAnswer.NOT_HEALTHY
    plc.connect("T.U.TT1", 0.0)
    plc.step(0.1)
    assert plc.interlocks.reset("X") is ResetAnswer.DONE


def test_a_manual_reset_waits_for_the_causes_the_reset_limit_and_the_time() -> None:
    plc = plant(shut(until="T.U.PT1 < 30", healthy_s=10.0))
    assert plc.interlocks.reset("X") is ResetAnswer.NOT_TRIPPED
    plc.connect("T.U.PT1", 60.0)
    plc.step(2.0)
    assert plc.interlocks.reset("X") is ResetAnswer.CAUSE_PRESENT
    plc.connect("T.U.PT1", 40.0)
    plc.step(20.0)
    assert plc.interlocks.reset("X") is ResetAnswer.NOT_HEALTHY
    plc.connect("T.U.PT1", 20.0)
    plc.step(9.9)
    assert plc.interlocks.reset("X") is ResetAnswer.NOT_HEALTHY
    plc.step(0.2)
    assert plc.output("T.U.XV1") == 0.0
    assert plc.interlocks.reset("X") is ResetAnswer.DONE
    plc.step(1.0)
    # nothing comes back by itself: the valve waits for a command
    assert plc.output("T.U.XV1") == 0.0


def test_an_automatic_reset_and_one_with_a_key() -> None:
    plc = plant(shut(reset=Reset.AUTOMATIC, healthy_s=5.0))
    plc.connect("T.U.PT1", 60.0)
    plc.step(2.0)
    plc.connect("T.U.PT1", 40.0)
    plc.step(5.0)
    assert plc.interlocks.tripped == ["X"]
    plc.step(0.1)
    assert plc.interlocks.tripped == []

    plc = plant(shut(reset=Reset.KEY))
    plc.connect("T.U.PT1", 60.0)
    plc.step(2.0)
    plc.connect("T.U.PT1", 40.0)
    plc.step(1.0)
    assert plc.interlocks.reset("X") is ResetAnswer.KEY_NEEDED
    assert plc.interlocks.reset("X", key=True) is ResetAnswer.DONE


def test_a_permissive_keeps_what_is_and_takes_nothing_away() -> None:
    effects = (Effect("T.U.XV1", 0.0, Action.STAY), Effect("T.U.XV2", 0.0, Action.STAY))
    plc = plant(Interlock("X", "x", (Group(HIGH[:1]),), effects, Reset.AUTOMATIC))
    assert plc.interlocks["X"].interlock.is_permissive
    plc.connect("T.U.PT1", 60.0)
    plc.step(2.0)
    plc.write("T.U.XV2", 1.0)
    plc.step(1.0)
    assert (plc.output("T.U.XV1"), plc.output("T.U.XV2")) == (1.0, 0.0)
    plc.write("T.U.XV1", 0.0)
    plc.step(0.1)
    plc.write("T.U.XV1", 1.0)
    plc.step(0.1)
    assert plc.output("T.U.XV1") == 0.0
    plc.connect("T.U.PT1", 0.0)
    plc.step(0.2)
    plc.write("T.U.XV1", 1.0)
    plc.step(0.1)
    assert plc.output("T.U.XV1") == 1.0


def test_an_enabling_condition_that_is_not_met_stops_the_delay() -> None:
    plc = plant(Interlock("X", "x", (Group(HIGH),), (Effect("T.U.XV1", 0.0),), enabling=when("T.U.TT1 > 40")))
    plc.connect("T.U.PT1", 60.0)
    plc.step(10.0)
    assert plc.interlocks.tripped == []
    plc.connect("T.U.TT1", 45.0)
    plc.step(0.9)
    assert plc.interlocks.tripped == []
    plc.step(0.3)
    assert plc.interlocks.tripped == ["X"]
    # gone when it is not enabled any more, and it is: it can be reset
    plc.connect("T.U.TT1", 0.0)
    plc.step(0.1)
    assert plc.interlocks.reset("X") is ResetAnswer.DONE


def test_effects_have_their_delay_and_their_end() -> None:
    effects = (Effect("T.U.XV2", 1.0, for_s=10.0), Effect("T.U.XV1", 0.0, delay_s=10.0))
    plc = plant(Interlock("X", "x", (Group((Cause(HIGH[0].condition),)),), effects))
    plc.connect("T.U.PT1", 60.0)
    plc.step(0.1)
    seen = []
    for _ in range(22):
        seen.append((plc.output("T.U.XV1"), plc.output("T.U.XV2")))
        plc.write("T.U.XV2", 0.0)
        plc.step(1.0)
    assert seen[:10] == [(1.0, 1.0)] * 10
    assert seen[11:] == [(0.0, 0.0)] * 11


def test_of_two_that_contradict_each_other_the_first_has_it() -> None:
    opens = Interlock("OPEN", "x", (Group((Cause(HIGH[1].condition),)),), (Effect("T.U.XV1", 1.0),))
    closes = Interlock("CLOSE", "x", (Group((Cause(HIGH[0].condition),)),), (Effect("T.U.XV1", 0.0),))
    for order, state in (((opens, closes), 1.0), ((closes, opens), 0.0)):
        plc = plant(*order)
        plc.connect("T.U.PT1", 60.0)
        plc.connect("T.U.PT2", 60.0)
        plc.step(0.1)
        assert plc.output("T.U.XV1") == state


@pytest.mark.parametrize("automatic", [False, True])
def test_a_motor_that_was_shut_off_comes_back_by_itself_in_automatic_only(automatic: bool) -> None:
    trip = Interlock("X", "x", (Group((Cause(HIGH[0].condition),)),), (Effect("T.U.HS1", 0.0),), Reset.AUTOMATIC)
    plc = exact_plc(Program([signal("T.U.PT1", Direction.INPUT)], [Motor("T.U", "1", start_s=1000.0, automatic=automatic)], [trip]))
    plc.write("T.U.HS1.AUTO" if automatic else "T.U.HS1", 1.0)
    plc.step(1.0)
    assert plc.output("T.U.HS1") == 1.0
    plc.connect("T.U.PT1", 60.0)
    plc.step(0.1)
    assert plc.output("T.U.HS1") == 0.0
    plc.connect("T.U.PT1", 0.0)
    plc.step(1.0)
    assert plc.output("T.U.HS1") == float(automatic)


def test_interlocks_that_do_not_fit() -> None:
    with pytest.raises(ValueError, match="4 of 3 causes can never vote"):
        Group(HIGH, 4)
    with pytest.raises(ValueError, match="stand in the program twice: X"):
        plant(shut(), shut())
    with pytest.raises(ValueError, match=r"uses signals that nothing declares: T\.U\.PT9; add them"):
        plant(shut((Cause(when("T.U.PT9 > 1")[0]),)))
    with pytest.raises(ValueError, match=r"^signal T\.U\.HS1: X effect value is 2; give 0 to 1$"):
        exact_plc(Program([signal("T.U.PT1", Direction.INPUT)], [Motor("T.U", "1")], [Interlock("X", "x", (Group(HIGH[:1]),), (Effect("T.U.HS1", 2.0),))]))
    with pytest.raises(ValueError, match="no interlock 'Y'; the ids are X"):
        plant(shut()).interlocks.reset("Y")
    with pytest.raises(ValueError, match=r"'T\.U\.PT1 >> 4' is no condition; write tag, operator and number"):
        when("T.U.PT1 >> 4")
