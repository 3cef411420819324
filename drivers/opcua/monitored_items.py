"""The items of a subscription: which tags the server watches, and what became of those it refused.

A queue takes every change that the source can make between two publish responses, and an equal value with a new source time is a change. A refused
item costs its own tag only.
"""

import asyncio
import math
from collections.abc import Mapping, Sequence
from typing import Any, Final

from asyncua import ua

from drivers.opcua.connection import Connection
from drivers.opcua.link_errors import speaking_of
from drivers.opcua.node_directory import NodeDirectory
from plant.errors import DeviceProtocolError
from plant.quality import Quality, stored_form
from plant.tag import Tag

RETRY: Final = 30.0
"""Seconds from one try of the refused items to the next."""

_LARGEST_CALL: Final = 500
_SMALLEST_QUEUE: Final = 256
_MARGIN: Final = 10
_LIMIT: Final = ua.NodeId(ua.Int32(ua.ObjectIds.Server_ServerCapabilities_OperationLimits_MaxMonitoredItemsPerCall))
_FILTER_REFUSED: Final = {
    Quality.BAD_MONITORED_ITEM_FILTER_INVALID,
    Quality.BAD_MONITORED_ITEM_FILTER_UNSUPPORTED,
    Quality.BAD_FILTER_NOT_ALLOWED,
}
_CALL_TOO_LARGE: Final = {
    ua.StatusCodes.BadTooManyOperations,
    ua.StatusCodes.BadTcpMessageTooLarge,
    ua.StatusCodes.BadEncodingLimitsExceeded,
    ua.StatusCodes.BadRequestTooLarge,
    ua.StatusCodes.BadResponseTooLarge,
}


def queue_size(publishing_interval: float, scan_ms: int) -> int:
    """Samples a server must be able to hold for one item, if it samples every ``scan_ms`` and is asked every ``publishing_interval`` ms.

    Twice what is due, and never little: many servers queue every write whatever the sampling interval.
    """
    return max(_SMALLEST_QUEUE, 2 * math.ceil(publishing_interval / max(scan_ms, 1)) + _MARGIN)


class MonitoredItems:
    """Client handle = position of the tag in ``tags``."""

    def __init__(self, connection: Connection, directory: NodeDirectory, tags: Sequence[Tag], subscription: ua.CreateSubscriptionResult) -> None:
        self._connection = connection
        self._directory = directory
        self._tags = tags
        self._subscription = subscription
        self._refused: dict[int, int | None] = dict.fromkeys(range(len(tags)))
        self._unfiltered: set[int] = set()
        self._largest_call = _LARGEST_CALL
        self.next_try = math.inf
        """When refused items are due again, in the time of the event loop; infinite where there are none."""

    async def learn_limits(self) -> None:
        """Reads how many items the server takes in one call; 0 or nothing is no limit.

        Raises:
            DeviceUnreachable, DeviceProtocolError
        """
        with speaking_of("a read of its limits"):
            (answer,) = await self._connection.read([_LIMIT])
        limit = answer.Value.Value if answer.Value is not None else None
        if isinstance(limit, int) and limit > 0:
            self._largest_call = min(limit, _LARGEST_CALL)

    async def create_missing(self) -> Mapping[int, int]:
        """Asks for every item that the server does not watch yet. Gives the refusals that are new: handle -> stored quality.

        Raises:
            DeviceUnreachable, DeviceProtocolError
        """
        await self._directory.refresh()
        answers = await self._create(list(self._refused))
        mistaken = [handle for handle, quality in answers.items() if quality in _FILTER_REFUSED and handle not in self._unfiltered]
        if mistaken:
            self._unfiltered.update(mistaken)
            answers |= await self._create(mistaken)
        news = {handle: quality for handle, quality in answers.items() if quality < 0 and quality != self._refused[handle]}
        self._refused = {handle: quality for handle, quality in answers.items() if quality < 0}
        self.next_try = asyncio.get_running_loop().time() + RETRY if self._refused else math.inf
        return news

    async def _create(self, handles: Sequence[int]) -> dict[int, int]:
        """Stored quality of the server's answer for each handle."""
        answers: dict[int, int] = {}
        requests: list[ua.MonitoredItemCreateRequest] = []
        for handle in handles:
            node = self._directory.find(self._tags[handle])
            if isinstance(node, Quality):
                answers[handle] = node
            else:
                requests.append(self._request(handle, node))
        while requests:
            call = requests[: self._largest_call]
            try:
                with speaking_of("the request for monitored items"):
                    results = await self._call(call)
            except _CallTooLarge:
                self._largest_call = max(1, len(call) // 2)
                continue
            if len(results) != len(call):
                raise DeviceProtocolError(f"the server answered {len(results)} of {len(call)} requests for monitored items")
            for request, result in zip(call, results, strict=True):
                answers[request.RequestedParameters.ClientHandle] = stored_form(result.StatusCode.value)
            del requests[: len(call)]
        return answers

    async def _call(self, requests: list[ua.MonitoredItemCreateRequest]) -> list[ua.MonitoredItemCreateResult]:
        parameters = ua.CreateMonitoredItemsParameters(
            SubscriptionId=self._subscription.SubscriptionId, TimestampsToReturn=ua.TimestampsToReturn.Both, ItemsToCreate=requests
        )
        try:
            return await self._connection.services.create_monitored_items(parameters)
        except ua.UaStatusCodeError as error:
            if error.code in _CALL_TOO_LARGE and len(requests) > 1:
                raise _CallTooLarge from error
            raise

    def _request(self, handle: int, node: ua.NodeId) -> ua.MonitoredItemCreateRequest:
        scan_ms = self._tags[handle].scan_ms
        parameters = ua.MonitoringParameters(
            ClientHandle=handle,
            SamplingInterval=float(scan_ms),
            QueueSize=queue_size(self._subscription.RevisedPublishingInterval, scan_ms),
            DiscardOldest=True,
        )
        if handle not in self._unfiltered:
            parameters.Filter = _every_sample()
        return ua.MonitoredItemCreateRequest(
            ItemToMonitor=ua.ReadValueId(NodeId=node, AttributeId=ua.AttributeIds.Value),
            MonitoringMode=ua.MonitoringMode.Reporting,
            RequestedParameters=parameters,
        )


class _CallTooLarge(Exception):
    """The server takes fewer items in one call."""


def _every_sample() -> Any:
    # The library types the field as the wrapper that it makes on the wire.
    return ua.DataChangeFilter(Trigger=ua.DataChangeTrigger.StatusValueTimestamp, DeadbandType=ua.DeadbandType.None_, DeadbandValue=0.0)
