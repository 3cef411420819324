"""How long to wait before trying again: exponential, capped, with full jitter, for ever."""

import random
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Backoff:
    """Waits in seconds. The n-th wait is drawn evenly from (floor, min(cap, first * 2**n)), so that devices lost together do not come back together.

    With these values a device that was away for however long is back within five seconds of answering again, in one and a half on the average, at a cost of
    one try in two seconds.
    """

    first: float = 0.5
    cap: float = 4.0
    floor: float = 0.05

    def wait(self, failures: int) -> float:
        """Seconds to wait after ``failures`` failures in a row (1 or more)."""
        longest = min(self.cap, self.first * 2.0 ** min(failures - 1, 32))
        return random.uniform(min(self.floor, longest), longest)  # noqa: S311 - spreads load, guards nothing
