"""A real OPC UA server in this process that can be told to behave as devices do: with the index ranges, limits and overflows that the library's server
lacks, and with what others do badly."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from typing import Any

from asyncua import Server, ua
from asyncua.common.utils import ServiceError
from asyncua.crypto.permission_rules import User, UserRole
from asyncua.server.address_space import AttributeService, ViewService
from asyncua.server.internal_server import InternalServer
from asyncua.server.internal_subscription import InternalSubscription
from asyncua.server.monitored_item_service import MonitoredItemService
from asyncua.server.subscription_service import SubscriptionService

from simulators.opcua_nodes import SharingServer, StandardNodes, standard_nodes

URI = "urn:test:plant"
_CLOCK = ua.NodeId(ua.Int32(ua.ObjectIds.Server_ServerStatus_CurrentTime))
_OVERFLOW = 0x0480


@dataclass
class Manners:
    """How the server behaves from now on, and what it was asked. ``most_*`` are operations in one call: beyond them it answers ``too_many``."""

    most_items: int = 1_000_000
    most_reads: int = 1_000_000
    most_browses: int = 1_000_000
    too_many: int = ua.StatusCodes.BadTooManyOperations
    items_a_subscription: int = 1_000_000
    items_in_all: int = 1_000_000
    no_subscription: int | None = None
    """The answer to who asks for one."""
    publishing_interval: float | None = None
    """Milliseconds to which every wish is revised; ``keep_alive_count`` and ``queue_size`` alike."""
    keep_alive_count: int | None = None
    queue_size: int | None = None
    creation_takes: float = 0.0
    """Seconds, for the items of one call."""
    refusal: Callable[[ua.MonitoredItemCreateRequest], int] = lambda item: ua.StatusCodes.Good
    write_refusals: dict[ua.NodeId, int] = field(default_factory=dict)
    refuses_what_it_wrote: bool = False
    """As a gateway whose device took the write and did not say so."""
    knows_ranges: bool = True
    stamps_reads: bool = False
    clock_ahead: timedelta = timedelta()
    items: list[ua.MonitoredItemCreateRequest] = field(default_factory=list)
    subscriptions_asked: int = 0
    item_calls: list[int] = field(default_factory=list)
    read_calls: list[int] = field(default_factory=list)
    browse_calls: list[int] = field(default_factory=list)
    writes: list[ua.WriteValue] = field(default_factory=list)
    """Of clients."""


def _check(count: int, most: int, manners: Manners) -> None:
    if count > most:
        raise ServiceError(manners.too_many)


def _part(value: ua.DataValue, index_range: str | None) -> ua.DataValue:
    """One element, as an array of one. Source: OPC UA Part 4, 7.27."""
    if not index_range or value.Value is None:
        return value
    elements = value.Value.Value
    if not isinstance(elements, list) or int(index_range) >= len(elements):
        return ua.DataValue(StatusCode=ua.StatusCode(ua.UInt32(ua.StatusCodes.BadIndexRangeNoData)))
    return replace(value, Value=ua.Variant([elements[int(index_range)]], value.Value.VariantType, is_array=True))


class _Attributes(AttributeService):
    def __init__(self, server: InternalServer, manners: Manners) -> None:
        super().__init__(server.aspace)
        self._manners = manners

    def read(self, params: ua.ReadParameters) -> list[ua.DataValue]:
        self._manners.read_calls.append(len(params.NodesToRead))
        _check(len(params.NodesToRead), self._manners.most_reads, self._manners)
        values = super().read(params)
        if self._manners.knows_ranges:
            values = [_part(value, place.IndexRange) for value, place in zip(values, params.NodesToRead, strict=True)]
        now = ua.DateTime.now(UTC)
        return [replace(value, ServerTimestamp=now) for value in values] if self._manners.stamps_reads else values

    async def write(self, params: ua.WriteParameters, user: User = User(role=UserRole.Admin)) -> list[ua.StatusCode]:  # noqa: B008  # as the library has it
        if user.role is UserRole.Admin:  # the server itself
            return await super().write(params, user)
        self._manners.writes += params.NodesToWrite
        return [await self._write(request, user) for request in params.NodesToWrite]

    async def _write(self, request: ua.WriteValue, user: User) -> ua.StatusCode:
        refusal = self._manners.write_refusals.get(request.NodeId)
        if refusal is not None and self._manners.refuses_what_it_wrote:
            await super().write(ua.WriteParameters(NodesToWrite=[request]), user)
        if refusal is not None:
            return ua.StatusCode(ua.UInt32(refusal))
        if request.IndexRange and self._manners.knows_ranges:
            held = self._aspace.read_attribute_value(request.NodeId, request.AttributeId).Value
            given = request.Value.Value
            if held is None or given is None or not isinstance(given.Value, list) or len(given.Value) != 1:
                return ua.StatusCode(ua.UInt32(ua.StatusCodes.BadIndexRangeInvalid))
            if given.VariantType != held.VariantType:
                return ua.StatusCode(ua.UInt32(ua.StatusCodes.BadTypeMismatch))
            index = int(request.IndexRange)
            elements = [*held.Value[:index], given.Value[0], *held.Value[index + 1 :]]
            request = replace(request, IndexRange=None, Value=replace(request.Value, Value=ua.Variant(elements, held.VariantType)))
        (status,) = await super().write(ua.WriteParameters(NodesToWrite=[request]), user)
        return status


class _Views(ViewService):
    def __init__(self, server: InternalServer, manners: Manners) -> None:
        super().__init__(server.aspace)
        self._manners = manners

    def browse(self, params: ua.BrowseParameters) -> list[ua.BrowseResult]:
        self._manners.browse_calls.append(len(params.NodesToBrowse))
        _check(len(params.NodesToBrowse), self._manners.most_browses, self._manners)
        return super().browse(params)


class _Items(MonitoredItemService):
    def __init__(self, subscription: InternalSubscription, server: "WilfulServer") -> None:
        super().__init__(subscription, server.aspace)
        self._server = server

    async def create_monitored_items(self, params: ua.CreateMonitoredItemsParameters) -> list[ua.MonitoredItemCreateResult]:
        manners = self._server.manners
        manners.item_calls.append(len(params.ItemsToCreate))
        _check(len(params.ItemsToCreate), manners.most_items, manners)
        manners.items += params.ItemsToCreate
        await asyncio.sleep(manners.creation_takes)
        return [await self._create(item) for item in params.ItemsToCreate]

    async def _create(self, item: ua.MonitoredItemCreateRequest) -> ua.MonitoredItemCreateResult:
        manners = self._server.manners
        refusal = manners.refusal(item)
        if len(self._monitored_items) >= manners.items_a_subscription or self._server.item_count >= manners.items_in_all:
            refusal = ua.StatusCodes.BadTooManyMonitoredItems
        if refusal != ua.StatusCodes.Good:
            return ua.MonitoredItemCreateResult(StatusCode=ua.StatusCode(ua.UInt32(refusal)))
        if manners.queue_size is not None:
            item.RequestedParameters.QueueSize = ua.Counter(manners.queue_size)
        result = await self._create_data_change_monitored_item(item)
        result.RevisedSamplingInterval = item.RequestedParameters.SamplingInterval  # the library samples nothing, and says the publishing interval
        return result

    async def datachange_callback(self, handle: int, value: ua.DataValue, error: ua.StatusCode | None = None) -> None:
        number = self._monitored_datachange[handle]
        item = self._monitored_items[number]
        if self._server.manners.knows_ranges and item.read_value_id is not None:
            value = _part(value, item.read_value_id.IndexRange)
        queued = self.isub._triggered_datachanges.get(number, [])
        was_full = item.queue_size > 1 and len(queued) >= item.queue_size
        newest = queued[-1] if queued else None
        await super().datachange_callback(handle, value, error)
        if was_full and queued[-1] is not newest:
            # What was lost came before the oldest that is left. Source: OPC UA Part 4, 5.12.1.5.
            code = queued[0].Value.StatusCode.value if queued[0].Value.StatusCode is not None else 0
            queued[0].Value = replace(queued[0].Value, StatusCode=ua.StatusCode(ua.UInt32(code | _OVERFLOW)))


class _Subscriptions(SubscriptionService):
    def __init__(self, server: "WilfulServer") -> None:
        super().__init__(server.aspace, server)
        self._server = server

    async def create_subscription(
        self, params: ua.CreateSubscriptionParameters, callback: Callable[..., Any], session_id: ua.NodeId, request_callback: Callable[..., Any] | None = None
    ) -> ua.CreateSubscriptionResult:
        manners = self._server.manners
        manners.subscriptions_asked += 1
        if manners.no_subscription is not None:
            raise ServiceError(manners.no_subscription)
        if manners.publishing_interval is not None:
            params.RequestedPublishingInterval = ua.Duration(manners.publishing_interval)
        if manners.keep_alive_count is not None:
            params.RequestedMaxKeepAliveCount = ua.Counter(manners.keep_alive_count)
        result = await super().create_subscription(params, callback, session_id, request_callback)
        subscription = self.subscriptions[result.SubscriptionId]
        subscription.monitored_item_srv = _Items(subscription, self._server)
        return result


class WilfulServer(SharingServer):
    """The inside of the server."""

    def __init__(self, nodes: StandardNodes, manners: Manners) -> None:
        super().__init__(nodes)
        self.manners = manners
        self.attribute_service = _Attributes(self, manners)
        self.view_service = _Views(self, manners)
        self.subscription_service = _Subscriptions(self)

    @property
    def item_count(self) -> int:
        return sum(len(one.monitored_item_srv._monitored_items) for one in self.subscription_service.subscriptions.values())

    @property
    def session_count(self) -> int:
        return len(self._external_sessions)


@dataclass
class Plc:
    """A running server. Its nodes lie in the namespace ``URI`` unless told otherwise, and are known by name."""

    server: Server
    inside: WilfulServer
    manners: Manners

    @property
    def port(self) -> int:
        assert self.server.bserver is not None
        port: int = self.server.bserver.port
        return port

    @property
    def url(self) -> str:
        return f"opc.tcp://127.0.0.1:{self.port}/"

    @property
    def subscriptions(self) -> list[InternalSubscription]:
        return list(self.inside.subscription_service.subscriptions.values())

    async def node_id(self, name: str, uri: str = URI) -> ua.NodeId:
        return ua.NodeId(ua.String(name), ua.Int16(await self.server.get_namespace_index(uri)))

    async def add(self, name: str, value: Any, variant_type: ua.VariantType, data_type: ua.NodeId | None = None, uri: str = URI) -> ua.NodeId:
        """A variable that clients may write."""
        node_id = await self.node_id(name, uri)
        node = await self.server.nodes.objects.add_variable(node_id, name, value, variant_type, data_type)
        await node.set_writable()
        return node_id

    async def put(self, name: str, value: Any, variant_type: ua.VariantType = ua.VariantType.Double, uri: str = URI, moment: ua.DateTime | None = None) -> None:
        moment = moment or ua.DateTime.now(UTC)
        await self.server.write_attribute_value(await self.node_id(name, uri), ua.DataValue(ua.Variant(value, variant_type), SourceTimestamp=moment))

    async def held(self, name: str, uri: str = URI) -> ua.Variant:
        variant = (await self.server.get_node(await self.node_id(name, uri)).read_data_value()).Value
        assert variant is not None
        return variant

    async def limit(self, node: int, operations: int) -> None:
        """What the server says of its limits."""
        await self.server.get_node(ua.NodeId(ua.Int32(node))).write_value(ua.Variant(operations, ua.VariantType.UInt32))


async def stock_server() -> Server:
    """asyncua's own server, without the seconds that it takes to make the standard nodes and to stop its clock; it tells the time when it is asked."""
    inside = SharingServer(await asyncio.to_thread(standard_nodes))
    inside.disabled_clock = True
    server = Server(iserver=inside)
    await server.init()
    inside.set_attribute_value_callback(_CLOCK, _time_of)
    return server


