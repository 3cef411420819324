"""Every row of the plant's cause-and-effect table at work: it trips in time, leaves the outputs as it says, and goes back as it says."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import pytest

from plant import ConfigurationError, Quality, reference_site
from simulators.plc import Comparison, Condition, Direction, HeartbeatWatch, Plc, Program, ScanTiming, parse_signals, reference_signals
from simulators.plc.interlocks import Action, Effect, Group, Interlock, Reset, ResetAnswer, reference_interlocks
from tests.unit.simulators.plc.program_parts import exact_plc

SIGNALS = reference_signals(reference_site())
INTERLOCKS = reference_interlocks(SIGNALS)
PERIOD_S = 0.05
"""s: the light curtain has to act within 100 ms."""


@dataclass(frozen=True)
class Case:
    """Causes of one group that are enough for a trip."""

    interlock: Interlock
    group: Group
    conditions: tuple[Condition, ...]
    delay_s: float

    def __str__(self) -> str:
        return f"{self.interlock.id} {' and '.join(str(condition) for condition in self.conditions)}"


def cases() -> Iterator[Case]:
    for interlock in INTERLOCKS:
        for group in interlock.groups:
            starts = range(len(group.causes)) if group.needed == 1 else range(1)
            for start in starts:
                causes = group.causes[start : start + group.needed]
                yield Case(interlock, group, tuple(cause.condition for cause in causes), max(cause.delay_s for cause in causes))


def beyond(condition: Condition, met: bool) -> float:
    """A value near the limit that meets the condition, or does not."""
    signal = SIGNALS[condition.tag]
    step = max(1e-3 * (signal.high - signal.low), 1.0 if signal.high - signal.low >= 6.0 and condition.comparison is Comparison.EQUAL else 0.0)
    candidates = [condition.value, condition.value + step, condition.value - step, signal.low, signal.high]
    return next(value for value in candidates if signal.low <= value <= signal.high and condition.is_met_by(value) is met)


def give(plc: Plc, conditions: tuple[Condition, ...], met: bool = True) -> None:
    for condition in conditions:
        value = beyond(condition, met)
        if SIGNALS[condition.tag].direction is Direction.INPUT:
            plc.connect(condition.tag, value)
        else:
            plc.write(condition.tag, value)


def all_causes(interlock: Interlock) -> tuple[Condition, ...]:
    return tuple(cause.condition for group in interlock.groups for cause in group.causes)


def healthy(interlock: Interlock) -> Plc:
    """A PLC with this one interlock, its causes gone, everything else such that they would count, and its outputs elsewhere than it would put them."""
    plc = Plc("PLC", Program([SIGNALS[name] for name in interlock.uses], interlocks=[interlock]), ScanTiming(PERIOD_S), np.random.default_rng(1))
    for effect in interlock.effects:
        if effect.action is Action.SET:
            away(plc, effect)
        else:
            plc.write(effect.tag, effect.value)
    give(plc, interlock.until)
    give(plc, interlock.enabling)
    give(plc, tuple(condition for group in interlock.groups for condition in group.enabling))
    give(plc, all_causes(interlock), met=False)
    plc.step(1.0)
    return plc


def away(plc: Plc, effect: Effect) -> None:
    signal = SIGNALS[effect.tag]
    plc.write(effect.tag, signal.high if effect.value == signal.low else signal.low)


def test_the_table_is_whole() -> None:
    numbers = {int(interlock.id[2:4]) for interlock in INTERLOCKS}
    assert numbers == set(range(1, 30))
    assert len(list(cases())) >= 60


@pytest.mark.parametrize("case", [*cases()], ids=str)
def test_it_trips_in_time_and_leaves_its_outputs_as_it_says(case: Case) -> None:
    interlock = case.interlock
    plc = healthy(interlock)
    assert plc.interlocks.tripped == []
    give(plc, case.group.enabling)
    give(plc, case.conditions)
    if case.delay_s:
        plc.step(case.delay_s - PERIOD_S)
        assert plc.interlocks.tripped == [], "before its delay"
    plc.step(min(case.delay_s, PERIOD_S) + 2.0 * PERIOD_S)
    assert plc.interlocks.tripped == [interlock.id]
    assert plc.interlocks[interlock.id].first_out == str(case.conditions[0])
    for effect in interlock.effects:
        if effect.delay_s == 0.0:
            assert plc.read(effect.tag) == effect.value, effect.tag
    for effect in interlock.effects:
        assert plc.write(effect.tag, effect.value) is (effect.delay_s > 0.0), f"{effect.tag} can be commanded in spite of the trip"
    if any(effect.delay_s for effect in interlock.effects):
        plc.step(max(effect.delay_s for effect in interlock.effects))
        for effect in interlock.effects:
            assert plc.read(effect.tag) == effect.value
            if effect.for_s is not None:
                assert plc.write(effect.tag, 0.0), "it has ended"


@pytest.mark.parametrize("interlock", INTERLOCKS, ids=lambda interlock: interlock.id)
def test_it_goes_back_as_it_says(interlock: Interlock) -> None:
    case = next(case for case in cases() if case.interlock is interlock)
    plc = healthy(interlock)
    give(plc, case.group.enabling)
    give(plc, case.conditions)
    plc.step(case.delay_s + 0.5)
    plc.step(30.0)
    assert plc.interlocks.tripped == [interlock.id]
    assert plc.interlocks.reset(interlock.id, key=True) is ResetAnswer.CAUSE_PRESENT
    give(plc, interlock.until, met=False)
    give(plc, all_causes(interlock), met=False)
    if interlock.until:
        give(plc, interlock.until, met=False)
        plc.step(30.0)
        assert plc.interlocks.reset(interlock.id, key=True) is ResetAnswer.NOT_HEALTHY
        give(plc, interlock.until)
    if interlock.healthy_s:
        plc.step(interlock.healthy_s - 2.0 * PERIOD_S)
        assert plc.interlocks.tripped == [interlock.id]
    plc.step(4.0 * PERIOD_S)
    if interlock.reset is Reset.AUTOMATIC:
        assert plc.interlocks.tripped == []
        return
    assert plc.interlocks.tripped == [interlock.id]
    if interlock.reset is Reset.KEY:
        assert plc.interlocks.reset(interlock.id) is ResetAnswer.KEY_NEEDED
    assert plc.interlocks.reset(interlock.id, key=interlock.reset is Reset.KEY) is ResetAnswer.DONE
    plc.step(1.0)
    assert plc.interlocks.tripped == []


FIGURES = {
    "I-01": ({("UTL.SCR101.FT101 < 20", 5.0), ("UTL.SCR101.YL101 = 0", 0.0)}, "manual"),
    "I-02": ({("PRP.LCH101.AT103 >= 25", 1.0)}, "manual"),
    "I-03": ({("PRP.LCH101.LT101 > 92", 2.0)}, "auto"),
    "I-04": ({("PRP.LCH101.TIC101 > 88", 5.0)}, "manual"),
    "I-05": ({("PRP.SHR101.AT101 > 5", 2.0)}, "manual"),
    "I-06": ({("PRP.FLP101.ZSC101 = 0", 0.0)}, "auto"),
    "I-07.COL301": ({("SEP.COL301.PDT301 > 7.5", 1.0), ("SEP.COL301.PT301 > 10", 1.0)}, "manual"),
    "I-08.COL101": ({("SEP.COL101.ZA101 = 1", 0.0)}, "manual"),
    "I-09.COL101": ({("SEP.COL101.FIC101 < 2", 10.0)}, "manual"),
    "I-09.COL201": ({("SEP.COL201.FIC201 < 0.18", 10.0)}, "manual"),
    "I-11": ({("PPT.CAL101.AT101 > 400", 5.0), ("PPT.CAL101.PT101 > 0", 0.0)}, "manual"),
    "I-12": ({("PPT.CAL101.TT103 > 1060", 0.0)}, "key"),
    "I-13": ({("MET.CEL101.FT101 < 40", 3.0), ("MET.CEL101.AT102 > 3", 10.0)}, "manual"),
    "I-14A": ({("MET.CEL101.ET101 > 16", 2.0)}, "auto"),
    "I-14B": ({("MET.CEL101.ET101 > 25", 5.0)}, "manual"),
    "I-15": ({("STC.VIM101.FT101 < 90", 1.0), ("STC.VIM101.IT101 > 60", 0.3)}, "manual"),
    "I-16": ({("STC.VIM101.SIC101 < 0.4", 0.0)}, "manual"),
    "I-19A": ({("HDM.JM101.AT101 > 500", 3.0), ("HDM.JM101.TT101 > 60", 0.0)}, "manual"),
    "I-20": ({("SIN.PRS101.ZS101 = 0", 0.0)}, "manual"),
    "I-21": ({("SIN.PRS101.PT101 > 280", 0.0), ("SIN.PRS101.WT101 > 850", 0.0)}, "manual"),
    "I-22": ({("SIN.FUR101.TT105 > 1130", 0.0)}, "key"),
    "I-23": ({("SIN.FUR101.FT101 < 120", 3.0), ("SIN.FUR101.TT106 > 55", 0.0)}, "manual"),
    "I-24A": ({("SIN.FUR101.PT101 > 0", 0.0)}, "manual"),
    "I-25": ({("SIN.FUR101.ZSC101 = 0", 0.0), ("SIN.FUR101.PT102 > 300", 0.0)}, "auto"),
    "I-26": ({("FIN.MAG101.ET101 > 3200", 0.0), ("FIN.MAG101.ZSC101 = 0", 0.0)}, "manual"),
    "I-27": ({("UTL.ARG101.AT101 < 18", 0.0)}, "manual"),
    "I-28": ({("UTL.HCL101.LT102 > 15", 0.0), ("UTL.HCL101.AT101 > 5", 0.0)}, "manual"),
}
"""Limits, delays and resets as the plant's process description gives them."""


