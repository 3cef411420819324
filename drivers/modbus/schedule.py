"""When a scan class is due, and whether the device keeps up with it.

Rules:

1. The first scan is due at once. The others are due at ``phase + k * period`` of the monotonic clock, whatever happens: no drift, no catching up.
2. The phase is a share of the period that follows from the names of device and class alone: a hundred devices with one period are asked one after the
   other and not all at once, and at the same moments after each reconnect.
3. Slots that passed before a scan ended are skipped. While most of the last ten scans were late, the device is overloaded, until few are.
"""

import math
import zlib
from collections import deque
from typing import Final

_LOOKED_AT: Final = 10
_OVERLOADED_ABOVE: Final = 5
_RELIEVED_BELOW: Final = 3


class Schedule:
    """``period`` is seconds; ``due`` is the next scan, ``time.monotonic()``."""

    def __init__(self, device: str, period: float, now: float) -> None:
        self.period = period
        self.due = now
        self._phase = zlib.crc32(f"{device}/{period:g}".encode()) / 2**32 * period
        self._was_late: deque[bool] = deque(maxlen=_LOOKED_AT)
        self.is_overloaded = False

    def done(self, now: float) -> int:
        """The scan that was due ended at ``now``. How many slots it let pass."""
        missed = max(0, math.floor((now - self.due) / self.period))
        self.due = self._phase + (math.floor((now - self._phase) / self.period) + 1) * self.period
        self._was_late.append(missed > 0)
        late = sum(self._was_late)
        self.is_overloaded = late > _OVERLOADED_ABOVE or (self.is_overloaded and late >= _RELIEVED_BELOW)
        return missed
