"""What a server kept of its values while nobody listened: HistoryRead of raw data (OPC UA Part 11, 6.4.3)."""

from collections import deque
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, replace
from datetime import UTC
from itertools import islice, takewhile
from typing import Any, Final

from asyncua import ua

from drivers.opcua.connection import Connection
from drivers.opcua.decode import HandleTable, decode
from drivers.opcua.history_page import LARGEST_ANSWER, MOST_IDLE, HistoryAnswer, HistoryPage
from drivers.opcua.node_directory import NodeDirectory
from drivers.opcua.operation_limits import OperationLimits
from plant import times
from plant.batch import Batch
from plant.errors import DeviceUnreachable
from plant.quality import Quality, is_bad, quality_name, stored_form
from plant.tag import Tag

_LATER: Final = {
    stored_form(code)
    for code in (
        ua.StatusCodes.BadNoContinuationPoints,
        ua.StatusCodes.BadTooManyOperations,
        ua.StatusCodes.BadResourceUnavailable,
        ua.StatusCodes.BadOutOfMemory,
        ua.StatusCodes.BadTimeout,
    )
}
"""Of one node: the server has no room for it now."""
_FORGOTTEN: Final = stored_form(ua.StatusCodes.BadContinuationPointInvalid)
_NONE: Final = {Quality.BAD_NO_DATA}
_LONG_AGO: Final = 3650 * 86_400 * times.MICROSECONDS
"""How far back the value before an outage is looked for: it may be old, and the ends of the time scale mean "none" to servers."""


@dataclass(slots=True)
class _Outage:
    """How far the reading has come. ``unproven`` are nodes read to their end of which it is not known whether they go back to ``start``."""

    start: int
    end: int
    pages: deque[HistoryPage]
    unproven: deque[HistoryPage]
    is_whole: bool
    put_off: int = 0
    """Nodes in a row for which the server had no room."""


