"""The publish side of a session: what is asked of the server, what it sends, what is acknowledged.

Rules:

1. Two publish requests wait at the server, and one more for each further subscription, so that a response does not wait for a round trip. A new one goes
   out only when the consumer has taken a response: what is not taken stays in the server's queues, and memory here is bounded by these responses.
2. A response is acknowledged after the consumer has taken it.
3. Sequence numbers of a subscription have no gap; a keep-alive bears the next one and uses none up, so that it tells of a gap too. What is missing is asked
   for again (Republish) before what came after it is handed on. Source: OPC UA Part 4, 5.14.1.1, 5.14.6 and 7.26.
4. A subscription that sends neither data nor keep-alive for three keep-alive intervals, as the server revised them, though never for less than a second, is
   dead, whatever else the server still answers. While no publish request waits at the server it can send nothing, and that time does not count.
5. A server that takes fewer publish requests is sent as many as it takes.
6. A subscription that nobody here made - the answer to its creation was lost, or it has just been given back - is given back, and its response passed over.
"""

import asyncio
from collections import deque
from collections.abc import Callable, Sequence
from typing import Final

from asyncua import ua

from drivers.metrics import DriverMetrics
from drivers.opcua import library_response, publish_response
from drivers.opcua.connection import Connection
from drivers.opcua.decode import Decoded, HandleTable
from drivers.opcua.link_errors import speaking_of
from drivers.opcua.publish_response import NotificationMessage, PublishResponse, decode_notifications
from plant.device import Decoder, OpcuaDevice
from plant.errors import DeviceProtocolError, DeviceUnreachable
from plant.quality import quality_name, stored_form

_OUTSTANDING: Final = 2
_KEEP_ALIVE: Final = 5.0
_LIFETIMES: Final = 12
_SILENCES: Final = 3
_SHORTEST_SILENCE: Final = 1.0
_LONGEST_SILENCE: Final = 600.0
"""Seconds, whatever the server granted: some grant no interval at all, and some none that ends."""
_LARGEST_RESPONSE: Final = 10_000
_LAST_SEQUENCE_NUMBER: Final = 2**32 - 1
_MOST_MISSING: Final = 1000
"""Notifications: no server keeps more for a Republish, and a number further off is no number."""


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


_REFUSED: Final = {
    ua.StatusCodes.BadTooManySubscriptions,
    ua.StatusCodes.BadServiceUnsupported,
    ua.StatusCodes.BadNotImplemented,
    ua.StatusCodes.BadNotSupported,
}


class NoSubscription(Exception):
    """The server gives no subscription, or no further one: values are to be read."""


class Subscription:
    """One subscription: what the server made of it, and how far its notifications have come. ``heard`` is a time of the event loop."""

    def __init__(self, granted: ua.CreateSubscriptionResult, heard: float) -> None:
        self.granted = granted
        self.heard = heard
        silence = _SILENCES * granted.RevisedPublishingInterval * granted.RevisedMaxKeepAliveCount / 1000
        self.silence = silence if _SHORTEST_SILENCE <= silence <= _LONGEST_SILENCE else _SHORTEST_SILENCE if silence < _SHORTEST_SILENCE else _LONGEST_SILENCE
        self.last_sequence_number: int | None = None

    def missing_before(self, response: PublishResponse) -> range | list[int]:
        """The sequence numbers between the last one and that of ``response``; none where a keep-alive bears one that is no next one: some repeat the last.

        Raises:
            DeviceProtocolError: there are too many for it to be a gap.
        """
        if self.last_sequence_number is None:
            return range(0)
        number = response.sequence_number
        first = following(self.last_sequence_number)
        count = number - first if number >= first else number - first + _LAST_SEQUENCE_NUMBER
        if count > _MOST_MISSING and not response.bears_data:
            return range(0)
        if count > _MOST_MISSING:
            raise DeviceProtocolError(f"notification {number} followed {self.last_sequence_number}: what lay between is lost")
        return [(first - 1 + offset) % _LAST_SEQUENCE_NUMBER + 1 for offset in range(count)]


