"""The surface of the HTTP API: who is let in, what is refused and in which words, and what is said while the store is away.

What history looks like in every format stands in ``test_queries``.
"""

import asyncio
import base64
import csv
import json
import math
import struct
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import quote_from_bytes

import httpx
import jwt
import pytest
import pytest_asyncio
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import load_pem_private_key
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from prometheus_client.parser import text_string_to_metric_families

from plant import times
from plant.batch import TextBatch
from plant.envelope import Envelope, seal
from plant.event import Event
from plant.ledger import Gap, GapCause
from plant.link import DeviceStatus, LinkState
from plant.quality import Quality
from plant.site_writer import write_site
from plant.tag import Tag
from services.bus import Bus, subjects
from services.bus.messages import encode_device_status
from services.store import Commit, open_store
from tests.modbus_device import LOT, PRESSURE, SET_POINT, ModbusTestDevice
from tests.postgres import PostgresServer
from tests.samples import batch_of
from tests.stack import PASSWORD, Stack, api_client, running_stack

pytestmark = pytest.mark.asyncio(loop_scope="module")

DEVICE = "MB-TST-01"
T0 = times.parse_time("2026-11-23T04:00:00Z", 0)
SECOND = times.MICROSECONDS
TIMES = [times.format_time(T0 + second * SECOND) for second in range(20)]
OPEN = {("/api/v1/auth/token", "post"), ("/livez", "get"), ("/readyz", "get")}
SAMPLES = f"/tags/{PRESSURE.name}/samples"
DAY = {"from": "2026-11-23T00:00:00Z", "to": "2026-11-24T00:00:00Z"}


@dataclass(frozen=True)
class Api:
    """A running API: ``client`` is logged in, ``stranger`` is not, ``url`` is what both ask, ``bus`` the bus it listens to."""

    url: str
    client: httpx.AsyncClient
    stranger: httpx.AsyncClient
    bus: Bus
    stack: Stack
    folder: Path

    @property
    def token(self) -> str:
        return self.client.headers["Authorization"].removeprefix("Bearer ")

    async def get(self, path: str, **query: Any) -> Any:
        answer = await self.client.get(path, params=query)
        assert answer.status_code == 200, answer.text
        return answer.json()

    async def log_in(self, username: str, password: str, **headers: str) -> httpx.Response:
        return await self.stranger.post("/auth/token", data={"username": username, "password": password}, headers=headers)

    async def metric(self, name: str, **labels: str) -> float:
        """Of all that have these labels together."""
        text = (await self.client.get(f"{self.url}/metrics")).text
        samples = (sample for family in text_string_to_metric_families(text) for sample in family.samples)
        return sum(sample.value for sample in samples if sample.name == name and labels.items() <= sample.labels.items())


@asynccontextmanager
async def running_api(folder: Path, store_url: str) -> AsyncIterator[Api]:
    """An API over a store with twenty seconds of history, three gaps and five events."""
    site = ModbusTestDevice(port=1).site
    write_site(site, folder / "site")
    store = open_store(store_url)
    store.prepare(site.tags)
    rows = [(PRESSURE.id, T0 + second * SECOND, second / 8, Quality.GOOD) for second in range(20)]
    store.commit(Commit(batch_of(rows), TextBatch.of([LOT.id], [T0], ["LOT-1"], [0])))
    store.prepare(site.tags)  # once more: this brings the snapshot up to the samples
    store.save_gap(Gap(DEVICE, T0, T0 + 2 * SECOND, GapCause.LINK_LOST, recovered=True))
    store.save_gap(Gap(DEVICE, T0 + 5 * SECOND, T0 + 6 * SECOND, GapCause.BATCH_LOST))
    store.save_gap(Gap(DEVICE, T0 + 10 * SECOND, None, GapCause.GATEWAY_STOPPED))
    store.save_events([Event(f"e{n}", T0 + n * SECOND, "command.done", SET_POINT.name, "admin", {"value": n / 2, "late": n > 2}) for n in range(5)])
    store.close()
    async with running_stack(folder / "stack", folder / "site", store_url) as stack:
        url = (await stack.start("api"))["api"]
        async with api_client(url) as client, httpx.AsyncClient(base_url=f"{url}/api/v1", timeout=30) as stranger, await stack.nats.connect() as bus:
            yield Api(url, client, stranger, bus, stack, folder / "stack")
        assert "Traceback" not in (folder / "stack" / "api.log").read_text()


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def api(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Api]:
    folder = tmp_path_factory.mktemp("api")
    async with running_api(folder, f"sqlite:///{folder}/history.sqlite") as running:
        yield running


