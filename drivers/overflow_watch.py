"""Overflows in a device as intervals of the loss account: one for as long as they go on."""

from typing import Final

from drivers.loss_account import LossAccount
from plant import times
from plant.ledger import GapCause

OVER_AFTER: Final = 10 * times.MICROSECONDS
"""Microseconds without an overflow after which the last one was the end."""


class OverflowWatch:
    """Times are source time, UTC microseconds."""

    def __init__(self, account: LossAccount | None) -> None:
        self._account = account
        self._count = 0
        self._seen: int | None = None

    def see(self, count: int, known_until: int, now: int) -> None:
        """``count`` overflows so far in this session; all that came ``known_until`` then came before the newest of them."""
        if count > self._count:
            if self._seen is None and self._account is not None:
                self._account.lost(GapCause.QUEUE_OVERFLOW, known_until)
            self._seen = now
        elif self._seen is not None and now - self._seen > OVER_AFTER:
            self._over()
        self._count = count

    def end(self) -> None:
        """The session is over, and with it what overflowed."""
        self._count = 0
        if self._seen is not None:
            self._over()

    def _over(self) -> None:
        if self._account is not None and self._seen is not None:
            self._account.regained(GapCause.QUEUE_OVERFLOW, self._seen)
        self._seen = None
