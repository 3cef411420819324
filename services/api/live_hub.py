"""Live values: heard from the bus once, told to every listener at its own pace.

Rules:

1. The current values of all tags are kept here: heard live, and compared with the store's snapshot now and then, which knows what was not heard.
2. A listener holds at most one value a tag that it has not taken yet: a newer one takes its place, which is counted. A slow listener loses what it was
   too slow for, and slows nobody.
3. The last few thousand messages are kept, numbered, for listeners that come back and say what they had.
4. What no history can hold is not shown live either.
5. A device whose gateway has said nothing for five seconds is down, whatever was said before. Its values are then what they last were, and say so
   (``UncertainNoCommunicationLastUsableValue``); after a minute they are Bad. History is not touched by this: it holds what was said.
"""

import asyncio
import contextlib
import logging
import time
from collections import deque
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import Final

import numpy as np
from prometheus_client import CollectorRegistry, Counter, Gauge

from plant import times
from plant.batch import Batch, SampleBatch, TextBatch
from plant.current_values import CurrentValues
from plant.envelope import unseal
from plant.errors import CorruptBatch, Unstorable
from plant.event import Event
from plant.link import DeviceStatus, LinkState
from plant.quality import Quality
from plant.site import Site
from services.bus import Bus, subjects
from services.bus.messages import MalformedMessage, decode_device_status, decode_event
from services.store import check_event, check_storable

_log = logging.getLogger(__name__)

STATUS_STALE_AFTER: Final = 5.0
VALUES_BAD_AFTER: Final = 60.0
_WATCH_PERIOD: Final = 1.0
_EVENTS_WAITING: Final = 100
_RECENT: Final = 5_000
_RECENT_SAMPLES: Final = 200_000

Item = Batch | Event | DeviceStatus


@dataclass(frozen=True, slots=True)
class LiveValue:
    """A sample on its way to a listener; ``time`` UTC microseconds, ``quality`` stored form."""

    tag_id: int
    time: int
    value: float | str
    quality: int


