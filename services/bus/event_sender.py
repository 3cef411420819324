"""Events on their way to the stream: told at once, sent in order, each until the stream has it."""

import asyncio
import logging
from typing import Final

from prometheus_client import CollectorRegistry, Counter

from plant.errors import BusUnavailable
from plant.event import Event
from services.bus.client import Bus

_log = logging.getLogger(__name__)

_CAPACITY: Final = 10_000
_RETRY_AFTER: Final = 0.5


class EventSender:
    """``tell`` never waits; ``run`` it as a task. An event that finds no room is lost, which is logged and counted."""

    def __init__(self, bus: Bus, registry: CollectorRegistry) -> None:
        self._bus = bus
        self._waiting: asyncio.Queue[Event] = asyncio.Queue(_CAPACITY)
        self._dropped = Counter("monazite_events_dropped", "Events lost because the bus took none for too long.", registry=registry)

    def tell(self, event: Event) -> None:
        try:
            self._waiting.put_nowait(event)
        except asyncio.QueueFull:
            self._dropped.inc()
            _log.error("event %s is lost: the bus has not taken events for so long that no more can be kept", event.id)

    async def run(self) -> None:
        while True:
            event = await self._waiting.get()
            while True:
                try:
                    await self._bus.publish_event(event)
                except BusUnavailable as error:
                    _log.debug("event %s waits for the bus: %s", event.id, error)
                    await asyncio.sleep(_RETRY_AFTER)
                else:
                    break
            self._waiting.task_done()

    async def sent(self) -> None:
        """Returns when everything told is in the stream."""
        await self._waiting.join()
