"""History over HTTP, from an API process over a store with a known past; and what it answers to questions that make no sense."""

import asyncio
import base64
import csv
import io
import math
import struct
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import pytest_asyncio
from prometheus_client.parser import text_string_to_metric_families

from plant import times
from plant.batch import TextBatch
from plant.event import Event
from plant.ledger import Gap, GapCause
from plant.quality import Quality, quality_name
from plant.site_writer import write_site
from services.store import Commit, open_store
from tests.modbus_device import LOT, PRESSURE, SET_POINT, ModbusTestDevice
from tests.samples import batch_of
from tests.stack import api_client, running_stack

pytestmark = pytest.mark.asyncio(loop_scope="module")

T0 = times.parse_time("2026-11-23T04:00:00Z", 0)
SECOND = times.MICROSECONDS
COUNT = 2500
BAD = Quality.BAD_SENSOR_FAILURE
VALUES = [math.nan if second % 100 == 7 else math.inf if second % 100 == 8 else second / 8 for second in range(COUNT)]
QUALITIES = [BAD if not math.isfinite(value) else Quality.GOOD for value in VALUES]
TIMES = [times.format_time(T0 + second * SECOND) for second in range(COUNT)]
SAMPLES = f"/tags/{PRESSURE.name}/samples"
DAY = {"from": "2026-11-23T00:00:00Z", "to": "2026-11-24T00:00:00Z"}


