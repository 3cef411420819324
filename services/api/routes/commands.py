"""Two-step commands: prepared, then confirmed."""

from typing import Annotated, Any, Final

from fastapi import APIRouter, Header, Request
from pydantic import BaseModel, ConfigDict, Field

from plant import times
from plant.command import CommandState, CommandValue
from plant.quality import is_good
from services.api.auth import CurrentUser
from services.api.live_hub import values_of
from services.api.problems import ApiProblem
from services.api.state import ApiState, state_of, tag_named
from services.bus import NoAnswer, NoResponder, subjects
from services.bus.control_messages import (
    Cancel,
    CommandView,
    Confirm,
    Get,
    Prepare,
    Refused,
    decode_answer,
    encode_cancel,
    encode_confirm,
    encode_get,
    encode_prepare,
)

router = APIRouter(tags=["commands"])

_DEADLINE: Final = 3.0
_CONFIRM_DEADLINE: Final = 30.0
"""Seconds; longer than the slowest device may take (``FieldDevice.write_within``)."""

_STATUS: Final = {
    Refused.INVALID: 422,
    Refused.NOT_FOUND: 404,
    Refused.NOT_YOURS: 403,
    Refused.MISMATCH: 409,
    Refused.CONFLICT: 409,
    Refused.TOO_MANY: 429,
}

_Text = Annotated[str, Field(max_length=500)]


class CommandRequest(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True, allow_inf_nan=False)
    tag: Annotated[str, Field(max_length=200)]
    value: float | _Text
    reason: _Text = ""


class Confirmation(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True, allow_inf_nan=False)
    nonce: Annotated[str, Field(max_length=100)]
    value: float | _Text


class CommandAnswer(BaseModel):
    """``nonce`` only when the command was just prepared; ``limits`` (low, high) in the tag's unit; ``detail`` says what came of it."""

    id: str
    state: CommandState
    tag: str
    value: float | str
    text: str
    current: float | str | None
    limits: tuple[float, float] | None
    interlocks: list[str]
    expires: str
    nonce: str | None = None
    detail: str = ""
    read_back: float | str | None = None


@router.post("/commands", status_code=201)
async def prepare_command(
    request: Request, user: CurrentUser, body: CommandRequest, idempotency_key: Annotated[str, Header(max_length=100)] = ""
) -> CommandAnswer:
    """Prepares a write and shows what it would do. Nothing is written until it is confirmed; the same Idempotency-Key gets the same command."""
    state = state_of(request)
    tag = tag_named(state, body.tag)
    prepare = Prepare(tag.name, body.value, body.reason, user.name, idempotency_key, _current(state, tag.id))
    return await _ask(state, subjects.CONTROL_PREPARE, encode_prepare(prepare), _DEADLINE)


@router.post("/commands/{identity}/confirm")
async def confirm_command(request: Request, user: CurrentUser, identity: str, body: Confirmation) -> CommandAnswer:
    """Writes, once, and reads back. ``state`` says what came of it; confirmed again it answers the same and writes nothing."""
    confirm = Confirm(identity, body.nonce, body.value, user.name)
    return await _ask(state_of(request), subjects.CONTROL_CONFIRM, encode_confirm(confirm), _CONFIRM_DEADLINE)


@router.post("/commands/{identity}/cancel")
async def cancel_command(request: Request, user: CurrentUser, identity: str) -> CommandAnswer:
    """Ends a prepared command."""
    return await _ask(state_of(request), subjects.CONTROL_CANCEL, encode_cancel(Cancel(identity, user.name)), _DEADLINE)


@router.get("/commands/{identity}")
async def get_command(request: Request, user: CurrentUser, identity: str) -> CommandAnswer:
    """Where a command stands."""
    return await _ask(state_of(request), subjects.CONTROL_GET, encode_get(Get(identity)), _DEADLINE)


def _current(state: ApiState, tag_id: int) -> CommandValue | None:
    values = [value for batch in state.hub.current([tag_id]) for value in values_of(batch)]
    return values[0].value if values and is_good(values[0].quality) else None


async def _ask(state: ApiState, subject: str, data: bytes, deadline: float) -> CommandAnswer:
    try:
        answer = decode_answer(await state.bus.request(subject, data, deadline))
    except NoResponder:
        raise ApiProblem(503, "no control service is running: nothing was written; try again in some seconds", {"Retry-After": "5"}) from None
    except NoAnswer:
        detail = "the control service does not answer; GET the command, or the audit trail, tells what became of it"
        raise ApiProblem(503, detail, {"Retry-After": "5"}) from None
    if answer.refused is not None:
        raise ApiProblem(_STATUS[answer.refused], answer.detail)
    assert answer.command is not None  # an answer is a command or a refusal
    return _shown(answer.command)


def _shown(view: CommandView) -> CommandAnswer:
    fields: dict[str, Any] = {
        name: getattr(view, name) for name in ("id", "state", "tag", "value", "text", "current", "limits", "interlocks", "nonce", "detail", "read_back")
    }
    return CommandAnswer(**fields, expires=times.format_time(view.expires))
