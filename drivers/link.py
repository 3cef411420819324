"""The supervisor of one device: opens sessions for ever, forwards what they bring, and tells the truth while there is none.

Rules:

1. A lost session is one Bad sample for every tag, with the time of loss; never the last good value again. Said once a loss.
2. The link is tried again for ever, with a capped and jittered wait that starts over after a session that held for some seconds: a device that takes
   every session and drops it is not flooded with them.
3. There is one session at a time; the old one is closed, within a deadline, before the next is opened.
4. What the link itself says of a tag bears the device's time, by its clock offset, and is later than all the device said; ``Resumption`` has the way back.
5. A source time that cannot be is set right (``plant.source_time``) before anything is made of it.
6. A write goes out only while a session is open, once, and never later than its deadline.
"""

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable, Sequence
from contextlib import aclosing
from dataclasses import replace
from typing import Final, Generic, TypeVar

import numpy as np

from drivers.backoff import Backoff
from drivers.metrics import DriverMetrics
from drivers.resumption import Resumption
from drivers.session import OpenSession, Session, WriteOutcome, WriteStatus
from plant import times
from plant.batch import Batch, SampleBatch, TextBatch
from plant.command import CommandValue
from plant.device import Device
from plant.errors import DeviceProtocolError, DeviceUnreachable
from plant.link import DeviceStatus, LinkState
from plant.quality import Quality
from plant.source_time import FURTHEST_AHEAD, count_ahead, set_right
from plant.tag import Tag

_log = logging.getLogger(__name__)

_OPEN_DEADLINE: Final = 15.0
_CLOSE_DEADLINE: Final = 3.0
_STEADY_AFTER: Final = 5.0

DeviceT = TypeVar("DeviceT", bound=Device)