@pytest.mark.parametrize("interlock_id", FIGURES)
def test_limits_delays_and_resets_are_those_of_the_process_description(interlock_id: str) -> None:
    causes, reset = FIGURES[interlock_id]
    interlock = next(one for one in INTERLOCKS if one.id == interlock_id)
    assert {(str(cause.condition), cause.delay_s) for group in interlock.groups for cause in group.causes} == causes
    assert interlock.reset == reset


def test_room_hydrogen_needs_two_of_three() -> None:
    interlock = next(one for one in INTERLOCKS if one.id == "I-18")
    plc = healthy(interlock)
    plc.connect("HDM.HD101.AT101C", 90.0)
    plc.step(30.0)
    assert plc.interlocks.tripped == []
    plc.connect("HDM.HD101.AT101", 26.0)
    plc.step(2.0 * PERIOD_S)
    assert plc.output("HDM.HD101.XV101") == 0.0


def test_a_full_tank_inhibits_its_own_port_only() -> None:
    interlock = next(one for one in INTERLOCKS if one.id == "I-10.COL101")
    plc = exact_plc(Program([SIGNALS[name] for name in interlock.uses], interlocks=[interlock]))
    plc.connect("SEP.FRC101.LT103", 95.0)
    for port, is_inhibited in ((2.0, False), (4.0, True), (6.0, False)):
        plc.write("SEP.COL101.ZC101.AUTO", port)
        plc.step(15.0)
        assert bool(plc.interlocks.tripped) is is_inhibited, port


