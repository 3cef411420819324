"""One secure channel and one session with an OPC UA server, with no task of the library's running in it.

Rule: the steps of connecting are taken one by one and the library's ``connect`` is not used, because that starts a supervisor of its own. It
takes a server that is busy for a second for lost, keeps requests back to send them late, and lets the channel expire when a renewal fails
(``docs/decisions/0004-opcua-client.md``).
"""

import asyncio
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Final, Self
from urllib.parse import urlsplit

from asyncua import Client, ua
from asyncua.client.ua_client import UaClientState
from asyncua.client.ua_session import UaSession
from asyncua.common.utils import Buffer
from asyncua.ua.ua_binary import struct_from_binary

from drivers.abort import abort
from drivers.metrics import DriverMetrics
from drivers.opcua.connect_socket import connect_socket
from drivers.opcua.decoder_bounds import bound_answers, bound_decoder
from drivers.opcua.link_errors import RAISED, result_of, speaking_of
from drivers.opcua.security import Pki, SessionProof, SessionSecurity
from drivers.resolving import addresses_of
from plant.device import OpcuaDevice
from plant.errors import DeviceProtocolError, DeviceUnreachable

_CLOSE_DEADLINE: Final = 1.5
_SESSION_TIMEOUT_MS: Final = 60_000
"""A session whose client died is a place less in a server that has few."""
_MOST_CHUNKS: Final = 4096
_LARGEST_ANSWER: Final = 64 << 20
"""Bytes; of one answer, whatever the server would send."""
_RENEW_AT: Final = 0.75
"""Part of a channel's life after which it is renewed. Source: OPC UA Part 4, 5.5.2.1."""


@dataclass(frozen=True, slots=True)
class SessionIdentity:
    """By what a server knows a session again. ``nonce`` is the server's last."""

    token: ua.NodeId
    nonce: bytes | None
    proof: SessionProof


