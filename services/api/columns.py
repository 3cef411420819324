"""Samples as answers: JSON columns, CSV, Arrow or Parquet, as the client accepts."""

import math
from typing import Any, Final

import orjson
from fastapi import Request, Response

from plant.batch import Batch, SampleBatch
from plant.tag import Tag
from services.retrieval.tables import ARROW, CSV, JSON, PARQUET, pieces, quality_names, time_texts

_KNOWN: Final = (CSV, ARROW, PARQUET)


def accepted(request: Request) -> str:
    """The first format of ``Accept`` that we have; JSON for anything else."""
    for part in request.headers.get("accept", "").split(","):
        kind = part.split(";")[0].strip().lower()
        if kind in _KNOWN:
            return kind
        if kind in {JSON, "*/*"}:
            return JSON
    return JSON


def shown(value: float | str | None) -> float | str | None:
    """A value as JSON can hold it: NaN and infinities are ``None``."""
    return None if isinstance(value, float) and not math.isfinite(value) else value


def columns_of(batch: Batch) -> dict[str, Any]:
    """``time``, ``value`` and ``quality`` of a batch as columns for ``json_response``, which writes what is not finite as null."""
    return {
        "time": time_texts(batch.time).tolist(),
        "value": batch.value if isinstance(batch, SampleBatch) else batch.value.tolist(),
        "quality": quality_names(batch.quality),
    }


def table_response(kind: str, tag: Tag, batch: Batch, following: str | None = None) -> Response:
    """One row a sample (``services.retrieval.tables``). The cursor of the next page, if there is one, is in ``X-Next-Cursor``."""
    headers = {} if following is None else {"X-Next-Cursor": following}
    body = b"".join(pieces(kind, [(tag, batch)], is_text=not isinstance(batch, SampleBatch)))
    return Response(body, media_type=media_type_of(kind), headers=headers)


def media_type_of(kind: str) -> str:
    return f"{CSV}; charset=utf-8" if kind == CSV else kind


def json_response(content: Any) -> Response:
    """JSON of plain values and of numeric columns; orjson writes what is not finite as null."""
    return Response(orjson.dumps(content, option=orjson.OPT_SERIALIZE_NUMPY), media_type=JSON)