def test_the_light_curtain_acts_within_100_ms() -> None:
    interlock = next(one for one in INTERLOCKS if one.id == "I-20")
    for seed in range(20):
        plc = Plc("PLC", Program([SIGNALS[name] for name in interlock.uses], interlocks=[interlock]), PERIOD_S, np.random.default_rng(seed))
        plc.connect("SIN.PRS101.ZS101", 1.0)
        plc.write("SIN.PRS101.HS101", 1.0)
        plc.step(1.0 + 0.002 * seed)
        assert plc.output("SIN.PRS101.HS101") == 1.0
        plc.connect("SIN.PRS101.ZS101", 0.0)
        plc.step(0.1)
        assert plc.output("SIN.PRS101.HS101") == 0.0


def test_the_agitator_stays_on_in_hydrogen_and_may_not_be_stopped() -> None:
    interlock = next(one for one in INTERLOCKS if one.id == "I-02")
    plc = healthy(interlock)
    plc.write("PRP.LCH101.HS101", 1.0)
    plc.connect("PRP.LCH101.AT103", 30.0)
    plc.step(2.0)
    plc.write("PRP.LCH101.HS101", 0.0)
    plc.step(1.0)
    assert plc.output("PRP.LCH101.HS101") == 1.0


def test_a_peer_that_stands_still_is_seen_and_holds_the_phase() -> None:
    interlock = next(one for one in INTERLOCKS if one.id == "I-29.PLC101")
    watch = HeartbeatWatch("SYS.PLC101.KQ101", "SYS.PLC101.XA102")
    plc = exact_plc(Program([SIGNALS["SEP.COL101.KY101.COMMAND"]], [watch], [interlock]))
    for count in range(50):
        plc.connect("SYS.PLC101.KQ101", float(count))
        plc.step(0.5)
    assert plc.interlocks.tripped == []
    plc.step(2.5)
    assert plc.interlocks.tripped == []
    plc.step(1.0)
    assert (plc.interlocks.tripped, plc.read("SEP.COL101.KY101.COMMAND")) == (["I-29.PLC101"], 2.0)
    for count in range(62):
        plc.connect("SYS.PLC101.KQ101", float(count))
        plc.step(0.5)
        assert bool(plc.interlocks.tripped) is (count < 60)


def test_a_heartbeat_that_is_bad_stands_still_at_once() -> None:
    plc = exact_plc(Program(blocks=[HeartbeatWatch("SYS.PLC101.KQ101", "SYS.PLC101.XA102")]))
    plc.connect("SYS.PLC101.KQ101", 7.0, Quality.BAD_NO_COMMUNICATION)
    plc.step(0.1)
    assert plc.read("SYS.PLC101.XA102") == 1.0


def test_a_signal_list_with_mistakes() -> None:
    text = "signal,direction,low,high,initial,safe,description\nUTL.HCL101.XV101,Q,0,1,0,0,x\nT.U.A1,X,0,1,0,0,x\nT.U.B1,M,5,1,0,,x\n"
    with pytest.raises(ConfigurationError) as raised:
        parse_signals("own.csv", text, SIGNALS)
    assert [str(problem) for problem in raised.value.problems] == [
        "own.csv:2: signal: UTL.HCL101.XV101 is there already; remove one of the two",
        "own.csv:3: direction: unknown direction 'X'; write one of I, Q, M",
        "own.csv:4: signal T.U.B1: the range is 5 to 1; give the low end first; mend the row",
    ]
