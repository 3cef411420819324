"""The supervisor of one device: opens sessions for ever, forwards what they bring, and tells the truth while there is none.

Rules:

1. A lost session is one Bad sample for every tag, with the time of loss, which is that of the last sign of life; never the last good value again.
   Said once a loss.
2. The link is tried again for ever, with a capped and jittered wait that starts over after a session that held for some seconds: a device that takes
   every session and drops it is not flooded with them. A unit that is silent on a line that it shares is tried when the line says: others pay for each try.
3. There is one session at a time; the old one is closed, within a deadline, before the next is opened.
4. What the link itself says of a tag bears the device's time (``device_time``); ``Resumption`` has the way back.
   Both ends of a loss are told by the offset that was known before it.
5. A source time that cannot be is set right (``drivers.source_clock``) before anything is made of it.
6. A write goes out only while a session is open and the heartbeat moves, once, and never later than its deadline.
7. A device whose heartbeat stands still is Bad though the link is up: what it goes on sending is held back, one value a tag, until the heartbeat moves. Then
   each tag has its current value again, those too of which a device that tells changes alone has nothing to say.
8. What was missed in an outage is asked of the device's own history, where it keeps one (``recovery``).
9. A fault of ours in a session costs this device its session and no other device anything: ``drivers.shelter``.
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
from drivers.device_time import DeviceTime
from drivers.heartbeat_watch import HeartbeatWatch
from drivers.loss_account import LossAccount
from drivers.metrics import DriverMetrics
from drivers.overflow_watch import OverflowWatch
from drivers.recovery import Recovery
from drivers.resumption import Resumption
from drivers.session import OpenSession, Session, SilentUnit, WriteAttempt, WriteOutcome, WriteStatus
from drivers.shelter import DriverFault, Shelter
from drivers.source_clock import SourceClock
from plant import times
from plant.batch import Batch, SampleBatch, TextBatch
from plant.command import CommandValue
from plant.current_values import CurrentValues
from plant.device import FieldDevice
from plant.errors import DeviceProtocolError, DeviceUnreachable
from plant.heartbeat import Heartbeat
from plant.ledger import GapCause
from plant.link import DeviceStatus, LinkState
from plant.quality import Quality
from plant.tag import Tag

_log = logging.getLogger(__name__)

_OPEN_DEADLINE: Final = 15.0
_CLOSE_DEADLINE: Final = 3.0
_STEADY_AFTER: Final = 5.0
_HEARTBEAT_PERIOD: Final = 0.5

DeviceT = TypeVar("DeviceT", bound=FieldDevice)


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
        account: LossAccount | None = None,
        backoff: Backoff | None = None,
        clock: Callable[[], int] = times.now,
    ) -> None:
        self._device = device
        self._tags = tags
        self._readable = [tag for tag in tags if tag.has_value]
        self._open_session = open_session
        self._publish = publish
        self._on_status = on_status
        self._metrics = metrics
        self._account = account
        self._shelter = Shelter(device, metrics)
        self._recovery = None if account is None else Recovery(device, account, metrics, self._shelter)
        self._backoff = backoff or Backoff()
        self._clock = clock
        self._session: Session | None = None
        self._sessions_opened = 0
        self._opened_at = 0
        self._heard: int | None = None
        self._lag = 0
        self._device_time = DeviceTime()
        self._lost_from: int | None = None
        self._offset_at_loss = 0
        self._was_far_off = False
        """At the loss from which ``_lost_from`` is."""
        self._resumption: Resumption | None = None
        self._heartbeat = _watch_of(device, tags)
        self._current = CurrentValues(self._readable)
        """Of a device with a heartbeat, in this session."""
        self._is_stopped = False
        self._is_forwarding = False
        self._overflow = OverflowWatch(account)
        self._source_clock = SourceClock([tag.id for tag in self._readable], metrics, has_clock=device.has_clock)
        self._status = DeviceStatus(device.name, device.protocol, device.endpoint, LinkState.CONNECTING, clock())

    @property
    def status(self) -> DeviceStatus:
        """State of the link, with latency and clock offset as they are now."""
        if self._session is None:
            return replace(self._status, last_heard=self._heard)
        told = replace(self._status, latency=self._session.latency, clock_offset=self._session.clock_offset, last_heard=self._heard)
        trouble = self._session.trouble or self._source_clock.trouble(self._session.clock_offset) if told.state is LinkState.UP else None
        return told if trouble is None else replace(told, state=LinkState.DEGRADED, last_error=trouble)

    def go_on_from_loss(self, since: int | None = None) -> None:
        """Before ``run``: the link was lost already, ``since`` then (source time, UTC microseconds) or some time that is not known here."""
        self._lost_from = since
        self._resumption = Resumption([tag.id for tag in self._readable], None)

    async def run(self) -> None:
        """For ever; cancel it to end. The session is closed then, and nothing is said about quality: the gateway's end is no fact about the device."""
        failures = 0
        while True:
            begun = time.monotonic()
            delivered, error = await self._one_session()
            failures = 1 if delivered and time.monotonic() - begun >= _STEADY_AFTER else failures + 1
            wait = error.wait if isinstance(error, SilentUnit) else self._backoff.wait(failures)
            if delivered or failures == 1:
                _log.warning("%s at %s: %s; trying again for ever, first in %.1f s", self._device.name, self._device.endpoint, error, wait)
            _end_if_asked()
            if isinstance(error, SilentUnit):
                wait = await self._wait_for_place(error)
            await asyncio.sleep(wait)

    async def _wait_for_place(self, error: SilentUnit) -> float:
        """Waits as the unit's line says. Seconds to wait beyond that, so that those who were told together do not come together."""
        try:
            async with asyncio.timeout(error.wait):
                await error.sooner.wait()
        except TimeoutError:
            return 0.0
        return self._backoff.wait(1)

    async def _one_session(self) -> tuple[bool, DeviceUnreachable | DeviceProtocolError]:
        """Whether the session brought anything, and what ended it. That is said before the session is closed: a silent device is slow to part from."""
        self._opened_at = self._clock()
        self._current = CurrentValues(self._readable)
        self._source_clock.begin(self._opened_at, self._lost_from)
        try:
            session = await self._open()
        except (DeviceUnreachable, DeviceProtocolError) as error:
            await self._ended(error)
            return False, error
        try:
            delivered, end = await self._deliver(session)
            await self._ended(end)
        finally:
            await _close(session, self._device.name)
        return delivered, end

    async def _deliver(self, session: Session) -> tuple[bool, DeviceUnreachable | DeviceProtocolError]:
        """Forwards what the session brings until it ends."""
        delivered = False
        beside: list[asyncio.Task[None]] = []
        try:
            async with aclosing(self._shelter.batches(session)) as batches:
                async for batch in batches:
                    if not delivered:
                        delivered = True
                        beside = self._opened(session)
                    self._heard = self._clock()
                    self._metrics.received(self._heard / times.MICROSECONDS)
                    since = self._device_time.latest or self._device_time.at(self._opened_at)
                    self._overflow.see(session.overflows, since, self._heard + self._device_time.offset)
                    await self._forward(batch)
        except (DeviceUnreachable, DeviceProtocolError) as error:
            return delivered, error
        finally:
            self._note_clock_offset()
            self._session = None
            await _end(beside)
            if delivered:
                self._heard = max(self._heard or 0, session.last_heard)
                self._lag = round(session.lag * times.MICROSECONDS)
        return delivered, DeviceUnreachable("the session ended")

    async def _ended(self, error: DeviceUnreachable | DeviceProtocolError) -> None:
        if self._status.state is LinkState.DOWN:
            self._enter(LinkState.DOWN, str(error))
        else:
            await self._lost(error)

    async def _forward(self, batch: Batch) -> None:
        """Publishes what the device said, and what is known again by it."""
        if not len(batch):
            return
        now = self._clock()
        batch = self._source_clock.set_right(batch, now, None if self._session is None else self._session.clock_offset)
        if self._heartbeat is not None:
            self._current.update(batch)
            await self._forward_if_runs(self._heartbeat, batch, now)
        else:
            await self._publish_known(batch, self._opened_at)

    async def _forward_if_runs(self, heartbeat: HeartbeatWatch, batch: Batch, now: int) -> None:
        begun = time.monotonic()
        has_moved = heartbeat.see(batch, begun)
        self._is_forwarding = True
        try:
            if not self._is_stopped:
                await self._publish_known(batch, self._opened_at)
            elif has_moved:
                await self._runs_again(now)
        finally:
            self._is_forwarding = False
        heartbeat.excuse(time.monotonic() - begun)

    async def _publish_known(self, batch: Batch, known_from: int) -> None:
        if self._resumption is not None:
            self._note_clock_offset()
            batch = self._resumption.complete(batch, self._device_time.at(known_from))
        self._device_time.said(batch)
        await self._publish(batch)

    async def _watch_heartbeat(self, heartbeat: HeartbeatWatch, session: Session) -> None:
        while True:
            begun = time.monotonic()
            await asyncio.sleep(_HEARTBEAT_PERIOD)
            now = time.monotonic()
            heartbeat.excuse(max(0.0, now - begun - _HEARTBEAT_PERIOD))
            silent_for = (self._clock() - max(self._heard or 0, session.last_heard)) / times.MICROSECONDS
            is_due = heartbeat.left(now - max(0.0, silent_for)) <= 0
            if is_due and not self._is_stopped and not self._is_forwarding:
                await self._stopped()

    async def _stopped(self) -> None:
        """The link is up and the PLC does not run."""
        since = self._clock() - round(self._hold_back() * times.MICROSECONDS)
        await self._say_bad(GapCause.DEVICE_STOPPED, since, Quality.BAD_OUT_OF_SERVICE)

    def _hold_back(self) -> float:
        """Tells that the PLC stands still, and for how many seconds at least."""
        beat = _beat_of(self._device)
        _log.warning("%s at %s: %s", self._device.name, self._device.endpoint, _standstill(beat))
        self._is_stopped = True
        self._metrics.stopped(True)
        self._enter(LinkState.DEGRADED, _standstill(beat))
        return beat.within

    async def _runs_again(self, now: int) -> None:
        _log.info("%s at %s: the heartbeat moves again", self._device.name, self._device.endpoint)
        self._is_stopped = False
        self._metrics.stopped(False)
        self._enter(LinkState.UP, None)
        if self._account is not None:
            self._account.regained(GapCause.DEVICE_STOPPED, self._device_time.at(now))
        for batch in self._current.of([tag.id for tag in self._readable]):
            if len(batch):
                await self._publish_known(batch, now)

    async def _recover(self, session: Session, recovery: Recovery, start: int, end: int) -> None:
        try:
            await recovery.fill(session, start, end, was_far_off=self._was_far_off)
        except asyncio.CancelledError:
            self._lost_from = start  # the session ended before: the next one fetches this outage too
            raise
        except DriverFault:
            self._lost_from = start  # with the next loss other samples are asked for

    def _note_clock_offset(self) -> None:
        if self._session is not None:
            self._device_time.hear(self._session.clock_offset)

    async def _open(self) -> Session:
        try:
            async with asyncio.timeout(_OPEN_DEADLINE):
                with self._shelter.around("connecting"):
                    return await self._open_session(self._device, self._tags, self._metrics)
        except TimeoutError:
            raise DeviceUnreachable(f"no session within {_OPEN_DEADLINE:g} s") from None

    def _opened(self, session: Session) -> list[asyncio.Task[None]]:
        """The session has brought something: the link is up. What runs beside it."""
        self._session = session
        self._sessions_opened += 1
        if self._sessions_opened > 1:
            self._metrics.reconnected()
        self._metrics.up(True)
        self._status = replace(self._status, reconnects=max(0, self._sessions_opened - 1))
        self._enter(LinkState.UP, None)
        _log.info("%s at %s: connected", self._device.name, self._device.endpoint)
        beside: list[asyncio.Task[None]] = []
        # Not the time at which it was opened: what changed before the device was asked to watch is not sent.
        back_at = self._clock() + self._offset_at_loss
        if self._is_stopped:  # it stood still when the link was lost, and has not moved since
            self._hold_back()
            if self._account is not None:
                self._account.lost(GapCause.DEVICE_STOPPED, back_at)
        if self._heartbeat is not None:
            self._heartbeat.begin_anew(time.monotonic())
            beside.append(asyncio.create_task(self._watch_heartbeat(self._heartbeat, session)))
        if self._resumption is not None and self._account is not None and self._recovery is not None:
            self._account.regained(GapCause.LINK_LOST, back_at)
            if self._lost_from is not None:
                beside.append(asyncio.create_task(self._recover(session, self._recovery, self._lost_from, back_at)))
                self._lost_from = None
        return beside

    async def _lost(self, error: DeviceUnreachable | DeviceProtocolError) -> None:
        self._metrics.up(False)
        self._metrics.stopped(False)
        self._metrics.overloaded(False)
        self._overflow.end()
        if self._is_stopped and self._account is not None:
            self._account.regained(GapCause.DEVICE_STOPPED, self._device_time.at(self._heard or self._clock()))
        self._enter(LinkState.DOWN, str(error))
        quality = Quality.BAD_COMMUNICATION_ERROR if isinstance(error, DeviceProtocolError) else Quality.BAD_NO_COMMUNICATION
        await self._say_bad(GapCause.LINK_LOST, self._heard or self._clock(), quality)

    async def _say_bad(self, cause: GapCause, since: int, quality: Quality) -> None:
        """One sample without a value for every tag, ``since`` then by our clock, and the loss in the account."""
        start = self._device_time.latest = self._device_time.at(since)
        known_until = since + self._device_time.offset
        if cause is GapCause.LINK_LOST:
            known_until -= self._lag
            self._offset_at_loss = self._device_time.offset
            self._was_far_off = self._device_time.is_far_off or (self._was_far_off and self._lost_from is not None)
            self._lost_from = known_until if self._lost_from is None else self._lost_from
        self._resumption = Resumption([tag.id for tag in self._readable], start)
        if self._account is not None:
            self._account.lost(cause, known_until)
        numbers = [tag.id for tag in self._readable if not tag.data_type.is_text]
        texts = [tag.id for tag in self._readable if tag.data_type.is_text]
        if numbers:
            await self._publish(SampleBatch.of_one_time(numbers, start, np.nan, quality))
        if texts:
            await self._publish(TextBatch.without_value(texts, start, quality))

    def _enter(self, state: LinkState, error: str | None) -> None:
        changed = state is not self._status.state
        self._status = replace(
            self._status,
            state=state,
            since=self._clock() if changed else self._status.since,
            last_error=error or self._status.last_error,
            clock_offset=self._device_time.offset / times.MICROSECONDS if self._device_time.offset else self._status.clock_offset,
        )
        if changed:
            self._on_status(self.status)

    async def write(self, tag: Tag, value: CommandValue, deadline: float) -> WriteOutcome:
        """Writes once, within ``deadline`` seconds. Without a session nothing is sent, and nothing is sent later; nor to a PLC that stands still, whose image
        would take it and confirm it."""
        session = self._session
        if session is None or deadline <= 0:
            reason = "its time is over" if session else f"there is no link to {self._device.name}"
            return WriteOutcome(WriteStatus.NOT_SENT, f"nothing was written: {reason}", Quality.BAD_NOT_CONNECTED)
        if self._is_stopped:
            return WriteOutcome(WriteStatus.NOT_SENT, f"nothing was written: {_standstill(_beat_of(self._device))}", Quality.BAD_OUT_OF_SERVICE)
        attempt = WriteAttempt()
        try:
            async with asyncio.timeout(deadline):
                with self._shelter.around("a write"):
                    return await session.write(tag, value, attempt)
        except TimeoutError:
            return replace(attempt.outcome, detail=f"{attempt.outcome.detail} ({deadline:.1f} s)")
        except (DeviceUnreachable, DeviceProtocolError) as error:
            return replace(attempt.outcome, detail=f"{attempt.outcome.detail}: {error}", quality=Quality.BAD_INTERNAL_ERROR)


