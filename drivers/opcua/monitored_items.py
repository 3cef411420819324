"""The items of the subscriptions: which tags the server watches, and what became of those it refused.

Rules:

1. A queue takes every change that the source can make between two publish responses, and an equal value with a new source time is a change.
2. A refused item costs its own tag only, and is tried again and again, ever more seldom: a PLC that is being loaded refuses what it has.
3. A filter that is refused is made simpler: no deadband, then none at all. A server that has no place for an item in one subscription is asked for another
   subscription; the tags for which there is no place at all are ``unwatched``, and are to be read instead.
"""

import asyncio
import logging
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import IntEnum
from typing import Any, Final

from asyncua import ua

from drivers.opcua.connection import Connection
from drivers.opcua.node_directory import NodeDirectory
from drivers.opcua.node_types import NodeTypes
from drivers.opcua.operation_limits import OperationLimits
from drivers.opcua.subscription import NoSubscription, Subscriptions
from plant.device import DeadbandKind, OpcuaAddress
from plant.quality import Quality, quality_name, stored_form
from plant.tag import Tag

_log = logging.getLogger(__name__)

RETRY: Final = 30.0
LONGEST_RETRY: Final = 600.0
"""Seconds from one try of the refused items to the next: the first wait of a session, and of items that are fewer than before, and what doubling ends at."""

_SMALLEST_QUEUE: Final = 256
_MARGIN: Final = 10
_FILTER_REFUSED: Final = {
    Quality.BAD_MONITORED_ITEM_FILTER_INVALID,
    Quality.BAD_MONITORED_ITEM_FILTER_UNSUPPORTED,
    Quality.BAD_FILTER_NOT_ALLOWED,
    Quality.BAD_DEADBAND_FILTER_INVALID,
}
_DEADBAND_TYPE: Final = {DeadbandKind.ABSOLUTE: ua.DeadbandType.Absolute, DeadbandKind.PERCENT: ua.DeadbandType.Percent}


class _Filter(IntEnum):
    """What an item is asked for, from the most to the least."""

    AS_CONFIGURED = 0
    EVERY_SAMPLE = 1
    NONE = 2


def queue_size(publishing_interval: float, sampling_interval: float) -> int:
    """Samples a server must be able to hold for one item that it samples every ``sampling_interval`` ms and is asked for every ``publishing_interval`` ms.

    Twice what is due, and never little: many servers queue every write whatever the sampling interval.
    """
    return max(_SMALLEST_QUEUE, 2 * math.ceil(publishing_interval / max(sampling_interval, 1.0)) + _MARGIN)


@dataclass(slots=True)
class Watched:
    """What the server watches, by client handle. ``granted`` is the subscription for further items; ``refused`` has the stored quality of what it does not
    watch, ``None`` for what it was not asked for; ``unwatched`` are those that it has no place for."""

    refused: dict[int, int | None]
    granted: ua.CreateSubscriptionResult | None = None
    filters: dict[int, _Filter] = field(default_factory=dict)
    unwatched: set[int] = field(default_factory=set)


