"""What a device shows after a write of which nobody knows whether it was done.

Rules:

1. The write is never sent again. What the tag shows next is its read-back, and an event of its own: people who were told "unknown" see what became of it.
2. A sample counts if the device took it after the write, by its own clock, or if it came in a session that was opened since: the first value there may be old
   because nothing was written. Of those that come within two seconds the newest counts, since what a device queued comes oldest first.
3. A Bad value shows nothing. What was not shown within a quarter of an hour, or before the next command for the tag, will not be.
"""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

import numpy as np

from plant import times
from plant.batch import Batch
from plant.command import Command, CommandValue
from plant.event import Event
from plant.link import DeviceStatus
from plant.quality import quality_name

_SETTLED_AFTER: Final = 2.0
_FORGOTTEN_AFTER: Final = 900.0
_MOST: Final = 100
"""Tags awaited at a time; the oldest is given up for one more."""


@dataclass(slots=True)
class _Awaited:
    command: Command
    sent_at: int
    session: int
    ends: asyncio.TimerHandle
    shown: tuple[int, CommandValue, int] | None = None
    """Time, value and quality."""


class ReadBacks:
    """Of one device. ``status`` is its link's."""

    def __init__(self, tell: Callable[[Event], None], status: Callable[[], DeviceStatus]) -> None:
        self._tell = tell
        self._status = status
        self._awaited: dict[int, _Awaited] = {}

    def expect(self, tag_id: int, command: Command, sent_at: int) -> None:
        """Nobody knows what became of ``command``, which left after ``sent_at`` (UTC microseconds, our clock) in the session that is open or was the last.
        What an earlier command of the tag still waits for will not be shown: its read-back could not be told from this one's."""
        self.give_up(tag_id, "another command for the tag was sent, and it is not known either whether it was done")
        if len(self._awaited) >= _MOST:
            self.give_up(next(iter(self._awaited)), "too many others are awaited")
        offset = self._status().clock_offset or 0.0
        ends = asyncio.get_running_loop().call_later(_FORGOTTEN_AFTER, self.give_up, tag_id, f"the tag showed nothing within {_FORGOTTEN_AFTER / 60:g} minutes")
        self._awaited[tag_id] = _Awaited(command, sent_at + round(offset * times.MICROSECONDS), self._status().reconnects, ends)

    def give_up(self, tag_id: int, reason: str) -> None:
        """Tells that nothing was read back, or what the tag showed so far, if anything was awaited."""
        awaited = self._awaited.pop(tag_id, None)
        if awaited is not None:
            self._end(awaited, f"not read back: {reason}" if awaited.shown is None else f"what the tag showed so far: {reason}")

    def see(self, batch: Batch) -> None:
        """What the link publishes, before anything is left out."""
        if not self._awaited:
            return
        session = self._status().reconnects
        for tag_id in list(self._awaited):
            awaited = self._awaited[tag_id]
            rows = np.flatnonzero((batch.tag_id == tag_id) & (batch.quality >= 0) & ((batch.time >= awaited.sent_at) | (session != awaited.session)))
            if not len(rows):
                continue
            row = rows[int(np.argmax(batch.time[rows]))]
            value: CommandValue = str(batch.value[row]) if isinstance(batch.value[row], str) else float(batch.value[row])
            shown = (int(batch.time[row]), value, int(batch.quality[row]))
            if awaited.shown is None:
                awaited.ends.cancel()
                awaited.ends = asyncio.get_running_loop().call_later(_SETTLED_AFTER, self._show, tag_id)
            awaited.shown = shown if awaited.shown is None or shown[0] >= awaited.shown[0] else awaited.shown

    def _show(self, tag_id: int) -> None:
        awaited = self._awaited.pop(tag_id)
        self._end(awaited, "what the tag shows after a command of which it is not known whether it was done")

    def _end(self, awaited: _Awaited, detail: str) -> None:
        awaited.ends.cancel()
        command = awaited.command
        _, value, quality = awaited.shown or (0, None, None)
        told = {"id": command.id, "value": command.value, "read_back": value, "quality": None if quality is None else quality_name(quality), "detail": detail}
        self._tell(Event(f"{command.id}:read_back", times.now(), "command.read_back", command.tag, command.user, told))
