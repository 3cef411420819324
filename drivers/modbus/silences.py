"""What the silence of units means for the line that they share: pure.

Rules:

1. A unit that shares its line is silent by itself if another answered since the connection was made. Else the silence is the line's. A connection that we
   made anew ourselves for one unit's silence is the same one here.
2. Two silences in a row, with no answer between them, may be the connection's own end.
3. A gateway that serves one request at a time may still wait for a silent unit when we no longer do. Until it answers something, the other units asked
   meanwhile have four times their time.
4. After its first silence a unit is tried again soon. After the second in a row it gets a place in a row with the other silent units of its line, whose tries
   together cost the line one part in twenty of its time. When one of them answers again, all may be tried: what parted them from the line was one thing.
"""

from collections.abc import Iterable
from typing import Final

_PATIENCE: Final = 4.0
_SHARE: Final = 20.0
_SOONEST: Final = 5.0
"""Seconds before a unit that was silent twice is tried again, at least."""


class Silences:
    """Of one line. Times are seconds of one monotonic clock."""

    def __init__(self) -> None:
        self._connected = 0.0
        self._in_a_row = 0
        self._of_unit: dict[int, int] = {}
        self._given_up: int | None = None
        self._next_try = 0.0

    def connected(self, now: float, *, was_reset_for_one: bool = False) -> None:
        self._given_up = None
        if not was_reset_for_one:
            self._connected, self._in_a_row = now, 0

    def line_answered(self) -> None:
        """Something came: a gateway's word on a unit, or an answer that was late."""
        self._in_a_row, self._given_up = 0, None

    def unit_answered(self, unit: int) -> bool:
        """Whether it is back from a silence for which it had a place in the row."""
        self.line_answered()
        if self._of_unit.pop(unit, 0) < 2:
            return False
        self._next_try = 0.0
        return True

    def is_silent(self, unit: int) -> bool:
        """It did not answer what it was asked last, though others on the line did."""
        return unit in self._of_unit

    def fell(self) -> None:
        """One more unit did not answer in time."""
        self._in_a_row += 1

    def gave_up(self, unit: int) -> None:
        """The answer of ``unit`` is not waited for any more; what serves the line may wait for it still."""
        self._given_up = unit

    def within(self, unit: int, timeout: float) -> float:
        """Seconds for the answer to a request that is sent to ``unit`` now."""
        return timeout if self._given_up in {None, unit} else _PATIENCE * timeout

    @property
    def are_the_line_s(self) -> bool:
        return self._in_a_row > 1

    def next_try(self, unit: int, costs: float, others_answered: Iterable[float], now: float) -> float | None:
        """``unit`` does not answer: seconds until its place in the row, each try costing the line ``costs`` seconds. ``None``: soon, as after any other loss.

        ``others_answered``: when each other unit of the line last did.
        """
        if not any(answered > self._connected for answered in others_answered):
            return None
        self._of_unit[unit] = self._of_unit.get(unit, 0) + 1
        if self._of_unit[unit] == 1:
            return None
        place = max(now + _SOONEST, self._next_try)
        self._next_try = place + _SHARE * costs
        return place - now