def assert_problem(answer: httpx.Response, status: int, *says: str) -> None:
    """A problem document (RFC 9457) that says what was wrong and how to mend it."""
    assert answer.status_code == status, answer.text
    assert answer.headers["content-type"] == "application/problem+json"
    body = answer.json()
    assert (body["type"], body["status"]) == ("about:blank", status)
    assert body["title"]
    for part in says:
        assert part in body["detail"]


async def test_the_right_password_gives_a_token_that_opens_the_api_for_ten_minutes(api: Api) -> None:
    answer = await api.log_in("admin", PASSWORD)
    assert answer.status_code == 200, answer.text
    body = answer.json()
    assert (body["token_type"], body["expires_in"], set(body)) == ("bearer", 600, {"access_token", "token_type", "expires_in"})
    claims = jwt.decode(body["access_token"], options={"verify_signature": False})
    assert (claims["sub"], claims["exp"] - claims["iat"]) == ("admin", 600)
    answer = await api.stranger.get("/tags", headers={"Authorization": f"bearer {body['access_token']}"})
    assert answer.status_code == 200, answer.text


async def test_a_wrong_password_and_an_unknown_user_are_told_the_same(api: Api) -> None:
    wrong, unknown, unnameable = [await api.log_in(name, "guess", Referer=f"{api.url}/") for name in ("admin", "nobody", "x" * 200)]
    assert_problem(wrong, 401, "user or password is wrong")
    assert wrong.headers["WWW-Authenticate"] == "Bearer"
    assert wrong.content == unknown.content == unnameable.content
    assert set(wrong.headers) == set(unknown.headers) == set(unnameable.headers)


async def test_who_guesses_five_times_has_to_wait_whatever_he_says_of_where_he_is(api: Api) -> None:
    answers = [await api.log_in("guessed", "guess", **{"X-Forwarded-For": f"10.0.0.{n}", "Forwarded": f"for=10.0.0.{n}"}) for n in range(7)]
    assert [answer.status_code for answer in answers] == [401] * 5 + [429] * 2
    for answer in answers[5:]:
        assert_problem(answer, 429, "too many wrong passwords; try again in ")
        assert 1 <= int(answer.headers["Retry-After"]) <= 60


@pytest.mark.parametrize("form", [{}, {"username": "admin"}, {"username": "admin", "password": PASSWORD, "grant_type": "client_credentials"}])
async def test_a_log_in_form_that_is_not_complete_is_told_what_is_missing(api: Api, form: dict[str, str]) -> None:
    answer = await api.stranger.post("/auth/token", data=form)
    assert_problem(answer, 422, "grant_type" if "grant_type" in form else "password")


def signed(api: Api, **changes: Any) -> str:
    """A token with the key of the API, as the API would make it but for the changes; a claim that becomes ``None`` is left out."""
    key = load_pem_private_key((api.folder / "data" / "secrets" / "token-signing-key.pem").read_bytes(), None)
    assert isinstance(key, Ed25519PrivateKey)
    claims = {**jwt.decode(api.token, options={"verify_signature": False}), **changes}
    return jwt.encode({name: value for name, value in claims.items() if value is not None}, key, "EdDSA")


async def test_a_token_signed_with_the_key_in_the_data_folder_is_let_in(api: Api) -> None:
    """Otherwise the refusals below would prove nothing."""
    answer = await api.stranger.get("/tags", headers={"Authorization": f"Bearer {signed(api)}"})
    assert answer.status_code == 200, answer.text


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"exp": 1}, "the token is over; log in again"),
        ({"exp": int(time.time()) - 1}, "the token is over; log in again"),
        ({"exp": None}, "not one of ours"),
        ({"sub": None}, "not one of ours"),
        ({"sub": 7}, "not one of ours"),
        ({"iss": "another"}, "not one of ours"),
        ({"iss": None}, "not one of ours"),
        ({"nbf": 2**40}, "not one of ours"),
    ],
)
async def test_a_token_that_is_over_or_not_for_us_is_refused_though_its_signature_is_right(api: Api, changes: dict[str, Any], says: str) -> None:
    answer = await api.stranger.get("/tags", headers={"Authorization": f"Bearer {signed(api, **changes)}"})
    assert_problem(answer, 401, says)
    assert answer.headers["WWW-Authenticate"] == "Bearer"