class Connection:
    """Every request but that to publish is answered within the device's time-out, or raises."""

    def __init__(self, device: OpcuaDevice, client: Client, security: SessionSecurity) -> None:
        self._client = client
        self._security = security
        self._timeout = device.timeout
        self._is_dropped = False
        self.is_resumed = False
        """Whether the session is an earlier one, activated anew."""
        self._renewed = asyncio.get_running_loop().time()

    @classmethod
    async def open(
        cls,
        device: OpcuaDevice,
        pki: Pki | None = None,
        *,
        metrics: DriverMetrics | None = None,
        resume: Callable[[], SessionIdentity | None] | None = None,
        channel_lifetime: float = 3600.0,
    ) -> Self:
        """Connects within ``device.timeout`` seconds in all. ``channel_lifetime`` is asked for, in seconds; the server may revise it. ``resume`` is asked, once
        the secure channel stands, for a session of an earlier connection: it goes on if the server still has it, else there is a new one. ``pki`` is needed
        where the device's security policy is not None, or it has a user; ``metrics`` are told when certificates expire.

        Raises:
            DeviceUnreachable, DeviceProtocolError
        """
        bound_decoder()
        deadline = asyncio.get_running_loop().time() + device.timeout
        addresses = await addresses_of(urlsplit(device.endpoint).hostname or "", device.timeout)
        client = Client(device.endpoint, timeout=device.timeout)
        client.name = client.description = "Monazite gateway"
        client.application_uri = "urn:monazite:gateway"
        client.session_timeout = _SESSION_TIMEOUT_MS
        client.secure_channel_timeout = round(channel_lifetime * 1000)
        connection = cls(device, client, SessionSecurity(device, client, pki, metrics))
        try:
            with speaking_of("the request to connect"):
                async with asyncio.timeout_at(deadline):
                    await connection._connect(addresses, deadline, resume)
        except BaseException:
            connection.drop()
            raise
        connection._security.is_complete()
        if metrics is not None:
            connection._count_requests(metrics)
        return connection

    async def _connect(self, addresses: Sequence[str], deadline: float, resume: Callable[[], SessionIdentity | None] | None) -> None:
        await self._security.prepare(addresses)
        await connect_socket(self._client, addresses, deadline)
        await self._client.send_hello()
        bound_answers(self._client, chunks=_MOST_CHUNKS, size=_LARGEST_ANSWER)
        await self._security.open_channel()
        self._renewed = asyncio.get_running_loop().time()
        identity = None if resume is None else resume()
        if identity is not None and await self._resume(identity):
            return
        await self._security.create_session()
        await self._security.activate_session()

    async def _resume(self, identity: SessionIdentity) -> bool:
        """Source: OPC UA Part 4, 5.6.3.1. False where the server knows the session no more."""
        if not await self._security.take_up(identity.proof):
            return False
        self.services.restore_authentication_token(identity.token)
        self._client._server_nonce = identity.nonce  # type: ignore[assignment]  # the library declares the value it begins with
        try:
            await self._security.activate_session()
        except (ua.UaStatusCodeError, DeviceUnreachable):
            self.services.reset_authentication_token()
            self._client._server_nonce = None
            return False
        self.is_resumed = True
        return True

    def _count_requests(self, metrics: DriverMetrics) -> None:
        """Counts and times every request of the session, whoever makes it, but those to publish: they are answered when there is something to tell."""
        protocol = self._client.uaclient.protocol
        if protocol is None:
            return  # the server closed the connection just now
        send = protocol.send_request

        async def counted(request: Any, *how: Any) -> Buffer:
            if isinstance(request, ua.PublishRequest):
                return await send(request, *how)
            begun = time.perf_counter()
            try:
                body = await send(request, *how)
            except RAISED as error:
                metrics.polled(result_of(error), time.perf_counter() - begun)
                raise
            metrics.polled("answered", time.perf_counter() - begun)
            return body

        protocol.send_request = counted  # type: ignore[method-assign, assignment]  # as the session calls it: with its options in order

    @property
    def identity(self) -> SessionIdentity | None:
        """By what the session can be resumed; ``None`` where there is none."""
        token = self.services.authentication_token
        return None if token.is_null() else SessionIdentity(token, self._client._server_nonce, self._security.proof)

    @property
    def session_timeout(self) -> float:
        """Seconds that the server keeps a session which asks for nothing, as it revised them."""
        return float(self._client.session_timeout) / 1000

    @property
    def services(self) -> UaSession:
        """The services of the session as OPC UA Part 4 has them."""
        return self._client.uaclient.session

    @property
    def is_open(self) -> bool:
        """False as soon as a request would not leave."""
        protocol = self._client.uaclient.protocol
        return self._client.state is UaClientState.CONNECTED and protocol is not None and protocol.transport is not None and not protocol.transport.is_closing()

    @property
    def was_closed_by_server(self) -> bool:
        return not self._is_dropped and not self.is_open

    async def read(self, nodes: Sequence[ua.NodeId], attribute: ua.AttributeIds = ua.AttributeIds.Value) -> list[ua.DataValue]:
        """One attribute of each node, fresh from the source; what is no node has a Bad status. Raises what the library raises."""
        return await self.read_places([ua.ReadValueId(NodeId=node, AttributeId=attribute) for node in nodes])

    async def read_places(self, places: Sequence[ua.ReadValueId]) -> list[ua.DataValue]:
        """As ``read``, of each attribute, or part of one, that ``places`` name."""
        return await self.services.read(ua.ReadParameters(MaxAge=0, TimestampsToReturn=ua.TimestampsToReturn.Neither, NodesToRead=list(places)))

    async def create_subscription(self, parameters: ua.CreateSubscriptionParameters) -> ua.CreateSubscriptionResult:
        """Creates a subscription that nobody publishes for: the library's own call would start its publish loop. Raises what the library raises."""
        request = ua.CreateSubscriptionRequest()
        request.Parameters = parameters
        response = struct_from_binary(ua.CreateSubscriptionResponse, await self._ask(request))
        response.ResponseHeader.ServiceResult.check()
        granted: ua.CreateSubscriptionResult = response.Parameters
        return granted

    async def publish(self, acknowledgements: Sequence[ua.SubscriptionAcknowledgement]) -> bytes:
        """The body of the next publish response, however long it takes. Raises what the library raises."""
        request = ua.PublishRequest()
        request.Parameters.SubscriptionAcknowledgements = list(acknowledgements)
        return _bytes_of(await self._ask(request, for_ever=True))

    async def republish(self, subscription_id: int, sequence_number: int) -> bytes:
        """The body of the response that bears a notification again. Raises what the library raises."""
        request = ua.RepublishRequest()
        request.Parameters.SubscriptionId = subscription_id
        request.Parameters.RetransmitSequenceNumber = sequence_number
        return _bytes_of(await self._ask(request))

    async def _ask(self, request: Any, *, for_ever: bool = False) -> Buffer:
        """The body of an answer, before the library makes an object of each of its parts. This module alone knows of the library's insides."""
        protocol = self._client.uaclient.protocol
        if protocol is None:
            raise ConnectionError("the connection is closed")
        return await protocol.send_request(request, 0 if for_ever else None)

    async def renew_channel(self) -> None:
        """Renews the secure channel when most of its life is over, else does nothing.

        Raises:
            DeviceUnreachable, DeviceProtocolError: the server did not renew it.
        """
        now = asyncio.get_running_loop().time()
        if now - self._renewed < _RENEW_AT * self._client.secure_channel_timeout / 1000:
            return
        self._renewed = now
        with speaking_of("the renewal of the secure channel"):
            await self._client.open_secure_channel(renew=True)
        self._client.uaclient.revolve_security_token()

    async def close(self) -> bool:
        """Closes session (and with it its subscriptions), channel and socket, politely if the server answers within a second and a half, and says whether."""
        if not self.is_open:
            self.drop()
            return False
        try:
            with speaking_of("the request to close the session"):
                async with asyncio.timeout(_CLOSE_DEADLINE):
                    await self._client.close_session()
                    await self._close_socket()
        except (DeviceUnreachable, DeviceProtocolError):
            self.drop()
            return False
        except asyncio.CancelledError:
            self.drop()
            raise
        return True

    async def _close_socket(self) -> None:
        protocol = self._client.uaclient.protocol
        if protocol is None or protocol.is_closed:
            return
        closed = asyncio.Event()
        protocol.on_connection_lost = lambda _: closed.set()
        await self._client.close_secure_channel()
        self._client.disconnect_socket()
        await closed.wait()

    def drop(self) -> None:
        """Ends the socket at once, unsent bytes and all: a peer that does not read would keep it open."""
        self._is_dropped = True
        protocol = self._client.uaclient.protocol
        if protocol is not None and protocol.transport is not None:
            abort(protocol.transport)
        self._client.disconnect_socket()


def _bytes_of(body: Buffer) -> bytes:
    return bytes(body.read(len(body)))
