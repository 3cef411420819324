import io
import math
from collections.abc import Sequence
from typing import Any, Literal

import orjson
import pyarrow as pa
import pytest
from fastapi import Request

from plant import times
from plant.edit import EditMode
from plant.quality import Quality
from plant.site import Site
from plant.tag import DataType
from services.api.problems import ApiProblem
from services.api.submission import MOST, Submitted, submitted
from services.retrieval import ARROW, CSV, JSON, pieces
from tests.samples import batch_of, make_tag, rows_of

PRESSURE = make_tag(1)
PUMP = make_tag(2, "SEP.COL101.XS102", data_type=DataType.BOOLEAN)
LEVEL = make_tag(4, "SEP.COL101.LI103", data_type=DataType.UINT16)
LOT = make_tag(3, "SEP.COL101.UY101", data_type=DataType.STRING)
SITE = Site("Test", {}, (PRESSURE, PUMP, LOT, LEVEL))
T0 = times.parse_time("2026-11-23T04:00:00Z", 0)
WHEN = times.format_time(T0)
BAD = "BadSensorFailure"


async def read(body: bytes, kind: str = JSON, reason: str = "", mode: EditMode = EditMode.UPDATE) -> Submitted:
    async def receive() -> dict[str, object]:
        return {"type": "http.request", "body": body, "more_body": False}

    scope = {"type": "http", "method": "POST", "headers": [(b"content-type", kind.encode())]}
    return await submitted(Request(scope, receive), SITE, reason, mode)


async def series(tag: str, values: Sequence[object], quality: Sequence[str] | None = None, time: Sequence[str] | None = None) -> Submitted:
    moments = [times.format_time(T0 + place) for place in range(len(values))] if time is None else time
    return await read(orjson.dumps({"series": [{"tag": tag, "time": moments, "value": values, "quality": quality}], "reason": "why"}))


async def test_numbers_and_texts_are_sorted_and_carry_the_reason() -> None:
    body = {
        "series": [
            {"tag": PRESSURE.name, "time": [WHEN], "value": [1.5]},
            {"tag": LOT.name, "time": [WHEN], "value": ["LOT-1"], "quality": ["UncertainLastUsableValue"]},
            {"tag": PUMP.name, "time": [WHEN], "value": [True]},
        ],
        "reason": "the meter was read",
        "mode": "insert",
    }
    sent = await read(orjson.dumps(body), reason="of the query")
    assert rows_of(sent.samples) == [(1, T0, 1.5, 0), (2, T0, 1.0, 0)]
    assert (sent.texts.value.tolist(), sent.texts.quality.tolist()) == (["LOT-1"], [Quality.UNCERTAIN_LAST_USABLE_VALUE])
    assert (sent.reason, sent.mode, list(sent.rejected)) == ("the meter was read", EditMode.INSERT, [])


async def test_of_one_tag_and_time_the_last_counts() -> None:
    sent = await series(PRESSURE.name, [1.0, 2.0], time=[WHEN, "2026-11-23T05:00:00+01:00"])
    assert rows_of(sent.samples) == [(1, T0, 2.0, 0)]


@pytest.mark.parametrize(
    ("tag", "value", "quality", "says"),
    [
        ("NO.SUCH.TAG", 1.0, "Good", "no such tag"),
        (PRESSURE.name, None, "Good", "has no value"),
        (PRESSURE.name, "abc", "Good", "'abc' is no number"),
        (PRESSURE.name, 1.0, "Fine", "is no OPC UA StatusCode"),
        (PUMP.name, 2.0, "Good", "send 0 or 1"),
        (LEVEL.name, 0.5, "Good", "a whole number from 0 to 65535"),
        (LEVEL.name, 65536, "Good", "a whole number from 0 to 65535"),
        (LOT.name, 1.0, "Good", "the tag is text"),
        (LOT.name, None, "Good", "the tag is text"),
        (LOT.name, "a\0b", "Good", "without NUL"),
    ],
)
async def test_a_sample_that_cannot_be_is_rejected_alone_with_the_reason(tag: str, value: object, quality: str, says: str) -> None:
    sent = await read(
        orjson.dumps(
            {
                "series": [
                    {"tag": tag, "time": [WHEN], "value": [value], "quality": [quality]},
                    {"tag": PRESSURE.name, "time": ["2026-11-23T03:00:00Z"], "value": [7.0]},
                ]
            }
        )
    )
    (rejection,) = sent.rejected
    assert (rejection.tag, rejection.time) == (tag, WHEN)
    assert says in rejection.reason
    assert sent.samples.value.tolist() == [7.0]


