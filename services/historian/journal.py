"""The stream of events into the store: the audit trail, and the gaps that gateways tell of."""

import asyncio
import logging
from collections.abc import Sequence
from typing import Final

from nats.aio.msg import Msg

from plant.errors import StoreUnavailable
from plant.event import Event
from plant.ledger import GAP_EVENT, Gap, gap_of_event
from services.bus import Bus, subjects
from services.bus.messages import MalformedMessage, decode_event
from services.historian.delivery import acknowledge, fetch, keep_in_hand
from services.historian.quarantine import Quarantine
from services.store import Store

_log = logging.getLogger(__name__)

_EVENTS_A_COMMIT: Final = 256
_RETRY_STORE_AFTER: Final = 0.5


class Journal:
    """Drains the stream of events; stored before acknowledged, and once whatever is handed out twice."""

    def __init__(self, store: Store, bus: Bus, quarantine: Quarantine) -> None:
        self._store = store
        self._bus = bus
        self._quarantine = quarantine

    async def run(self, stop: asyncio.Event) -> None:
        subscription = await self._bus.streams.pull_subscribe_bind(subjects.HISTORIAN, subjects.EVENTS_STREAM)
        while not stop.is_set():
            await self._store_all(await fetch(subscription, _EVENTS_A_COMMIT))

    async def _store_all(self, messages: Sequence[Msg]) -> None:
        events: list[Event] = []
        gaps: list[Gap] = []
        understood: list[Msg] = []
        for message in messages:
            try:
                event = decode_event(message.data)
                if event.kind == GAP_EVENT:
                    gaps.append(gap_of_event(event))
            except (MalformedMessage, ValueError) as error:
                await self._quarantine.take(message, "malformed", str(error))
            else:
                events.append(event)
                understood.append(message)
        if not understood:
            return
        alive = asyncio.create_task(keep_in_hand(understood))
        try:
            await self._save(events, gaps)
        finally:
            alive.cancel()
        await acknowledge(understood)

    async def _save(self, events: Sequence[Event], gaps: Sequence[Gap]) -> None:
        while True:
            try:
                for gap in gaps:
                    await asyncio.to_thread(self._store.save_gap, gap)
                await asyncio.to_thread(self._store.save_events, events)
            except StoreUnavailable as error:
                _log.debug("%d events wait for the store: %s", len(events), error)
                await asyncio.sleep(_RETRY_STORE_AFTER)
            else:
                return
