"""Retention: what is older than a site wants to keep is removed, in whole months, partitions or chunks. Hours stay, as roll-ups.

Rules:

1. Nothing is removed unless the site says how long it keeps history.
2. The age of history is measured from its own newest value, or from our clock if that is earlier: a clock that is ahead removes nothing that it should not.
3. Nothing is removed until the clock has gone ten minutes without a jump.
"""

import asyncio
import logging
import time
from collections.abc import Callable
from typing import Final

from plant import times
from plant.errors import StoreUnavailable
from services.historian.delivery import pause
from services.historian.metrics import HistorianMetrics
from services.store import Store

_log = logging.getLogger(__name__)

STEADY_FOR: Final = 600.0
"""Seconds."""

_JUMP: Final = 1.0
_PERIOD: Final = 60.0
_DUE: Final = 3600.0


class Retention:
    """``keep``: microseconds of history to keep, ``None`` for all of it. ``newest`` is the time of the newest current value, ``None`` before there is one."""

    def __init__(
        self,
        store: Store,
        keep: int | None,
        newest: Callable[[], int | None],
        metrics: HistorianMetrics,
        wall: Callable[[], int] = times.now,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._store = store
        self._keep = keep
        self._newest = newest
        self._metrics = metrics
        self._wall = wall
        self._monotonic = monotonic
        self._offset = wall() / times.MICROSECONDS - monotonic()
        self._steady_since = monotonic()
        self._done: float | None = None

    async def run(self, stop: asyncio.Event) -> None:
        while self._keep is not None and not stop.is_set():
            horizon = self.horizon()
            if horizon is not None:
                try:
                    removed = await asyncio.to_thread(self._store.drop_before, horizon)
                except StoreUnavailable as error:
                    _log.debug("retention waits for the store: %s", error)
                else:
                    self._done = self._monotonic()
                    self._metrics.retention_success.set_to_current_time()
                    if removed:
                        _log.info("history before %s is removed: %s", times.format_time(horizon), ", ".join(removed))
            await pause(stop, _PERIOD)

    def horizon(self) -> int | None:
        """The time (UTC microseconds) before which history may go now; ``None`` when it is not due, or the clock is not to be trusted."""
        now, moment = self._wall(), self._monotonic()
        offset = now / times.MICROSECONDS - moment
        if abs(offset - self._offset) > _JUMP:
            _log.warning("the clock jumped by %+.1f s: nothing is removed until it has been steady for %g s", offset - self._offset, STEADY_FOR)
            self._steady_since = moment
        self._offset = offset
        newest = self._newest()
        if self._keep is None or newest is None or moment - self._steady_since < STEADY_FOR:
            return None
        if self._done is not None and moment - self._done < _DUE:
            return None
        return min(now, newest) - self._keep