def forged(token: str) -> Iterator[str]:
    claims = jwt.decode(token, options={"verify_signature": False})
    yield jwt.encode(claims, Ed25519PrivateKey.generate(), "EdDSA")
    yield jwt.encode(claims, "a secret of thirty-two bytes and more", "HS256")
    yield jwt.encode(claims, "", "none")
    head, body, signature = token.split(".")
    yield f"{head}.{body}."
    yield f"{head}.{body}.{signature[::-1]}"
    yield f"{head}.{body}"
    yield "x"
    yield "a.b.c"
    yield "." * 10_000


async def test_a_token_that_was_forged_is_refused_and_counted(api: Api) -> None:
    tokens = list(forged(api.token))
    before = await api.metric("monazite_auth_failures_total", reason="token")
    for token in tokens:
        answer = await api.stranger.get("/tags", headers={"Authorization": f"Bearer {token}"})
        assert_problem(answer, 401, "log in")
        assert answer.headers["WWW-Authenticate"] == "Bearer"
    assert await api.metric("monazite_auth_failures_total", reason="token") == before + len(tokens)


async def requests_of_the_document(api: Api) -> list[tuple[str, str]]:
    document = (await api.stranger.get(f"{api.url}/openapi.json")).json()
    assert document["openapi"].startswith("3.")
    return [(path, method) for path, methods in document["paths"].items() for method in methods]


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"Authorization": "Bearer"},
        {"Authorization": "Basic YWRtaW46YSBsb25nIGVub3VnaCBwYXNzd29yZA=="},
        {"Authorization": "Bearer x.y.z"},
        {"Cookie": "access_token=x; session=admin", "X-Api-Key": "admin"},
        {"Referer": "http://127.0.0.1/", "Origin": "http://127.0.0.1", "Host": "localhost", "X-Forwarded-For": "127.0.0.1", "X-Forwarded-User": "admin"},
    ],
    ids=["nobody", "empty token", "basic", "no token", "cookie", "forged headers"],
)
async def test_every_route_of_the_document_but_three_asks_for_a_token(api: Api, headers: dict[str, str]) -> None:
    requests = await requests_of_the_document(api)
    assert set(requests) >= OPEN
    for path, method in requests:
        filled = path.replace("{name}", PRESSURE.name).replace("{identity}", "x")
        assert "{" not in filled, f"fill in the parameter of {path}"
        if (path, method) not in OPEN:
            answer = await api.stranger.request(method, api.url + filled, headers=headers)
            assert_problem(answer, 401, "log in")
            assert answer.headers["WWW-Authenticate"] == "Bearer"


async def test_a_token_in_the_address_opens_nothing(api: Api) -> None:
    """It would stand in logs."""
    answer = await api.stranger.get("/tags", params={"token": api.token, "access_token": api.token})
    assert_problem(answer, 401, "log in")


async def test_answers_tell_browsers_to_guess_and_frame_nothing_and_let_no_other_site_read_them(api: Api) -> None:
    for answer in (
        await api.client.get("/tags", headers={"Origin": "http://evil.example"}),
        await api.stranger.get("/tags"),
        await api.stranger.get("/nothing"),
    ):
        assert (answer.headers["X-Content-Type-Options"], answer.headers["X-Frame-Options"]) == ("nosniff", "DENY")
        assert "Access-Control-Allow-Origin" not in answer.headers
        assert "Server" not in answer.headers


