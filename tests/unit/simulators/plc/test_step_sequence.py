import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from plant import Quality
from simulators.plc import Direction, Plc, Program, when
from simulators.plc.interlocks import Cause, Effect, Group, Interlock
from simulators.plc.sequences import (
    COMPLETE,
    TRANSITIONS,
    ProceduralState,
    Procedure,
    Ramp,
    Reaction,
    SequenceCommand,
    Step,
    StepSequence,
    Transition,
    diagram,
)
from tests.unit.simulators.plc.program_parts import exact_plc, signal, state_of

KY, SP, XV, LT, ZS = "T.U.KY1", "T.U.TIC1.SP", "T.U.XV1", "T.U.LT1", "T.U.ZS1"
FILL = Step("FILL", 1, (Transition("HEAT", when(f"{LT} > 80")),), 60.0, {XV: 1.0, SP: 20.0})
HEAT = Step("HEAT", 2, (Transition("DRAIN", when(f"{SP} >= 50"), for_s=30.0),), 300.0, {XV: 0.0}, (Ramp(SP, 50.0, 60.0),))
DRAIN = Step("DRAIN", 3, (Transition(COMPLETE, when(f"{LT} < 5"), after_s=10.0),), 60.0, {SP: 0.0}, resume="HEAT")
SEQUENCE = StepSequence(
    KY,
    (FILL, HEAT, DRAIN),
    holding=Reaction({XV: 0.0}, until=when(f"{XV} = 0"), timeout_s=5.0),
    stopping=Reaction({XV: 0.0}, (Ramp(SP, 0.0, 600.0),), until=when(f"{SP} = 0"), timeout_s=30.0),
    aborting=Reaction({XV: 0.0, SP: 0.0}, timeout_s=5.0),
    start_when=when(f"{ZS} = 1"),
)
SIGNALS = [signal(LT, Direction.INPUT), signal(ZS, Direction.INPUT, high=1.0), signal(XV, Direction.OUTPUT, high=1.0), signal(SP, Direction.MEMORY)]


def tank(sequence: StepSequence = SEQUENCE) -> tuple[Plc, Procedure]:
    plc = exact_plc(Program(SIGNALS, sequences=[sequence]))
    plc.connect(ZS, 1.0)
    plc.step(0.5)
    return plc, plc.sequences[KY]


def started(step: str = "FILL") -> tuple[Plc, Procedure]:
    plc, procedure = tank()
    assert procedure.command(SequenceCommand.START)
    plc.step(0.5)
    if step != "FILL":
        plc.connect(LT, 90.0)
        plc.step(1.0)
    if step == "DRAIN":
        plc.step(30.0)
        plc.step(31.0)
    assert (procedure.state, procedure.step) == (ProceduralState.RUNNING, step)
    return plc, procedure


def command(plc: Plc, given: SequenceCommand) -> None:
    plc.write(SEQUENCE.command_tag, float(given))
    plc.step(0.2)


def test_it_runs_from_start_to_complete() -> None:
    plc, procedure = started()
    assert (plc.output(XV), plc.read(KY), plc.read(SEQUENCE.state_tag)) == (1.0, 1.0, 1.0)
    plc.connect(LT, 90.0)
    plc.step(0.1)
    assert (plc.output(XV), plc.read(KY), plc.read(SP)) == (0.0, 2.0, 20.0)
    plc.step(15.0)
    assert plc.read(SP) == pytest.approx(35.0)
    plc.step(15.0)
    assert plc.read(SP) == pytest.approx(50.0)
    plc.step(29.5)
    assert procedure.step == "HEAT"
    plc.step(1.0)
    assert (procedure.step, plc.read(SP)) == ("DRAIN", 0.0)
    plc.connect(LT, 1.0)
    plc.step(9.0)
    assert procedure.step == "DRAIN"
    plc.step(1.5)
    assert (procedure.state, procedure.step, plc.read(KY)) == (ProceduralState.COMPLETE, "", 0.0)
    assert procedure.reason == "DRAIN is done"
    command(plc, SequenceCommand.RESET)
    assert state_of(procedure) is ProceduralState.IDLE


