"""How one connection is protected: who the server is, who the gateway is to it, and what protects what they say.

The order is the point. The server's certificate is checked before the secured channel is opened with it; the channel and the session prove that the server
holds its key; only then, and by what was said over the channel, is the user made known.
"""

import asyncio
import ipaddress
import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Final, TypeVar
from urllib.parse import urlsplit

from asyncua import Client, ua
from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.serialization import Encoding

from drivers.metrics import DriverMetrics
from drivers.opcua.security.certificate_file import CertificateExpired
from drivers.opcua.security.discovery import discover
from drivers.opcua.security.endpoints import NONE_URI, POLICIES, choose_endpoint, not_offered
from drivers.opcua.security.own_certificate import OwnCertificate
from drivers.opcua.security.pki import Pki
from drivers.opcua.security.server_certificate import PresentedCertificate, check_form, check_time, thumbprint
from drivers.opcua.security.user_identity import Anonymous, Certified, Identity, Named, choose_token, load_identity
from plant.errors import ConfigurationError, DeviceUnreachable
from plant.opcua_device import OpcuaDevice, SecurityPolicy

_log = logging.getLogger(__name__)

_SOON: Final = timedelta(days=30)
_SHORTEST_NONCE: Final = 32
_POLICIES: Final = {policy.URI: policy for policy in POLICIES.values()}
_USER_REFUSED: Final = {
    ua.StatusCodes.BadIdentityTokenRejected,
    ua.StatusCodes.BadIdentityTokenInvalid,
    ua.StatusCodes.BadUserAccessDenied,
    ua.StatusCodes.BadUserSignatureInvalid,
}
_CERTIFICATE_REFUSED: Final = {
    ua.StatusCodes.BadSecurityChecksFailed,
    ua.StatusCodes.BadCertificateInvalid,
    ua.StatusCodes.BadCertificateTimeInvalid,
    ua.StatusCodes.BadCertificateUriInvalid,
    ua.StatusCodes.BadCertificateUseNotAllowed,
    ua.StatusCodes.BadCertificateUntrusted,
    ua.StatusCodes.BadCertificateRevoked,
    ua.StatusCodes.BadCertificateChainIncomplete,
}

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class SessionProof:
    """What activating a session anew takes: the user token policy that its server named, the certificate and the application URI of that server, and the
    security policy and mode under which it was made, then the strongest on offer."""

    token: ua.UserTokenPolicy
    server_certificate: bytes | None
    application_uri: str | None
    policy_uri: str
    mode: ua.MessageSecurityMode


