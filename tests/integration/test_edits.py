"""Manual entry, corrections and deletions through the API, the bus and the historian into the store; aggregates, trends and exports over what is there then."""

import asyncio
import io
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import pyarrow as pa
import pyarrow.csv as pa_csv
import pyarrow.parquet as pq
import pytest
import pytest_asyncio

from plant import times
from plant.batch import TextBatch
from plant.ledger import Gap, GapCause
from plant.site_writer import write_site
from services.store import Commit, open_store
from tests.modbus_device import LOT, PRESSURE, ModbusTestDevice
from tests.samples import batch_of
from tests.stack import Stack, api_client, running_stack

pytestmark = pytest.mark.asyncio(loop_scope="module")

T0 = times.parse_time("2026-11-23T04:00:00Z", 0)
SECOND = times.MICROSECONDS
DAY = {"from": "2026-11-23T00:00:00Z", "to": "2026-11-24T00:00:00Z"}
COUNT = 40_000
LATER = {"from": "2026-11-24T00:00:00Z", "to": "2026-11-25T00:00:00Z"}
SAMPLES = f"/tags/{PRESSURE.name}/samples"


@asynccontextmanager
async def stack_over(folder: Path, store_url: str) -> AsyncIterator[tuple[Stack, httpx.AsyncClient]]:
    """Historian and API over a store with forty thousand seconds of ``PRESSURE`` on the second day."""
    site = ModbusTestDevice(port=1).site
    write_site(site, folder / "site")
    store = await asyncio.to_thread(open_store, store_url)
    store.prepare(site.tags)
    begin = times.parse_time(LATER["from"], 0)
    rows = [(PRESSURE.id, begin + second * SECOND, float(np.sin(second / 100)) if second != 777 else 99.0, 0) for second in range(COUNT)]
    store.commit(Commit(batch_of(rows), TextBatch.empty()))
    store.close()
    async with running_stack(folder / "stack", folder / "site", store_url) as stack:
        await stack.start("historian")
        ready = await stack.start("api")
        async with api_client(ready["api"]) as client:
            yield stack, client


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def stack(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[tuple[Stack, httpx.AsyncClient]]:
    folder = tmp_path_factory.mktemp("edits")
    async with stack_over(folder, f"sqlite:///{folder}/history.sqlite") as running:
        yield running


@pytest.fixture
def client(stack: tuple[Stack, httpx.AsyncClient]) -> httpx.AsyncClient:
    return stack[1]


def at(second: int) -> str:
    return times.format_time(T0 + second * SECOND)


async def post(client: httpx.AsyncClient, tag: str, values: dict[int, Any], status: int = 200, **more: Any) -> Any:
    series = {"tag": tag, "time": [at(second) for second in values], "value": list(values.values())}
    answer = await client.post("/samples", json={"series": [series], **more})
    assert answer.status_code == status, answer.text
    return answer.json()


async def values(client: httpx.AsyncClient, **more: str) -> list[float]:
    answer = await client.get(SAMPLES, params={**DAY, **more})
    assert answer.status_code == 200, answer.text
    found: list[float] = answer.json()["value"]
    return found


async def test_an_edit_is_visible_when_it_answers_and_history_says_who_and_why(client: httpx.AsyncClient) -> None:
    before = times.format_time(times.now())
    first = await post(client, PRESSURE.name, {0: 1.0, 10: 2.0}, reason="the meter was read")
    assert first == {"inserted": 2, "replaced": 0, "unchanged": 0, "rejected": []}
    assert await values(client) == [1.0, 2.0]
    between = times.format_time(times.now())
    again = await post(client, PRESSURE.name, {0: 1.0, 10: 5.0}, reason="it was misread")
    assert again == {"inserted": 0, "replaced": 1, "unchanged": 1, "rejected": []}
    assert await values(client) == [1.0, 5.0]
    assert await values(client, known_at=between) == [1.0, 2.0]
    assert await values(client, known_at=before) == []
    revisions = (await client.get(f"/tags/{PRESSURE.name}/revisions", params=DAY)).json()["items"]
    told = [(row["time"], row["old"] and row["old"]["value"], row["new"]["value"], row["user"], row["reason"]) for row in revisions]
    assert told == [
        (at(0), None, 1.0, "admin", "the meter was read"),
        (at(10), None, 2.0, "admin", "the meter was read"),
        (at(10), 2.0, 5.0, "admin", "it was misread"),
    ]
    first = (await client.get(f"/tags/{PRESSURE.name}/revisions", params={**DAY, "limit": "2"})).json()
    second = (await client.get(f"/tags/{PRESSURE.name}/revisions", params={**DAY, "limit": "2", "cursor": first["next"]})).json()
    assert (first["items"] + second["items"], second["next"]) == (revisions, None)
    deleted = await client.delete(SAMPLES, params={"from": at(0), "to": at(5), "reason": "it was another meter"})
    assert deleted.json() == {"deleted": 1}
    assert await values(client) == [5.0]
    assert await values(client, known_at=between) == [1.0, 2.0]
    audit = (await client.get("/audit", params={"from": "-1h"})).json()["items"]
    assert [(event["kind"], event["user"]) for event in audit if event["kind"].startswith("history.")] == [
        ("history.edited", "admin"),
        ("history.edited", "admin"),
        ("history.deleted", "admin"),
    ]


async def test_a_mode_that_does_not_allow_a_sample_says_so_and_the_rest_is_written(client: httpx.AsyncClient) -> None:
    await post(client, PRESSURE.name, {100: 1.0})
    told = await post(client, PRESSURE.name, {100: 2.0, 101: 3.0}, mode="insert")
    assert told["inserted"] == 1
    assert told["rejected"] == [{"tag": PRESSURE.name, "time": at(100), "reason": "it is stored already"}]
    told = await post(client, PRESSURE.name, {101: 4.0, 102: 5.0}, mode="replace")
    assert told["replaced"] == 1
    assert told["rejected"] == [{"tag": PRESSURE.name, "time": at(102), "reason": "there is no sample to replace"}]


async def test_a_text_is_entered_and_is_the_current_value(client: httpx.AsyncClient) -> None:
    await post(client, LOT.name, {0: "LOT-9"})
    (item,) = (await client.get("/snapshot", params={"tag": LOT.name})).json()["items"]
    assert item["value"] == "LOT-9"


async def test_what_is_deleted_is_not_current_any_more_and_not_after_a_restart_either(stack: tuple[Stack, httpx.AsyncClient]) -> None:
    running, client = stack

    async def current(tag: str) -> Any:
        (item,) = (await client.get("/snapshot", params={"tag": tag})).json()["items"]
        return item["value"]

    async def delete(tag: str, **span: str) -> None:
        answer = await client.delete(f"/tags/{tag}/samples", params={**span, "reason": "it was never so"})
        assert answer.status_code == 200, answer.text

    newest = await current(PRESSURE.name)
    day = 3 * 86_400
    await post(client, PRESSURE.name, {day: 123.0})
    await post(client, LOT.name, {day: "LOT-10", day + 10: "LOT-11"})
    assert (await current(PRESSURE.name), await current(LOT.name)) == (123.0, "LOT-11")
    await asyncio.sleep(1.5)  # the snapshot is saved once a second
    await delete(PRESSURE.name, **{"from": at(day), "to": at(day + 1)})
    await delete(LOT.name, **{"from": at(day + 5), "to": at(day + 100)})
    assert (await current(PRESSURE.name), await current(LOT.name)) == (newest, "LOT-10")
    await asyncio.sleep(1.5)
    assert (await current(PRESSURE.name), await current(LOT.name)) == (newest, "LOT-10")
    await delete(LOT.name, **{"from": at(-day), "to": at(2 * day)})
    assert await current(LOT.name) is None
    await running.kill("historian")
    await running.kill("api")
    await running.start("historian")
    async with api_client((await running.start("api"))["api"]) as again:
        items = (await again.get("/snapshot", params={"tag": [PRESSURE.name, LOT.name]})).json()["items"]
        assert [item["value"] for item in items] == [newest, None]
    client.base_url = again.base_url


async def test_nothing_is_written_without_a_historian_and_the_answer_says_so(stack: tuple[Stack, httpx.AsyncClient]) -> None:
    running, client = stack
    await running.kill("historian")
    answer = await client.post("/samples", json={"series": [{"tag": PRESSURE.name, "time": [at(200)], "value": [1.0]}]})
    assert answer.status_code == 503, answer.text
    assert "nothing was written" in answer.json()["detail"]
    await running.start("historian")
    async with asyncio.timeout(30):
        while (await client.post("/samples", json={"series": [{"tag": PRESSURE.name, "time": [at(200)], "value": [1.0]}]})).status_code != 200:
            await asyncio.sleep(0.2)


async def test_aggregates_and_trend_over_http(client: httpx.AsyncClient) -> None:
    answer = await client.get(f"/tags/{PRESSURE.name}/aggregates", params={**LATER, "interval": "1h", "function": "Maximum"})
    assert answer.status_code == 200, answer.text
    body = answer.json()
    assert (body["function"], len(body["time"]), body["value"][0], body["quality"][0]) == ("Maximum", 24, 99.0, "Good")
    assert body["quality"][-1] == "BadNoData"
    counts = (await client.get(f"/tags/{PRESSURE.name}/aggregates", params={**LATER, "interval": "0s", "function": "Count"})).json()
    assert counts["value"] == [float(COUNT)]
    trend = (await client.get("/trend", params={**LATER, "tag": PRESSURE.name, "pixels": 50})).json()
    (item,) = trend["items"]
    assert max(item["value"]) == 99.0
    assert len(item["time"]) <= 200
    rows = (await client.get("/grafana/series", params={**LATER, "tags": PRESSURE.name, "maxPoints": 20, "agg": "Average"})).json()
    assert len(rows) == 20
    assert set(rows[0]) == {"time", "tag", "value", "quality", "unit"}


@pytest.mark.parametrize(
    ("path", "query", "says"),
    [
        (f"/tags/{PRESSURE.name}/aggregates", {"function": "Median"}, "function"),
        (f"/tags/{PRESSURE.name}/aggregates", {"function": "Average", "interval": "1 fortnight"}, "is no duration"),
        (f"/tags/{PRESSURE.name}/aggregates", {"function": "Average", "interval": "1s", "from": "-10d"}, "more than the 11000"),
        (f"/tags/{PRESSURE.name}/aggregates", {"function": "Average", "from": "now", "to": "now"}, "lies after"),
        (f"/tags/{PRESSURE.name}/aggregates", {"function": "Average", "percent_data_bad": 10, "percent_data_good": 10}, "raise one of them"),
        (f"/tags/{LOT.name}/aggregates", {"function": "Average"}, "is text"),
        ("/trend", {"tag": PRESSURE.name, "pixels": 0}, "pixels"),
        ("/trend", {"tag": PRESSURE.name, "from": "now"}, "ask for a span"),
        ("/export", {"tag": [PRESSURE.name, LOT.name]}, "ask for each kind apart"),
    ],
)
async def test_a_question_that_makes_no_sense_is_told_how_to_ask(client: httpx.AsyncClient, path: str, query: dict[str, Any], says: str) -> None:
    answer = await client.get(path, params=query)
    assert answer.status_code == 422, answer.text
    assert says in answer.json()["detail"]


@pytest.mark.parametrize("kind", ["text/csv", "application/vnd.apache.arrow.stream", "application/vnd.apache.parquet", "application/json"])
async def test_an_export_holds_every_sample_once_and_in_order(client: httpx.AsyncClient, kind: str) -> None:
    answer = await client.get("/export", params={**LATER, "tag": PRESSURE.name}, headers={"Accept": kind})
    assert answer.status_code == 200, answer.text
    if kind == "application/json":
        found = [value for item in answer.json()["items"] for value in item["value"]]
        moments = [time for item in answer.json()["items"] for time in item["time"]]
    else:
        body = io.BytesIO(answer.content)
        table: pa.Table = pa_csv.read_csv(body) if "csv" in kind else pq.read_table(body) if "parquet" in kind else pa.ipc.open_stream(body).read_all()
        found, moments = table["value"].to_pylist(), [str(time) for time in table["time"].to_pylist()]
    assert len(found) == COUNT
    assert found[777] == 99.0
    assert found[10] == pytest.approx(np.sin(0.1))
    assert moments == sorted(set(moments))


async def test_the_samples_of_a_gap_are_counted_where_that_is_asked_for(tmp_path: Path) -> None:
    folder = tmp_path
    site = ModbusTestDevice(port=1).site
    write_site(site, folder / "site")
    store = await asyncio.to_thread(open_store, f"sqlite:///{folder}/history.sqlite")
    store.prepare(site.tags)
    rows = [(PRESSURE.id, T0 + second * SECOND, 1.0, 0) for second in range(100) if not 40 <= second < 60 or second == 50]
    store.commit(Commit(batch_of(rows), TextBatch.empty()))
    store.save_gap(Gap(PRESSURE.device, T0 + 39 * SECOND, T0 + 60 * SECOND, GapCause.GATEWAY_STOPPED))
    store.close()
    async with (
        running_stack(folder / "stack", folder / "site", f"sqlite:///{folder}/history.sqlite") as stack,
        api_client((await stack.start("api"))["api"]) as client,
    ):
        (plain,) = (await client.get("/gaps", params=DAY)).json()["items"]
        assert "samples" not in plain
        (gap,) = (await client.get("/gaps", params={**DAY, "counts": "true"})).json()["items"]
    scans = 21 * 1000 // PRESSURE.scan_ms
    found = gap["samples"]
    assert found["tags"] >= found["counted"] >= 1
    assert found["expected"] - found["recovered"] == found["lost"]
    assert found["recovered"] == 1
    assert found["expected"] >= scans - 1
