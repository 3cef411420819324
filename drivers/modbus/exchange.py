"""What travels on a line: a seat is one session's place on it, an exchange one request and its answer."""

import asyncio
import time
from typing import Final, NamedTuple

from drivers.metrics import DriverMetrics
from drivers.modbus.frames import Answer, Request
from drivers.session import SilentUnit
from plant.errors import DeviceUnreachable

_ENDED: Final = "the connection was dropped"


class Standing(NamedTuple):
    """What trust in a unit's answers stands on; with another one it must be won anew."""

    connection: int
    """Of the line, counted from 1: behind another one may be another device; 0 for one without identity, which could not be told from another."""
    disorder: int
    """0 where answers are numbered. Where they are not, what is read after it changed may be the answer to an earlier request."""


class ConnectionDropped(DeviceUnreachable):
    """The session ended before: nothing of this request was sent."""


class LineReset(DeviceUnreachable):
    """What befell another unit ended the connection while this request was under way. A read may be asked again; a write may have been done."""


class Seat:
    """A session's place on a line. Once ``error`` is set it asks nothing any more.

    ``latency`` is seconds of the last round trip, ``slowest`` of the slowest one of late; ``round_trip_at`` when the last one ended and ``answered`` when the
    last that was the unit's own did, ``time.monotonic()``; ``heard`` the last sign of life, UTC microseconds.
    """

    __slots__ = ("answered", "device", "dropped", "error", "heard", "latency", "metrics", "round_trip_at", "slowest", "timeout", "unit")

    def __init__(self, device: str, unit: int, timeout: float, metrics: DriverMetrics) -> None:
        self.device = device
        self.unit = unit
        self.timeout = timeout
        self.metrics = metrics
        self.latency: float | None = None
        self.slowest = 0.0
        self.round_trip_at = 0.0
        self.answered = 0.0
        self.heard = 0
        self.error: Exception | None = None
        self.dropped = asyncio.Event()

    def drop(self, error: Exception) -> None:
        """Ends the session for ``error``; the first one counts."""
        if self.error is None:
            self.error = error
            self.dropped.set()

    def refusal(self) -> DeviceUnreachable:
        """What a request meets that comes after the end."""
        if isinstance(self.error, SilentUnit):
            return SilentUnit(str(self.error), self.error.wait, self.error.sooner)
        return ConnectionDropped(f"{_ENDED}: {self.error}")


class Exchange:
    """One request and its answer. ``future`` brings the answer and the source time: the middle of request and answer by our clock, UTC microseconds.

    ``connection``: the only one on which it may be sent, where that matters. ``transaction`` is 0 until it is sent.
    ``begun`` and ``deadline`` are ``time.monotonic()``, ``begun_at`` UTC microseconds. ``is_try``: it was sent to a unit that had been silent, and has
    said nothing since.
    """

    __slots__ = ("begun", "begun_at", "connection", "deadline", "future", "is_try", "request", "seat", "transaction")

    def __init__(self, seat: Seat, request: Request, future: asyncio.Future[tuple[Answer, int]], connection: int | None = None) -> None:
        self.seat = seat
        self.request = request
        self.future = future
        self.connection = connection
        self.transaction = 0
        self.begun = 0.0
        self.begun_at = 0
        self.deadline = 0.0
        self.is_try = False

    def fail(self, error: Exception) -> None:
        if not self.future.done():
            self.future.set_exception(error)

    @property
    def was_sent(self) -> bool:
        return self.transaction != 0

    @property
    def took(self) -> float:
        """Seconds since it was sent."""
        return time.monotonic() - self.begun