@asynccontextmanager
async def api_over(folder: Path, store_url: str) -> AsyncIterator[httpx.AsyncClient]:
    """An API over a store that holds ``COUNT`` samples of ``PRESSURE``, a text, a gap and an event."""
    site = ModbusTestDevice(port=1).site
    write_site(site, folder / "site")
    store = await asyncio.to_thread(open_store, store_url)
    store.prepare(site.tags)
    rows = [(PRESSURE.id, T0 + second * SECOND, VALUES[second], int(QUALITIES[second])) for second in range(COUNT)]
    store.commit(Commit(batch_of(rows), TextBatch.of([LOT.id], [T0], ['LOT "1", größer'], [0])))
    store.prepare(site.tags)  # once more: this brings the snapshot up to the samples
    store.save_gap(Gap("MB-TST-01", T0, T0 + SECOND, GapCause.LINK_LOST))
    store.save_events([Event("e1", T0, "command.done", SET_POINT.name, "admin", {"value": 8.0})])
    store.close()
    async with running_stack(folder / "stack", folder / "site", store_url) as stack:
        ready = await stack.start("api")
        async with api_client(ready["api"]) as client:
            yield client


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def client(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[httpx.AsyncClient]:
    folder = tmp_path_factory.mktemp("queries")
    async with api_over(folder, f"sqlite:///{folder}/history.sqlite") as running:
        yield running


async def get(client: httpx.AsyncClient, path: str, **query: Any) -> dict[str, Any]:
    answer = await client.get(path, params=query)
    assert answer.status_code == 200, answer.text
    return dict(answer.json())


def assert_problem(answer: httpx.Response, status: int, *says: str) -> None:
    """A problem document (RFC 9457) that names what was wrong."""
    assert answer.status_code == status, answer.text
    assert answer.headers["content-type"] == "application/problem+json"
    body = answer.json()
    assert {"type", "title", "status", "detail"} <= set(body)
    assert body["status"] == status
    for part in says:
        assert part in body["detail"]


async def metric(client: httpx.AsyncClient, name: str, **labels: str) -> float:
    """0 if it was never counted."""
    text = (await client.get(str(client.base_url.join("/metrics")))).text
    samples = (sample for family in text_string_to_metric_families(text) for sample in family.samples)
    return next((sample.value for sample in samples if sample.name == name and labels.items() <= sample.labels.items()), 0.0)


async def test_samples_come_back_as_they_were_stored(client: httpx.AsyncClient) -> None:
    answer = await get(client, SAMPLES, **DAY, limit=COUNT + 1)
    assert answer["tag"] == PRESSURE.name
    assert answer["unit"] == "bar"
    assert answer["next"] is None
    assert answer["time"] == TIMES
    assert answer["value"] == [value if math.isfinite(value) else None for value in VALUES]
    assert answer["quality"] == [quality_name(quality) for quality in QUALITIES]


async def test_every_format_holds_the_same_rows(client: httpx.AsyncClient) -> None:
    query = {**DAY, "limit": str(COUNT)}
    text = (await client.get(SAMPLES, params=query, headers={"Accept": "text/csv"})).text
    header, *rows = csv.reader(io.StringIO(text))
    assert header == ["tag", "unit", "time", "value", "quality"]
    assert [row[2] for row in rows] == TIMES
    assert [float(row[3]) if row[3] else None for row in rows] == [value if math.isfinite(value) else None for value in VALUES]
    arrow = await client.get(SAMPLES, params=query, headers={"Accept": "application/vnd.apache.arrow.stream"})
    parquet = await client.get(SAMPLES, params=query, headers={"Accept": "application/vnd.apache.parquet"})
    assert arrow.headers["X-Next-Cursor"]
    tables = [pa.ipc.open_stream(arrow.content).read_all(), pq.read_table(io.BytesIO(parquet.content))]
    for table in tables:
        assert table.schema.field("time").type == pa.timestamp("us", tz="UTC")
        np.testing.assert_array_equal(table["value"].to_numpy(), VALUES)
        np.testing.assert_array_equal(table["time"].cast(pa.int64()).to_numpy(), T0 + np.arange(COUNT) * SECOND)
        assert table["quality"].to_pylist() == [quality_name(quality) for quality in QUALITIES]


@pytest.mark.parametrize("accept", ["application/vnd.apache.arrow.stream", "application/vnd.apache.parquet"])
async def test_a_page_without_a_text_is_a_column_of_text_all_the_same(client: httpx.AsyncClient, accept: str) -> None:
    for query, rows in ((DAY, 1), ({"from": "-2h", "to": "-1h"}, 0)):
        answer = await client.get(f"/tags/{LOT.name}/samples", params=query, headers={"Accept": accept})
        table = pa.ipc.open_stream(answer.content).read_all() if "arrow" in accept else pq.read_table(io.BytesIO(answer.content))
        assert (table.num_rows, table.schema.field("value").type) == (rows, pa.string())


@pytest.mark.parametrize("limit", [1, 499, 500, 2499, 2500, 2501])
async def test_pages_together_are_the_whole(client: httpx.AsyncClient, limit: int) -> None:
    found: list[str] = []
    query: dict[str, Any] = {**DAY, "limit": limit, "from": TIMES[0 if limit > 1 else COUNT - 20]}
    while True:
        page = await get(client, SAMPLES, **query)
        assert len(page["time"]) <= limit
        found += page["time"]
        if page["next"] is None:
            break
        query["cursor"] = page["next"]
    assert found == TIMES[TIMES.index(query["from"]) :]


async def test_from_is_included_and_to_is_not_and_bounds_stand_on_both_sides(client: httpx.AsyncClient) -> None:
    inner = await get(client, SAMPLES, **{"from": TIMES[10], "to": TIMES[13]})
    assert inner["time"] == TIMES[10:13]
    bounded = await get(client, SAMPLES, **{"from": TIMES[10], "to": TIMES[13], "bounds": "true"})
    assert bounded["time"] == TIMES[9:14]


async def test_the_value_between_two_samples_is_on_the_line_and_of_a_text_the_one_before(client: httpx.AsyncClient) -> None:
    between = times.format_time(T0 + 10 * SECOND + SECOND // 2)
    assert await get(client, f"/tags/{PRESSURE.name}/at", time=between) == {
        "tag": PRESSURE.name, "unit": "bar", "time": between, "value": 10.5 / 8, "quality": "Good",
    }  # fmt: skip
    assert (await get(client, f"/tags/{LOT.name}/at", time=between))["value"] == 'LOT "1", größer'
    assert (await get(client, f"/tags/{PRESSURE.name}/at", time="2020-01-01T00:00:00Z"))["quality"] == "BadNoData"


async def test_gaps_and_events_are_there(client: httpx.AsyncClient) -> None:
    (gap,) = (await get(client, "/gaps", **DAY))["items"]
    assert gap == {"device": "MB-TST-01", "start": TIMES[0], "end": TIMES[1], "cause": "link lost", "recovered": False}
    (event,) = (await get(client, "/audit", **DAY))["items"]
    assert (event["kind"], event["user"], event["detail"]) == ("command.done", "admin", {"value": 8.0})


async def test_tags_are_found_by_prefix_area_and_words_page_by_page(client: httpx.AsyncClient) -> None:
    names = [SET_POINT.name, PRESSURE.name, LOT.name]
    assert [tag["name"] for tag in (await get(client, "/tags"))["items"]] == names
    assert [tag["name"] for tag in (await get(client, "/tags", q="pt101"))["items"]] == [PRESSURE.name]
    assert (await get(client, "/tags", area="SIN"))["items"] == []
    first = await get(client, "/tags", limit=2)
    second = await get(client, "/tags", limit=2, cursor=first["next"])
    assert [tag["name"] for tag in first["items"] + second["items"]] == names
    assert second["next"] is None
    one = await get(client, f"/tags/{SET_POINT.name}")
    assert (one["unit"], one["range"], one["writable"]) == ("bar", [0.0, 100.0], True)


async def test_without_a_live_value_the_snapshot_is_the_stores(client: httpx.AsyncClient) -> None:
    async with asyncio.timeout(20):
        while True:
            items = {item["tag"]: item for item in (await get(client, "/snapshot", prefix="SEP."))["items"]}
            if items[PRESSURE.name]["time"] == TIMES[-1]:
                break
            await asyncio.sleep(0.2)
    assert items[PRESSURE.name]["value"] in (VALUES[-1], None)
    assert (items[SET_POINT.name]["value"], items[SET_POINT.name]["quality"]) == (None, "BadWaitingForInitialData")
    text = (await client.get("/snapshot", params={"tag": LOT.name}, headers={"Accept": "text/csv"})).text
    assert list(csv.reader(io.StringIO(text)))[1] == [LOT.name, TIMES[0], 'LOT "1", größer', items[LOT.name]["quality"], "bar"]
    async with asyncio.timeout(20):
        while items[PRESSURE.name]["quality"] == "Good":  # until it is clear that no gateway runs
            await asyncio.sleep(0.2)
            items = {item["tag"]: item for item in (await get(client, "/snapshot", prefix="SEP."))["items"]}


async def test_it_says_whether_it_lives_and_is_of_use(client: httpx.AsyncClient) -> None:
    assert (await client.get(str(client.base_url.join("/livez")))).json() == {"status": "alive"}
    ready = await client.get(str(client.base_url.join("/readyz")))
    assert ready.status_code == 200, ready.text
    assert (ready.json()["status"], ready.json()["tags"]) == ("ready", 3)


@pytest.mark.parametrize(
    ("query", "status", "says"),
    [
        ({"from": "yesterday"}, 422, "from: 'yesterday' is no time; write '2026-11-23T04:00:00Z'"),
        ({"to": "2026-13-01T00:00:00Z"}, 422, "to: "),
        ({"from": "2026-11-23T04:00:00"}, 422, "has no zone"),
        ({"from": "-1 fortnight"}, 422, "is no duration"),
        ({"from": "now", "to": "-1h"}, 422, "from"),
        ({"from": "-999999999d"}, 422, "from: "),
        ({"limit": "0"}, 422, "limit"),
        ({"limit": "1000000000"}, 422, "limit"),
        ({"limit": "many"}, 422, "limit"),
        ({"cursor": "mine"}, 422, "cursor"),
        ({"cursor": base64.urlsafe_b64encode(struct.pack(">iq", PRESSURE.id, 2**63 - 1)).decode()}, 422, "cursor"),
    ],
)
async def test_a_question_that_makes_no_sense_is_told_which_part_and_what_to_write(
    client: httpx.AsyncClient, query: dict[str, str], status: int, says: str
) -> None:
    refused = {"name": "monazite_http_requests_total", "code": "422", "method": "GET", "route_template": "/tags/{name}/samples"}
    before = await metric(client, **refused)
    assert_problem(await client.get(SAMPLES, params=query), status, says)
    assert await metric(client, **refused) == before + 1


@pytest.mark.parametrize("path", ["/tags/SEP.COL999.PT101", "/tags/SEP.COL999.PT101/samples", "/tags/SEP.COL999.PT101/at", "/snapshot?tag=SEP.COL999.PT101"])
async def test_a_tag_that_is_none_is_not_found_and_how_to_find_tags_is_said(client: httpx.AsyncClient, path: str) -> None:
    assert_problem(await client.get(path), 404, "SEP.COL999.PT101", "GET /api/v1/tags?q=")


async def test_postgresql_is_asked_nothing_that_it_faults_on(tmp_path: Path, postgres_url: str) -> None:
    async with api_over(tmp_path, postgres_url) as client:
        assert (await get(client, SAMPLES, **DAY, limit=COUNT))["time"] == TIMES
        for moment in ("0001-01-01T00:00:00Z", "9999-12-31T23:59:59.999999Z", "+999999999d", "-999999999d"):
            for path, query in ((SAMPLES, {"from": moment, "to": "9999-12-31T23:59:59Z"}), (f"/tags/{PRESSURE.name}/at", {"time": moment})):
                assert (await client.get(path, params=query)).status_code < 500
        answer = await client.post("/auth/token", data={"username": "ad\0min", "password": "x"})
        assert_problem(answer, 401, "user or password is wrong")
