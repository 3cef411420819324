"""Current values."""

from typing import Annotated, Any

from fastapi import APIRouter, Query, Request, Response

from plant.quality import Quality, quality_name
from services.api.auth import CurrentUser
from services.api.columns import accepted, json_response, shown
from services.api.problems import ApiProblem
from services.api.state import state_of, tags_wanted
from services.retrieval.tables import CSV, JSON, quality_names, time_texts

router = APIRouter(tags=["values"])


@router.get("/snapshot")
async def get_snapshot(
    request: Request,
    user: CurrentUser,
    tag: Annotated[list[str] | None, Query(max_length=1000)] = None,
    prefix: Annotated[str | None, Query(max_length=200)] = None,
) -> Response:
    """The newest sample of each tag, named by ``tag`` (any number of times) or ``prefix``; a tag that never had one says ``BadWaitingForInitialData``."""
    state = state_of(request)
    tags = tags_wanted(state, tag or [], prefix)
    current: dict[int, tuple[str, float | str | None, str]] = {}
    for batch in state.hub.current([each.id for each in tags]):
        rows = zip(time_texts(batch.time).tolist(), map(shown, batch.value.tolist()), quality_names(batch.quality), strict=True)
        current.update(zip(batch.tag_id.tolist(), rows, strict=True))
    never = (None, None, quality_name(Quality.BAD_WAITING_FOR_INITIAL_DATA))
    items: list[dict[str, Any]] = []
    for each in tags:
        time, value, quality = current.get(each.id, never)
        items.append({"tag": each.name, "time": time, "value": value, "quality": quality, "unit": each.engineering_unit})
    kind = accepted(request)
    if kind == JSON:
        return json_response({"items": items})
    if kind == CSV:
        lines = ["tag,time,value,quality,unit"]
        lines += [",".join("" if item[key] is None else _quoted(str(item[key])) for key in ("tag", "time", "value", "quality", "unit")) for item in items]
        return Response("\r\n".join(lines) + "\r\n", media_type="text/csv; charset=utf-8")
    raise ApiProblem(406, "the snapshot comes as application/json or text/csv")


def _quoted(text: str) -> str:
    return '"' + text.replace('"', '""') + '"' if any(letter in text for letter in ',"\r\n') else text
