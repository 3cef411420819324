"""An outage filled from the device's own history.

Rules:

1. It is asked for beside what is live, until it answers or the session ends: a device that is busy as it comes back will be less so.
2. Not of a device whose clock is more than five minutes off: its history is dated by that, and what it kept of the outage cannot be told.
3. The outage is recovered if the device's answer is whole; what came of it is stored either way.
"""

import asyncio
import logging
from typing import Final

from drivers.backoff import Backoff
from drivers.device_time import is_far_off
from drivers.loss_account import LossAccount
from drivers.metrics import DriverMetrics
from drivers.session import Session
from drivers.shelter import DriverFault, Shelter
from plant import times
from plant.batch import Batch
from plant.device import FieldDevice
from plant.errors import DeviceProtocolError, DeviceUnreachable
from plant.ledger import GapCause

_log = logging.getLogger(__name__)

_CLOCK_DOUBT: Final = 5 * times.MICROSECONDS
"""A device's clock is known to some seconds; what is fetched twice is stored once."""
_BACKOFF: Final = Backoff(first=1.0, cap=60.0)
"""Of asking again for a history that was refused: the device is up and busy, and what it kept will be there in a minute."""


class Recovery:
    """Of one device's outages into its ``account``."""

    def __init__(self, device: FieldDevice, account: LossAccount, metrics: DriverMetrics, shelter: Shelter) -> None:
        self._device = device
        self._account = account
        self._metrics = metrics
        self._shelter = shelter

    async def fill(self, session: Session, start: int, end: int, *, was_far_off: bool) -> None:
        """Fetches what the device kept from ``start`` to ``end``, UTC microseconds by its clock, which ``was_far_off`` at the loss. To be cancelled with the
        session.

        Raises:
            DriverFault: of ours; asked again at once it would come again.
        """
        if was_far_off or is_far_off(session.clock_offset):
            text = "%s at %s: its history of the outage is not asked for: a clock more than 5 min off dates it; set the clock"
            _log.warning(text, self._device.name, self._device.endpoint)
            return
        is_whole = await self._read(session, start - _CLOCK_DOUBT, end + _CLOCK_DOUBT)
        if is_whole and not is_far_off(session.clock_offset):  # it may not have been known before
            _log.info("%s at %s: the outage was filled from its own history", self._device.name, self._device.endpoint)
            self._account.recovered(GapCause.LINK_LOST, start)

    async def _read(self, session: Session, start: int, end: int) -> bool:
        """As ``Session.recover``, again and again until there is an answer. Raises as ``fill``."""
        failures = 0
        while True:
            try:
                with self._shelter.around("reading its history"):
                    return await session.recover(start, end, self._take)
            except DriverFault:
                raise
            except (DeviceUnreachable, DeviceProtocolError, TimeoutError) as error:
                failures += 1
                if failures == 1:
                    text = "%s at %s: its history of the outage could not be read: %s; trying again while the session lasts"
                    _log.warning(text, self._device.name, self._device.endpoint, error)
            await asyncio.sleep(_BACKOFF.wait(failures))

    async def _take(self, batch: Batch) -> None:
        if len(batch):
            self._metrics.recovered(len(batch))
            await self._account.take_history(batch)
