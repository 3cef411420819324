"""The line from one device to the bus: link, exception report, outbox; and the values the gateway itself knows of that device."""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Sequence
from typing import Any

import numpy as np

from drivers import DeviceLink
from plant import times
from plant.batch import Batch, SampleBatch
from plant.device import ClockOffset, Device, LinkLost
from plant.event import Event
from plant.exception_report import ExceptionReport
from plant.ledger import Gap, GapCause
from plant.link import DeviceStatus
from plant.quality import UNCERTAIN_FLOOR, Quality
from plant.tag import Tag
from services.gateway.losses import Losses
from services.gateway.metrics import GatewayMetrics
from services.gateway.outbox import Outbox

_log = logging.getLogger(__name__)

_OWN_VALUES_PERIOD = 1.0


class Line:
    """One device's way to the bus, and its ``drivers.LossAccount``.

    Samples enter through ``take``, whoever made them: the link, the gateway's own knowledge, a calculation.
    """

    def __init__(
        self,
        device: Device,
        tags: Sequence[Tag],
        outbox: Outbox,
        metrics: GatewayMetrics,
        on_samples: Callable[[SampleBatch], Awaitable[None]],
        tell: Callable[[Event], None],
    ) -> None:
        self.device = device
        self._outbox = outbox
        self._report = ExceptionReport(tags)
        self._metrics = metrics
        self._on_samples = on_samples
        self._link_lost = np.array([tag.id for tag in tags if isinstance(tag.source, LinkLost)], np.int32)
        self._clock_offset = np.array([tag.id for tag in tags if isinstance(tag.source, ClockOffset)], np.int32)
        self._losses = Losses(device.name, tell)
        self.lost = self._losses.lost
        self.regained = self._losses.regained
        self.recovered = self._losses.recovered
        self._is_refused = False
        self._waiting = 0

    def go_on_from(self, gap: Gap) -> None:
        """``gap`` was open when the gateway before this one ended. The link closes one of its own when it is up; the bus takes batches again already."""
        self._losses.go_on_from(gap)
        if gap.cause is not GapCause.LINK_LOST:
            self.regained(gap.cause, times.now())

    async def take_history(self, batch: Batch) -> None:
        """Late samples, complete: the exception report knows of what is live, and what is late goes past it."""
        self._count(batch)
        await self._hand_on(batch, times.now())

    async def take(self, batch: Batch) -> None:
        """Filters a batch and hands it to the outbox; waits while that is full."""
        if not len(batch):
            return
        received = times.now()
        self._count(batch)
        kept = self._report.filter(batch) if isinstance(batch, SampleBatch) else self._report.filter_text(batch)
        if len(kept):
            await self._hand_on(kept, received)
        if isinstance(batch, SampleBatch):
            await self._on_samples(batch)

    async def _hand_on(self, batch: Batch, received: int) -> None:
        if self._outbox.is_full or self._is_refused:
            await self._put_when_room(batch, received)
        else:
            await self._outbox.put(batch, received)

    async def _put_when_room(self, batch: Batch, received: int) -> None:
        """The device is read no further until the bus takes batches again: the time between is one gap, however many batches wait for its end."""
        if not self._is_refused:
            _log.error("%s: the bus has not taken batches for so long that no more can be kept; the device waits", self.device.name)
            self._is_refused = True
            self.lost(GapCause.BUS_REFUSED, received)
        self._waiting += 1
        try:
            await self._outbox.put(batch, received)
        finally:
            self._waiting -= 1
        if not self._waiting and not self._outbox.is_full:
            self._is_refused = False
            self.regained(GapCause.BUS_REFUSED, times.now())
            _log.info("%s: the bus takes batches again, the device is read on", self.device.name)

    def _count(self, batch: Batch) -> None:
        bad = int(np.count_nonzero(batch.quality < 0))
        uncertain = int(np.count_nonzero(batch.quality >= UNCERTAIN_FLOOR))
        for severity, count in (("bad", bad), ("uncertain", uncertain), ("good", len(batch) - bad - uncertain)):
            if count:
                self._metrics.ingested.labels(self.device.protocol, self.device.name, severity).inc(count)

    async def tell_own_values(self, link: DeviceLink[Any]) -> None:
        """Publishes, each second and for ever, what the gateway knows of the device without asking it."""
        if not len(self._link_lost) and not len(self._clock_offset):
            return
        while True:
            await self.take(self._own_values(link.status))
            await asyncio.sleep(_OWN_VALUES_PERIOD)

    def _own_values(self, status: DeviceStatus) -> SampleBatch:
        now = times.now()
        link_lost = SampleBatch.of_one_time(self._link_lost, now, 0.0 if status.state.is_up else 1.0, Quality.GOOD)
        if not status.state.is_up:
            offset, quality = np.nan, Quality.BAD_NO_COMMUNICATION
        elif status.clock_offset is not None:
            offset, quality = status.clock_offset * 1000.0, Quality.GOOD
        elif not self.device.has_clock:
            offset, quality = 0.0, Quality.GOOD
        else:
            offset, quality = np.nan, Quality.BAD_WAITING_FOR_INITIAL_DATA
        return SampleBatch.concatenate([link_lost, SampleBatch.of_one_time(self._clock_offset, now, offset, quality)])
