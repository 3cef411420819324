"""The way out for a message that can never be stored: kept, counted, and out of the way of the rest."""

import asyncio
import logging
from typing import Final

from nats.aio.msg import Msg

from plant.errors import BusUnavailable
from services.bus import Bus, subjects
from services.bus.quarantined import DETAIL, REASON
from services.historian.delivery import acknowledge
from services.historian.metrics import HistorianMetrics

_log = logging.getLogger(__name__)

_RETRY_AFTER: Final = 0.5
_DETAIL_LENGTH: Final = 500


class Quarantine:
    """Moves messages to the stream of quarantine."""

    def __init__(self, bus: Bus, metrics: HistorianMetrics) -> None:
        self._bus = bus
        self._metrics = metrics

    async def take(self, message: Msg, reason: str, detail: str) -> None:
        """Keeps the message's bytes with a reason; it is acknowledged when it is safe there, however long the bus takes."""
        origin = message.metadata
        _log.error("%s: message %d goes to quarantine: %s", message.subject, origin.sequence.stream, detail)
        headers = {REASON: reason, DETAIL: detail.encode("ascii", "replace").decode().replace("\n", " ")[:_DETAIL_LENGTH]}
        identity = f"{origin.stream}:{origin.sequence.stream}"
        while True:
            try:
                await self._bus.publish_durably(subjects.QUARANTINE_STREAM, subjects.quarantine(message.subject), message.data, identity, headers)
            except BusUnavailable as error:
                _log.warning("quarantine waits for the bus: %s", error)
                await asyncio.sleep(_RETRY_AFTER)
            else:
                break
        self._metrics.quarantined.labels(reason).inc()
        await acknowledge([message])
