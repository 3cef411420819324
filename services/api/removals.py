"""Current values that were removed from history give way to the newest that is left."""

import asyncio
import logging

from plant.errors import StoreUnavailable
from plant.site import Site
from services.api.live_hub import LiveHub
from services.bus import Bus, subjects
from services.bus.edit_messages import Removal, decode_removal
from services.bus.messages import MalformedMessage
from services.store import LAST_TIME, Store

_log = logging.getLogger(__name__)


class Removals:
    """Heard from the historian, whoever asked for them."""

    def __init__(self, store: Store, site: Site, hub: LiveHub) -> None:
        self._store = store
        self._site = site
        self._hub = hub

    async def listen(self, bus: Bus) -> None:
        await bus.subscribe(subjects.HISTORY_REMOVED, self._on_removal)

    async def _on_removal(self, subject: str, data: bytes) -> None:
        try:
            await self.take(decode_removal(data))
        except MalformedMessage as error:
            _log.warning("%s: %s", subject, error)

    async def take(self, removal: Removal) -> None:
        """On return the hub shows what history says; if the store is away, nothing until it is compared with the snapshot again."""
        tag = self._site.by_id.get(removal.tag_id)
        if tag is None:
            return
        self._hub.forget(tag.id, removal.start, removal.end)
        try:
            self._hub.heal(await asyncio.to_thread(self._store.text_before if tag.data_type.is_text else self._store.sample_before, tag.id, LAST_TIME))
        except StoreUnavailable as error:
            _log.debug("the newest value of %s waits for the store: %s", tag.name, error)
