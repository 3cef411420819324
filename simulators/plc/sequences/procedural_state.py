"""Procedural states and commands of ISA-88 (ANSI/ISA-88.01, modes and states: its example set without pausing), as one table.

Rule: a state that ends in -ING is transient and ends by itself, with ``DONE``; every other one but ``RUNNING`` rests until it is commanded.
"""

from collections.abc import Mapping
from enum import IntEnum
from typing import Final


class ProceduralState(IntEnum):
    """The value is what the signal ``.STATE`` of a sequence has."""

    IDLE = 0
    RUNNING = 1
    HOLDING = 2
    HELD = 3
    RESTARTING = 4
    STOPPING = 5
    STOPPED = 6
    ABORTING = 7
    ABORTED = 8
    COMPLETE = 9

    @property
    def is_active(self) -> bool:
        """Steps or a reaction are at work, or waiting to go on."""
        return ProceduralState.RUNNING <= self <= ProceduralState.STOPPING or self is ProceduralState.ABORTING


class SequenceCommand(IntEnum):
    """The value is what is written to the signal ``.COMMAND`` of a sequence. ``DONE`` is the sequence's own and nobody's to give."""

    NONE = 0
    START = 1
    HOLD = 2
    RESTART = 3
    STOP = 4
    ABORT = 5
    RESET = 6
    DONE = 7


_S, _C = ProceduralState, SequenceCommand

TRANSITIONS: Final[Mapping[tuple[ProceduralState, SequenceCommand], ProceduralState]] = {
    (_S.IDLE, _C.START): _S.RUNNING,
    (_S.RUNNING, _C.DONE): _S.COMPLETE,
    (_S.RUNNING, _C.HOLD): _S.HOLDING,
    (_S.RUNNING, _C.STOP): _S.STOPPING,
    (_S.RUNNING, _C.ABORT): _S.ABORTING,
    (_S.HOLDING, _C.DONE): _S.HELD,
    (_S.HOLDING, _C.STOP): _S.STOPPING,
    (_S.HOLDING, _C.ABORT): _S.ABORTING,
    (_S.HELD, _C.RESTART): _S.RESTARTING,
    (_S.HELD, _C.STOP): _S.STOPPING,
    (_S.HELD, _C.ABORT): _S.ABORTING,
    (_S.RESTARTING, _C.DONE): _S.RUNNING,
    (_S.RESTARTING, _C.HOLD): _S.HOLDING,
    (_S.RESTARTING, _C.STOP): _S.STOPPING,
    (_S.RESTARTING, _C.ABORT): _S.ABORTING,
    (_S.STOPPING, _C.DONE): _S.STOPPED,
    (_S.STOPPING, _C.ABORT): _S.ABORTING,
    (_S.ABORTING, _C.DONE): _S.ABORTED,
    (_S.STOPPED, _C.RESET): _S.IDLE,
    (_S.ABORTED, _C.RESET): _S.IDLE,
    (_S.COMPLETE, _C.RESET): _S.IDLE,
}
"""What is not here is refused: the state stays."""


def diagram() -> str:
    """The table as a state diagram in the language of Mermaid."""
    lines = ["stateDiagram-v2", "    [*] --> IDLE"]
    lines += [f"    {state.name} --> {after.name}: {command.name.lower()}" for (state, command), after in TRANSITIONS.items()]
    return "\n".join(lines)