@pytest.mark.parametrize(
    ("path", "query", "status", "says"),
    [
        ("/tags", {"limit": "0"}, 422, "limit"),
        ("/tags", {"limit": "1001"}, 422, "limit"),
        ("/tags", {"cursor": "-1"}, 422, "cursor"),
        ("/tags", {"cursor": "mine"}, 422, "begin again without it"),
        ("/tags", {"cursor": "9" * 21}, 422, "cursor"),
        ("/tags", {"prefix": "x" * 201}, 422, "prefix"),
        ("/tags", {"q": "x" * 201}, 422, "q"),
        (SAMPLES, {"limit": "11001"}, 422, "limit"),
        (SAMPLES, {"bounds": "perhaps"}, 422, "bounds"),
        (SAMPLES, {"from": "x" * 51}, 422, "from"),
        (SAMPLES, {"from": "", "to": ""}, 422, "from: '' is no time; write '"),
        (f"/tags/{PRESSURE.name}/at", {"time": "noon"}, 422, "time: 'noon' is no time; write '"),
        (f"/tags/{PRESSURE.name}/at", {"time": "-999999999d"}, 422, "time: '-999999999d' lies outside"),
        ("/tags/SEP.COL999.PT101/samples", {}, 404, "GET /api/v1/tags?q="),
        (f"/tags/{PRESSURE.name.lower()}", {}, 404, "there is no tag"),
        ("/snapshot", {"tag": "SEP.COL999.PT101"}, 404, "there is no tag"),
        ("/snapshot", {"prefix": "x" * 201}, 422, "prefix"),
        ("/gaps", {"from": "now", "to": "-1s"}, 422, "exchange them"),
        ("/gaps", {"to": "then"}, 422, "to: 'then' is no time"),
        ("/audit", {"from": "2026-11-23"}, 422, "from: '2026-11-23' has no zone"),
        ("/audit", {"limit": "1001"}, 422, "limit"),
        ("/nothing", {}, 404, "there is nothing at '/api/v1/nothing'; the paths are those of the OpenAPI document"),
    ],
)
async def test_a_question_that_makes_no_sense_names_the_field_and_the_mend_and_is_counted(
    api: Api, path: str, query: dict[str, str], status: int, says: str
) -> None:
    counted = "monazite_http_requests_total"
    before = await api.metric(counted, code=str(status), method="GET")
    assert_problem(await api.client.get(path, params=query), status, says)
    assert await api.metric(counted, code=str(status), method="GET") == before + 1


async def too_much() -> AsyncIterator[bytes]:
    for _ in range(40):
        yield bytes(50_000)


@pytest.mark.parametrize(
    ("method", "path", "content", "status", "says"),
    [
        ("DELETE", "/tags", b"", 405, "'/api/v1/tags' does not take DELETE; it takes GET"),
        ("TRACE", "/snapshot", b"", 405, "does not take TRACE; it takes GET"),
        ("POST", "/commands", b"{", 422, "JSON"),
        ("POST", "/commands", b"\xff\xfe", 422, "JSON"),
        ("POST", "/commands", b"", 422, "body: Field required"),
        ("POST", "/commands", b"[]", 422, "body"),
        ("POST", "/commands", b"[" * 100_000, 400, "body"),
        ("POST", "/commands", b"1" * 5_000, 400, "body"),
        ("POST", "/commands", b'{"tag": 7, "value": 1}', 422, "body.tag: Input should be a valid string"),
        ("POST", "/commands", b'{"tag": "\\ud800", "value": 1}', 422, "body.tag: "),
        ("POST", "/commands", b'{"\\ud800": 1}', 422, "body"),
        ("POST", "/commands", b'{"tag": "x", "value": 1e999}', 422, "finite"),
        ("POST", "/commands", b'{"tag": "x", "value": true}', 422, "value"),
        ("POST", "/commands", bytes(1_000_001), 413, "at most 1000000 bytes"),
        ("POST", "/commands", None, 413, "at most 1000000 bytes"),
        ("POST", "/auth/token", None, 413, "at most 1000000 bytes"),
    ],
)
async def test_a_method_or_a_body_that_makes_no_sense_is_a_problem_document_too(
    api: Api, method: str, path: str, content: bytes | None, status: int, says: str
) -> None:
    kind = "application/json" if path == "/commands" else "application/x-www-form-urlencoded"
    answer = await api.client.request(method, path, content=too_much() if content is None else content, headers={"Content-Type": kind})
    assert_problem(answer, status, says)
    if status == 405:
        assert answer.headers["Allow"] == "GET"


@pytest.mark.parametrize(
    ("kind", "content", "status"),
    [
        ("multipart/form-data", b"x", 400),
        ("multipart/form-data; boundary=x", b"--x\r\nnonsense", 422),
        ("multipart/form-data; boundary=x", b'--x\r\nContent-Disposition: form-data; name="username"; filename="a"\r\n\r\nabc\r\n--x--\r\n', 422),
        ("application/x-www-form-urlencoded", b"username=a&" * 2_000, 400),
        ("application/x-www-form-urlencoded", b"username=%ff%fe&password=%00", 401),
        ("application/x-www-form-urlencoded", b"username=a%0d%0ab&password=\xff", 401),
        ("application/x-www-form-urlencoded; charset=utf-99", b"username=a&password=b", 401),
        ("application/json", b'{"username": "admin", "password": "x"}', 422),
        ("", b"username=admin", 422),
    ],
)
async def test_a_log_in_that_is_no_form_makes_no_fault(api: Api, kind: str, content: bytes, status: int) -> None:
    assert_problem(await api.stranger.post("/auth/token", content=content, headers={"Content-Type": kind}), status)


