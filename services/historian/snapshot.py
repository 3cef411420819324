"""The current value of every tag: in memory at once, in the store some time after.

Rules:

1. A sample that was removed from history is nobody's current value: that is the newest left, or none. The store sees to its own snapshot in the deletion,
   so that a kill leaves none of it; nothing is saved meanwhile, so that what was in memory before does not come back.
2. It is forgotten before history is read again: what is committed in between is newer, and stays. What a commit under way brings may have been removed before
   it is known here: it is forgotten then, and history read again.
"""

import asyncio
import contextlib
import logging
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from typing import Final

from plant.batch import Batch
from plant.current_values import CurrentValues
from plant.errors import StoreUnavailable
from plant.site import Site
from services.historian.delivery import pause
from services.store import FIRST_TIME, LAST_TIME, Store

_log = logging.getLogger(__name__)

_PERIOD: Final = 1.0

Removed = Callable[[int, int, int], Awaitable[None]]
"""Told that a tag id has no sample with ``start <= time < end`` (UTC microseconds) any more, of which the last was its current value."""


class Snapshot:
    """``removed`` is told what is nobody's current value any more, once the next one is known here."""

    def __init__(self, store: Store, site: Site, removed: Removed) -> None:
        self._store = store
        self._site = site
        self._removed = removed
        self._current = CurrentValues(site.tags)
        self._forgotten: dict[int, int] = {}
        self._removed_meanwhile: list[tuple[int, int, int]] | None = None
        """While a commit is under way."""
        self._one = asyncio.Lock()

    @property
    def newest(self) -> int | None:
        """Time of the newest of all; ``None`` before there is one."""
        return self._current.newest

    def update(self, batch: Batch) -> None:
        self._current.update(batch)

    async def run(self, stop: asyncio.Event) -> None:
        """Saves what changed, until ``stop`` is set."""
        while not stop.is_set():
            await pause(stop, _PERIOD)
            async with self._one:
                await self._read_forgotten()
                await self._save()

    @contextlib.contextmanager
    def committing(self) -> Iterator[None]:
        """Around a commit of live samples and the update with them; there is one at a time."""
        removed: list[tuple[int, int, int]] = []
        self._removed_meanwhile = removed
        try:
            yield
        finally:
            self._removed_meanwhile = None
            for tag_id, start, end in removed:
                self._forget(tag_id, start, end)

    def _forget(self, tag_id: int, start: int, end: int) -> bool:
        time = self._current.forget(tag_id, start, end)
        if time is not None:
            self._forgotten[tag_id] = time
        return time is not None

    @contextlib.asynccontextmanager
    async def removing(self, tag_id: int, start: int, end: int) -> AsyncIterator[None]:
        """Around whatever may remove samples of a tag with ``start <= time < end``."""
        async with self._one:
            try:
                yield
            finally:
                if self._removed_meanwhile is not None:
                    self._removed_meanwhile.append((tag_id, start, end))
                if self._forget(tag_id, start, end):
                    await self._read_forgotten()

    async def _read_forgotten(self) -> None:
        for tag_id, time in sorted(self._forgotten.items()):
            try:
                newest = await asyncio.to_thread(self._newest_of, tag_id)
            except StoreUnavailable as error:
                _log.debug("current values that were removed wait for the store: %s", error)
                return
            self._current.update(newest)
            del self._forgotten[tag_id]
            left = int(newest.time[0]) if len(newest) else FIRST_TIME
            if left < time:
                await self._removed(tag_id, left + 1, time + 1)

    def _newest_of(self, tag_id: int) -> Batch:
        is_text = self._site.by_id[tag_id].data_type.is_text
        return self._store.text_before(tag_id, LAST_TIME) if is_text else self._store.sample_before(tag_id, LAST_TIME)

    async def _save(self) -> None:
        samples, texts = self._current.take_changed()
        if len(samples) or len(texts):
            try:
                await asyncio.to_thread(self._store.save_snapshot, samples, texts)
            except StoreUnavailable as error:
                _log.debug("the snapshot waits for the store: %s", error)
                self._current.update(samples)
                self._current.update(texts)