def test_a_start_waits_for_its_permissive() -> None:
    plc, procedure = tank()
    plc.connect(ZS, 0.0)
    plc.step(0.1)
    assert not procedure.command(SequenceCommand.START)
    plc.connect(ZS, 1.0, Quality.BAD)
    plc.step(0.1)
    assert not procedure.command(SequenceCommand.START)
    plc.connect(ZS, 1.0)
    plc.step(0.1)
    assert procedure.command(SequenceCommand.START)


def test_held_a_ramp_and_a_soak_stand_still_and_go_on() -> None:
    plc, procedure = started("HEAT")
    plc.step(9.1)
    reached = plc.read(SP)
    command(plc, SequenceCommand.HOLD)
    assert state_of(procedure) is ProceduralState.HELD
    plc.step(60.0)
    assert plc.read(SP) == reached
    command(plc, SequenceCommand.RESTART)
    assert state_of(procedure) is ProceduralState.RUNNING
    plc.step(50.0 - reached + 10.0)
    soaked = procedure.step_s
    command(plc, SequenceCommand.HOLD)
    plc.step(60.0)
    assert procedure.step_s == pytest.approx(soaked, abs=0.2)
    command(plc, SequenceCommand.RESTART)
    plc.step(19.0)
    assert procedure.step == "HEAT"
    plc.step(2.0)
    assert procedure.step == "DRAIN"


def test_a_step_may_go_on_in_another_one() -> None:
    plc, procedure = started("DRAIN")
    command(plc, SequenceCommand.HOLD)
    command(plc, SequenceCommand.RESTART)
    assert (procedure.state, procedure.step) == (ProceduralState.RUNNING, "HEAT")
    assert procedure.step_s < 0.5


def test_a_step_that_does_not_end_is_held_and_says_why() -> None:
    plc, procedure = started()
    plc.step(59.0)
    assert state_of(procedure) is ProceduralState.RUNNING
    plc.step(1.0)
    assert state_of(procedure) is ProceduralState.HELD
    assert procedure.reason == "FILL has not ended in 60 s"
    assert plc.output(XV) == 0.0


def test_conditions_that_are_lost_for_a_moment_begin_their_time_anew() -> None:
    step = Step("FILL", 1, (Transition(COMPLETE, when(f"{LT} > 80"), for_s=10.0),), 600.0)
    plc, procedure = tank(StepSequence(KY, (step,)))
    procedure.command(SequenceCommand.START)
    for _ in range(5):
        plc.connect(LT, 90.0)
        plc.step(9.0)
        plc.connect(LT, 70.0)
        plc.step(0.1)
    assert state_of(procedure) is ProceduralState.RUNNING
    plc.connect(LT, 90.0)
    plc.step(10.2)
    assert state_of(procedure) is ProceduralState.COMPLETE


def test_a_bad_signal_meets_no_transition() -> None:
    plc, procedure = started()
    plc.connect(LT, 90.0, Quality.BAD_SENSOR_FAILURE)
    plc.step(10.0)
    assert procedure.step == "FILL"


def test_no_reaction_lasts_for_ever() -> None:
    plc, procedure = started()
    plc.force(XV, 1.0)
    command(plc, SequenceCommand.HOLD)
    assert state_of(procedure) is ProceduralState.HOLDING
    plc.force(SP, 33.0)
    plc.step(5.0)
    assert (procedure.state, procedure.reason) == (ProceduralState.STOPPING, "HOLDING has not ended in 5 s")
    plc.step(30.0)
    assert state_of(procedure) in {ProceduralState.ABORTING, ProceduralState.ABORTED}
    plc.step(5.0)
    assert (procedure.state, procedure.reason) == (ProceduralState.ABORTED, "STOPPING has not ended in 30 s")


def test_an_interlock_holds_it_and_it_cannot_be_restarted_before_the_reset() -> None:
    trip = Interlock("X", "x", (Group((Cause(when("T.U.PT1 > 50")[0]),)),), (Effect(SEQUENCE.command_tag, float(SequenceCommand.HOLD)),))
    plc = exact_plc(Program([*SIGNALS, signal("T.U.PT1", Direction.INPUT)], interlocks=[trip], sequences=[SEQUENCE]))
    plc.connect(ZS, 1.0)
    plc.step(0.2)
    procedure = plc.sequences[KY]
    procedure.command(SequenceCommand.START)
    plc.step(0.2)
    plc.connect("T.U.PT1", 60.0)
    plc.step(0.3)
    assert state_of(procedure) is ProceduralState.HELD
    command(plc, SequenceCommand.RESTART)
    assert state_of(procedure) is ProceduralState.HELD
    plc.connect("T.U.PT1", 0.0)
    plc.step(0.2)
    plc.interlocks.reset("X")
    plc.step(0.2)
    command(plc, SequenceCommand.RESTART)
    assert state_of(procedure) is ProceduralState.RUNNING