@pytest.mark.parametrize("limit", [1, 2, 3])
async def test_pages_of_tags_together_are_all_tags_in_order_of_id(api: Api, limit: int) -> None:
    pages = [await api.get("/tags", limit=limit)]
    while pages[-1]["next"] is not None:
        pages.append(await api.get("/tags", limit=limit, cursor=pages[-1]["next"]))
    assert [tag["id"] for page in pages for tag in page["items"]] == [1, 2, 3]
    assert all(len(page["items"]) <= limit for page in pages)


@pytest.mark.parametrize(
    ("query", "found"),
    [
        ({}, [SET_POINT, PRESSURE, LOT]),
        ({"q": "pt101"}, [PRESSURE]),
        ({"q": "OF A TEST"}, [SET_POINT, PRESSURE, LOT]),
        ({"q": "%"}, []),
        ({"q": ".*"}, []),
        ({"prefix": "SEP.COL101.F"}, [SET_POINT]),
        ({"prefix": "sep"}, []),
        ({"area": "SEP", "q": "uy"}, [LOT]),
        ({"area": "SE"}, []),
        ({"cursor": "1"}, [PRESSURE, LOT]),
        ({"cursor": "3"}, []),
    ],
)
async def test_tags_are_found_by_what_is_asked_and_nothing_else(api: Api, query: dict[str, str], found: list[Tag]) -> None:
    page = await api.get("/tags", **query)
    assert [tag["name"] for tag in page["items"]] == [tag.name for tag in found]
    assert page["next"] is None


async def test_a_tag_shows_its_configuration(api: Api) -> None:
    assert await api.get(f"/tags/{SET_POINT.name}") == {
        "id": 1,
        "name": SET_POINT.name,
        "area": "SEP",
        "process_unit": "COL101",
        "description": SET_POINT.description,
        "kind": "AO",
        "data_type": "Float",
        "unit": "bar",
        "range": [0.0, 100.0],
        "device": DEVICE,
        "scan_ms": 100,
        "deadband": None,
        "compression": None,
        "stepped": False,
        "writable": True,
        "alarm_limits": {"low_low": None, "low": None, "high": None, "high_high": None},
        "priority": None,
    }
    assert (await api.get(f"/tags/{LOT.name}"))["stepped"] is True


@pytest.mark.parametrize("limit", [1, 3, 19, 20, 21])
async def test_a_table_is_paged_by_the_cursor_in_its_header_as_json_is(api: Api, limit: int) -> None:
    whole = (await api.get(SAMPLES, **DAY))["time"]
    assert whole == TIMES
    found: list[str] = []
    query: dict[str, Any] = {**DAY, "limit": limit}
    while query.get("cursor", "") is not None:
        answer = await api.client.get(SAMPLES, params=query, headers={"Accept": "text/csv"})
        rows = list(csv.DictReader(answer.text.splitlines()))
        assert len(rows) <= limit
        found += [row["time"] for row in rows]
        query["cursor"] = answer.headers.get("X-Next-Cursor")
    assert found == whole


async def test_the_cursor_of_one_tag_is_no_cursor_of_another(api: Api) -> None:
    cursor = (await api.get(SAMPLES, **DAY, limit=2))["next"]
    answer = await api.client.get(f"/tags/{LOT.name}/samples", params={**DAY, "cursor": cursor})
    assert_problem(answer, 422, "cursor is of another tag", "begin again without it")


@pytest.mark.parametrize("path", [SAMPLES, "/snapshot", "/tags"])
@pytest.mark.parametrize("accept", ["image/png", "text/html,application/xhtml+xml,*/*;q=0.8", "nonsense", ",;,"])
async def test_whoever_accepts_nothing_that_there_is_gets_json(api: Api, path: str, accept: str) -> None:
    answer = await api.client.get(path, headers={"Accept": accept})
    assert (answer.status_code, answer.headers["content-type"]) == (200, "application/json")


@pytest.mark.parametrize("accept", ["application/vnd.apache.arrow.stream", "application/vnd.apache.parquet"])
async def test_a_snapshot_in_a_format_that_it_does_not_have_is_told_those_it_has(api: Api, accept: str) -> None:
    assert_problem(await api.client.get("/snapshot", headers={"Accept": accept}), 406, "application/json or text/csv")


async def told(api: Api, path: str, query: dict[str, Any], item: dict[str, Any]) -> list[dict[str, Any]]:
    """The items of an answer, once one of them holds ``item``: what was published on the bus is on its way."""
    async with asyncio.timeout(20):
        while True:
            items: list[dict[str, Any]] = (await api.get(path, **query))["items"]
            if any(item.items() <= found.items() for found in items):
                return items
            await asyncio.sleep(0.05)


