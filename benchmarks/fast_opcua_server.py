"""An OPC UA server that sends values faster than any client takes them, as a process of its own. Prints its port, and serves until it is ended.

Every node is a Double. The items of a subscription are sampled together, at the sampling interval of the last one made, and each sample is the number of the
round, from 1: a client can tell that no value is missing and none came twice. An interval of 0 means that there is a new sample whenever one is asked for.
What is not asked for in time is dropped from the queues, the oldest first. Sampling begins half a second after the last item was made.

The library does the services; the responses to publish requests are bytes made here, from one array of all items.
"""

import asyncio
import struct
import time
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any, Final

import numpy as np
from asyncua import ua
from asyncua.common.utils import Buffer
from asyncua.ua.ua_binary import nodeid_from_binary, struct_from_binary, struct_to_binary, uatcp_to_binary

UA: Any = ua
"""The library takes more than it says."""

_NAMESPACES: Final = ["http://opcfoundation.org/UA/", "urn:monazite:benchmark"]
_POLICY: Final = "http://opcfoundation.org/UA/SecurityPolicy#None"
_TRANSPORT: Final = "http://opcfoundation.org/UA-Profile/Transport/uatcp-uasc-uabinary"
_CHANNEL: Final = 1
_LARGEST_CHUNK: Final = 65_535
_CHUNK_HEADER: Final = struct.Struct("<4sIIIII")
"""Type, size, channel, token, sequence number, request. Source: OPC UA Part 6, 6.7.2."""
_EPOCH: Final = 116_444_736_000_000_000
_TICKS: Final = 10_000_000
_SETTLE: Final = 0.5
_ITEM: Final = np.dtype([("handle", "<u4"), ("mask", "u1"), ("type", "u1"), ("value", "<f8"), ("source_time", "<i8"), ("server_time", "<i8")])
_VALUE_AND_TIMES: Final = 0x0D
_DOUBLE: Final = 11


