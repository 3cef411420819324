"""Reads the values that no subscription brings: of a server without subscriptions, of items that it has no place for, and all of them once on request.

Rules:

1. A scan class is due at ``start + k * period``. A scan that comes late is done once; the ones it covered are skipped and counted, never caught up.
2. A value that was read before, with the same time and status, is no new sample. A server's own time is that of the answer: it counts only where the
   source has none.
3. A class is overloaded (``drivers.lateness``) where its scans are late again and again because the scans before them took so long. One that is late because
   nobody took what was read before says nothing of the server. A tag that the server will not read is refused.
"""

import asyncio
import math
from collections.abc import Callable, Collection, Mapping, Sequence
from typing import Final

from asyncua import ua

from drivers.lateness import Lateness
from drivers.metrics import DriverMetrics
from drivers.opcua.connection import Connection
from drivers.opcua.date_time import NO_TIME
from drivers.opcua.decode import Decoded, HandleTable, decode, sample_time
from drivers.opcua.node_directory import NodeDirectory
from drivers.opcua.operation_limits import OperationLimits
from plant.quality import Quality
from plant.tag import Tag

_REFUSED: Final = {
    ua.StatusCodes.BadNodeIdUnknown,
    ua.StatusCodes.BadNodeIdInvalid,
    ua.StatusCodes.BadAttributeIdInvalid,
    ua.StatusCodes.BadNotReadable,
    ua.StatusCodes.BadUserAccessDenied,
    ua.StatusCodes.BadIndexRangeInvalid,
    ua.StatusCodes.BadIndexRangeNoData,
    ua.StatusCodes.BadSecurityModeInsufficient,
}
"""What is wrong with the request and not with the value. Source: OPC UA Part 4, 5.10.2.4."""


class Poller:
    """Client handle = position of the tag in ``tags``. Times are those of the event loop; ``clock`` gives UTC microseconds."""

    def __init__(
        self,
        connection: Connection,
        limits: OperationLimits,
        directory: NodeDirectory,
        tags: Sequence[Tag],
        table: HandleTable,
        metrics: DriverMetrics,
        clock: Callable[[], int],
    ) -> None:
        self._connection = connection
        self._limits = limits
        self._directory = directory
        self._tags = tags
        self._table = table
        self._metrics = metrics
        self._clock = clock
        self._classes: dict[float, list[int]] = {}
        self._due: dict[float, float] = {}
        self._lateness: dict[float, Lateness] = {}
        self._scanned = -math.inf
        self._last: dict[int, tuple[int, ua.StatusCode | None, object]] = {}
        self._refused: set[int] = set()

    @property
    def next_scan(self) -> float:
        """When the next scan is due; infinite where nothing is to be read."""
        return min(self._due.values(), default=math.inf)

    @property
    def refused(self) -> int:
        """Tags that the server did not read when they were last due."""
        return len(self._refused)

    @property
    def overloaded(self) -> Sequence[float]:
        """The periods, in seconds, that the server does not keep up with."""
        return [period for period, lateness in self._lateness.items() if lateness.is_overloaded]

    def take_over(self, handles: Collection[int], now: float) -> None:
        """These tags, and no others, are read from ``now`` on."""
        self._classes = {}
        for handle in sorted(handles):
            tag = self._tags[handle]
            sampling = self._directory.address(tag).sampling_interval
            self._classes.setdefault((tag.scan_ms if sampling is None else max(sampling, 10.0)) / 1000, []).append(handle)
        self._due = {period: self._due.get(period, now) for period in self._classes}
        self._lateness = {period: self._lateness.get(period) or Lateness() for period in self._classes}
        self._refused &= set(handles)

    async def scan(self, now: float) -> Decoded:
        """What is due at ``now``, read.

        Raises:
            DeviceUnreachable, DeviceProtocolError
        """
        handles: list[int] = []
        for period, due in self._due.items():
            if due <= now:
                late = int((now - due) // period)
                if late:
                    self._metrics.overran(late)
                self._lateness[period].note(self._scanned - due >= period)
                self._due[period] = due + (late + 1) * period
                handles += self._classes[period]
        self._metrics.overloaded(bool(self.overloaded))
        answers = await self.read(handles)
        self._scanned = asyncio.get_running_loop().time()
        self._refused.difference_update(answers)
        self._refused.update(handle for handle, value in answers.items() if value.StatusCode is not None and value.StatusCode.value in _REFUSED)
        read = {handle: (sample_time(value, NO_TIME), value.StatusCode, _comparable(value.Value)) for handle, value in answers.items()}
        news = {handle: answers[handle] for handle, sample in read.items() if self._last.get(handle) != sample}
        self._last |= read
        return self._decoded(news)

    async def read_all(self, but: Collection[int]) -> Decoded:
        """The present value of every tag ``but`` these handles, whether it is new or not. Raises as ``scan``."""
        return self._decoded(await self.read([handle for handle in range(len(self._tags)) if handle not in but]))

    async def read(self, handles: Sequence[int]) -> Mapping[int, ua.DataValue]:
        """The values of those tags that the server has a node for. Raises as ``scan``."""
        asked: list[ua.ReadValueId] = []
        found: list[int] = []
        for handle in handles:
            node = self._directory.find(self._tags[handle])
            if not isinstance(node, Quality) and self._tags[handle].has_value:
                asked.append(self._directory.value_of(self._tags[handle], node))
                found.append(handle)
        answers = await self._limits.read.run("a read of its values", asked, self._read)
        return dict(zip(found, answers, strict=True))

    async def _read(self, asked: list[ua.ReadValueId]) -> list[ua.DataValue]:
        return await self._connection.services.read(ua.ReadParameters(MaxAge=0, TimestampsToReturn=ua.TimestampsToReturn.Both, NodesToRead=asked))

    def _decoded(self, values: Mapping[int, ua.DataValue]) -> Decoded:
        items = (ua.MonitoredItemNotification(ClientHandle=handle, Value=value) for handle, value in values.items())
        return decode(items, self._table, self._clock())


def _comparable(variant: ua.Variant | None) -> object:
    """NaN is the same value as the NaN before it, in an array as well: one element of it comes as one."""
    if variant is None or not _has_nan(variant.Value):
        return variant
    return variant.VariantType, repr(variant.Value)


def _has_nan(value: object) -> bool:
    if isinstance(value, list):
        return any(map(_has_nan, value))
    return isinstance(value, float) and math.isnan(value)
