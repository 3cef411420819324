"""The publish side of a subscription: what is asked of the server, what it sends, what is acknowledged.

Rules:

1. Two publish requests wait at the server, so that a response does not wait for a round trip. A new one goes out only when the consumer has taken a
   response: what is not taken stays in the server's queues, and memory here is bounded by two responses.
2. A response is acknowledged after the consumer has taken it.
3. Sequence numbers have no gap; a keep-alive bears the next one and uses none up. Source: OPC UA Part 4, 5.14.1.1 and 7.26.
4. A subscription that sends neither data nor keep-alive for three keep-alive intervals is dead, whatever else the server still answers.
"""

import asyncio
from collections import deque
from collections.abc import Sequence
from typing import Final, Self

from asyncua import ua

from drivers.opcua.connection import Connection
from drivers.opcua.link_errors import speaking_of
from plant.errors import DeviceProtocolError, DeviceUnreachable
from plant.quality import quality_name, stored_form

_OUTSTANDING: Final = 2
_KEEP_ALIVE: Final = 5.0
_LIFETIMES: Final = 12
_SILENCES: Final = 3
_LARGEST_RESPONSE: Final = 10_000
_LAST_SEQUENCE_NUMBER: Final = 2**32 - 1


def parameters(publishing_interval: float) -> ua.CreateSubscriptionParameters:
    """What is asked for: a keep-alive about every five seconds, and twelve times as long to live without a publish request. Interval in seconds."""
    keep_alives = max(1, round(_KEEP_ALIVE / publishing_interval))
    return ua.CreateSubscriptionParameters(
        RequestedPublishingInterval=publishing_interval * 1000,
        RequestedLifetimeCount=_LIFETIMES * keep_alives,
        RequestedMaxKeepAliveCount=keep_alives,
        MaxNotificationsPerPublish=_LARGEST_RESPONSE,
        PublishingEnabled=True,
    )


class Subscription:
    """One subscription, whose responses are taken one by one."""

    def __init__(self, connection: Connection, granted: ua.CreateSubscriptionResult) -> None:
        self.granted = granted
        """What the server made of the parameters."""
        self._connection = connection
        self._silence = _SILENCES * granted.RevisedPublishingInterval * granted.RevisedMaxKeepAliveCount / 1000
        self._requests: deque[asyncio.Task[ua.PublishResponse]] = deque()
        self._outstanding = _OUTSTANDING
        self._taken: list[ua.SubscriptionAcknowledgement] = []
        self._last_sequence_number: int | None = None
        self._heard = 0.0

    @classmethod
    async def create(cls, connection: Connection, publishing_interval: float) -> Self:
        """``publishing_interval`` in seconds.

        Raises:
            DeviceUnreachable, DeviceProtocolError
        """
        with speaking_of("the request for a subscription"):
            return cls(connection, await connection.create_subscription(parameters(publishing_interval)))

    async def notifications(self, guard: asyncio.Task[None], until: float) -> Sequence[ua.MonitoredItemNotification] | None:
        """Items of the next response, none for a keep-alive; ``None`` when nothing came ``until`` then (time of the event loop).

        What was given before counts as taken by this call. When ``guard`` ends, what has arrived is still given, and then its error is raised.

        Raises:
            DeviceUnreachable: the connection or the subscription ended, or is silent.
            DeviceProtocolError: a response is missing or cannot be read.
        """
        clock = asyncio.get_running_loop().time
        if not guard.done() and len(self._requests) < self._outstanding:
            self._ask()
            self._heard = clock()
        head = self._requests[0] if self._requests else None
        silent = self._heard + self._silence
        if head is not None and not head.done():
            await asyncio.wait((head, guard), timeout=max(0.0, min(until, silent) - clock()), return_when=asyncio.FIRST_COMPLETED)
        if head is not None and head.done():
            self._requests.popleft()
            return self._items(head)
        if guard.done():
            guard.result()
            raise DeviceUnreachable("the session ended")
        if clock() >= silent:
            raise DeviceUnreachable(f"the server answers, but its subscription has been silent for {self._silence:.1f} s")
        return None

    def _ask(self) -> None:
        while len(self._requests) < self._outstanding:
            acknowledgements, self._taken = self._taken, []
            self._requests.append(asyncio.create_task(self._connection.services.publish(acknowledgements)))

    def _items(self, request: asyncio.Task[ua.PublishResponse]) -> Sequence[ua.MonitoredItemNotification]:
        with speaking_of("a publish request"):
            try:
                response = request.result()
                response.ResponseHeader.ServiceResult.check()
            except ua.uaerrors.BadTooManyPublishRequests:
                if self._outstanding == 1:
                    raise
                self._outstanding = 1
                return []
        result = response.Parameters
        if result.SubscriptionId != self.granted.SubscriptionId:
            raise DeviceProtocolError(f"a response for subscription {result.SubscriptionId}, which nobody made")
        message = result.NotificationMessage
        data = message.NotificationData or []
        self._count(message.SequenceNumber, bears_data=bool(data))
        items: list[ua.MonitoredItemNotification] = []
        for notification in data:
            if isinstance(notification, ua.StatusChangeNotification):
                raise DeviceUnreachable(f"the server ended the subscription: {quality_name(stored_form(notification.Status.value))}")
            if isinstance(notification, ua.DataChangeNotification):
                items.extend(notification.MonitoredItems or [])
        return items

    def _count(self, number: int, *, bears_data: bool) -> None:
        last = self._last_sequence_number
        if bears_data:
            if last is not None and number != _after(last):
                raise DeviceProtocolError(f"notification {number} followed {last}: what lay between is lost")
            self._last_sequence_number = number
            self._taken.append(ua.SubscriptionAcknowledgement(SubscriptionId=self.granted.SubscriptionId, SequenceNumber=number))

    async def stop(self) -> None:
        """Leaves no request behind. The server forgets the subscription with the session."""
        for request in self._requests:
            request.cancel()
        await asyncio.gather(*self._requests, return_exceptions=True)
        self._requests.clear()


def _after(number: int) -> int:
    return 1 if number == _LAST_SEQUENCE_NUMBER else number + 1