class MonitoredItems:
    """Client handle = position of the tag in ``tags``. With ``watched`` it goes on from what an earlier connection of the same session asked for."""

    def __init__(
        self,
        connection: Connection,
        limits: OperationLimits,
        directory: NodeDirectory,
        types: NodeTypes,
        tags: Sequence[Tag],
        subscriptions: Subscriptions,
        watched: Watched | None,
    ) -> None:
        self._connection = connection
        self._limits = limits
        self._directory = directory
        self._types = types
        self._tags = tags
        self._subscriptions = subscriptions
        self.watched = watched or Watched({handle: None for handle, tag in enumerate(tags) if tag.has_value})
        self.watched.refused = dict.fromkeys(self.watched.refused)  # the loss of the link was told since, and each refusal is news again
        self._wait = RETRY
        self.next_try = math.inf
        """When refused items are due again, in the time of the event loop; infinite where there are none."""
        self.are_being_made = False
        """A connection that ends meanwhile leaves items in the server that ``watched`` does not know."""

    @property
    def refused(self) -> int:
        return len(self.watched.refused)

    async def create_missing(self) -> Mapping[int, int]:
        """Asks for every item that the server does not watch yet. Gives the refusals that are new: handle -> stored quality.

        Raises:
            DeviceUnreachable, DeviceProtocolError
        """
        await self._directory.refresh()
        answers = await self._mistakes()
        self.are_being_made = True
        if self.watched.granted is None:
            self.watched.granted = await self._subscriptions.create()
        answers |= await self._create([handle for handle in self.watched.refused if handle not in answers])
        while mistaken := [handle for handle, quality in answers.items() if quality in _FILTER_REFUSED and self._filter(handle) is not _Filter.NONE]:
            self._say_without_deadband(mistaken, answers)
            for handle in mistaken:
                self.watched.filters[handle] = _Filter(self._filter(handle) + 1)
            answers |= await self._create(mistaken)
        while homeless := [handle for handle, quality in answers.items() if quality == Quality.BAD_TOO_MANY_MONITORED_ITEMS]:
            housed = await self._create_in_another(homeless)
            if not housed:
                self.watched.unwatched.update(homeless)
                answers |= dict.fromkeys(homeless, Quality.GOOD)
                _log.info("the server has no place for %d of %d items: they are read instead", len(homeless), len(self._tags))
                break
            answers |= housed
        return self._settle(answers)

    async def look_only(self) -> Mapping[int, int]:
        """Watches nothing: every tag that has a node which can give it a value is ``unwatched``. Otherwise as ``create_missing``."""
        await self._directory.refresh()
        answers = await self._mistakes()
        self.watched.unwatched.update(handle for handle in self.watched.refused if handle not in answers)
        return self._settle(answers)

    def _say_without_deadband(self, handles: Sequence[int], answers: Mapping[int, int]) -> None:
        losing = [handle for handle in handles if self._filter(handle) is _Filter.AS_CONFIGURED]
        if losing:
            tag = self._tags[losing[0]]
            place, quality = self._directory.address(tag).node, quality_name(answers[losing[0]])
            text = "%s at %s: the server refuses its deadband (%s) and sends every change, as of %d more tags: blank the column deadband of opcua.csv"
            _log.warning(text, tag.name, place, quality, len(losing) - 1)

    def _settle(self, answers: Mapping[int, int]) -> Mapping[int, int]:
        news = {handle: quality for handle, quality in answers.items() if quality < 0 and quality != self.watched.refused[handle]}
        before = len(self.watched.refused)
        self.watched.refused = {handle: quality for handle, quality in answers.items() if quality < 0}
        self.are_being_made = False
        self._wait = RETRY if len(self.watched.refused) < before else self._wait
        self.next_try = asyncio.get_running_loop().time() + self._wait if self.watched.refused else math.inf
        self._wait = min(2 * self._wait, LONGEST_RETRY)
        return news

    async def _mistakes(self) -> dict[int, int]:
        """Quality of those tags that no such node can give a value."""
        answers: dict[int, int] = {}
        found: list[tuple[int, OpcuaAddress, ua.NodeId]] = []
        for handle in self.watched.refused:
            node = self._directory.find(self._tags[handle])
            if isinstance(node, Quality):
                answers[handle] = node
            else:
                found.append((handle, self._directory.address(self._tags[handle]), node))
        mistakes = await self._types.mistakes([(self._tags[handle], address, node) for handle, address, node in found])
        for handle, address, _ in found:
            tag = self._tags[handle]
            if tag.id in mistakes:
                answers[handle] = Quality.BAD_CONFIGURATION_ERROR
                if self.watched.refused[handle] != Quality.BAD_CONFIGURATION_ERROR:
                    _log.error("%s at %s: %s", tag.name, address.node, mistakes[tag.id])
        return answers

    async def _create_in_another(self, handles: Sequence[int]) -> dict[int, int]:
        """The answers of a new subscription, and none where it has no place either."""
        before = self.watched.granted
        try:
            self.watched.granted = await self._subscriptions.create()
        except NoSubscription:
            return {}
        answers = await self._create(handles)
        if all(quality == Quality.BAD_TOO_MANY_MONITORED_ITEMS for quality in answers.values()):
            await self._subscriptions.delete(self.watched.granted)
            self.watched.granted = before
            return {}
        return answers

    async def _create(self, handles: Sequence[int]) -> dict[int, int]:
        """Stored quality of the server's answer for each handle."""
        requests: list[ua.MonitoredItemCreateRequest] = []
        answers: dict[int, int] = {}
        for handle in handles:
            node = self._directory.find(self._tags[handle])
            if isinstance(node, Quality):
                answers[handle] = node
            else:
                requests.append(self._request(handle, node))
        results = await self._limits.monitored_items.run("the request for monitored items", requests, self._call)
        slower = forgetful = 0
        for request, result in zip(requests, results, strict=True):
            answers[request.RequestedParameters.ClientHandle] = stored_form(result.StatusCode.value)
            if result.StatusCode.is_good():
                slower += result.RevisedSamplingInterval > 2 * max(request.RequestedParameters.SamplingInterval, 1.0)
                forgetful += result.RevisedQueueSize < self._due_at_once(result.RevisedSamplingInterval or request.RequestedParameters.SamplingInterval)
        if slower:
            _log.info("the server samples %d of %d items less often than their tags ask", slower, len(requests))
        if forgetful:
            text = "the server keeps fewer samples of %d of %d items than come between two responses, and does not say so: shorten publishing_interval"
            _log.warning(text, forgetful, len(requests))
        return answers

    def _due_at_once(self, sampling_interval: float) -> int:
        """Samples between two publish responses, of an item that is sampled every ``sampling_interval`` ms; at least one of an item that is not sampled."""
        assert self.watched.granted is not None
        return math.ceil(self.watched.granted.RevisedPublishingInterval / sampling_interval) if sampling_interval >= 1.0 else 1

    async def _call(self, requests: list[ua.MonitoredItemCreateRequest]) -> list[ua.MonitoredItemCreateResult]:
        assert self.watched.granted is not None
        parameters = ua.CreateMonitoredItemsParameters(
            SubscriptionId=self.watched.granted.SubscriptionId, TimestampsToReturn=ua.TimestampsToReturn.Both, ItemsToCreate=requests
        )
        return await self._connection.services.create_monitored_items(parameters)

    def _filter(self, handle: int) -> _Filter:
        has_deadband = self._directory.address(self._tags[handle]).deadband is not None
        return self.watched.filters.get(handle, _Filter.AS_CONFIGURED if has_deadband else _Filter.EVERY_SAMPLE)

    def _request(self, handle: int, node: ua.NodeId) -> ua.MonitoredItemCreateRequest:
        assert self.watched.granted is not None
        tag, address = self._tags[handle], self._directory.address(self._tags[handle])
        sampling_interval = float(tag.scan_ms) if address.sampling_interval is None else address.sampling_interval
        parameters = ua.MonitoringParameters(
            ClientHandle=handle,
            SamplingInterval=sampling_interval,
            QueueSize=address.queue_size or queue_size(self.watched.granted.RevisedPublishingInterval, sampling_interval),
            DiscardOldest=True,
        )
        match self._filter(handle):
            case _Filter.AS_CONFIGURED:
                parameters.Filter = _with_deadband(address)
            case _Filter.EVERY_SAMPLE:
                parameters.Filter = _every_sample()
            case _Filter.NONE:
                pass
        return ua.MonitoredItemCreateRequest(
            ItemToMonitor=self._directory.value_of(tag, node), MonitoringMode=ua.MonitoringMode.Reporting, RequestedParameters=parameters
        )


def _every_sample() -> Any:
    # The library types the field as the wrapper that it makes on the wire.
    return ua.DataChangeFilter(Trigger=ua.DataChangeTrigger.StatusValueTimestamp, DeadbandType=ua.DeadbandType.None_, DeadbandValue=0.0)


def _with_deadband(address: OpcuaAddress) -> Any:
    """Without the time as a trigger: a new time alone would pass every sample."""
    assert address.deadband is not None
    kind, value = _DEADBAND_TYPE[address.deadband.kind], address.deadband.value
    return ua.DataChangeFilter(Trigger=ua.DataChangeTrigger.StatusValue, DeadbandType=kind, DeadbandValue=value)
