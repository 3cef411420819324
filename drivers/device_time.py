"""Times of ours told by a device's clock: pure.

Rule: what the link itself says of a tag bears the device's time and is later than all the device said. A clock that is more than five minutes off tells
nothing of the kind: what it says is set right to ours (``drivers.source_clock``), and its history cannot be found by times of ours.
"""

from plant import times
from plant.batch import Batch
from plant.source_time import FURTHEST_OFF


class DeviceTime:
    """Of one device. ``offset`` is how far its clock was ahead of ours when it was last heard, ``latest`` the newest source time told of it; microseconds, 0
    before the first. ``is_far_off``: the clock was, by then."""

    def __init__(self) -> None:
        self.offset = 0
        self.latest = 0
        self.is_far_off = False

    def hear(self, offset: float | None) -> None:
        """The session's word on its device's clock: seconds, ``None`` where it does not know."""
        if offset is None:
            return
        self.is_far_off = is_far_off(offset)
        self.offset = 0 if self.is_far_off else round(offset * times.MICROSECONDS)

    def said(self, batch: Batch) -> None:
        self.latest = max(self.latest, int(batch.time.max()))

    def at(self, time: int) -> int:
        """``time`` of ours by the device's clock, and later than everything told of the device so far."""
        return max(time + self.offset, self.latest + 1)


def is_far_off(offset: float | None) -> bool:
    return offset is not None and abs(offset) * times.MICROSECONDS > FURTHEST_OFF
