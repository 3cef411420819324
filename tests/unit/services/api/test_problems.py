import json
from typing import Any

import pytest
from fastapi import FastAPI, Query
from httpx import ASGITransport, AsyncClient, Response

from plant.errors import BusUnavailable, StoreUnavailable
from services.api.problems import ApiProblem, add_problem_handlers, problem_response
from services.retrieval import BadCursor


async def asked(method: str = "GET", path: str = "/", **query: str) -> Response:
    """An application whose routes raise what their path says."""
    app = FastAPI()
    add_problem_handlers(app)
    errors: dict[str, Exception] = {
        "problem": ApiProblem(429, "too many; wait", {"Retry-After": "3"}),
        "store": StoreUnavailable("db.plant:5432: password of monazite is refused"),
        "bus": BusUnavailable("nats://10.0.0.1 is away"),
        "cursor": BadCursor("the cursor is none"),
        "fault": RuntimeError("a secret of the inside"),
    }

    @app.get("/raise/{name}")
    def fail(name: str) -> None:
        raise errors[name]

    @app.get("/number")
    def number(limit: int = Query(ge=1), other: int = 0) -> int:
        return limit

    async with AsyncClient(transport=ASGITransport(app, raise_app_exceptions=False), base_url="http://test") as client:
        return await client.request(method, path, params=query)


def body_of(answer: Response) -> dict[str, Any]:
    assert answer.headers["content-type"] == "application/problem+json"
    body: dict[str, Any] = json.loads(answer.content)
    assert body["status"] == answer.status_code
    assert body["type"] == "about:blank"
    return body


def test_a_problem_carries_the_status_phrase_as_its_title_and_what_more_is_known() -> None:
    answer = problem_response(422, "limit: too large", {"X-More": "1"}, errors=[{"field": "limit"}])
    assert answer.media_type == "application/problem+json"
    assert answer.headers["X-More"] == "1"
    assert json.loads(bytes(answer.body)) == {
        "type": "about:blank", "title": "Unprocessable Entity", "status": 422, "detail": "limit: too large", "errors": [{"field": "limit"}],
    }  # fmt: skip


@pytest.mark.parametrize(
    ("name", "status", "says", "retry_after"),
    [
        ("problem", 429, "too many; wait", "3"),
        ("store", 503, "the store is away; live values go on, try history again in some seconds", "5"),
        ("bus", 503, "the service behind this does not answer; try again in some seconds", "5"),
        ("cursor", 422, "the cursor is none", None),
        ("fault", 500, "a fault in this service; it is in its log", None),
    ],
)
async def test_what_a_route_raises_is_answered_without_a_word_of_the_inside(name: str, status: int, says: str, retry_after: str | None) -> None:
    answer = await asked("GET", f"/raise/{name}")
    assert answer.status_code == status
    assert body_of(answer)["detail"] == says
    assert answer.headers.get("Retry-After") == retry_after


async def test_every_field_that_does_not_fit_is_named() -> None:
    answer = await asked("GET", "/number", limit="0", other="many")
    assert answer.status_code == 422
    body = body_of(answer)
    assert [row["field"] for row in body["errors"]] == ["query.limit", "query.other"]
    assert body["detail"].startswith("query.limit: Input should be greater than or equal to 1; query.other: ")


async def test_a_path_that_is_none_and_a_method_it_does_not_take_are_told_what_there_is() -> None:
    assert body_of(await asked("GET", "/nothing"))["detail"] == "there is nothing at '/nothing'; the paths are those of the OpenAPI document, under /api/v1"
    answer = await asked("DELETE", "/number")
    assert body_of(answer)["detail"] == "'/number' does not take DELETE; it takes GET"
    assert answer.headers["Allow"] == "GET"
