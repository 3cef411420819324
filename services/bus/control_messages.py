"""Questions to the control service and its answer, as JSON (docs/formats/bus.md)."""

from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from pydantic import TypeAdapter

from plant.command import CommandState, CommandValue
from services.bus.messages import validated


@dataclass(frozen=True, slots=True)
class Prepare:
    """``key`` is the client's idempotency key, empty without one; ``current`` the value that the operator sees now, if any is known."""

    tag: str
    value: CommandValue
    reason: str
    user: str
    key: str
    current: CommandValue | None


@dataclass(frozen=True, slots=True)
class Confirm:
    id: str
    nonce: str
    value: CommandValue
    user: str


@dataclass(frozen=True, slots=True)
class Cancel:
    id: str
    user: str


@dataclass(frozen=True, slots=True)
class Get:
    id: str


class Refused(StrEnum):
    """Why control did not do what was asked, where that is not the state of a command."""

    INVALID = "invalid"
    NOT_FOUND = "not found"
    NOT_YOURS = "not yours"
    MISMATCH = "mismatch"
    CONFLICT = "conflict"
    TOO_MANY = "too many"


@dataclass(frozen=True, slots=True)
class CommandView:
    """A command as a client sees it. ``nonce`` only in the answer to its preparation; ``expires`` UTC microseconds; ``limits`` in engineering units."""

    id: str
    tag: str
    value: CommandValue
    state: CommandState
    text: str
    current: CommandValue | None
    limits: tuple[float, float] | None
    interlocks: list[str]
    expires: int
    nonce: str | None = None
    detail: str = ""
    read_back: CommandValue | None = None


@dataclass(frozen=True, slots=True)
class ControlAnswer:
    """Either ``command``, or ``refused`` with a ``detail`` for people."""

    command: CommandView | None = None
    refused: Refused | None = None
    detail: str = ""


_PREPARE: Final = TypeAdapter(Prepare)
_CONFIRM: Final = TypeAdapter(Confirm)
_CANCEL: Final = TypeAdapter(Cancel)
_GET: Final = TypeAdapter(Get)
_ANSWER: Final = TypeAdapter(ControlAnswer)


def encode_prepare(request: Prepare) -> bytes:
    return _PREPARE.dump_json(request)


def decode_prepare(data: bytes) -> Prepare:
    """Raises ``MalformedMessage``."""
    return validated(_PREPARE, data)


def encode_confirm(request: Confirm) -> bytes:
    return _CONFIRM.dump_json(request)


def decode_confirm(data: bytes) -> Confirm:
    """Raises ``MalformedMessage``."""
    return validated(_CONFIRM, data)


def encode_cancel(request: Cancel) -> bytes:
    return _CANCEL.dump_json(request)


def decode_cancel(data: bytes) -> Cancel:
    """Raises ``MalformedMessage``."""
    return validated(_CANCEL, data)


def encode_get(request: Get) -> bytes:
    return _GET.dump_json(request)


def decode_get(data: bytes) -> Get:
    """Raises ``MalformedMessage``."""
    return validated(_GET, data)


def encode_answer(answer: ControlAnswer) -> bytes:
    return _ANSWER.dump_json(answer)


def decode_answer(data: bytes) -> ControlAnswer:
    """Raises ``MalformedMessage``."""
    return validated(_ANSWER, data)