RESTING = {ProceduralState.HELD: SequenceCommand.HOLD, ProceduralState.STOPPED: SequenceCommand.STOP, ProceduralState.ABORTED: SequenceCommand.ABORT}


@pytest.mark.parametrize("step", ["FILL", "HEAT", "DRAIN"])
@pytest.mark.parametrize("state", RESTING)
def test_from_every_step_it_can_be_held_stopped_and_aborted(step: str, state: ProceduralState) -> None:
    plc, procedure = started(step)
    command(plc, RESTING[state])
    plc.step(35.0)
    assert state_of(procedure) is state
    assert plc.output(XV) == 0.0


@settings(max_examples=60, deadline=None)
@given(orders=st.lists(st.tuples(st.sampled_from(list(SequenceCommand)), st.sampled_from([0.1, 1.0, 20.0]), st.sampled_from([0.0, 90.0])), max_size=30))
def test_whatever_is_commanded_the_states_follow_the_table_and_abort_always_ends_it(orders: list[tuple[SequenceCommand, float, float]]) -> None:
    plc, procedure = tank()
    for given_command, seconds, level in orders:
        before = procedure.state
        is_taken = procedure.command(given_command)
        expected = TRANSITIONS.get((before, given_command)) if given_command is not SequenceCommand.DONE else None
        assert state_of(procedure) is (expected if is_taken else before)
        assert is_taken is (expected is not None)
        plc.connect(LT, level)
        plc.step(seconds)
        assert plc.read(SEQUENCE.state_tag) == procedure.state
        assert bool(procedure.step) is procedure.state.is_active
    was_active = procedure.state.is_active
    procedure.command(SequenceCommand.ABORT)
    plc.step(6.0)
    if was_active:
        assert state_of(procedure) is ProceduralState.ABORTED
    if procedure.state is not ProceduralState.IDLE:
        assert procedure.command(SequenceCommand.RESET)
    assert procedure.command(SequenceCommand.START)


def test_the_table_leaves_no_state_without_a_way_out_and_aborts_what_is_active() -> None:
    for state in ProceduralState:
        assert any(before is state for before, _ in TRANSITIONS)
        aborts = (state, SequenceCommand.ABORT) in TRANSITIONS
        assert aborts is (state.is_active and state is not ProceduralState.ABORTING)
    transient = {state for state in ProceduralState if state.name.endswith("ING")}
    assert {state for state, given_command in TRANSITIONS if given_command is SequenceCommand.DONE} == transient
    assert len(diagram().splitlines()) == len(TRANSITIONS) + 2


def test_a_sequence_with_mistakes_names_them_all() -> None:
    lost = Step("LOST", 3, (), 60.0)
    with pytest.raises(ValueError, match=r"T\.U\.KY1") as raised:
        StepSequence(KY, (FILL, Step("HEAT", 1, (Transition("COOK"),), 60.0), lost))
    assert str(raised.value) == (
        "sequence T.U.KY1: number 1 belongs to two steps; give each its own; step HEAT goes to COOK, which is no step; mend the name; "
        "step LOST goes nowhere; give it a transition, the last one to COMPLETE; nothing leads to step LOST; remove it, or give it a transition; "
        "it never ends; lead a transition to COMPLETE"
    )
    with pytest.raises(ValueError, match=r"^signal T\.U\.XV1: set value is 2; give 0 to 1$"):
        tank(StepSequence(KY, (Step("A", 1, (Transition(COMPLETE),), 60.0, {XV: 2.0}),)))
    with pytest.raises(ValueError, match=r"^Step: timeout_s is 0 s; give 0\.001 to 1e\+07 s$"):
        Step("A", 1, (Transition(COMPLETE),), 0.0)
