"""The stream of events into the store: the audit trail, and the gaps that gateways tell of."""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import Final

from nats.aio.msg import Msg

from plant.errors import StoreUnavailable, Unstorable
from plant.event import Event
from plant.ledger import GAP_EVENT, Gap, gap_of_event
from services.bus import Bus, subjects
from services.bus.messages import MalformedMessage, decode_event
from services.historian.delivery import Stopped, acknowledge, fetch, keep_in_hand, pause
from services.historian.quarantine import Quarantine
from services.store import Store

_log = logging.getLogger(__name__)

_EVENTS_A_COMMIT: Final = 256
_RETRY_STORE_AFTER: Final = 0.5


@dataclass(frozen=True, slots=True)
class _Entry:
    message: Msg
    event: Event
    gap: Gap | None


class Journal:
    """Drains the stream of events; stored before acknowledged, and once whatever is handed out twice. What can never be stored goes to quarantine."""

    def __init__(self, store: Store, bus: Bus, quarantine: Quarantine, on_gap: Callable[[Gap], Awaitable[None]]) -> None:
        """``on_gap`` is called with each gap that was saved, before that is acknowledged."""
        self._store = store
        self._bus = bus
        self._quarantine = quarantine
        self._on_gap = on_gap
        self._stop = asyncio.Event()

    async def run(self, stop: asyncio.Event) -> None:
        self._stop = stop
        subscription = await self._bus.streams.pull_subscribe_bind(subjects.HISTORIAN, subjects.EVENTS_STREAM)
        while not stop.is_set():
            try:
                await self._store_all(await fetch(subscription, _EVENTS_A_COMMIT))
            except Stopped:
                return

    async def _store_all(self, messages: Sequence[Msg]) -> None:
        entries: list[_Entry] = []
        for message in messages:
            try:
                event = decode_event(message.data)
                entries.append(_Entry(message, event, gap_of_event(event) if event.kind == GAP_EVENT else None))
            except (MalformedMessage, ValueError) as error:
                await self._quarantine.take(message, "malformed", str(error))
        if entries:
            try:
                await self._save(entries)
            except Unstorable as error:
                _log.warning("%d events can never be stored together, trying each alone: %s", len(entries), error)
                for entry in entries:
                    await self._store_alone(entry)

    async def _store_alone(self, entry: _Entry) -> None:
        try:
            await self._save([entry])
        except Unstorable as error:
            await self._quarantine.take(entry.message, "unstorable", str(error))

    async def _save(self, entries: Sequence[_Entry]) -> None:
        """Saves, trying for ever while the store is away, then acknowledges. Raises ``Unstorable`` and ``Stopped``."""
        messages = [entry.message for entry in entries]
        alive = asyncio.create_task(keep_in_hand(messages))
        try:
            gaps = [entry.gap for entry in entries if entry.gap is not None]
            await self._save_when_possible([entry.event for entry in entries], gaps)
            for gap in gaps:
                await self._on_gap(gap)
        finally:
            alive.cancel()
        await acknowledge(messages)

    async def _save_when_possible(self, events: Sequence[Event], gaps: Sequence[Gap]) -> None:
        while True:
            try:
                for gap in gaps:
                    await asyncio.to_thread(self._store.save_gap, gap)
                await asyncio.to_thread(self._store.save_events, events)
            except StoreUnavailable as error:
                _log.debug("%d events wait for the store: %s", len(events), error)
                await pause(self._stop, _RETRY_STORE_AFTER)
                if self._stop.is_set():
                    raise Stopped from error
            else:
                return
