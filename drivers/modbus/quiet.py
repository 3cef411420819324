"""When a line may be sent on: after an answer, after an error, and while something else is heard on it. Pure.

Rules:

1. Between two frames there is a rest; after an error where answers bear no number the line is left alone for a time-out.
2. Bytes that nobody asked for begin a noise, which lasts for as long as nothing could be sent between two of them. One that lasts for five seconds ends all
   sessions: nothing could be asked of anybody meanwhile.
"""

from typing import Final

PATIENCE: Final = 5.0
"""Seconds of noise after which a line is given up."""


class Quiet:
    """Of one line. Times are seconds of one monotonic clock; the line may be sent on from ``until`` on."""

    def __init__(self) -> None:
        self.until = 0.0
        self._noisy_since: float | None = None
        self._newest_noise = 0.0

    def keep_until(self, time: float) -> None:
        self.until = max(self.until, time)

    def sent(self) -> None:
        self._noisy_since = None

    def heard_noise(self, now: float) -> bool:
        """Whether a noise begins with it."""
        begins = self._noisy_since is None or now >= self.until
        if begins:
            self._noisy_since = now
        self._newest_noise = now
        return begins

    @property
    def is_hopeless(self) -> bool:
        return self._noisy_since is not None and self._newest_noise - self._noisy_since > PATIENCE