@pytest.mark.parametrize(
    ("time", "says"),
    [("", "its time is none"), ("-1h", "its time is none"), ("2026-11-23T04:00:00", "its time is none"), ("2999-01-01T00:00:00Z", "lies ahead")],
)
async def test_a_time_that_history_cannot_take_is_rejected(time: str, says: str) -> None:
    sent = await series(PRESSURE.name, [1.0], time=[time])
    assert [says in rejection.reason for rejection in sent.rejected] == [True]
    assert len(sent.samples) == 0


async def test_a_bad_sample_needs_no_value() -> None:
    sent = await series(PRESSURE.name, [None, 3.0], [BAD, BAD])
    assert math.isnan(sent.samples.value[0])
    assert sent.samples.value[1] == 3.0
    assert sent.samples.quality.tolist() == [Quality.BAD_SENSOR_FAILURE] * 2


async def test_a_series_of_unequal_columns_is_rejected_whole() -> None:
    sent = await series(PRESSURE.name, [1.0, 2.0], time=[WHEN])
    (rejection,) = sent.rejected
    assert rejection.time is None
    assert "1 times, 2 values and 1 qualities" in rejection.reason or "1 times, 2 values" in rejection.reason


@pytest.mark.parametrize("kind", [CSV, ARROW])
async def test_what_was_exported_is_taken_back(kind: str) -> None:
    batch = batch_of([(1, T0, 0.1, 0), (1, T0 + 1, math.nan, int(Quality.BAD_SENSOR_FAILURE)), (1, T0 + 2, -7.25, int(Quality.UNCERTAIN))])
    body = b"".join(pieces(kind, [(PRESSURE, batch)], is_text=False))
    sent = await read(body, kind, "of the query", EditMode.REPLACE)
    assert list(sent.rejected) == []
    assert [row[1:2] + row[3:] for row in rows_of(sent.samples)] == [row[1:2] + row[3:] for row in rows_of(batch)]
    assert sent.samples.value[[0, 2]].tolist() == [0.1, -7.25]
    assert (sent.reason, sent.mode) == ("of the query", EditMode.REPLACE)


def arrow_of(**columns: "pa.Array[Any]") -> bytes:
    table = pa.table(columns)
    sink = io.BytesIO()
    with pa.ipc.new_stream(sink, table.schema) as writer:
        writer.write_table(table)
    return sink.getvalue()


@pytest.mark.parametrize(
    ("body", "kind", "status", "says"),
    [
        (b"{", JSON, 422, "JSON"),
        (b"\xff\xfe", JSON, 422, "body"),
        (b'{"series": [], "surprise": 1}', JSON, 422, "surprise"),
        (b'{"series": [{"tag": "A", "time": [1], "value": [1]}]}', JSON, 422, "series.0.time.0"),
        (b"a,b\r\n1,2\r\n", CSV, 422, "the first line names the columns"),
        (b"\xff\xfe", CSV, 422, "no CSV in UTF-8"),
        (b"", ARROW, 422, "no whole Arrow stream"),
        (arrow_of(time=pa.array([1]), value=pa.array([1.0])), ARROW, 422, "the columns are tag, time, value"),
        (arrow_of(tag=pa.array(["A"]), time=pa.array(["x"]), value=pa.array([1.0])), ARROW, 422, "no whole Arrow stream"),
        (b"<xml/>", "text/xml", 415, "samples come as"),
    ],
)
async def test_a_body_that_is_none_is_refused_with_the_mend(body: bytes, kind: str, status: int, says: str) -> None:
    with pytest.raises(ApiProblem) as refused:
        await read(body, kind)
    assert refused.value.status == status
    assert says in refused.value.detail