@pytest.mark.parametrize(
    ("query", "names"),
    [
        ({}, [SET_POINT.name, PRESSURE.name, LOT.name]),
        ({"prefix": "SEP.COL101.P"}, [PRESSURE.name]),
        ({"prefix": "UTL."}, []),
        ({"tag": [LOT.name, PRESSURE.name, LOT.name]}, [LOT.name, PRESSURE.name]),
        ({"tag": PRESSURE.name, "prefix": "SEP.COL101.U"}, [PRESSURE.name]),
    ],
)
async def test_a_snapshot_holds_the_tags_that_were_asked_for_once_each(api: Api, query: dict[str, Any], names: list[str]) -> None:
    assert [item["tag"] for item in (await api.get("/snapshot", **query))["items"]] == names


async def test_a_snapshot_is_what_was_heard_last_and_a_value_that_is_not_finite_is_null(api: Api) -> None:
    now = times.now()
    rows = [(PRESSURE.id, now - 1, 4.5, Quality.GOOD), (PRESSURE.id, now, math.nan, Quality.BAD_SENSOR_FAILURE)]
    await api.bus.publish_live(subjects.samples("SEP", DEVICE), seal(batch_of(rows), Envelope(DEVICE, 1, 1, now)))
    items = await told(api, "/snapshot", {"tag": PRESSURE.name}, {"time": times.format_time(now)})
    assert items == [{"tag": PRESSURE.name, "time": times.format_time(now), "value": None, "quality": "BadSensorFailure", "unit": "bar"}]


async def test_devices_are_shown_as_their_gateway_told(api: Api) -> None:
    status = DeviceStatus(DEVICE, "modbus", "127.0.0.1:1", LinkState.DEGRADED, T0, "register 7: <b>illegal</b> address", 3, 0.0125, -1.5)
    await api.bus.publish_live(subjects.status("SEP", DEVICE), encode_device_status(status))
    items = await told(api, "/devices", {}, {"state": "degraded"})
    assert items == [
        {
            "name": DEVICE,
            "area": "SEP",
            "protocol": "modbus",
            "endpoint": "127.0.0.1:1",
            "state": "degraded",
            "since": TIMES[0],
            "last_error": "register 7: <b>illegal</b> address",
            "reconnects": 3,
            "latency": 0.0125,
            "clock_skew": -1.5,
        }
    ]


async def test_a_status_of_a_device_that_the_site_does_not_have_is_passed_over(api: Api) -> None:
    stranger = DeviceStatus("MB-TST-99", "modbus", "127.0.0.1:1", LinkState.UP, T0)
    await api.bus.publish_live(subjects.status("SEP", stranger.device), encode_device_status(stranger))
    status = DeviceStatus(DEVICE, "modbus", "127.0.0.1:1", LinkState.UP, T0, reconnects=99)
    await api.bus.publish_live(subjects.status("SEP", DEVICE), encode_device_status(status))
    assert [item["name"] for item in await told(api, "/devices", {}, {"reconnects": 99})] == [DEVICE]


async def test_a_status_of_a_time_outside_the_calendar_is_refused_and_devices_are_shown_all_the_same(api: Api) -> None:
    before = await api.metric("monazite_live_messages_refused_total")
    status = DeviceStatus(DEVICE, "modbus", "127.0.0.1:1", LinkState.UP, 2**62, reconnects=98)
    await api.bus.publish_live(subjects.status("SEP", DEVICE), encode_device_status(status))
    async with asyncio.timeout(20):
        while await api.metric("monazite_live_messages_refused_total") == before:
            assert all(item["reconnects"] != 98 for item in (await api.get("/devices"))["items"])
            await asyncio.sleep(0.05)


@pytest.mark.parametrize(
    ("start", "end", "causes"),
    [
        (0, 20, ["link lost", "batch lost", "gateway stopped"]),
        (1, 2, ["link lost"]),
        (3, 4, []),
        (3, 6, ["batch lost"]),
        (5, 10, ["batch lost"]),
        (100, 200, ["gateway stopped"]),
    ],
)
async def test_gaps_are_those_that_touch_the_range_and_one_that_lasts_has_no_end(api: Api, start: int, end: int, causes: list[str]) -> None:
    query = {"from": times.format_time(T0 + start * SECOND), "to": times.format_time(T0 + end * SECOND)}
    items = (await api.get("/gaps", **query))["items"]
    assert [item["cause"] for item in items] == causes
    for item in items:
        assert (item["end"] is None, item["recovered"]) == (item["cause"] == "gateway stopped", item["cause"] == "link lost")


