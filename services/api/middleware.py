"""What every request passes through: counting, a bound on bodies, headers for browsers. Plain ASGI, so that streams stay streams."""

import asyncio
import contextlib
import time
from collections.abc import Callable
from typing import Final

from prometheus_client import CollectorRegistry, Counter, Histogram
from starlette.exceptions import HTTPException
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from services.api.problems import problem_response

_DRAINED: Final = 10
"""Times the longest body."""
_DRAINED_WITHIN: Final = 5.0
"""Seconds."""

_HEADERS: Final = [
    (b"x-content-type-options", b"nosniff"),
    (b"x-frame-options", b"DENY"),
    (b"referrer-policy", b"no-referrer"),
]


class Requests:
    """Counts requests by route template, never by path: labels stay bounded."""

    def __init__(self, app: ASGIApp, registry: CollectorRegistry, longest_body: int) -> None:
        self._app = app
        self._longest_body = longest_body
        labels = ("route_template", "method")
        self._requests = Counter("monazite_http_requests", "Requests.", (*labels, "code"), registry=registry)
        self._duration = Histogram("monazite_http_request_duration_seconds", "From request to the end of the answer.", labels, registry=registry)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        begun = time.perf_counter()
        status = 500
        answered = False

        async def send_and_note(message: Message) -> None:
            nonlocal status, answered
            if message["type"] == "http.response.start":
                answered = True
                status = message["status"]
                message["headers"] = [*message.get("headers", []), *_HEADERS]
            await send(message)

        try:
            length = next((value for name, value in scope["headers"] if name == b"content-length"), b"0")
            if not length.isdigit() or int(length) > self._longest_body:
                await self._drain(receive)
                refusal = problem_response(413, self._too_long, {"Connection": "close"})
                await refusal(scope, receive, send_and_note)
            else:
                await self._app(scope, self._bounded(receive, lambda: answered), send_and_note)
        finally:
            route = getattr(scope.get("route"), "path", "none")
            method = scope["method"] if scope["method"] in _METHODS else "OTHER"
            self._requests.labels(route, method, str(status)).inc()
            self._duration.labels(route, method).observe(time.perf_counter() - begun)

    async def _drain(self, receive: Receive) -> None:
        """Takes some of a body that is too long: a client that is cut off while it sends never reads the refusal."""
        left = _DRAINED * self._longest_body
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(_DRAINED_WITHIN):
                while left > 0:
                    message = await receive()
                    left -= len(message.get("body", b""))
                    if not message.get("more_body", False):
                        return

    def _bounded(self, receive: Receive, is_answered: Callable[[], bool]) -> Receive:
        """A body that does not say its length is refused where it becomes too long; behind an answer that has begun it just ends."""
        left = self._longest_body

        async def bounded() -> Message:
            nonlocal left
            message = await receive()
            left -= len(message.get("body", b""))
            if left >= 0:
                return message
            if is_answered():
                return {"type": "http.disconnect"}
            if message.get("more_body", False):
                await self._drain(receive)
            raise HTTPException(413, self._too_long, {"Connection": "close"})

        return bounded

    @property
    def _too_long(self) -> str:
        return f"a request body is at most {self._longest_body} bytes"


_METHODS: Final = {"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"}