def _time_of(node_id: ua.NodeId, attribute: ua.AttributeIds) -> ua.DataValue:
    return ua.DataValue(ua.Variant(datetime.now(UTC).replace(tzinfo=None), ua.VariantType.DateTime))


@asynccontextmanager
async def plc_server(*, port: int = 0, uris: tuple[str, ...] = (URI,)) -> AsyncIterator[Plc]:
    """A server whose namespaces are those of OPC UA, of the server itself, and ``uris``, in this order."""
    manners = Manners()
    inside = WilfulServer(await asyncio.to_thread(standard_nodes), manners)
    inside.disabled_clock = True  # it makes every server a second slow to stop
    server = Server(iserver=inside)
    await server.init()
    server.set_endpoint(f"opc.tcp://127.0.0.1:{port}/")
    server.set_security_policy([ua.SecurityPolicyType.NoSecurity])
    for uri in uris:
        await server.register_namespace(uri)

    def clock(node_id: ua.NodeId, attribute: ua.AttributeIds) -> ua.DataValue:
        return ua.DataValue(ua.Variant(datetime.now(UTC).replace(tzinfo=None) + manners.clock_ahead, ua.VariantType.DateTime))

    async with server:
        inside.set_attribute_value_callback(_CLOCK, clock)
        yield Plc(server, inside, manners)