class SessionSecurity:
    """Of one connection of ``client``, whose steps call it in order: ``prepare``, ``open_channel``, ``create_session``, ``activate_session``."""

    def __init__(self, device: OpcuaDevice, client: Client, pki: Pki | None, metrics: DriverMetrics | None) -> None:
        self._device = device
        self._client = client
        self._pki = pki
        self._metrics = metrics
        self._host = urlsplit(device.endpoint).hostname or ""
        self._identity: Identity = Anonymous()
        self._own: OwnCertificate | None = None
        self._told: set[str] = set()
        self._server_certificate: bytes | None = None
        self._application_uri: str | None = None
        self._token = ua.UserTokenPolicy(TokenType=ua.UserTokenType.Anonymous)

    async def prepare(self, addresses: Sequence[str]) -> None:
        """Reads the files, asks the server, at one of its ``addresses``, for its endpoints and takes one.

        Raises:
            DeviceUnreachable: no endpoint as configured, a server that is not trusted, or a file of ours that cannot be used: all can be mended meanwhile.
        """
        if self._metrics is not None:
            self._metrics.insecure(self._device.security.policy is SecurityPolicy.NONE and not _is_this_machine(self._host))
        now = datetime.now(UTC) if self._pki is None else self._pki.clock()
        if self._device.user is not None:
            self._identity = await self._read("user", lambda: load_identity(self._device.user, now))
        if isinstance(self._identity, Certified):
            self._expires("user", "the user's certificate", self._identity.certificate)
        if self._device.security.policy is SecurityPolicy.NONE:
            return
        self._own = await self._read("own", self._have_pki().own)
        self._expires("own", "the gateway's own certificate", self._own.certificate)
        endpoint = choose_endpoint(await discover(self._device, addresses), self._device.security, self._device.endpoint)
        presented = await self._check(endpoint.ServerCertificate, endpoint.Server.ApplicationUri)
        policy = _POLICIES[endpoint.SecurityPolicyUri](presented.certificate, self._own.certificate, self._own.key, endpoint.SecurityMode)
        self._client.application_uri = self._own.application_uri
        self._client.security_policy = policy  # type: ignore[assignment]  # the library declares the policy it begins with
        self._client.uaclient.set_security(policy)

    async def _read(self, kind: str, read: Callable[[], T]) -> T:
        """A certificate of ours, off the event loop. One that has expired is told with its end before it is refused."""
        try:
            return await asyncio.to_thread(read)
        except CertificateExpired as error:
            self._ends(kind, error.certificate.not_valid_after_utc)
            raise DeviceUnreachable(str(error)) from error
        except ConfigurationError as error:
            raise DeviceUnreachable(str(error)) from error

    async def open_channel(self) -> None:
        """Some servers answer a certificate that they do not trust with the end of the connection. Raises what the library raises, and DeviceUnreachable."""
        try:
            await self._client.open_secure_channel()
        except ua.UaStatusCodeError as error:
            raise self._explained(error) from error
        except ConnectionError as error:
            if self._own is None:
                raise
            known = f"the gateway's certificate {thumbprint(self._own.certificate)}"
            raise DeviceUnreachable(f"the server ended the connection when it saw {known}: have it trusted there, it is the file {self._own.file}") from error

    async def create_session(self) -> None:
        """Raises:
        DeviceUnreachable: the server does not hold its certificate's key, says other things than before, or takes no such user as the device has.
        """
        client = self._client
        try:
            created = await client.create_session()
        except InvalidSignature as error:
            raise DeviceUnreachable("the server does not prove that it holds the key of its certificate") from error
        except ua.UaStatusCodeError as error:
            raise self._explained(error) from error
        except ua.UaError as error:
            offered = await client.get_endpoints()
            if any(one.SecurityPolicyUri == client.security_policy.URI and one.SecurityMode == client.security_policy.Mode for one in offered):
                raise
            raise not_offered(offered, self._device.security) from error
        endpoint = self._same_endpoint(created.ServerEndpoints)
        self._application_uri = endpoint.Server.ApplicationUri
        if self._is_known_by_certificate:
            presented = await self._check(created.ServerCertificate, self._application_uri)
            client.security_policy.peer_certificate = presented.certificate.public_bytes(Encoding.DER)
        self._token = choose_token(endpoint.UserIdentityTokens or [], self._identity, client.security_policy.URI, client.security_policy.Mode)

    async def activate_session(self) -> None:
        """Raises what the library raises, and:
        DeviceUnreachable: the server refuses the user.
        """
        client = self._client
        client._policy_ids = [self._token]
        who = self._identity
        self._check_nonce(client._server_nonce)
        try:
            if isinstance(who, Certified):
                client.user_private_key = who.key
                await client.activate_session(certificate=who.certificate)
            elif isinstance(who, Named):
                await client.activate_session(who.name, who.password)
            else:
                await client.activate_session()
        except ua.UaStatusCodeError as error:
            if error.code in _USER_REFUSED:
                raise DeviceUnreachable(f"the server refuses {_named(who)}: {_name(error)}; {_mend(who)}") from error
            raise
        finally:
            self._server_certificate = client.security_policy.peer_certificate
            if self._own is None:  # else the library names it when it renews the channel, which has none
                client.security_policy.peer_certificate = None

    def _check_nonce(self, nonce: bytes | None) -> None:
        """What is encrypted or signed for a server is bound to its nonce: else somebody who listened could send it again. Source: OPC UA Part 4, 5.6.2, 5.6.3.

        Raises:
            DeviceUnreachable
        """
        if self._own is None and isinstance(self._identity, Anonymous):
            return
        if len(nonce or b"") < _SHORTEST_NONCE:
            raise DeviceUnreachable(
                f"the server gives a nonce of {len(nonce or b'')} bytes, {_SHORTEST_NONCE} are the least: what it is told could be sent again by somebody who "
                "listens; have its firmware renewed"
            )

    @property
    def _is_known_by_certificate(self) -> bool:
        """The channel proves nothing of the server, and a user is to be made known to it."""
        return self._own is None and not isinstance(self._identity, Anonymous)

    @property
    def proof(self) -> SessionProof:
        policy = self._client.security_policy
        return SessionProof(self._token, self._server_certificate, self._application_uri, policy.URI, policy.Mode)

    async def take_up(self, proof: SessionProof) -> bool:
        """Makes ready to activate a session of before. False where that was another server's, another kind of user's, or made under another policy: a new
        session compares what the server offers.

        Raises:
            DeviceUnreachable: its server is not trusted any more.
        """
        policy = self._client.security_policy
        if proof.token.TokenType != self._identity.kind or (proof.policy_uri, proof.mode) != (policy.URI, policy.Mode):
            return False
        if self._own is not None and policy.peer_certificate != proof.server_certificate:
            return False
        if self._is_known_by_certificate:
            await self._check(proof.server_certificate, proof.application_uri)
        policy.peer_certificate = proof.server_certificate
        self._token, self._application_uri = proof.token, proof.application_uri
        return True

    async def _check(self, blob: bytes | None, application_uri: str | None) -> PresentedCertificate:
        pki = self._have_pki()
        presented = PresentedCertificate.parse(blob)
        certificate = presented.certificate
        check_form(certificate, application_uri)
        wanted = self._device.application_uri
        if wanted is not None and application_uri != wanted:
            raise DeviceUnreachable(
                f"the server is {application_uri}, and {self._device.name} is {wanted}: "
                f"find out who answers at {self._device.endpoint}, or correct application_uri"
            )
        try:
            issuers_end = await asyncio.to_thread(pki.check_trust, presented, self._host, self._device.name)
        except ConfigurationError as error:
            raise DeviceUnreachable(str(error)) from error
        if issuers_end is not None:
            self._ends("issuer", issuers_end)
        self._expires("server", "the server's certificate", certificate)
        check_time(certificate, pki.clock())
        return presented

    def _expires(self, kind: str, what: str, certificate: x509.Certificate) -> None:
        end = certificate.not_valid_after_utc
        self._ends(kind, end)
        if end - (datetime.now(UTC) if self._pki is None else self._pki.clock()) < _SOON:
            _log.warning("%s: %s %s is valid until %s UTC: renew it before", self._device.name, what, thumbprint(certificate), f"{end:%Y-%m-%d %H:%M}")

    def _ends(self, kind: str, end: datetime) -> None:
        self._told.add(kind)
        if self._metrics is not None:
            self._metrics.certificate_expires(kind, end.timestamp())

    def is_complete(self) -> None:
        """The session stands: the certificates that this took are those in use, and no others. While it does not, one of before may be why."""
        if self._metrics is not None:
            self._metrics.certificates_are(self._told)

    def _same_endpoint(self, endpoints: Sequence[ua.EndpointDescription]) -> ua.EndpointDescription:
        """The endpoint of this channel in the list that came over it. Source: OPC UA Part 4, 5.6.2.2."""
        policy = self._client.security_policy
        if self._own is None:
            return next(one for one in endpoints if one.SecurityPolicyUri == NONE_URI and one.SecurityMode == policy.Mode)
        endpoint = choose_endpoint(endpoints, self._device.security, self._device.endpoint)
        if endpoint.SecurityPolicyUri != policy.URI:
            raise DeviceUnreachable(
                "the server offers a stronger security policy than it seemed before the channel was secured: somebody between may have changed that; "
                "set security_policy of the device if it goes on"
            )
        return endpoint

    def _have_pki(self) -> Pki:
        if self._pki is None:
            wish = (
                "a password or a user's certificate"
                if self._device.security.policy is SecurityPolicy.NONE
                else f"security_policy {self._device.security.policy}"
            )
            raise DeviceUnreachable(f"{self._device.name} has {wish}, and the gateway has no folder of certificates: give it one")
        return self._pki

    def _explained(self, error: ua.UaStatusCodeError) -> Exception:
        if self._own is None or error.code not in _CERTIFICATE_REFUSED:
            return error
        known = f"the gateway's certificate {thumbprint(self._own.certificate)}"
        return DeviceUnreachable(f"the server refuses {known}: {_name(error)}; have it trusted there, it is the file {self._own.file}")


def _is_this_machine(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host.lower() == "localhost"


def _name(error: ua.UaStatusCodeError) -> str:
    return str(ua.StatusCode(error.code).name)


def _named(who: Identity) -> str:
    if isinstance(who, Certified):
        return f"the user's certificate {thumbprint(who.certificate)}"
    return f"the user {who.name!r} with that password" if isinstance(who, Named) else "anonymous users"


def _mend(who: Identity) -> str:
    if isinstance(who, Certified):
        return "have it trusted there as a user's"
    return "check the name, the password file, and the user's rights there" if isinstance(who, Named) else "give the device a user"