class DeviceLink(Generic[DeviceT]):
    """Keeps one device connected. ``publish`` is awaited for every batch, so that a slow consumer slows the reading and loses nothing here."""

    def __init__(
        self,
        device: DeviceT,
        tags: Sequence[Tag],
        open_session: OpenSession[DeviceT],
        publish: Callable[[Batch], Awaitable[None]],
        on_status: Callable[[DeviceStatus], None],
        metrics: DriverMetrics,
        *,
        backoff: Backoff | None = None,
        clock: Callable[[], int] = times.now,
    ) -> None:
        self._device = device
        self._tags = tags
        self._open_session = open_session
        self._publish = publish
        self._on_status = on_status
        self._metrics = metrics
        self._backoff = backoff or Backoff()
        self._clock = clock
        self._session: Session | None = None
        self._sessions_opened = 0
        self._opened_at = 0
        self._clock_offset = 0
        self._latest = 0
        self._resumption: Resumption | None = None
        self._status = DeviceStatus(device.name, device.protocol, device.endpoint, LinkState.CONNECTING, clock())

    @property
    def status(self) -> DeviceStatus:
        """State of the link, with latency and clock offset as they are now."""
        if self._session is None:
            return self._status
        return replace(self._status, latency=self._session.latency, clock_offset=self._session.clock_offset)

    def go_on_from_loss(self) -> None:
        """Before ``run``: the link was lost already, and its tags are Bad since some time that is not known here."""
        self._resumption = Resumption([tag.id for tag in self._tags], None)

    async def run(self) -> None:
        """For ever; cancel it to end. The session is closed then, and nothing is said about quality: the gateway's end is no fact about the device."""
        failures = 0
        while True:
            begun = time.monotonic()
            delivered, error = await self._one_session()
            failures = 1 if delivered and time.monotonic() - begun >= _STEADY_AFTER else failures + 1
            wait = self._backoff.wait(failures)
            if delivered or failures == 1:
                _log.warning("%s at %s: %s; trying again for ever, first in %.1f s", self._device.name, self._device.endpoint, error, wait)
            if self._status.state is not LinkState.DOWN:
                await self._lost(error)
            else:
                self._enter(LinkState.DOWN, str(error))
            await asyncio.sleep(wait)

    async def _one_session(self) -> tuple[bool, DeviceUnreachable | DeviceProtocolError]:
        """Whether the session brought anything, and what ended it."""
        delivered = False
        session: Session | None = None
        self._opened_at = self._clock()
        try:
            session = await self._open()
            async with aclosing(session.batches()) as batches:
                async for batch in batches:
                    if not delivered:
                        delivered = True
                        self._opened(session)
                    self._metrics.received(self._clock() / times.MICROSECONDS)
                    await self._forward(batch)
        except (DeviceUnreachable, DeviceProtocolError) as error:
            return delivered, error
        finally:
            self._note_clock_offset()
            self._session = None
            if session is not None:
                await _close(session, self._device.name)
        return delivered, DeviceUnreachable("the session ended")

    async def _forward(self, batch: Batch) -> None:
        """Publishes what the device said, and what is known again by it."""
        if not len(batch):
            return
        now = self._clock()
        if ahead := count_ahead(batch, now):
            self._metrics.set_right(ahead)
            batch = set_right(batch, now)
        latest = int(batch.time.max())
        if self._resumption is not None:
            self._note_clock_offset()
            batch = self._resumption.complete(batch, self._at_device(self._opened_at))
            if self._resumption.is_complete:
                self._resumption = None
        self._latest = max(self._latest, latest)
        await self._publish(batch)

    def _note_clock_offset(self) -> None:
        if self._session is not None and self._session.clock_offset is not None:
            offset = round(self._session.clock_offset * times.MICROSECONDS)
            self._clock_offset = offset if offset <= FURTHEST_AHEAD else 0  # what such a clock says is set right to ours

    def _at_device(self, time: int) -> int:
        """A time of ours by the device's clock, as that was last heard, and later than everything told of the device so far."""
        return max(time + self._clock_offset, self._latest + 1)

    async def _open(self) -> Session:
        try:
            async with asyncio.timeout(_OPEN_DEADLINE):
                return await self._open_session(self._device, self._tags, self._metrics)
        except TimeoutError:
            raise DeviceUnreachable(f"no session within {_OPEN_DEADLINE:g} s") from None

    def _opened(self, session: Session) -> None:
        self._session = session
        self._sessions_opened += 1
        if self._sessions_opened > 1:
            self._metrics.reconnected()
        self._metrics.up(True)
        self._status = replace(self._status, reconnects=max(0, self._sessions_opened - 1))
        self._enter(LinkState.UP, None)
        _log.info("%s at %s: connected", self._device.name, self._device.endpoint)

    async def _lost(self, error: DeviceUnreachable | DeviceProtocolError) -> None:
        now = self._latest = self._at_device(self._clock())
        self._resumption = Resumption([tag.id for tag in self._tags], now)
        self._metrics.up(False)
        self._enter(LinkState.DOWN, str(error))
        quality = Quality.BAD_COMMUNICATION_ERROR if isinstance(error, DeviceProtocolError) else Quality.BAD_NO_COMMUNICATION
        numbers = [tag.id for tag in self._tags if not tag.data_type.is_text]
        texts = [tag.id for tag in self._tags if tag.data_type.is_text]
        if numbers:
            await self._publish(SampleBatch.of_one_time(numbers, now, np.nan, quality))
        if texts:
            await self._publish(TextBatch.without_value(texts, now, quality))

    def _enter(self, state: LinkState, error: str | None) -> None:
        changed = state is not self._status.state
        self._status = replace(
            self._status,
            state=state,
            since=self._clock() if changed else self._status.since,
            last_error=error or self._status.last_error,
            clock_offset=self._clock_offset / times.MICROSECONDS if self._clock_offset else self._status.clock_offset,
        )
        if changed:
            self._on_status(self._status)

    async def write(self, tag: Tag, value: CommandValue, deadline: float) -> WriteOutcome:
        """Writes once, within ``deadline`` seconds. Without a session nothing is sent, and nothing is sent later."""
        session = self._session
        if session is None or deadline <= 0:
            reason = "its time is over" if session else f"there is no link to {self._device.name}"
            return WriteOutcome(WriteStatus.NOT_SENT, f"nothing was written: {reason}", Quality.BAD_NOT_CONNECTED)
        try:
            async with asyncio.timeout(deadline):
                return await session.write(tag, value)
        except TimeoutError:
            return WriteOutcome(WriteStatus.UNKNOWN, f"no answer within {deadline:.1f} s: it may have been written", Quality.BAD_TIMEOUT)


async def _close(session: Session, name: str) -> None:
    try:
        async with asyncio.timeout(_CLOSE_DEADLINE):
            await session.close()
    except TimeoutError:
        _log.warning("%s: the old session did not close within %g s", name, _CLOSE_DEADLINE)