class Sampling:
    """The items of a subscription and how far they have come, in rounds of one sample each. ``period`` in seconds, ``queue`` in samples of an item."""

    def __init__(self) -> None:
        self.period = 0.0
        self.queue = 1
        self.sent = 0
        self._handles: list[int] = []
        self._begin = time.time()
        self._items = np.empty(0, _ITEM)

    def add(self, requests: Sequence[ua.MonitoredItemCreateRequest]) -> None:
        for request in requests:
            self._handles.append(request.RequestedParameters.ClientHandle)
            self.period = request.RequestedParameters.SamplingInterval / 1000
            self.queue = max(1, request.RequestedParameters.QueueSize)
        self._items = np.empty(len(self._handles), _ITEM)
        self._items["handle"], self._items["mask"], self._items["type"] = self._handles, _VALUE_AND_TIMES, _DOUBLE
        self._begin = time.time() + _SETTLE

    def due(self) -> int | None:
        """Rounds sampled and not sent; ``None`` for as many as are asked for."""
        since = time.time() - self._begin
        if since < 0 or not self._handles:
            return 0
        if self.period == 0:
            return None
        waiting = int(since / self.period) - self.sent
        self.sent += max(0, waiting - self.queue)
        return min(waiting, self.queue)

    def take(self, due: int | None, most: int) -> tuple[int, bytes]:
        """Count and bytes of as many whole rounds as ``most`` notifications have room for."""
        rounds = max(1, most // len(self._items))
        rounds = rounds if due is None else min(rounds, due)
        parts = []
        now = time.time()
        for _ in range(rounds):
            self.sent += 1
            self._items["value"] = self.sent
            moment = self._begin + self.sent * self.period if self.period else now
            self._items["source_time"] = self._items["server_time"] = _EPOCH + int(moment * _TICKS)
            parts.append(self._items.tobytes())
        return rounds * len(self._items), b"".join(parts)


class FastServer(asyncio.Protocol):
    """One connection: one channel, one session, one subscription."""

    def __init__(self) -> None:
        self._transport: asyncio.WriteTransport | None = None
        self._received = b""
        self._parts: list[bytes] = []
        self._sequence_number = 0
        self._token = 0
        self._sampling = Sampling()
        self._interval = 1.0
        self._most = 1000
        self._requests: deque[tuple[int, int, int]] = deque()
        self._notification = 0
        self._due: int | None = 0
        self._tick: asyncio.TimerHandle | None = None
        self._services: Mapping[int, Callable[[Buffer], Any]] = {
            ua.ObjectIds.CreateSessionRequest_Encoding_DefaultBinary: self._create_session,
            ua.ObjectIds.ActivateSessionRequest_Encoding_DefaultBinary: lambda _: ua.ActivateSessionResponse(),
            ua.ObjectIds.CloseSessionRequest_Encoding_DefaultBinary: lambda _: ua.CloseSessionResponse(),
            ua.ObjectIds.ReadRequest_Encoding_DefaultBinary: self._read,
            ua.ObjectIds.CreateSubscriptionRequest_Encoding_DefaultBinary: self._create_subscription,
            ua.ObjectIds.CreateMonitoredItemsRequest_Encoding_DefaultBinary: self._create_items,
            ua.ObjectIds.DeleteSubscriptionsRequest_Encoding_DefaultBinary: self._delete_subscriptions,
        }

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.WriteTransport)
        self._transport = transport

    def connection_lost(self, exc: Exception | None) -> None:
        if self._tick is not None:
            self._tick.cancel()

    def data_received(self, data: bytes) -> None:
        self._received += data
        while len(self._received) >= 8:
            kind, size = struct.unpack_from("<4sI", self._received)
            if len(self._received) < size:
                return
            frame, self._received = self._received[:size], self._received[size:]
            self._take(kind, frame)

    def _take(self, kind: bytes, frame: bytes) -> None:
        if kind == b"HELF":
            self._write(uatcp_to_binary(UA.MessageType.Acknowledge, UA.Acknowledge(0, _LARGEST_CHUNK, _LARGEST_CHUNK, 0, 0)))
        elif kind == b"OPNF":
            self._open_channel(Buffer(frame[12:]))
        elif kind == b"CLOF" and self._transport is not None:
            self._transport.close()
        elif kind[:3] == b"MSG":
            self._parts.append(frame[_CHUNK_HEADER.size :])
            if kind == b"MSGF":
                body, self._parts = Buffer(b"".join(self._parts)), []
                self._answer(_CHUNK_HEADER.unpack_from(frame)[5], body)

    def _write(self, data: bytes) -> None:
        assert self._transport is not None
        self._transport.write(data)

    def _open_channel(self, frame: Buffer) -> None:
        struct_from_binary(ua.AsymmetricAlgorithmHeader, frame)
        request_id = struct_from_binary(ua.SequenceHeader, frame).RequestId
        request = struct_from_binary(ua.OpenSecureChannelRequest, frame)
        self._token += 1
        response = ua.OpenSecureChannelResponse()
        response.ResponseHeader.RequestHandle = request.RequestHeader.RequestHandle
        response.Parameters.SecurityToken = UA.ChannelSecurityToken(_CHANNEL, self._token, datetime.now(UTC), request.Parameters.RequestedLifetime)
        self._sequence_number += 1
        body = struct_to_binary(UA.AsymmetricAlgorithmHeader(_POLICY, None, None)) + struct.pack("<II", self._sequence_number, request_id)
        body += struct_to_binary(response)
        self._write(struct.pack("<4sII", b"OPNF", len(body) + 12, _CHANNEL) + body)

    def _send(self, request_id: int, body: bytes) -> None:
        room = _LARGEST_CHUNK - _CHUNK_HEADER.size
        for begin in range(0, len(body), room):
            part = body[begin : begin + room]
            kind = b"MSGF" if begin + room >= len(body) else b"MSGC"
            self._sequence_number += 1
            self._write(_CHUNK_HEADER.pack(kind, len(part) + _CHUNK_HEADER.size, _CHANNEL, self._token, self._sequence_number, request_id) + part)

    def _answer(self, request_id: int, body: Buffer) -> None:
        kind = nodeid_from_binary(body).Identifier
        header = struct_from_binary(ua.RequestHeader, body)
        if kind == ua.ObjectIds.PublishRequest_Encoding_DefaultBinary:
            acknowledged = len(struct_from_binary(ua.PublishParameters, body).SubscriptionAcknowledgements or [])
            self._requests.append((request_id, header.RequestHandle, acknowledged))
            self._publish()
            return
        service = self._services.get(int(kind))
        response: Any = ua.ServiceFault() if service is None else service(body)
        if service is None:
            response.ResponseHeader.ServiceResult = UA.StatusCode(ua.StatusCodes.BadServiceUnsupported)
        response.ResponseHeader.RequestHandle = header.RequestHandle
        self._send(request_id, struct_to_binary(response))

    def _create_session(self, body: Buffer) -> ua.CreateSessionResponse:
        asked = struct_from_binary(ua.CreateSessionParameters, body)
        endpoint = UA.EndpointDescription(EndpointUrl=asked.EndpointUrl, SecurityMode=ua.MessageSecurityMode.None_, SecurityPolicyUri=_POLICY)
        endpoint.TransportProfileUri = _TRANSPORT
        endpoint.UserIdentityTokens = [UA.UserTokenPolicy(PolicyId="anonymous", TokenType=ua.UserTokenType.Anonymous)]
        response = ua.CreateSessionResponse()
        created: Any = response.Parameters
        created.SessionId = created.AuthenticationToken = UA.NodeId(1, 1)
        created.RevisedSessionTimeout, created.ServerNonce, created.ServerEndpoints = asked.RequestedSessionTimeout, bytes(32), [endpoint]
        return response

    def _read(self, body: Buffer) -> ua.ReadResponse:
        asked = struct_from_binary(ua.ReadParameters, body)
        return ua.ReadResponse(Results=[_value_of(one) for one in asked.NodesToRead])

    def _create_subscription(self, body: Buffer) -> ua.CreateSubscriptionResponse:
        asked = struct_from_binary(ua.CreateSubscriptionParameters, body)
        self._interval = asked.RequestedPublishingInterval / 1000
        self._most = asked.MaxNotificationsPerPublish or self._most
        response = ua.CreateSubscriptionResponse()
        granted: Any = response.Parameters
        granted.SubscriptionId, granted.RevisedPublishingInterval = 1, asked.RequestedPublishingInterval
        granted.RevisedLifetimeCount, granted.RevisedMaxKeepAliveCount = asked.RequestedLifetimeCount, asked.RequestedMaxKeepAliveCount
        self._on_tick()
        return response

    def _delete_subscriptions(self, body: Buffer) -> ua.DeleteSubscriptionsResponse:
        self._sampling = Sampling()
        return ua.DeleteSubscriptionsResponse(Results=[ua.StatusCode()])

    def _create_items(self, body: Buffer) -> ua.CreateMonitoredItemsResponse:
        asked = struct_from_binary(ua.CreateMonitoredItemsParameters, body)
        self._sampling.add(asked.ItemsToCreate)
        results = []
        for number, request in enumerate(asked.ItemsToCreate):
            wanted = request.RequestedParameters
            result = UA.MonitoredItemCreateResult(MonitoredItemId=number + 1, RevisedSamplingInterval=wanted.SamplingInterval)
            result.RevisedQueueSize = max(1, wanted.QueueSize)
            results.append(result)
        return ua.CreateMonitoredItemsResponse(Results=results)

    def _on_tick(self) -> None:
        self._tick = asyncio.get_running_loop().call_later(self._interval, self._on_tick)
        self._due = self._sampling.due()
        self._publish()

    def _publish(self) -> None:
        """Answers what it can. Between two ticks only what was due at the last one is sent."""
        while self._requests and (self._due is None or self._due > 0):
            request_id, handle, acknowledged = self._requests.popleft()
            before = self._sampling.sent
            count, items = self._sampling.take(self._due, self._most)
            self._due = None if self._due is None else self._due - (self._sampling.sent - before)
            self._notification += 1
            more = self._due is None or self._due > 0
            self._send(request_id, _publish_response(handle, acknowledged, self._notification, more, struct.pack("<i", count) + items))


