"""Every cell of the table of command states."""

import pytest

from plant.command import CommandState
from services.control.states import NEXT, Step, after

ALLOWED = {
    CommandState.PREPARED: {
        Step.CONFIRM: CommandState.EXECUTING,
        Step.CANCEL: CommandState.CANCELLED,
        Step.REJECTED: CommandState.REJECTED,
        Step.EXPIRE: CommandState.EXPIRED,
    },
    CommandState.EXECUTING: {
        Step.DONE: CommandState.DONE,
        Step.REJECTED: CommandState.REJECTED,
        Step.EXPIRED: CommandState.EXPIRED,
        Step.FAILED: CommandState.FAILED,
        Step.ACCEPTED: CommandState.ACCEPTED,
        Step.UNKNOWN: CommandState.UNKNOWN,
    },
}


@pytest.mark.parametrize("state", CommandState)
@pytest.mark.parametrize("step", Step)
def test_every_step_in_every_state(state: CommandState, step: Step) -> None:
    assert after(state, step) == ALLOWED.get(state, {}).get(step)


def test_only_ended_commands_have_no_next_step() -> None:
    assert {state for state, _ in NEXT} == {state for state in CommandState if not state.is_final}


def test_every_final_state_can_be_reached() -> None:
    assert set(NEXT.values()) >= {state for state in CommandState if state.is_final}
