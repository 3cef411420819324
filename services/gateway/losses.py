"""The losses of one device, told as rows of the loss ledger: when each began, when it ended, and whether what was missed came after all."""

from collections import deque
from collections.abc import Callable
from dataclasses import replace
from typing import Final

from plant import times
from plant.event import Event
from plant.ledger import Gap, GapCause, event_of_gap

_REMEMBERED: Final = 100


class Losses:
    """One loss of each cause is open at a time; of those that ended the last hundred can still turn out to be recovered."""

    def __init__(self, device: str, tell: Callable[[Event], None]) -> None:
        self._device = device
        self._tell = tell
        self._open: dict[GapCause, Gap] = {}
        self._ended: deque[Gap] = deque(maxlen=_REMEMBERED)

    def go_on_from(self, gap: Gap) -> None:
        """``gap`` was open when the gateway before this one ended."""
        self._open[gap.cause] = gap

    def lost(self, cause: GapCause, start: int) -> None:
        if cause not in self._open:
            self._open[cause] = Gap(self._device, start, None, cause)
            self._say(self._open[cause])

    def regained(self, cause: GapCause, end: int) -> None:
        gap = self._open.pop(cause, None)
        if gap is not None:
            ended = replace(gap, end=max(end, gap.start))
            self._ended.append(ended)
            self._say(ended)

    def recovered(self, cause: GapCause, start: int) -> None:
        for gap in [gap for gap in self._ended if gap.cause is cause and gap.start >= start]:
            self._ended.remove(gap)
            self._say(replace(gap, recovered=True))

    def _say(self, gap: Gap) -> None:
        self._tell(event_of_gap(gap, times.now()))
