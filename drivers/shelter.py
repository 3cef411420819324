"""Devices are sheltered from each other's faults, and the faults are not hidden.

Rule: what one device brings to light in a driver - an exception that no driver should raise - ends that device's session only. It is in the log with its
place and counted, and the device is Bad meanwhile; every other device goes on. This is the one place where an exception of any kind is caught.
"""

import logging
from collections.abc import AsyncGenerator, Iterator
from contextlib import aclosing, contextmanager

from drivers.metrics import DriverMetrics
from drivers.session import Session
from plant.batch import Batch
from plant.device import FieldDevice
from plant.errors import DeviceProtocolError, DeviceUnreachable

_log = logging.getLogger(__name__)


class DriverFault(DeviceProtocolError):
    """A defect of the driver that this device brought to light."""


class Shelter:
    """Around everything that a protocol package does for one device."""

    def __init__(self, device: FieldDevice, metrics: DriverMetrics) -> None:
        self._device = device
        self._metrics = metrics

    @contextmanager
    def around(self, doing: str) -> Iterator[None]:
        """Raises ``DriverFault`` for a fault of ours while ``doing`` something; what the seam allows passes, and so does a time-out."""
        try:
            yield
        except (DeviceUnreachable, DeviceProtocolError, TimeoutError):
            raise
        except Exception as fault:
            self._metrics.faulted()
            _log.error("%s at %s: a fault of the driver in %s", self._device.name, self._device.endpoint, doing, exc_info=fault)
            raise DriverFault(f"a fault of the driver in {doing}, which the log describes: {type(fault).__name__}: {fault}") from fault

    async def batches(self, session: Session) -> AsyncGenerator[Batch, None]:
        """The session's own, sheltered; what the taker of a batch raises is none of the driver's faults."""
        async with aclosing(session.batches()) as batches:
            while True:
                with self.around("reading"):
                    batch = await anext(batches, None)
                if batch is None:
                    return
                yield batch
