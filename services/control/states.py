"""The states of a command as a table. What is not in the table does not happen."""

from enum import StrEnum
from typing import Final

from plant.command import CommandState


class Step(StrEnum):
    """What may happen to a command. The steps that end its execution bear the name of the state they lead to."""

    CONFIRM = "confirm"
    CANCEL = "cancel"
    EXPIRE = "expire"
    DONE = "done"
    REJECTED = "rejected"
    EXPIRED = "expired"
    FAILED = "failed"
    ACCEPTED = "accepted"
    UNKNOWN = "unknown"


NEXT: Final = {
    (CommandState.PREPARED, Step.CONFIRM): CommandState.EXECUTING,
    (CommandState.PREPARED, Step.CANCEL): CommandState.CANCELLED,
    (CommandState.PREPARED, Step.REJECTED): CommandState.REJECTED,
    (CommandState.PREPARED, Step.EXPIRE): CommandState.EXPIRED,
    (CommandState.EXECUTING, Step.DONE): CommandState.DONE,
    (CommandState.EXECUTING, Step.REJECTED): CommandState.REJECTED,
    (CommandState.EXECUTING, Step.EXPIRED): CommandState.EXPIRED,
    (CommandState.EXECUTING, Step.FAILED): CommandState.FAILED,
    (CommandState.EXECUTING, Step.ACCEPTED): CommandState.ACCEPTED,
    (CommandState.EXECUTING, Step.UNKNOWN): CommandState.UNKNOWN,
}


def after(state: CommandState, step: Step) -> CommandState | None:
    """The state that ``step`` leads to, or ``None`` where it cannot happen."""
    return NEXT.get((state, step))
