"""The seam between the gateway and a field protocol: what a protocol package provides, and who calls it when.

A protocol offers one function that opens a ``Session``. ``DeviceLink`` (``drivers.link``) owns the device: it opens sessions with back-off for ever,
forwards their batches, says Bad once for every tag when a session is lost, and lets writes through only while a session is open.
"""

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Callable, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Final, Generic, Protocol, TypeVar

from drivers.metrics import DriverMetrics
from plant.batch import Batch
from plant.command import CommandValue
from plant.errors import DeviceUnreachable
from plant.quality import Quality
from plant.tag import Tag

READ_BACK_WITHIN: Final = 1.0
"""Seconds for a device to show what was written to it."""
READ_BACK_PERIOD: Final = 0.1
"""Seconds between two looks."""

DeviceT_contra = TypeVar("DeviceT_contra", contravariant=True)


class SilentUnit(DeviceUnreachable):
    """A unit that shares its line does not answer again and again. Each try costs the others a time-out: the line says when it may be tried.

    ``wait`` is seconds until then; ``sooner`` is set when it may be tried at once, because what was silent with it answers again.
    """

    def __init__(self, text: str, wait: float, sooner: asyncio.Event) -> None:
        self.wait = wait
        self.sooner = sooner
        super().__init__(text)


class WriteStatus(StrEnum):
    """How a write ended (see ``WriteOutcome``)."""

    CONFIRMED = "confirmed"
    """Written, and read back equal."""
    ACCEPTED = "accepted"
    """The device took it; the read-back shows another value or none."""
    REJECTED = "rejected"
    """The device refused it: nothing was written."""
    NOT_SENT = "not sent"
    """Nothing left for the device, and nothing will."""
    UNKNOWN = "unknown"
    """It was sent and no answer says what became of it. Never repeated."""


@dataclass(frozen=True, slots=True)
class WriteOutcome:
    """``quality`` is the stored StatusCode of the device's answer; ``read_back`` in engineering units, ``None`` if nothing could be read."""

    status: WriteStatus
    detail: str
    quality: int = 0
    read_back: CommandValue | None = None

    def seen_as(self, seen: "WriteOutcome") -> "WriteOutcome":
        """This outcome, which is open, once a read-back has ended as ``seen``: as written it is confirmed."""
        if seen.status is WriteStatus.CONFIRMED:
            return replace(seen, detail=f"read back as written ({self.detail})")
        return self if seen.read_back is None else replace(self, detail=f"{self.detail}; it reads {seen.read_back!r} now", read_back=seen.read_back)


class WriteAttempt:
    """How far a write has come, for whoever ends it before it is over: what is said then is true of the moment."""

    def __init__(self) -> None:
        self.outcome = WriteOutcome(WriteStatus.NOT_SENT, "nothing was written: its time was over before it could be sent", Quality.BAD_TIMEOUT)

    def leaves(self) -> None:
        """From now on the device may have it."""
        self.outcome = WriteOutcome(WriteStatus.UNKNOWN, "no answer in time: it may have been written", Quality.BAD_TIMEOUT)

    def is_taken(self) -> None:
        """The device took it, and is to be read back."""
        self.outcome = WriteOutcome(WriteStatus.ACCEPTED, "the device took it, and its time was over before it was read back", Quality.BAD_TIMEOUT)


class Session(Protocol):
    """One open conversation with one device. It is never reopened: after an error a new one is made."""

    def batches(self) -> AsyncGenerator[Batch, None]:
        """Current value of every tag first, then what the device sends or the scans read, until the session ends.

        A tag that the device refuses comes as a Bad sample with the reason and does not end the session.

        Raises:
            DeviceUnreachable: the device does not answer any more.
            DeviceProtocolError: the device broke the protocol.
        """
        ...

    async def write(self, tag: Tag, value: CommandValue, attempt: WriteAttempt | None = None) -> WriteOutcome:
        """Writes ``value`` (engineering units) once and reads it back. Called while ``batches`` runs. A lost link is an outcome, not an exception.

        Cancelled when its time is over; ``attempt``, if somebody asks, is told how far it has come, before each step. What was not sent by
        then is never sent.
        """
        ...

    async def recover(self, start: int, end: int, take: Callable[[Batch], Awaitable[None]]) -> bool:
        """Hands over what the device itself kept of the time between ``start`` and ``end`` (source time, UTC microseconds), in batches, and waits for each.

        True when the device kept every tag's history and all of it was handed over; a device or protocol without history says False at once. Runs beside
        ``batches`` and is cancelled when that ends. After an error it is called again with the same times, and goes on from where it stopped.

        Raises:
            DeviceUnreachable, DeviceProtocolError
        """
        ...

    @property
    def trouble(self) -> str | None:
        """What of the device does not answer as configured although the session is open, for people; ``None`` when all is well."""
        ...

    @property
    def last_heard(self) -> int:
        """The last sign of life, UTC microseconds by our clock. The device's closing of the connection is one: it is known when that was."""
        ...

    @property
    def lag(self) -> float:
        """Seconds by which what was handed over may be behind the last sign of life: what is gathered before it is sent; 0 for what is asked for."""
        ...

    @property
    def overflows(self) -> int:
        """Samples so far that came after others that the device could not keep; 0 for a protocol that asks for each."""
        ...

    @property
    def latency(self) -> float | None:
        """Seconds of the last round trip."""
        ...

    @property
    def clock_offset(self) -> float | None:
        """Device clock minus ours, seconds; ``None`` where the protocol carries no time."""
        ...

    async def close(self) -> None:
        """Ends the conversation politely, within a second or two, and never raises."""
        ...


class OpenSession(Protocol, Generic[DeviceT_contra]):
    """A protocol's entry point."""

    async def __call__(self, device: DeviceT_contra, tags: Sequence[Tag], metrics: DriverMetrics) -> Session:
        """Connects within the device's time-out. ``tags`` are those the device serves.

        Raises:
            DeviceUnreachable, DeviceProtocolError
        """
        ...