async def test_half_an_arrow_stream_is_refused_and_nothing_of_it_is_taken() -> None:
    whole = b"".join(pieces(ARROW, [(PRESSURE, batch_of([(1, T0 + place, 1.0, 0) for place in range(1000)]))], is_text=False))
    with pytest.raises(ApiProblem) as refused:
        await read(whole[: len(whole) // 2], ARROW)
    assert refused.value.status == 422


async def test_more_samples_than_a_request_takes_are_refused() -> None:
    lines = [f"{PRESSURE.name},{times.format_time(T0 + place)},1.0" for place in range(MOST + 1)]
    with pytest.raises(ApiProblem) as refused:
        await read(("tag,time,value\r\n" + "\r\n".join(lines)).encode(), CSV)
    assert refused.value.status == 413


def compressed(codec: Literal["zstd", "lz4"]) -> bytes:
    table = pa.table({"tag": [PRESSURE.name], "time": pa.array([T0], pa.timestamp("us", tz="UTC")), "value": [1.0], "junk": ["0" * 10_000_000]})
    sink = io.BytesIO()
    with pa.ipc.new_stream(sink, table.schema, options=pa.ipc.IpcWriteOptions(compression=codec)) as writer:
        writer.write_table(table)
    return sink.getvalue()


@pytest.mark.parametrize("codec", ["zstd", "lz4"])
async def test_a_compressed_arrow_stream_is_refused_before_it_is_unpacked(codec: Literal["zstd", "lz4"]) -> None:
    before = pa.total_allocated_bytes()
    body = compressed(codec)
    with pytest.raises(ApiProblem) as refused:
        await read(body, ARROW)
    assert (refused.value.status, "compressed" in refused.value.detail) == (422, True)
    assert pa.total_allocated_bytes() - before < 1_000_000


async def test_an_arrow_stream_of_too_many_rows_is_refused() -> None:
    count = MOST + 1
    body = arrow_of(tag=pa.array([PRESSURE.name] * count), time=pa.array(range(T0, T0 + count), pa.timestamp("us", tz="UTC")), value=pa.array([1.0] * count))
    with pytest.raises(ApiProblem) as refused:
        await read(body, ARROW)
    assert refused.value.status == 413


async def test_columns_that_are_not_asked_for_are_passed_over_and_one_that_is_twice_is_refused() -> None:
    time = pa.array([T0], pa.timestamp("us", tz="UTC"))
    sent = await read(arrow_of(tag=pa.array([PRESSURE.name]), time=time, value=pa.array([1.0]), note=pa.array(["x"])), ARROW)
    assert rows_of(sent.samples) == [(1, T0, 1.0, 0)]
    table = pa.Table.from_arrays([pa.array([PRESSURE.name]), time, time, pa.array([1.0])], names=["tag", "time", "time", "value"])
    sink = io.BytesIO()
    with pa.ipc.new_stream(sink, table.schema) as writer:
        writer.write_table(table)
    with pytest.raises(ApiProblem) as refused:
        await read(sink.getvalue(), ARROW)
    assert refused.value.status == 422


async def test_a_time_before_the_calendar_is_rejected_alone() -> None:
    sent = await series(PRESSURE.name, [1.0, 2.0], time=["0001-01-01T00:00:00+01:00", WHEN])
    assert [rejection.time for rejection in sent.rejected] == ["0001-01-01T00:00:00+01:00"]
    assert sent.samples.value.tolist() == [2.0]


@pytest.mark.parametrize("text", ["1_000", "\u0663", "0x10", "infinity", ""])
async def test_what_only_python_calls_a_number_is_none(text: str) -> None:
    sent = await read(f"tag,time,value\r\n{PRESSURE.name},{WHEN},{text}\r\n".encode(), CSV)
    assert len(sent.rejected) == 1
