"""Whether a PLC runs, by a value that moves as long as it does. Pure: a link may be live, and every read answered, from the image of a stopped PLC.

Rule: a PLC counts as stopped when it was heard, and its heartbeat had not moved, for long enough. What it did while it was not heard, or while we did not
listen, is not known: a bus that takes nothing, or a machine that stands still, is no PLC that does.
"""

import numpy as np

from plant.batch import Batch, SampleBatch


class HeartbeatWatch:
    """The PLC counts as stopped when the value of ``tag_id`` has not changed for ``within`` seconds. Times are seconds of one monotonic clock."""

    def __init__(self, tag_id: int, within: float, now: float) -> None:
        self._tag_id = tag_id
        self._within = within
        self._moved_at = now
        self._value: float | None = None

    def see(self, batch: Batch, now: float) -> bool:
        """Whether the heartbeat moved in ``batch``. A value that is not known to be one, being Bad, is no sign of life; nor is the first."""
        if not isinstance(batch, SampleBatch):
            return False
        values = batch.value[(batch.tag_id == self._tag_id) & (batch.quality >= 0)]
        if not len(values):
            return False
        before = values[0] if self._value is None else self._value
        self._value = float(values[-1])
        has_moved = bool(np.any(values != before))
        if has_moved:
            self._moved_at = now
        return has_moved

    def left(self, heard: float) -> float:
        """Seconds until the PLC counts as stopped, if it is ``heard`` so long without a move, it being heard last then; 0 or less when it does."""
        return self._moved_at + self._within - heard

    def excuse(self, seconds: float) -> None:
        """So long we did not listen."""
        self._moved_at += seconds

    def begin_anew(self, now: float) -> None:
        """A new session: the PLC has all its time again to show that it runs."""
        self._moved_at = now
