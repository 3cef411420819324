"""Batches of one device on their way to the bus, in order, each until the bus has it on disk.

Rules:

1. One batch is in flight at a time, so that the stream holds a device's batches in order of sequence.
2. A batch that the bus did not confirm is offered again under the same identity, for ever; the stream keeps it once.
3. The outbox is bounded in bytes. When it is full ``put`` waits: the device is read no further, which its driver shows as late scans, and the interval
   becomes a row of the loss ledger.
"""

import asyncio
import logging
import time
from collections import deque
from dataclasses import dataclass
from typing import Final

from plant.batch import Batch, TextBatch
from plant.envelope import Envelope, seal
from plant.errors import BusUnavailable
from plant.quality import Quality
from services.bus import Bus, subjects
from services.gateway.metrics import GatewayMetrics

_log = logging.getLogger(__name__)

CAPACITY: Final = 4 * 1024**2
"""Bytes of one device's batches that may wait: about an hour of a hundred tags at one second."""

LARGEST_MESSAGE: Final = 1024**2
"""Bytes: the bus takes eight times as much, and the historian holds some hundred messages at once."""

_RETRY_AFTER: Final = 0.2


@dataclass(frozen=True, slots=True)
class _Sealed:
    sequence: int
    data: bytes
    samples: int


class Outbox:
    """The one way of a device's batches to the bus; ``run`` it as a task beside the callers of ``put``."""

    def __init__(self, bus: Bus, area: str, device: str, epoch: int, metrics: GatewayMetrics, capacity: int = CAPACITY) -> None:
        self._bus = bus
        self._subject = subjects.samples(area, device)
        self._device = device
        self._epoch = epoch
        self._metrics = metrics
        self._capacity = capacity
        self._waiting: deque[_Sealed] = deque()
        self._waiting_bytes = 0
        self._sequence = 0
        self._changed = asyncio.Condition()

    @property
    def is_full(self) -> bool:
        return self._waiting_bytes >= self._capacity

    async def put(self, batch: Batch, received: int) -> None:
        """Takes a batch, waiting while the outbox is full. ``received`` is the gateway's clock when its last sample arrived, UTC microseconds.

        A batch of more than ``LARGEST_MESSAGE`` bytes is halved until its parts are not; one text that is longer alone is Bad, without its value.
        """
        async with self._changed:
            await self._changed.wait_for(lambda: not self.is_full)
            data = seal(batch, Envelope(self._device, self._epoch, self._sequence, received))
            if len(data) <= LARGEST_MESSAGE:
                self._append(batch, data)
                return
        if len(batch) > 1:
            middle = len(batch) // 2
            await self.put(batch.select(slice(0, middle)), received)
            await self.put(batch.select(slice(middle, None)), received)
        else:
            _log.error("%s: the text of tag %d is %d bytes long, too long for the bus", self._device, batch.tag_id[0], len(data))
            self._metrics.dropped.labels("too long").inc()
            await self.put(TextBatch.without_value(batch.tag_id.tolist(), int(batch.time[0]), Quality.BAD_ENCODING_LIMITS_EXCEEDED), received)

    def _append(self, batch: Batch, data: bytes) -> None:
        self._waiting.append(_Sealed(self._sequence, data, len(batch)))
        self._sequence += 1
        self._count_bytes(len(data))
        self._changed.notify_all()

    async def run(self) -> None:
        while True:
            async with self._changed:
                await self._changed.wait_for(lambda: bool(self._waiting))
                sealed = self._waiting[0]
            await self._publish(sealed)
            async with self._changed:
                self._waiting.popleft()
                self._count_bytes(-len(sealed.data))
                self._changed.notify_all()

    async def drained(self) -> None:
        """Returns when the bus has everything."""
        async with self._changed:
            await self._changed.wait_for(lambda: not self._waiting)

    async def _publish(self, sealed: _Sealed) -> None:
        identity = f"{self._device}:{self._epoch}:{sealed.sequence}"
        refused_before = False
        while True:
            begun = time.monotonic()
            try:
                await self._bus.publish_durably(subjects.SAMPLES_STREAM, self._subject, sealed.data, identity)
            except BusUnavailable as error:
                self._metrics.refusals.inc()
                if not refused_before:
                    _log.warning("%s: the bus does not take batches, keeping them here: %s", self._device, error)
                refused_before = True
                await asyncio.sleep(_RETRY_AFTER)
            else:
                self._metrics.publish_duration.observe(time.monotonic() - begun)
                self._metrics.published.labels(self._device).inc(sealed.samples)
                if refused_before:
                    _log.info("%s: the bus takes batches again", self._device)
                return

    def _count_bytes(self, change: int) -> None:
        self._waiting_bytes += change
        self._metrics.unpublished_bytes.labels(self._device).set(self._waiting_bytes)
