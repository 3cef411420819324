"""When a scan class is due, and whether the device keeps up with it.

Rules:

1. The first scan is due at once. The others are due at ``phase + k * period`` of the monotonic clock, whatever happens: no drift, no catching up.
2. The phase is a share of the period that follows from the names of device and class alone: a hundred devices with one period are asked one after the
   other and not all at once, and at the same moments after each reconnect.
3. Slots that passed before a scan ended are skipped, and the scan was late (``drivers.lateness``), if it would have been had nobody held it up but the device.
"""

import math
import zlib

from drivers.lateness import Lateness


class Schedule:
    """``period`` is seconds; ``due`` is the next scan, ``time.monotonic()``."""

    def __init__(self, device: str, period: float, now: float) -> None:
        self.period = period
        self.due = now
        self._phase = zlib.crc32(f"{device}/{period:g}".encode()) / 2**32 * period
        self._excused = 0.0
        self._lateness = Lateness()

    @property
    def is_overloaded(self) -> bool:
        return self._lateness.is_overloaded

    def excuse(self, seconds: float) -> None:
        """So long whoever takes the samples let the scan wait."""
        self._excused += seconds

    def done(self, now: float) -> int:
        """The scan that was due ended at ``now``. How many slots it let pass."""
        missed = max(0, math.floor((now - self.due) / self.period))
        is_late = now - self.due - self._excused >= self.period
        self.due = self._phase + (math.floor((now - self._phase) / self.period) + 1) * self.period
        self._lateness.note(is_late)
        self._excused = 0.0
        return missed
