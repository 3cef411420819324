import csv
import io
import math
from dataclasses import replace
from typing import Any

import orjson
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from fastapi import Request, Response

from plant import times
from plant.batch import Batch, TextBatch
from plant.quality import Quality, quality_name
from services.api.columns import accepted, columns_of, json_response, shown, table_response
from services.retrieval.tables import ARROW, CSV, JSON, PARQUET
from tests.samples import batch_of, make_tag

T0 = times.parse_time("2026-11-23T04:00:00.000001Z", 0)
BAD = int(Quality.BAD_NO_COMMUNICATION)
UNCERTAIN = int(Quality.UNCERTAIN_LAST_USABLE_VALUE)
NUMBERS = batch_of(
    [
        (1, T0, 0.1, 0),
        (1, T0 + 1, math.nan, BAD),
        (1, T0 + 2, math.inf, BAD),
        (1, T0 + 3, -math.inf, BAD),
        (1, T0 + 4, -0.0, UNCERTAIN),
        (1, T0 + 5, 5e-324, 0),
        (1, T0 + 6, 1.7976931348623157e308, 0),
        (1, T0 + 7, 9007199254740993.0, 0),
    ]
)
TEXTS = TextBatch.of([3] * 5, [T0 + second for second in range(5)], ["LOT-1", "", 'a "b", c', "two\r\nlines", "größer ☃"], [0, BAD, 0, 0, UNCERTAIN])
NAME, UNIT = "SEP.COL101.PT101", 'm³/h, "wet"'
TAG = replace(make_tag(1, NAME), engineering_unit=UNIT)


def csv_rows(answer: Response) -> list[list[Any]]:
    header, *rows = csv.reader(io.StringIO(bytes(answer.body).decode(), newline=""))
    assert header == ["tag", "unit", "time", "value", "quality"]
    return rows


def table_of(answer: Response) -> pa.Table:
    if answer.media_type == ARROW:
        return pa.ipc.open_stream(bytes(answer.body)).read_all()
    return pq.read_table(io.BytesIO(bytes(answer.body)))


def table(kind: str, batch: Batch, following: str | None = None) -> Response:
    return table_response(kind, TAG, batch, following)


def test_json_columns_are_the_batch_and_what_is_not_finite_is_null() -> None:
    columns = orjson.loads(json_response(columns_of(NUMBERS)).body)
    assert columns["time"] == [f"2026-11-23T04:00:00.00000{digit}Z" for digit in range(1, 9)]
    assert columns["value"] == [0.1, None, None, None, -0.0, 5e-324, 1.7976931348623157e308, 9007199254740993.0]
    assert math.copysign(1.0, columns["value"][4]) == -1.0
    assert columns["quality"] == [quality_name(quality) for quality in NUMBERS.quality.tolist()]


@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf])
def test_json_holds_no_number_that_is_not_finite(value: float) -> None:
    assert shown(value) is None
    assert bytes(json_response({"value": value}).body) == b'{"value":null}'


@pytest.mark.parametrize("batch", [NUMBERS, TEXTS], ids=["numbers", "texts"])
def test_csv_holds_the_rows_of_json_and_nothing_is_an_empty_field(batch: Batch) -> None:
    columns = orjson.loads(json_response(columns_of(batch)).body)
    rows = csv_rows(table(CSV, batch))
    assert [row[:2] for row in rows] == [[NAME, UNIT]] * len(batch)
    assert [row[2] for row in rows] == columns["time"]
    assert [row[4] for row in rows] == columns["quality"]
    texts = [row[3] for row in rows]
    assert (texts if batch is TEXTS else [float(text) if text else None for text in texts]) == columns["value"]


@pytest.mark.parametrize("kind", [ARROW, PARQUET])
@pytest.mark.parametrize("batch", [NUMBERS, TEXTS], ids=["numbers", "texts"])
def test_arrow_and_parquet_hold_the_samples_bit_by_bit(kind: str, batch: Batch) -> None:
    answer = table(kind, batch)
    assert answer.media_type == kind
    found = table_of(answer)
    assert found.schema == pa.schema(
        {
            "tag": pa.string(),
            "unit": pa.string(),
            "time": pa.timestamp("us", tz="UTC"),
            "value": pa.string() if batch is TEXTS else pa.float64(),
            "quality": pa.string(),
        }
    )
    assert found["time"].cast(pa.int64()).to_pylist() == batch.time.tolist()
    assert list(map(repr, found["value"].to_pylist())) == list(map(repr, batch.value.tolist()))
    assert found["quality"].to_pylist() == columns_of(batch)["quality"]
    assert set(found["tag"].to_pylist()) == {NAME}
    assert set(found["unit"].to_pylist()) == {UNIT}


@pytest.mark.parametrize("kind", [CSV, ARROW, PARQUET])
@pytest.mark.parametrize("batch", [batch_of([]), TextBatch.empty()], ids=["numbers", "texts"])
def test_no_sample_is_a_table_without_a_row(kind: str, batch: Batch) -> None:
    answer = table(kind, batch)
    assert (csv_rows(answer) == []) if kind == CSV else (table_of(answer).num_rows == 0)


@pytest.mark.parametrize("kind", [CSV, ARROW, PARQUET])
def test_the_cursor_of_the_next_page_is_in_a_header_and_at_the_end_there_is_none(kind: str) -> None:
    assert table(kind, NUMBERS, "abc").headers["X-Next-Cursor"] == "abc"
    assert "X-Next-Cursor" not in table(kind, NUMBERS).headers


@pytest.mark.parametrize(
    ("accept", "kind"),
    [
        (None, JSON),
        ("", JSON),
        ("*/*", JSON),
        ("application/json", JSON),
        ("text/csv", CSV),
        ("TEXT/CSV; charset=utf-8", CSV),
        ("application/vnd.apache.arrow.stream", ARROW),
        ("application/vnd.apache.parquet", PARQUET),
        ("image/png, application/vnd.apache.parquet, text/csv", PARQUET),
        ("application/json, text/csv", JSON),
        ("text/html,application/xhtml+xml,*/*;q=0.8", JSON),
        ("image/png", JSON),
        (", ;;,", JSON),
    ],
)
def test_the_first_format_accepted_that_there_is_counts_and_else_it_is_json(accept: str | None, kind: str) -> None:
    headers = [] if accept is None else [(b"accept", accept.encode())]
    assert accepted(Request({"type": "http", "headers": headers})) == kind
