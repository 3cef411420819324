"""The bus as the services use it: durable publishing, live fan-out, request and reply, over one NATS connection that comes back by itself.

Rule: every call that can wait has a deadline and says in its exception who is to act. ``BusUnavailable``: keep what was to be published and publish
it again under the same identity, which the stream keeps once.
"""

import asyncio
import logging
from collections import deque
from collections.abc import Awaitable, Callable
from types import TracebackType
from typing import Final, Self

import nats
import nats.errors
import nats.js.errors
from nats.aio.client import Client
from nats.aio.msg import Msg
from nats.aio.subscription import Subscription
from nats.js import JetStreamContext
from nats.js.errors import NotFoundError

from plant.errors import BusUnavailable, ConfigurationError, Problem
from plant.event import Event
from plant.ledger import GAP_EVENT
from services.bus import subjects
from services.bus.messages import decode_event, encode_event

_log = logging.getLogger(__name__)

_ERRORS_KEPT: Final = 16
_SERVERS: Final = "servers"

PUBLISH_DEADLINE: Final = 5.0
"""Seconds to wait for a stream's acknowledgement before the same message is offered again."""

BUS_ERRORS: Final = (nats.errors.Error, nats.js.errors.Error, TimeoutError, OSError)
"""What the client library raises when the bus does not do what it was asked."""


class NoResponder(BusUnavailable):
    """Nobody serves the subject: nothing was done."""


class NoAnswer(BusUnavailable):
    """The deadline passed: it is not known what was done."""


class Bus:
    """One process's connection to NATS. Use as an async context manager."""

    def __init__(self, client: Client) -> None:
        self._client = client
        self.streams: JetStreamContext = client.jetstream(timeout=PUBLISH_DEADLINE)

    @classmethod
    async def connect(cls, url: str, *, name: str, user: str = "", password: str = "", deadline: float = 30.0) -> Self:
        """Connects within ``deadline`` seconds; from then on the connection is made again for ever when it is lost.

        Raises:
            BusUnavailable: no server answered in time.
            ConfigurationError: the server refused the credentials.
        """

        async def disconnected() -> None:
            if not client.is_closed:
                _log.warning("bus: connection to %s lost", url)

        async def reconnected() -> None:
            _log.info("bus: connection to %s is back", url)

        errors: deque[str] = deque(maxlen=_ERRORS_KEPT)

        async def failed(error: Exception) -> None:
            errors.append(reason_of(error))
            _log.debug("bus: %s", errors[-1])

        client = Client()
        try:
            async with asyncio.timeout(deadline):
                await client.connect(
                    servers=[url],
                    name=name,
                    user=user or None,
                    password=password or None,
                    connect_timeout=2,
                    max_reconnect_attempts=-1,
                    reconnect_time_wait=1,
                    ping_interval=5,
                    max_outstanding_pings=2,
                    disconnected_cb=disconnected,
                    reconnected_cb=reconnected,
                    error_cb=failed,
                )
        except (TimeoutError, *BUS_ERRORS) as error:
            await client.close()
            last = errors[-1] if errors else reason_of(error)
            if any("Authorization Violation" in reason for reason in errors):
                problem = Problem("MONAZITE_NATS_USER", None, None, f"{url} refuses these credentials", "set the user and password of the server")
                raise ConfigurationError([problem]) from None
            raise BusUnavailable(f"no NATS server answers at {url} ({last}); start it, or set MONAZITE_NATS_URL") from None
        return cls(client)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        await self.close()

    async def close(self) -> None:
        """Sends what is buffered, within two seconds, and closes."""
        if self.connected:
            try:
                await self._client.flush(2)
            except BUS_ERRORS as error:
                _log.warning("bus: closed before everything was sent: %s", error)
        await self._client.close()

    @property
    def connected(self) -> bool:
        return self._client.is_connected

    async def publish_durably(self, stream: str, subject: str, data: bytes, identity: str, headers: dict[str, str] | None = None) -> None:
        """Returns when the stream has the message on disk. The same ``identity`` again, within the stream's window, is kept once.

        Raises:
            BusUnavailable: it is not known to be stored; offer it again.
        """
        try:
            await self.streams.publish(subject, data, stream=stream, headers={**(headers or {}), "Nats-Msg-Id": identity})
        except BUS_ERRORS as error:
            raise BusUnavailable(f"{subject}: {reason_of(error)}") from error

    async def publish_event(self, event: Event) -> None:
        """Appends to the durable stream of events.

        Raises:
            BusUnavailable: it is not known to be stored; offer it again.
        """
        subject = subjects.gap(event.subject, str(event.detail.get("cause"))) if event.kind == GAP_EVENT else subjects.event(event.kind)
        await self.publish_durably(subjects.EVENTS_STREAM, subject, encode_event(event), event.id)

    async def last_event(self, subject: str) -> Event | None:
        """The newest event that the stream keeps under ``subject``.

        Raises:
            BusUnavailable: the stream did not answer.
            MalformedMessage: it is no event.
        """
        try:
            message = await self.streams.get_last_msg(subjects.EVENTS_STREAM, subject)
        except NotFoundError:
            return None
        except BUS_ERRORS as error:
            raise BusUnavailable(f"{subject}: {reason_of(error)}") from error
        return decode_event(message.data or b"")

    async def publish_live(self, subject: str, data: bytes) -> None:
        """To whoever listens now.

        Raises:
            BusUnavailable: the connection is lost and its buffer full.
        """
        try:
            await self._client.publish(subject, data)
        except BUS_ERRORS as error:
            raise BusUnavailable(f"{subject}: {reason_of(error)}") from error

    async def request(self, subject: str, data: bytes, deadline: float) -> bytes:
        """One answer to one question, asked once.

        Raises:
            NoResponder: nobody serves the subject, or the bus is away: nothing was done.
            NoAnswer: ``deadline`` seconds passed without an answer.
        """
        if not self.connected:
            raise NoResponder(f"{subject}: the bus is away")
        try:
            answer = await self._client.request(subject, data, timeout=deadline)
        except nats.errors.NoRespondersError:
            raise NoResponder(f"{subject}: nobody serves it") from None
        except (TimeoutError, nats.errors.TimeoutError):
            raise NoAnswer(f"{subject}: no answer within {deadline:g} s") from None
        except (nats.errors.Error, OSError) as error:
            raise NoAnswer(f"{subject}: {reason_of(error)}") from error
        return answer.data

    async def serve(self, subject: str, handler: Callable[[bytes], Awaitable[bytes]]) -> Subscription:
        """Answers requests on ``subject``, several at a time. Of several processes that serve it one gets each request."""
        running: set[asyncio.Task[None]] = set()

        async def answer(message: Msg) -> None:
            reply = await handler(message.data)
            try:
                await message.respond(reply)
            except BUS_ERRORS as error:
                _log.warning("bus: the answer to %s did not leave: %s", subject, error)

        async def received(message: Msg) -> None:
            task = asyncio.create_task(answer(message))
            running.add(task)
            task.add_done_callback(running.discard)

        return await self._client.subscribe(subject, queue=_SERVERS, cb=received, pending_msgs_limit=10_000)

    async def subscribe(self, subject: str, handler: Callable[[str, bytes], Awaitable[None]]) -> Subscription:
        """Live messages in order. A handler that cannot keep up loses messages and never slows others; the loss is logged by the client."""

        async def received(message: Msg) -> None:
            await handler(message.subject, message.data)

        return await self._client.subscribe(subject, cb=received)


def reason_of(error: BaseException) -> str:
    """What an error says, or its kind: several of the client library's are silent."""
    return str(error) or type(error).__name__
