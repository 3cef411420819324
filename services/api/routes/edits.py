"""Changing history after the fact: manual entry, backfill, corrections and deletions, each with who and why."""

from typing import Annotated, Final

from fastapi import APIRouter, Query, Request
from pydantic import BaseModel

from plant import times
from plant.edit import EditMode
from services.api.auth import EngineerUser
from services.api.problems import ApiProblem
from services.api.state import ApiState, state_of, tag_named
from services.api.submission import MOST, Rejection, SampleSubmission, Submitted, submitted
from services.api.time_range import time_range
from services.bus import NoAnswer, NoResponder, subjects
from services.bus.edit_messages import (
    LONGEST,
    DeleteRequest,
    EditAnswer,
    EditRefused,
    EditRequest,
    Removal,
    decode_edit_answer,
    encode_delete,
    encode_edit,
)
from services.retrieval.tables import ARROW, CSV, JSON

router = APIRouter(tags=["history"])

_DEADLINE: Final = 20.0
_GIVEN_UP: Final = 1.0
"""Seconds before our own deadline after which the historian does not begin an edit any more."""

_STATUS: Final = {EditRefused.UNSTORABLE: 422, EditRefused.MALFORMED: 422}
_RETRY: Final = {"Retry-After": "5"}

_Reason = Annotated[str, Query(max_length=500, description="why, for the audit trail")]
_SAMPLES: Final = {
    "requestBody": {
        "required": True,
        "content": {
            JSON: {"schema": SampleSubmission.model_json_schema(ref_template="#/components/schemas/{model}")},
            CSV: {"schema": {"type": "string"}},
            ARROW: {"schema": {"type": "string", "format": "binary"}},
        },
    }
}


class RejectionView(BaseModel):
    """A sample that was not written: ``time`` is null where it is a whole series."""

    tag: str
    time: str | None
    reason: str


class EditResult(BaseModel):
    """``unchanged`` were stored already as they were sent."""

    inserted: int
    replaced: int
    unchanged: int
    rejected: list[RejectionView]


class Deletion(BaseModel):
    deleted: int


@router.post("/samples", openapi_extra=_SAMPLES)
async def post_samples(
    request: Request,
    user: EngineerUser,
    reason: _Reason = "",
    mode: Annotated[EditMode, Query(description="insert only what is not there, replace only what is, or update: both")] = EditMode.UPDATE,
) -> EditResult:
    """Writes samples by hand. What is inserted or replaced is kept as a revision; reads see it when this answers. Made twice it changes nothing more."""
    state = state_of(request)
    sent = await submitted(request, state.site, reason, mode)
    rejected = [RejectionView(tag=one.tag, time=one.time, reason=one.reason) for one in sent.rejected]
    if not len(sent.samples) and not len(sent.texts):
        return EditResult(inserted=0, replaced=0, unchanged=0, rejected=rejected)
    wanted = EditRequest(sent.samples, sent.texts, sent.mode, user.name, sent.reason, _expiry())
    message = encode_edit(wanted)
    if len(message) > LONGEST:
        raise ApiProblem(413, f"a request takes {MOST} samples and {LONGEST} bytes of them; send the rest in another one")
    answer = await _ask(state, subjects.HISTORY_EDIT, message)
    for batch in (sent.samples, sent.texts):
        state.hub.heal(batch)
    rejected += [RejectionView(tag=one.tag, time=one.time, reason=one.reason) for one in _not_allowed(state, sent, answer)]
    return EditResult(inserted=answer.inserted, replaced=answer.replaced, unchanged=answer.unchanged, rejected=rejected)


@router.delete("/tags/{name}/samples")
async def delete_samples(
    request: Request,
    user: EngineerUser,
    name: str,
    start: Annotated[str, Query(alias="from", max_length=50)],
    end: Annotated[str, Query(alias="to", max_length=50, description="not included")],
    reason: _Reason = "",
) -> Deletion:
    """Deletes samples; each is kept as a revision."""
    state = state_of(request)
    tag = tag_named(state, name)
    first, last = time_range(start, end)
    answer = await _ask(state, subjects.HISTORY_DELETE, encode_delete(DeleteRequest(tag.id, first, last, user.name, reason, _expiry())))
    await state.removals.take(Removal(tag.id, first, last))
    return Deletion(deleted=answer.deleted)


def _expiry() -> int:
    return times.now() + int((_DEADLINE - _GIVEN_UP) * times.MICROSECONDS)


def _not_allowed(state: ApiState, sent: Submitted, answer: EditAnswer) -> list[Rejection]:
    why = "it is stored already" if sent.mode is EditMode.INSERT else "there is no sample to replace"
    found = []
    for batch, rejected in ((sent.samples, answer.rejected), (sent.texts, answer.rejected_texts)):
        found += [Rejection(state.site.by_id[int(batch.tag_id[row])].name, times.format_time(int(batch.time[row])), why) for row in rejected]
    return found


async def _ask(state: ApiState, subject: str, data: bytes) -> EditAnswer:
    try:
        answer = decode_edit_answer(await state.bus.request(subject, data, _DEADLINE))
    except NoResponder:
        raise ApiProblem(503, "no historian is running: nothing was written; try again in some seconds", _RETRY) from None
    except NoAnswer:
        raise ApiProblem(503, "the historian does not answer: send the same again, what was written changes nothing more", _RETRY) from None
    if answer.refused is not None:
        status = _STATUS.get(answer.refused, 503)
        raise ApiProblem(status, answer.detail, _RETRY if status == 503 else None)
    return answer