class DeviceHistory:
    """Client handle = position of the tag in ``tags``."""

    def __init__(
        self, connection: Connection, limits: OperationLimits, directory: NodeDirectory, tags: Sequence[Tag], table: HandleTable, clock: Callable[[], int]
    ) -> None:
        self._connection = connection
        self._limits = limits
        self._directory = directory
        self._tags = tags
        self._table = table
        self._clock = clock
        self._outage: _Outage | None = None

    async def read(self, start: int, end: int, take: Callable[[Batch], Awaitable[None]]) -> bool:
        """Hands over the samples from ``start`` to ``end`` (source time, UTC microseconds), and says whether the server kept those of every tag, and all of
        them, as far as that can be proved. Called with the same times after an error, it goes on from where it stopped.

        Raises:
            DeviceUnreachable, DeviceProtocolError
        """
        outage = self._outage
        if outage is None or (outage.start, outage.end) != (start, end):
            outage = self._outage = await self._begin(start, end)
        try:
            while outage.pages:
                await self._next_pages(outage, take)
            while outage.unproven and outage.is_whole:
                await self._prove(outage)
        except _NoHistory:
            outage.is_whole = False
        self._outage = None
        return outage.is_whole

    async def _begin(self, start: int, end: int) -> _Outage:
        wanted: list[HistoryPage] = []
        is_whole = True
        for handle, tag in enumerate(self._tags):
            node = self._directory.find(tag)
            if isinstance(node, Quality):
                is_whole = False
            elif tag.has_value:
                wanted.append(HistoryPage(handle, self._directory.value_of(tag, node), start))
        kept = await self._kept(wanted)
        return _Outage(start, end, deque(kept), deque(), is_whole and len(kept) == len(wanted))

    async def _next_pages(self, outage: _Outage, take: Callable[[Batch], Awaitable[None]]) -> None:
        """One call: some values of some nodes. What was asked stays in the row until it is answered."""
        since = outage.pages[0].since
        asked = list(islice(takewhile(lambda page: page.since == since, outage.pages), self._limits.history.largest))
        results = await self._ask(asked, since, outage.end, LARGEST_ANSWER, bounds=True)
        for page, result in self._answered(outage, outage.pages, asked, results):
            quality = stored_form(result.StatusCode.value)
            if quality == _FORGOTTEN and page.continuation is not None:
                self._go_on(outage, page.anew())
            elif is_bad(quality) and quality not in _NONE:
                outage.is_whole = False
            else:
                await self._take(outage, page, HistoryAnswer.of(result), take)

    def _answered(
        self, outage: _Outage, row: deque[HistoryPage], asked: Sequence[HistoryPage], results: Sequence[ua.HistoryReadResult]
    ) -> list[tuple[HistoryPage, ua.HistoryReadResult]]:
        """Takes what was asked out of the row. Nodes for which the server has no room now come into it again, and fewer are asked for together from now on.

        Raises:
            DeviceUnreachable: it has room for none, one at a time.
        """
        for _ in asked:
            row.popleft()
        answered: list[tuple[HistoryPage, ua.HistoryReadResult]] = []
        for page, result in zip(asked, results, strict=True):
            if stored_form(result.StatusCode.value) not in _LATER:
                answered.append((page, result))
            elif page.continuation is None:
                row.append(page)
            else:
                row.appendleft(page)  # it holds one of the places that the others wait for
        if len(answered) < len(asked):
            self._limits.history.at_most(max(1, len(asked) // 2))
        outage.put_off = outage.put_off + 1 if len(asked) == 1 and not answered else 0
        if outage.put_off and outage.put_off >= len(row):
            outage.put_off = 0
            reason = quality_name(stored_form(results[0].StatusCode.value))
            raise DeviceUnreachable(f"the server has no room for a read of its history: {reason}")
        return answered

    async def _take(self, outage: _Outage, page: HistoryPage, answer: HistoryAnswer, take: Callable[[Batch], Awaitable[None]]) -> None:
        """Hands over what lies in the outage, without its bounds, and puts down what is to be asked next of the node."""
        items = [ua.MonitoredItemNotification(ClientHandle=page.handle, Value=value) for value in answer.values]
        batches = decode(items, self._table, self._clock()).batches
        if batches and all((batch.quality == Quality.BAD_TYPE_MISMATCH).all() for batch in batches):
            outage.is_whole = False  # as of a server that knows no elements of arrays, and answers with the arrays
            batches = []
        for batch in batches:
            inside = batch.select((batch.time >= outage.start) & (batch.time < outage.end))
            if len(inside):
                await take(inside)
        further = page.next(answer, batches)
        if further is None:
            # One that was read in several answers may have lost its oldest values meanwhile, and is asked afterwards.
            is_proved = page.newest == 0 and answer.goes_back_to(outage.start)
            outage.is_whole &= not answer.begins_after(outage.start)
            if not is_proved:
                outage.unproven.append(replace(page, continuation=None))
        else:
            self._go_on(outage, further)

    @staticmethod
    def _go_on(outage: _Outage, page: HistoryPage) -> None:
        if page.idle < MOST_IDLE:
            outage.pages.appendleft(page)  # a server has places for few nodes that are read in part
        else:
            outage.is_whole = False

    async def _prove(self, outage: _Outage) -> None:
        """Asks for the newest value at the start of the outage or before it: there are servers that give no bounds."""
        asked = list(islice(outage.unproven, self._limits.history.largest))
        results = await self._ask(asked, outage.start, outage.start - _LONG_AGO, 1)
        left: list[HistoryPage] = []
        for page, result in self._answered(outage, outage.unproven, asked, results):
            answer = HistoryAnswer.of(result)
            outage.is_whole &= not is_bad(stored_form(result.StatusCode.value)) and answer.goes_back_to(outage.start)
            if answer.continuation is not None:
                left.append(replace(page, continuation=answer.continuation))
        if left:
            await self._ask(left, outage.start, outage.start - _LONG_AGO, 1, release=True)

    async def _kept(self, pages: Sequence[HistoryPage]) -> list[HistoryPage]:
        """Those nodes whose history the server says it keeps: some answer for the others too, with nothing in it. Source: OPC UA Part 3, 5.6.2."""
        asked = [ua.ReadValueId(NodeId=page.place.NodeId, AttributeId=ua.AttributeIds.Historizing) for page in pages]
        answers = await self._limits.read.run("a read of what it keeps", asked, self._connection.read_places)
        return [page for page, answer in zip(pages, answers, strict=True) if answer.Value is not None and answer.Value.Value is True]

    async def _ask(
        self, pages: Sequence[HistoryPage], start: int, end: int, most: int, *, bounds: bool = False, release: bool = False
    ) -> list[ua.HistoryReadResult]:
        """At most ``most`` values of each node between the times, backwards where ``end`` is the earlier one. ``release`` gives continuation points back."""
        details = ua.ReadRawModifiedDetails(
            IsReadModified=False, StartTime=_date_time(start), EndTime=_date_time(end), NumValuesPerNode=most, ReturnBounds=bounds
        )
        return await self._limits.history.run("a read of its history", pages, lambda part: self._call(details, part, release))

    async def _call(self, details: ua.ReadRawModifiedDetails, pages: Sequence[HistoryPage], release: bool) -> list[ua.HistoryReadResult]:
        parameters = ua.HistoryReadParameters(
            HistoryReadDetails=details,
            TimestampsToReturn=ua.TimestampsToReturn.Both,
            ReleaseContinuationPoints=release,
            NodesToRead=[
                ua.HistoryReadValueId(NodeId=page.place.NodeId, IndexRange=page.place.IndexRange, ContinuationPoint=page.continuation) for page in pages
            ],
        )
        try:
            return await self._connection.services.history_read(parameters)
        except (ua.uaerrors.BadServiceUnsupported, ua.uaerrors.BadNotImplemented, ua.uaerrors.BadHistoryOperationUnsupported) as error:
            raise _NoHistory from error


class _NoHistory(Exception):
    """The server keeps no history at all."""


def _date_time(time: int) -> Any:
    return times.to_datetime(time).astimezone(UTC).replace(tzinfo=None)
