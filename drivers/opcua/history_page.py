"""What is asked next of one node's history, and what an answer shows of it. Pure. Source: OPC UA Part 11, 6.4.3.

Rules:

1. Nothing is whole without proof: a history that keeps the newest values only answers Good with what it has. It goes back to a time if it has a value at that
   time or before it, which is what the first bound is.
2. Servers give the same continuation point again and go on even so, or cut an answer short at the number that was asked for and give none: what is newer
   is asked for until an answer brings nothing newer.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, Final

from asyncua import ua

from drivers.opcua.decode import sample_time
from plant.batch import Batch

LARGEST_ANSWER: Final = 500
"""Values of one node in one answer: with the nodes of one call, what can be decoded in a tenth of a second, in which nothing else runs."""
MOST_IDLE: Final = 10
"""Answers in a row that bring nothing newer and say that there is more: the server goes in a circle."""


@dataclass(frozen=True, slots=True)
class HistoryPage:
    """``place`` is the node, or one element of it; ``since`` and ``newest``, the time of the newest value so far, are source time, UTC microseconds; ``idle``
    are the answers in a row that brought none newer."""

    handle: int
    place: ua.ReadValueId
    since: int
    continuation: bytes | None = None
    newest: int = 0
    idle: int = 0

    def next(self, answer: "HistoryAnswer", batches: Sequence[Batch]) -> "HistoryPage | None":
        """What to ask after ``answer``, whose values ``batches`` are; ``None`` at its end."""
        newest = max([self.newest, *(int(batch.time.max()) for batch in batches if len(batch))])
        idle = self.idle + 1 if newest == self.newest else 0
        if answer.continuation is not None:
            return replace(self, continuation=answer.continuation, newest=newest, idle=idle)
        if len(answer.values) >= LARGEST_ANSWER:
            return replace(self, since=newest, continuation=None, newest=newest, idle=idle)
        return None

    def anew(self) -> "HistoryPage":
        """The server has forgotten where it was."""
        return replace(self, since=max(self.since, self.newest), continuation=None, idle=self.idle + 1)


@dataclass(frozen=True, slots=True)
class HistoryAnswer:
    """``values`` are what the node has, in their order; ``missing_bounds`` the times, UTC microseconds, at which the server says that it has no bound."""

    values: Sequence[ua.DataValue]
    continuation: bytes | None
    missing_bounds: Sequence[int]

    @staticmethod
    def of(result: ua.HistoryReadResult) -> "HistoryAnswer":
        data: Any = result.HistoryData
        found = (data.DataValues or []) if isinstance(data, ua.HistoryData) else []
        missing = [sample_time(value, 0) for value in found if _is_missing_bound(value)]
        return HistoryAnswer([value for value in found if not _is_missing_bound(value)], result.ContinuationPoint or None, missing)

    def goes_back_to(self, start: int) -> bool:
        """Whether there is a value at ``start`` or before it. What bears no time proves nothing."""
        return any(0 < sample_time(value, 0) <= start for value in self.values)

    def begins_after(self, start: int) -> bool:
        """Whether the server itself says that it has none."""
        return any(0 < time <= start for time in self.missing_bounds)


def _is_missing_bound(value: ua.DataValue) -> bool:
    return value.StatusCode is not None and value.StatusCode.value & 0xFFFF_0000 == ua.StatusCodes.BadBoundNotFound