def _publish_response(handle: int, acknowledged: int, number: int, more: bool, items: bytes) -> bytes:
    """Source: OPC UA Part 4, 5.14.5 and 7.25; Part 6, 5.2."""
    now = _EPOCH + time.time_ns() // 100
    data = items + b"\xff\xff\xff\xff"
    return b"".join(
        (
            b"\x01\x00\x3d\x03" + struct.pack("<qII", now, handle, 0) + b"\x00\xff\xff\xff\xff\x00\x00\x00",
            struct.pack("<Ii?Iqi", 1, -1, more, number, now, 1),
            b"\x01\x00\x2b\x03\x01" + struct.pack("<i", len(data)),
            data,
            struct.pack("<i", acknowledged) + bytes(4 * acknowledged) + b"\xff\xff\xff\xff",
        )
    )


def _value_of(asked: ua.ReadValueId) -> ua.DataValue:
    node = asked.NodeId.Identifier if asked.NodeId.NamespaceIndex == 0 else None
    value: ua.DataValue
    if asked.AttributeId == ua.AttributeIds.DataType:
        value = UA.DataValue(UA.NodeId(ua.ObjectIds.Double))
    elif asked.AttributeId == ua.AttributeIds.ValueRank:
        value = UA.DataValue(ua.Variant(-1, ua.VariantType.Int32))
    elif node == ua.ObjectIds.Server_NamespaceArray:
        value = UA.DataValue(_NAMESPACES)
    elif node == ua.ObjectIds.Server_ServerStatus_CurrentTime:
        value = UA.DataValue(datetime.now(UTC))
    elif node == ua.ObjectIds.Server_ServerStatus_State:
        value = UA.DataValue(ua.Variant(0, ua.VariantType.Int32))
    else:
        value = UA.DataValue(StatusCode=UA.StatusCode(ua.StatusCodes.BadNodeIdUnknown))
    return value


async def serve() -> None:
    server = await asyncio.get_running_loop().create_server(FastServer, "127.0.0.1", 0)
    print(server.sockets[0].getsockname()[1], flush=True)  # noqa: T201  # the answer that the parent process waits for
    await server.serve_forever()


if __name__ == "__main__":
    asyncio.run(serve())
