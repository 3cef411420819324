"""How many requests may be under way at once on a line, and what a window that failed makes doubtful: pure.

Rules:

1. A device that drops the tail of an answer and goes on with the next lends that one's first bytes to the one before: its registers are well-formed and wrong.
   There is then an answer less than requests. So whatever leaves a request without its answer while several are under way is a tear: what was read and was
   not followed by an answer to all that was under way with it may be anything. A request to a unit that was silent before is none of these: no answer to it is
   expected, and those whose bytes could have been lent are there. If one came all the same and was lent, its rest stands on the connection, and that is a tear.
2. A window whose answers were lost, misnumbered or out of their frames is one request at a time from then on, and tried again after an hour, after the next
   failure two hours, at the most a day: many devices take one request at a time and say so nowhere, and each try of such a one costs a loss.
"""

import math
from typing import Final

NARROW_FOR: Final = 3600.0
"""Seconds before a window that failed for the first time is tried again."""
NARROW_AT_MOST: Final = 24 * 3600.0


class Window:
    """Of one line. ``width`` requests may be under way now, ``widest`` if all is well. ``tears`` is another number after each tear; with a width of 1 there
    are none. Times are seconds of one monotonic clock."""

    def __init__(self, widest: int) -> None:
        self.widest = self.width = widest
        self.tears = 0
        self._narrow_for = NARROW_FOR
        self._wide_again = math.inf

    @property
    def is_narrowed(self) -> bool:
        return self.width < self.widest

    def tear(self) -> None:
        """A request will not have its answer."""
        if self.width > 1:
            self.tears += 1

    def narrow(self, now: float) -> bool:
        """The window failed. Whether it is narrower for that."""
        if self.width == 1:
            return False
        self.tear()
        self.width = 1
        self._wide_again = now + self._narrow_for
        self._narrow_for = min(2 * self._narrow_for, NARROW_AT_MOST)
        return True

    def widen(self, now: float) -> bool:
        """Whether the time has come to try the window again; it is wide then. To be asked while nothing is under way."""
        if now < self._wide_again:
            return False
        self.width, self._wide_again = self.widest, math.inf
        return True
