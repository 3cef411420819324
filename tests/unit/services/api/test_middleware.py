from collections.abc import Iterable

import pytest
from prometheus_client import CollectorRegistry
from starlette.exceptions import HTTPException
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from services.api.middleware import Requests

LONGEST = 100


class Exchange:
    """One request to an application behind the middleware: what it was sent, and what it answered."""

    def __init__(self, app: ASGIApp, body: Iterable[bytes] = (b"",), method: str = "POST", length: bytes | None = None, kind: str = "http") -> None:
        self.registry = CollectorRegistry()
        self.sent: list[Message] = []
        self._app = Requests(app, self.registry, LONGEST)
        self._parts = list(body)
        headers = [] if length is None else [(b"content-length", length)]
        self._scope: Scope = {"type": kind, "method": method, "path": "/x", "headers": headers}

    async def run(self) -> None:
        await self._app(self._scope, self._receive, self._send)

    async def _receive(self) -> Message:
        assert self._parts, "a server would wait here until the client leaves"
        return {"type": "http.request", "body": self._parts.pop(0), "more_body": bool(self._parts)}

    async def _send(self, message: Message) -> None:
        self.sent.append(message)

    @property
    def status(self) -> int:
        return int(self.sent[0]["status"])

    def counted(self, **labels: str) -> float | None:
        return self.registry.get_sample_value("monazite_http_requests_total", labels)


async def answer(send: Send) -> None:
    await send({"type": "http.response.start", "status": 200, "headers": [(b"x-own", b"1")]})
    await send({"type": "http.response.body", "body": b""})


async def whole_body(receive: Receive) -> bytes:
    parts: list[bytes] = []
    while True:
        message = await receive()
        parts.append(message.get("body", b""))
        if not message.get("more_body", False):
            return b"".join(parts)


async def echo(scope: Scope, receive: Receive, send: Send) -> None:
    await whole_body(receive)
    await answer(send)


@pytest.mark.parametrize("length", [b"101", b"99999999999999999999", b"-1", b"many", b""])
async def test_a_body_that_says_it_is_too_long_or_says_nonsense_never_reaches_the_application(length: bytes) -> None:
    exchange = Exchange(echo, [b"x"], length=length)
    await exchange.run()
    assert exchange.status == 413
    assert b"at most 100 bytes" in exchange.sent[1]["body"]
    assert exchange.counted(route_template="none", method="POST", code="413") == 1


async def test_a_body_as_long_as_it_may_be_arrives_whole() -> None:
    bodies: list[bytes] = []

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        bodies.append(await whole_body(receive))
        await answer(send)

    await Exchange(app, [b"a" * 60, b"b" * 40]).run()
    assert bodies == [b"a" * 60 + b"b" * 40]


@pytest.mark.parametrize("body", [[b"x" * 60] * 5, [b"x" * 60] * 2, [b"x" * 101], [b"x" * 60] * 50], ids=["long", "at its end", "at once", "for ever"])
async def test_a_body_without_a_length_is_refused_where_it_becomes_too_long(body: list[bytes]) -> None:
    with pytest.raises(HTTPException) as refused:
        await Exchange(echo, body).run()
    assert (refused.value.status_code, refused.value.detail) == (413, "a request body is at most 100 bytes")


async def test_a_body_that_grows_too_long_behind_an_answer_that_has_begun_just_ends() -> None:
    last: list[Message] = []

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        await answer(send)
        await receive()
        last.append(await receive())

    await Exchange(app, [b"x" * 60] * 5).run()
    assert last == [{"type": "http.disconnect"}]


async def test_every_answer_carries_the_headers_for_browsers_beside_its_own() -> None:
    exchange = Exchange(echo)
    await exchange.run()
    headers = dict(exchange.sent[0]["headers"])
    assert headers[b"x-own"] == b"1"
    assert (headers[b"x-content-type-options"], headers[b"x-frame-options"], headers[b"referrer-policy"]) == (b"nosniff", b"DENY", b"no-referrer")


@pytest.mark.parametrize(("method", "label"), [("GET", "GET"), ("DELETE", "DELETE"), ("BREW", "OTHER"), ("get", "OTHER")])
async def test_methods_that_are_none_are_one_label(method: str, label: str) -> None:
    exchange = Exchange(echo, method=method)
    await exchange.run()
    assert exchange.counted(route_template="none", method=label, code="200") == 1


async def test_a_request_that_ends_in_a_fault_is_counted_as_500() -> None:
    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        raise LookupError

    exchange = Exchange(app, method="GET")
    with pytest.raises(LookupError):
        await exchange.run()
    assert exchange.counted(route_template="none", method="GET", code="500") == 1


async def test_what_is_not_http_passes_untouched() -> None:
    seen: list[str] = []

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        seen.append(scope["type"])

    await Exchange(app, kind="websocket").run()
    assert seen == ["websocket"]