async def test_gaps_come_page_by_page_and_a_cursor_that_is_none_of_theirs_is_refused(api: Api) -> None:
    whole = await api.get("/gaps", **DAY)
    assert whole["next"] is None
    first = await api.get("/gaps", **DAY, limit=2)
    second = await api.get("/gaps", **DAY, limit=2, cursor=first["next"], counts="true")
    assert [{name: value for name, value in item.items() if name != "samples"} for item in first["items"] + second["items"]] == whole["items"]
    assert (len(first["items"]), second["next"], "samples" in second["items"][0]) == (2, None, True)
    for path in ("/gaps", f"/tags/{PRESSURE.name}/revisions"):
        assert_problem(await api.client.get(path, params={"cursor": "bm9uc2Vuc2U="}), 422, "begin again without it")


async def test_events_come_oldest_first_from_included_to_excluded_and_no_more_than_asked(api: Api) -> None:
    items = (await api.get("/audit", **{"from": TIMES[1], "to": TIMES[4]}))["items"]
    assert items == [
        {"id": f"e{n}", "time": TIMES[n], "kind": "command.done", "subject": SET_POINT.name, "user": "admin", "detail": {"value": n / 2, "late": n > 2}}
        for n in (1, 2, 3)
    ]
    assert [item["id"] for item in (await api.get("/audit", **DAY, limit=2))["items"]] == ["e0", "e1"]


async def test_liveness_readiness_and_metrics_are_for_anybody(api: Api) -> None:
    assert (await api.stranger.get(f"{api.url}/livez")).json() == {"status": "alive"}
    ready = await api.stranger.get(f"{api.url}/readyz")
    assert ready.status_code == 200, ready.text
    body = ready.json()
    assert (body["status"], body["missing"], body["tags"], body["tags_with_samples"], body["devices"]) == ("ready", [], 3, 2, 1)
    assert body["store"]["product"] == "SQLite"
    metrics = await api.stranger.get(f"{api.url}/metrics")
    assert metrics.headers["content-type"].startswith("text/plain")
    names = {family.name for family in text_string_to_metric_families(metrics.text)}
    assert names >= {"monazite_http_requests", "monazite_http_request_duration_seconds", "monazite_auth_failures", "monazite_ws_clients"}


async def test_paths_that_are_none_are_one_label_however_many_there_are(api: Api) -> None:
    before = await api.metric("monazite_http_requests_total", route_template="none", code="404")
    for number in range(5):
        await api.stranger.get(f"{api.url}/nothing/{number}")
    assert await api.metric("monazite_http_requests_total", route_template="none", code="404") == before + 5
    assert "nothing" not in (await api.stranger.get(f"{api.url}/metrics")).text


GETS = [
    "/tags",
    f"/tags/{PRESSURE.name}",
    SAMPLES,
    f"/tags/{LOT.name}/samples",
    f"/tags/{LOT.name}/at",
    "/snapshot",
    "/devices",
    "/gaps",
    "/audit",
    "/commands/x",
]
NAMES = ["from", "to", "time", "limit", "bounds", "cursor", "tag", "prefix", "area", "q", "nonsense", ""]
BYTES = st.one_of(
    st.binary(max_size=20),
    st.text(max_size=20).map(lambda text: text.encode("utf-8", "surrogatepass")),
    st.sampled_from(
        [b"now", b"-1h", b"+999999999d", b"0001-01-01T00:00:00Z", b"9999-12-31T23:59:59.999999Z", b"-0", b"1e9", b"\xed\xa0\x80", b"\x00", b"true"]
    ),
    st.integers(-(2**65), 2**65).map(lambda number: str(number).encode()),
    st.tuples(st.integers(-5, 5), st.integers(-(2**63), 2**63 - 1)).map(lambda pair: base64.urlsafe_b64encode(struct.pack(">iq", *pair))),
)
ACCEPTS = st.one_of(
    st.sampled_from(["application/json", "text/csv", "application/vnd.apache.arrow.stream", "application/vnd.apache.parquet"]),
    st.text(st.characters(min_codepoint=32, max_codepoint=126), max_size=20).map(str.strip),
)