class Subscriptions:
    """The subscriptions of one session, whose responses are taken one by one. ``clock`` gives UTC microseconds."""

    def __init__(self, connection: Connection, device: OpcuaDevice, table: HandleTable, metrics: DriverMetrics, clock: Callable[[], int]) -> None:
        self._connection = connection
        self._asked_interval = device.publishing_interval
        self._read = library_response if device.decoder is Decoder.LIBRARY else publish_response
        self._table = table
        self._metrics = metrics
        self._clock = clock
        self._by_id: dict[int, Subscription] = {}
        self._requests: deque[asyncio.Task[bytes]] = deque()
        self._most_requests: int | None = None
        self._taken: list[ua.SubscriptionAcknowledgement] = []
        self._ended: str | None = None
        self._caught_up = 0
        self.lost = 0
        """Notifications that the server could not send again."""

    @property
    def publishing_interval(self) -> float:
        """Seconds, as the server revised it: of the slowest; what was asked for while there is none."""
        return max((one.granted.RevisedPublishingInterval / 1000 for one in self._by_id.values()), default=self._asked_interval)

    @property
    def all(self) -> Sequence[Subscription]:
        return tuple(self._by_id.values())

    def go_on_from(self, left: Sequence[Subscription]) -> None:
        """Takes subscriptions over from a connection that was lost."""
        for subscription in left:
            subscription.heard = asyncio.get_running_loop().time()
            self._by_id[subscription.granted.SubscriptionId] = subscription

    async def next_missed(self, subscription: Subscription) -> Decoded | None:
        """The notification after the last one that came, if the server sent it and nobody received it; to be called until there is none, before ``next``.

        What was given before counts as taken by this call: a connection that is lost again goes on from there.

        Raises:
            DeviceUnreachable, DeviceProtocolError
        """
        number = following(subscription.last_sequence_number or 0)
        message = await self._kept(subscription, number) if self._caught_up < _MOST_MISSING else None
        if message is None:
            return None
        self._caught_up += 1
        self._metrics.missed(1, "republished")
        return self._counted(subscription, number, self._decoded(message))

    async def create(self) -> ua.CreateSubscriptionResult:
        """One more subscription.

        Raises:
            NoSubscription
            DeviceUnreachable, DeviceProtocolError
        """
        with speaking_of("the request for a subscription"):
            try:
                granted = await self._connection.create_subscription(parameters(self._asked_interval))
            except ua.UaStatusCodeError as error:
                if error.code in _REFUSED:
                    raise NoSubscription(str(error)) from error
                raise
        self._by_id[granted.SubscriptionId] = Subscription(granted, asyncio.get_running_loop().time())
        return granted

    async def delete(self, granted: ua.CreateSubscriptionResult) -> None:
        """Gives a subscription back that nothing is watched in. Raises as ``create``."""
        del self._by_id[granted.SubscriptionId]
        await self._give_back(granted.SubscriptionId)

    async def _give_back(self, subscription_id: int) -> None:
        """The server may have it no more: that is not looked at."""
        with speaking_of("the request to delete a subscription"):
            await self._connection.services.delete_subscriptions([subscription_id])

    async def next(self, guard: asyncio.Task[None], until: float) -> Sequence[Decoded]:
        """What the next response brings, which is nothing for a keep-alive itself, led by what had to be asked for again; nothing as well when nothing came
        ``until`` then (time of the event loop).

        What was given before counts as taken by this call. When ``guard`` ends, what has arrived is still given, and then its error is raised.

        Raises:
            DeviceUnreachable: the connection or a subscription ended, or is silent.
            DeviceProtocolError: a response cannot be read.
        """
        clock = asyncio.get_running_loop().time
        if self._ended is not None:
            raise DeviceUnreachable(self._ended)
        if not guard.done():
            self._ask()
        head = self._requests[0] if self._requests else None
        silent = min((one.heard + one.silence for one in self._by_id.values()), default=until)
        if head is not None and not head.done():
            await asyncio.wait((head, guard), timeout=max(0.0, min(until, silent) - clock()), return_when=asyncio.FIRST_COMPLETED)
        elif head is None and not guard.done():
            await asyncio.wait((guard,), timeout=max(0.0, until - clock()))
        if head is not None and head.done():
            self._requests.popleft()
            return await self._take(head)
        if guard.done():
            guard.result()
            raise DeviceUnreachable("the session ended")
        for one in self._by_id.values():
            if clock() >= one.heard + one.silence:
                raise DeviceUnreachable(f"the server answers, but its subscription has been silent for {one.silence:.1f} s")
        return ()

    def _ask(self) -> None:
        wanted = _OUTSTANDING + len(self._by_id) - 1 if self._by_id else 0
        wanted = wanted if self._most_requests is None else min(wanted, self._most_requests)
        if len(self._requests) < wanted and all(request.done() for request in self._requests):
            for one in self._by_id.values():
                one.heard = asyncio.get_running_loop().time()
        while len(self._requests) < wanted:
            acknowledgements, self._taken = self._taken, []
            self._requests.append(asyncio.create_task(self._connection.publish(acknowledgements)))

    async def _take(self, request: asyncio.Task[bytes]) -> Sequence[Decoded]:
        with speaking_of("a publish request"):
            try:
                response = self._read.read_publish_response(request.result())
            except ua.uaerrors.BadTooManyPublishRequests:
                if not self._requests:
                    raise
                self._most_requests = len(self._requests)
                return ()
        subscription = self._by_id.get(response.subscription_id)
        if subscription is None:
            self._metrics.rejected("unknown subscription")
            await self._give_back(response.subscription_id)
            return ()
        subscription.heard = asyncio.get_running_loop().time()
        # All are fetched before the first is counted: if the connection ends meanwhile, the next one goes on from what was handed over.
        kept = [(missing, await self._kept(subscription, missing)) for missing in subscription.missing_before(response)]
        missed = [self._again(subscription, missing, message) for missing, message in kept]
        return [*missed, self._counted(subscription, response.sequence_number, self._decoded(response))] if response.bears_data else missed

    def _decoded(self, message: NotificationMessage) -> Decoded:
        if message.ended is not None:
            self._ended = f"the server ended the subscription: {quality_name(stored_form(message.ended))}"
        return decode_notifications(message, self._table, self._clock())

    def _again(self, subscription: Subscription, number: int, message: NotificationMessage | None) -> Decoded:
        """The notification ``number``, which was asked for again; nothing, and counted, where the server has it no more."""
        self._metrics.missed(1, "lost" if message is None else "republished")
        self.lost += message is None
        return self._counted(subscription, number, Decoded(()) if message is None else self._decoded(message))

    async def _kept(self, subscription: Subscription, number: int) -> NotificationMessage | None:
        """The notification ``number`` if the server still has it: it keeps what was not acknowledged. Some answer with an empty one, or with
        another, instead of a refusal."""
        with speaking_of("a request to send a notification again"):
            try:
                message = self._read.read_republish_response(await self._connection.republish(subscription.granted.SubscriptionId, number))
            except (ua.uaerrors.BadMessageNotAvailable, ua.uaerrors.BadServiceUnsupported, ua.uaerrors.BadNotImplemented):
                return None
        return message if message.bears_data and message.sequence_number == number else None

    def _counted(self, subscription: Subscription, number: int, decoded: Decoded) -> Decoded:
        subscription.last_sequence_number = number
        self._taken.append(ua.SubscriptionAcknowledgement(SubscriptionId=subscription.granted.SubscriptionId, SequenceNumber=number))
        return decoded

    async def stop(self) -> None:
        """Leaves no request behind, once the connection is closed: an answer to a request that was given up before would be nobody's."""
        for request in self._requests:
            request.cancel()
        await asyncio.gather(*self._requests, return_exceptions=True)
        self._requests.clear()


def following(number: int) -> int:
    """The sequence number after ``number``: 0 is none. Source: OPC UA Part 4, 7.7."""
    return 1 if number == _LAST_SEQUENCE_NUMBER else number + 1
