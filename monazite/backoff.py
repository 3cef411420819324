"""How long to wait before a process that died is started again."""

from typing import Final

FIRST_DELAY: Final = 0.2
LONGEST_DELAY: Final = 10.0
FORGIVEN_AFTER: Final = 30.0


class Backoff:
    """Doubles from ``FIRST_DELAY`` to ``LONGEST_DELAY``; a life of ``FORGIVEN_AFTER`` seconds starts the count anew."""

    def __init__(self) -> None:
        self._deaths = 0

    def after(self, lived: float) -> float:
        """Seconds to wait after a death at the age of ``lived`` seconds."""
        if lived >= FORGIVEN_AFTER:
            self._deaths = 0
        delay = min(LONGEST_DELAY, FIRST_DELAY * 2.0 ** min(self._deaths, 16))
        self._deaths += 1
        return delay