@settings(max_examples=200, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.sampled_from(GETS), st.none() | BYTES, st.lists(st.tuples(st.sampled_from(NAMES), BYTES), max_size=4), ACCEPTS)
async def test_no_path_query_or_format_makes_a_fault(api: Api, path: str, word: bytes | None, query: list[tuple[str, bytes]], accept: str) -> None:
    """``word``, if there is one, takes the place of the last part of the path."""
    if word is not None:
        path = path.rpartition("/")[0] + "/" + quote_from_bytes(word, safe="")
    target = path + "?" + "&".join(f"{name}={quote_from_bytes(value, safe='')}" for name, value in query)
    answer = await api.client.get(target, headers={"Accept": accept})
    if path.startswith("/commands/") and answer.status_code == 503:
        assert_problem(answer, 503, "no control service is running")  # none does here
    else:
        assert answer.status_code < 500, f"{target}: {answer.text}"
    if answer.status_code >= 400:
        assert_problem(answer, answer.status_code)


TEXTS = st.text(max_size=20) | st.sampled_from(["admin", SET_POINT.name, LOT.name, "\ud800", "\0", "1e400"])
VALUES = st.recursive(
    st.none() | st.booleans() | st.floats() | st.integers() | TEXTS,
    lambda children: st.lists(children, max_size=3) | st.dictionaries(st.sampled_from(["tag", "value", "reason", "nonce", "\ud800", ""]), children, max_size=4),
    max_leaves=6,
)
BODIES = st.binary(max_size=60) | VALUES.map(lambda value: json.dumps(value).encode())
KINDS = ["application/json", "application/x-www-form-urlencoded", "multipart/form-data; boundary=x", "text/csv", "", ";"]


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.sampled_from(["/commands", "/commands/x/confirm", "/commands/x/cancel", "/auth/token"]), BODIES, st.sampled_from(KINDS))
async def test_no_body_makes_a_fault_whatever_it_says_it_is(api: Api, path: str, body: bytes, kind: str) -> None:
    answer = await api.client.post(path, content=body, headers={"Content-Type": kind})
    assert answer.status_code >= 400
    assert_problem(answer, answer.status_code)
    assert answer.status_code < 500 or (answer.status_code == 503 and "no control service is running" in answer.json()["detail"]), answer.text


@pytest.fixture
def postgres() -> Iterator[PostgresServer]:
    """A server of its own, to be killed."""
    server = PostgresServer()
    server.start()
    yield server
    server.close()


async def test_while_the_store_is_away_history_says_so_and_the_rest_goes_on_and_when_it_is_back_nothing_was_lost(
    tmp_path: Path, postgres: PostgresServer
) -> None:
    async with running_api(tmp_path, postgres.dsn) as api:
        edges = {"from": "0001-01-01T00:00:00Z", "to": "9999-12-31T23:59:59.999999Z", "bounds": "true"}
        before = await api.get(SAMPLES, **edges)
        assert before["time"] == TIMES
        await told(api, "/snapshot", {"tag": PRESSURE.name}, {"time": TIMES[-1]})
        await asyncio.to_thread(postgres.kill)
        log_in = api.log_in("admin", PASSWORD)
        asked = [api.client.get(path, params=DAY) for path in (SAMPLES, f"/tags/{LOT.name}/samples", f"/tags/{PRESSURE.name}/at", "/gaps", "/audit")]
        ready, *answers = await asyncio.gather(api.stranger.get(f"{api.url}/readyz"), log_in, *asked)
        for answer in answers:
            assert_problem(answer, 503, "the store is away", "try history again in some seconds")
            assert int(answer.headers["Retry-After"]) >= 1
            assert "postgres" not in answer.text.lower(), "who asks learns no address of the inside"
        assert ready.status_code == 503
        assert (ready.json()["status"], len(ready.json()["missing"])) == ("waiting", 1)
        assert (await api.stranger.get(f"{api.url}/livez")).status_code == 200
        assert [tag["id"] for tag in (await api.get("/tags"))["items"]] == [1, 2, 3]
        assert (await api.get("/snapshot", tag=PRESSURE.name))["items"][0]["time"] == TIMES[-1]
        assert await api.metric("monazite_http_requests_total", code="503", route_template="/gaps") == 1
        await asyncio.to_thread(postgres.start)
        async with asyncio.timeout(40):
            while (await api.client.get(SAMPLES, params=edges)).status_code == 503:
                await asyncio.sleep(0.2)
        assert await api.get(SAMPLES, **edges) == before
        assert (await api.log_in("admin", PASSWORD)).status_code == 200
        assert (await api.stranger.get(f"{api.url}/readyz")).status_code == 200
