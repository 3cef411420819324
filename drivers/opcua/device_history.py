"""What a server kept of its values while nobody listened: HistoryRead of raw data (OPC UA Part 11, 6.4.3)."""

from collections import deque
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from datetime import UTC
from typing import Any, Final

from asyncua import ua

from drivers.opcua.connection import Connection
from drivers.opcua.decode import HandleTable, decode
from drivers.opcua.node_directory import NodeDirectory
from drivers.opcua.operation_limits import OperationLimits
from plant import times
from plant.batch import Batch
from plant.quality import Quality, is_bad, stored_form
from plant.tag import Tag

_LARGEST_ANSWER: Final = 500
"""Values of one node in one answer: with the nodes of one call, what can be decoded in a tenth of a second, in which nothing else runs."""
_NONE: Final = {Quality.BAD_NO_DATA}
_MOST_IDLE: Final = 10
"""Answers in a row that bring nothing newer and say that there is more: the server goes in a circle."""


@dataclass(frozen=True, slots=True)
class _Page:
    """What is asked next of a node. ``newest`` is the time of the newest value so far; ``idle`` are the answers in a row that brought none newer."""

    handle: int
    node: ua.NodeId
    continuation: bytes | None = None
    newest: int = 0
    idle: int = 0

    def next(self, continuation: bytes, batches: Sequence[Batch]) -> "_Page":
        """Some servers give the same continuation point again and go on even so."""
        newest = max([self.newest, *(int(batch.time.max()) for batch in batches if len(batch))])
        return _Page(self.handle, self.node, continuation, newest, self.idle + 1 if newest == self.newest else 0)


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

    async def read(self, start: int, end: int, take: Callable[[Batch], Awaitable[None]]) -> bool:
        """Hands over the samples from ``start`` to ``end`` (source time, UTC microseconds), and says whether the server kept those of every tag.

        Raises:
            DeviceUnreachable, DeviceProtocolError
        """
        wanted: list[_Page] = []
        is_whole = True
        for handle, tag in enumerate(self._tags):
            node = self._directory.find(tag)
            if isinstance(node, Quality):
                is_whole = False
            elif tag.has_value:
                wanted.append(_Page(handle, node))
        pages = deque(await self._kept(wanted))
        is_whole &= len(pages) == len(wanted)
        details = ua.ReadRawModifiedDetails(
            IsReadModified=False, StartTime=_date_time(start), EndTime=_date_time(end), NumValuesPerNode=_LARGEST_ANSWER, ReturnBounds=False
        )
        while pages:
            asked = [pages.popleft() for _ in range(min(len(pages), self._limits.history.largest))]
            try:
                results = await self._limits.history.run("a read of its history", asked, lambda part: self._ask(details, part))
            except _NoHistory:
                return False
            for page, result in zip(asked, results, strict=True):
                quality = stored_form(result.StatusCode.value)
                if is_bad(quality) and quality not in _NONE:
                    is_whole = False
                    continue
                values = _values(result)
                items = [ua.MonitoredItemNotification(ClientHandle=page.handle, Value=value) for value in values]
                batches = decode(items, self._table, self._clock()).batches
                for batch in batches:
                    inside = batch.select((batch.time >= start) & (batch.time < end))
                    if len(inside):
                        await take(inside)
                if result.ContinuationPoint:
                    further = page.next(result.ContinuationPoint, batches)
                    is_whole &= further.idle < _MOST_IDLE
                    if further.idle < _MOST_IDLE:
                        pages.appendleft(further)  # a server has places for few nodes that are read in part
        return is_whole

    async def _kept(self, pages: Sequence[_Page]) -> list[_Page]:
        """Those nodes whose history the server says it keeps: some answer for the others too, with nothing in it. Source: OPC UA Part 3, 5.6.2."""
        asked = [ua.ReadValueId(NodeId=page.node, AttributeId=ua.AttributeIds.Historizing) for page in pages]
        answers = await self._limits.read.run("a read of what it keeps", asked, self._connection.read_places)
        return [page for page, answer in zip(pages, answers, strict=True) if answer.Value is not None and answer.Value.Value is True]

    async def _ask(self, details: ua.ReadRawModifiedDetails, pages: Sequence[_Page]) -> list[ua.HistoryReadResult]:
        parameters = ua.HistoryReadParameters(
            HistoryReadDetails=details,
            TimestampsToReturn=ua.TimestampsToReturn.Both,
            ReleaseContinuationPoints=False,
            NodesToRead=[ua.HistoryReadValueId(NodeId=page.node, ContinuationPoint=page.continuation) for page in pages],
        )
        try:
            return await self._connection.services.history_read(parameters)
        except (ua.uaerrors.BadServiceUnsupported, ua.uaerrors.BadNotImplemented, ua.uaerrors.BadHistoryOperationUnsupported) as error:
            raise _NoHistory from error


class _NoHistory(Exception):
    """The server keeps no history at all."""


def _values(result: ua.HistoryReadResult) -> Sequence[ua.DataValue]:
    data: Any = result.HistoryData
    if isinstance(data, ua.HistoryData):
        return data.DataValues or []
    return []


def _date_time(time: int) -> Any:
    return times.to_datetime(time).astimezone(UTC).replace(tzinfo=None)
