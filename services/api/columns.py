"""Samples as answers: JSON columns, CSV, Arrow or Parquet, as the client accepts."""

import csv
import io
import math
from collections.abc import Sequence
from typing import Any, Final

import orjson
import pyarrow as pa
import pyarrow.parquet as pq
from fastapi import Request, Response

from plant import times
from plant.batch import Batch, SampleBatch
from plant.quality import quality_name

JSON: Final = "application/json"
CSV: Final = "text/csv"
ARROW: Final = "application/vnd.apache.arrow.stream"
PARQUET: Final = "application/vnd.apache.parquet"
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


def columns_of(batch: Batch) -> dict[str, list[Any]]:
    """``time``, ``value`` and ``quality`` of a batch as JSON columns."""
    return {
        "time": [times.format_time(time) for time in batch.time.tolist()],
        "value": [shown(value) for value in batch.value.tolist()],
        "quality": [quality_name(quality) for quality in batch.quality.tolist()],
    }


def table_response(kind: str, names: Sequence[str], batch: Batch, units: Sequence[str], following: str | None = None) -> Response:
    """One row a sample: tag, unit, time, value, quality. The cursor of the next page, if there is one, is in ``X-Next-Cursor``."""
    headers = {} if following is None else {"X-Next-Cursor": following}
    columns = columns_of(batch)
    if kind == CSV:
        text = io.StringIO()
        rows = csv.writer(text)
        rows.writerow(["tag", "unit", "time", "value", "quality"])
        rows.writerows(zip(names, units, columns["time"], columns["value"], columns["quality"], strict=True))
        return Response(text.getvalue(), media_type="text/csv; charset=utf-8", headers=headers)
    table = pa.table(
        {
            "tag": pa.array(names, pa.string()),
            "unit": pa.array(units, pa.string()),
            "time": pa.array(batch.time.view("datetime64[us]")).cast(pa.timestamp("us", tz="UTC")),
            "value": pa.array(batch.value, pa.float64() if isinstance(batch, SampleBatch) else pa.string()),
            "quality": pa.array(columns["quality"], pa.string()),
        }
    )
    sink = pa.BufferOutputStream()
    if kind == ARROW:
        with pa.ipc.new_stream(sink, table.schema) as writer:
            writer.write_table(table)
    else:
        pq.write_table(table, sink)
    return Response(sink.getvalue().to_pybytes(), media_type=kind, headers=headers)


def json_response(content: Any) -> Response:
    """JSON of plain values; orjson writes a NaN that slipped through as null."""
    return Response(orjson.dumps(content), media_type=JSON)