class Listener:
    """Takes what it asked for when it is ready."""

    def __init__(self, tag_ids: frozenset[int], dropped: Counter) -> None:
        self._tag_ids = tag_ids
        self._dropped = dropped
        self._values: dict[int, LiveValue] = {}
        self._events: list[Event] = []
        self._devices: dict[str, DeviceStatus] = {}
        self._something = asyncio.Event()

    def hear(self, values: Sequence[LiveValue]) -> None:
        for value in values:
            if value.tag_id in self._tag_ids:
                if value.tag_id in self._values:
                    self._dropped.inc()
                self._values[value.tag_id] = value
                self._something.set()

    def hear_event(self, event: Event) -> None:
        if len(self._events) >= _EVENTS_WAITING:
            self._events.pop(0)
            self._dropped.inc()
        self._events.append(event)
        self._something.set()

    def hear_device(self, status: DeviceStatus) -> None:
        self._devices[status.device] = status
        self._something.set()

    async def wait(self, seconds: float) -> None:
        """Returns when there is something to take, at most after ``seconds``."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await self._something.wait()

    def take(self) -> tuple[list[LiveValue], list[Event], list[DeviceStatus]]:
        """Everything since this was last called."""
        taken = (list(self._values.values()), self._events, list(self._devices.values()))
        self._values, self._events, self._devices = {}, [], {}
        self._something.clear()
        return taken


class LiveHub:
    """Current values, device states, and the listeners. ``clock`` is monotonic seconds."""

    def __init__(self, site: Site, registry: CollectorRegistry, clock: Callable[[], float] = time.monotonic) -> None:
        self._site = site
        self._clock = clock
        self._begun = clock()
        self._current = CurrentValues(site.tags)
        self._tag_ids = {name: np.array([tag.id for tag in site.tags if tag.device == name], np.int32) for name in site.devices}
        self._doubts: dict[str, Quality] = {}
        self._statuses: dict[str, tuple[DeviceStatus, float]] = {}
        self._listeners: set[Listener] = set()
        self.samples_heard = 0
        self._recent: deque[tuple[int, Item]] = deque()
        self._recent_samples = 0
        self._number = times.now()  # grows over restarts too
        self._changed = asyncio.Event()
        self._dropped = Counter("monazite_ws_frames_dropped", "Values and events that a slow listener missed.", registry=registry)
        self._listening = Gauge("monazite_ws_clients", "Listeners to live values.", registry=registry)
        self._corrupt = Counter("monazite_live_messages_refused", "Messages on the bus that were not what they should be.", registry=registry)

    def heal(self, stored: Batch) -> None:
        """Takes from the store what was not heard live: all there is at the start, later what the bus did not deliver to us."""
        missed = self._current.newer(stored)
        if len(missed):
            self._take(missed)

    def forget(self, tag_id: int, start: int, end: int) -> None:
        """A current value with ``start <= time < end`` (UTC microseconds) is none any more: it was removed from history."""
        self._current.forget(tag_id, start, end)

    async def listen(self, bus: Bus) -> None:
        await bus.subscribe(subjects.ALL_SAMPLES, self._on_samples)
        await bus.subscribe(subjects.ALL_STATUS, self._on_status)
        await bus.subscribe(subjects.ALL_EVENTS, self._on_event)

    async def _on_samples(self, subject: str, data: bytes) -> None:
        try:
            batch, _ = unseal(data)
            check_storable(batch)
        except (CorruptBatch, Unstorable) as error:
            self._corrupt.inc()
            _log.warning("%s: %s", subject, error)
            return
        self.samples_heard += len(batch)
        self._take(batch)

    def _take(self, batch: Batch) -> None:
        self._current.update(batch)
        self._keep(batch)
        if self._listeners:
            values = values_of(batch)
            for listener in self._listeners:
                listener.hear(values)

    async def _on_status(self, subject: str, data: bytes) -> None:
        try:
            status = decode_device_status(data)
            times.to_datetime(status.since)
        except (MalformedMessage, OverflowError) as error:  # an OverflowError: a time that no calendar has
            self._corrupt.inc()
            _log.warning("%s: %s", subject, error)
            return
        before = self._statuses.get(status.device)
        self._statuses[status.device] = (status, self._clock())
        if before is None or before[0].state is not status.state:
            self._keep(status)
            for listener in self._listeners:
                listener.hear_device(status)

    async def _on_event(self, subject: str, data: bytes) -> None:
        try:
            event = decode_event(data)
            check_event(event)
        except (MalformedMessage, Unstorable) as error:
            self._corrupt.inc()
            _log.warning("%s: %s", subject, error)
            return
        self._keep(event)
        for listener in self._listeners:
            listener.hear_event(event)

    def _keep(self, item: Item) -> None:
        self._number += 1
        self._recent.append((self._number, item))
        self._recent_samples += _samples_in(item)
        while len(self._recent) > _RECENT or self._recent_samples > _RECENT_SAMPLES:
            self._recent_samples -= _samples_in(self._recent.popleft()[1])
        self._changed.set()
        self._changed = asyncio.Event()

    @property
    def number(self) -> int:
        """Number of the newest message."""
        return self._number

    def since(self, number: int) -> Sequence[tuple[int, Item]]:
        """Messages behind ``number`` that are still kept, oldest first."""
        newer = []
        for kept in reversed(self._recent):
            if kept[0] <= number:
                break
            newer.append(kept)
        return newer[::-1]

    def missed(self, count: int) -> None:
        """Counts messages that a listener was too slow for."""
        self._dropped.inc(count)

    async def changed(self, seconds: float) -> None:
        """Returns at the next message, at most after ``seconds``."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await self._changed.wait()

    def current(self, tag_ids: Collection[int]) -> tuple[Batch, Batch]:
        """One sample of each of these tags that ever had one: numbers, texts."""
        numbers, texts = self._current.of(list(tag_ids))
        return self._doubted(numbers), self._doubted(texts)

    def _doubted(self, batch: Batch) -> Batch:
        """What is to be thought of values whose gateway is silent."""
        for name, doubt in self._doubts.items():
            rows = np.flatnonzero(np.isin(batch.tag_id, self._tag_ids[name]) & (batch.quality >= 0))
            if len(rows):
                batch = batch.select(np.arange(len(batch)))  # a copy
                batch.quality[rows] = doubt
                if doubt < 0:
                    batch.value[rows] = np.nan if isinstance(batch, SampleBatch) else ""
        return batch

    async def watch(self) -> None:
        """Notices, for ever, gateways that fall silent or speak again, and tells the listeners."""
        while True:
            self.look()
            await asyncio.sleep(_WATCH_PERIOD)

    def look(self) -> None:
        for name in self._site.devices:
            doubt = self._doubt_of(name)
            if doubt is self._doubts.get(name):
                continue
            if doubt is None:
                del self._doubts[name]
            else:
                self._doubts[name] = doubt
            status = self._status_of(name)
            self._keep(status)
            for listener in self._listeners:
                listener.hear_device(status)
            for batch in self.current(self._tag_ids[name].tolist()):
                self._keep(batch)
                for listener in self._listeners:
                    listener.hear(values_of(batch))

    def _doubt_of(self, name: str) -> Quality | None:
        _, heard = self._statuses.get(name, (None, self._begun))
        silent_for = self._clock() - heard
        if silent_for <= STATUS_STALE_AFTER:
            return None
        return Quality.UNCERTAIN_NO_COMMUNICATION_LAST_USABLE_VALUE if silent_for <= VALUES_BAD_AFTER else Quality.BAD_NO_COMMUNICATION

    def devices(self) -> Mapping[str, DeviceStatus]:
        """State of every device of the site, by name."""
        return {name: self._status_of(name) for name in self._site.devices}

    def _status_of(self, name: str) -> DeviceStatus:
        device = self._site.devices[name]
        heard = self._statuses.get(name)
        if heard is None:
            return DeviceStatus(name, device.protocol, device.endpoint, LinkState.DOWN, times.now(), "no gateway has spoken of it yet")
        status, when = heard
        if self._clock() - when > STATUS_STALE_AFTER:
            return replace(status, state=LinkState.DOWN, last_error=f"its gateway has said nothing for {self._clock() - when:.0f} s")
        return status

    @contextmanager
    def listener(self, tag_ids: frozenset[int]) -> Iterator[Listener]:
        """A listener to these tags, which first has their current values to take."""
        listener = Listener(tag_ids, self._dropped)
        for batch in self.current(tag_ids):
            listener.hear(values_of(batch))
        for status in self.devices().values():
            listener.hear_device(status)
        self._listeners.add(listener)
        self._listening.set(len(self._listeners))
        try:
            yield listener
        finally:
            self._listeners.discard(listener)
            self._listening.set(len(self._listeners))


def _samples_in(item: Item) -> int:
    return len(item) if isinstance(item, (SampleBatch, TextBatch)) else 0


def values_of(batch: Batch) -> list[LiveValue]:
    """The rows of a batch."""
    return [LiveValue(*row) for row in zip(batch.tag_id.tolist(), batch.time.tolist(), batch.value.tolist(), batch.quality.tolist(), strict=True)]
