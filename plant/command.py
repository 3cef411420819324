"""Commands: a set-point or an output on its way to a device, and the pure checks it must pass.

A refusal is a value (``CommandResult``), never an exception. The checks are run twice with the same code: in ``services/control`` for a fast
answer, and in ``services/gateway`` on live state, whose answer is the one that counts.
"""

import math
from dataclasses import dataclass
from enum import StrEnum

from plant.tag import DataType, Tag

CommandValue = float | str


class CommandState(StrEnum):
    """Where a command stands. All but ``PREPARED`` and ``EXECUTING`` are final."""

    PREPARED = "prepared"
    EXECUTING = "executing"
    DONE = "done"
    REJECTED = "rejected"
    EXPIRED = "expired"
    CANCELLED = "cancelled"
    FAILED = "failed"
    """Nothing was written."""
    ACCEPTED = "accepted"
    """The device took it, and shows another value, or none: read back, and not as written."""
    UNKNOWN = "unknown"
    """It may have been written, and no read-back says so: never retried."""

    @property
    def is_final(self) -> bool:
        return self not in {CommandState.PREPARED, CommandState.EXECUTING}


@dataclass(frozen=True, slots=True)
class Command:
    """A write that somebody wants. ``expires`` is UTC microseconds: a gateway that sees it later writes nothing."""

    id: str
    tag: str
    value: CommandValue
    reason: str
    user: str
    expires: int


@dataclass(frozen=True, slots=True)
class CommandResult:
    """What became of a command. ``read_back`` is the value read from the device after the write, in engineering units; ``time`` UTC microseconds."""

    id: str
    state: CommandState
    detail: str
    time: int
    read_back: CommandValue | None = None


@dataclass(frozen=True, slots=True)
class Refusal:
    """Why a command may not run: the state it ends in, and a sentence for the operator."""

    state: CommandState
    detail: str


def check(command: Command, tag: Tag, now: int) -> Refusal | None:
    """First reason why ``command`` may not be written to ``tag`` at ``now`` (UTC microseconds), or ``None``."""
    if now >= command.expires:
        return Refusal(CommandState.EXPIRED, f"the command was confirmed too late; prepare it again to write {tag.name}")
    if not tag.writable:
        return Refusal(CommandState.REJECTED, f"{tag.name} is not writable")
    if tag.data_type.is_text:
        if not isinstance(command.value, str):
            return Refusal(CommandState.REJECTED, f"{tag.name} takes text, not {command.value!r}")
        return None
    if isinstance(command.value, str) or not math.isfinite(command.value):
        return Refusal(CommandState.REJECTED, f"{tag.name} takes a finite number, not {command.value!r}")
    if not tag.data_type.is_continuous and command.value != int(command.value):
        return Refusal(CommandState.REJECTED, f"{tag.name} takes whole numbers, not {command.value:g}")
    low, high = (0.0, 1.0) if tag.data_type is DataType.BOOLEAN else tag.eu_range or (-math.inf, math.inf)
    if not low <= command.value <= high:
        unit = f" {tag.engineering_unit}" if tag.engineering_unit else ""
        return Refusal(CommandState.REJECTED, f"{command.value:g} lies outside {low:g} to {high:g}{unit}, the limits of {tag.name}")
    return None