def _watch_of(device: FieldDevice, tags: Sequence[Tag]) -> HeartbeatWatch | None:
    if device.heartbeat is None:
        return None
    (tag_id,) = (tag.id for tag in tags if tag.name == device.heartbeat.tag)
    return HeartbeatWatch(tag_id, device.heartbeat.within, time.monotonic())


def _beat_of(device: FieldDevice) -> Heartbeat:
    assert device.heartbeat is not None, "only a heartbeat tells that a PLC stands still"
    return device.heartbeat


def _standstill(beat: Heartbeat) -> str:
    return f"its heartbeat {beat.tag} has not moved for {beat.within:g} s: the PLC does not run"


def _end_if_asked() -> None:
    """Libraries lose a cancellation that comes just as what they wait for is over: ``asyncio.wait_for`` before Python 3.12 does."""
    task = asyncio.current_task()
    if task is not None and task.cancelling():
        raise asyncio.CancelledError


async def _end(tasks: Sequence[asyncio.Task[None]]) -> None:
    for task in tasks:
        task.cancel()
    for ended in await asyncio.gather(*tasks, return_exceptions=True):
        if isinstance(ended, Exception):
            raise ended


async def _close(session: Session, name: str) -> None:
    try:
        async with asyncio.timeout(_CLOSE_DEADLINE):
            await session.close()
    except TimeoutError:
        _log.warning("%s: the old session did not close within %g s", name, _CLOSE_DEADLINE)
