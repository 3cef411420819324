"""Secured connections to real OPC UA servers, and to servers that are not what they should be."""

import asyncio
import contextlib
import ipaddress
import itertools
import logging
import socket
import struct
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio
from asyncua import Server, ua
from asyncua.crypto.permission_rules import User, UserRole
from asyncua.crypto.truststore import TrustStore
from asyncua.crypto.validator import CertificateValidator, CertificateValidatorOptions
from asyncua.server.internal_server import InternalServer
from asyncua.server.internal_session import InternalSession
from asyncua.server.user_managers import UserManager
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.serialization import Encoding
from prometheus_client import CollectorRegistry

from drivers import DeviceLink, DriverMetricFamilies
from drivers.backoff import Backoff
from drivers.opcua import OpcuaDriver
from drivers.opcua.connection import Connection
from drivers.opcua.security.pki import Pki
from drivers.opcua.security.server_certificate import PresentedCertificate, thumbprint
from plant.device import OpcuaAddress, OpcuaDevice, OpcuaSecurity
from plant.errors import DeviceUnreachable
from plant.link import DeviceStatus, LinkState
from plant.opcua_device import CertificateUser, MessageSecurity, NamedUser, OpcuaUser, SecurityPolicy
from simulators.opcua_nodes import SharingServer, standard_nodes
from tests.certificates import DAY, NOW, authority, certificate, key_of, put_der, put_key
from tests.samples import make_tag

pytestmark = pytest.mark.asyncio(loop_scope="module")

SERVER_URI = "urn:test:plc"
PASSWORD = "correct horse"
LOCALHOST = [x509.IPAddress(ipaddress.ip_address("127.0.0.1"))]
CLOCK = ua.NodeId(ua.Int32(ua.ObjectIds.Server_ServerStatus_CurrentTime))
BASE = "http://opcfoundation.org/UA/SecurityPolicy#"
SECURED = [SecurityPolicy.BASIC256_SHA256, SecurityPolicy.AES128_SHA256_RSA_OAEP, SecurityPolicy.AES256_SHA256_RSA_PSS]
TYPES = ua.SecurityPolicyType
EVERY_TYPE = [
    TYPES.NoSecurity,
    TYPES.Basic256Sha256_Sign,
    TYPES.Basic256Sha256_SignAndEncrypt,
    TYPES.Aes128Sha256RsaOaep_Sign,
    TYPES.Aes128Sha256RsaOaep_SignAndEncrypt,
    TYPES.Aes256Sha256RsaPss_Sign,
    TYPES.Aes256Sha256RsaPss_SignAndEncrypt,
]
USER = certificate("operator", uri="urn:user", usage=())


class Users(UserManager):
    """Lets in whom the server knows, and keeps what it was asked."""

    def __init__(self, *, anonymous: bool = True) -> None:
        self.asked: list[tuple[str | None, str | None]] = []
        self._anonymous = anonymous

    def get_user(self, iserver: InternalServer, username: str | None = None, password: str | None = None, certificate: Any = None) -> User | None:
        self.asked.append((username, password))
        user = User(role=UserRole.User, name=username)
        if username is not None:
            return user if (username, password) == ("monazite", PASSWORD) else None
        if certificate == USER.public_bytes(Encoding.DER):
            return user
        return user if self._anonymous else None


@dataclass
class Plc:
    """A server, and what it heard."""

    server: Server
    users: Users
    port: int
    certificate: x509.Certificate | None

    @property
    def url(self) -> str:
        return f"opc.tcp://127.0.0.1:{self.port}/plc"


@asynccontextmanager
async def plc(
    types: Sequence[TYPES] = EVERY_TYPE,
    shown: x509.Certificate | None = None,
    *,
    tokens: Sequence[type] = (ua.AnonymousIdentityToken, ua.UserNameIdentityToken, ua.X509IdentityToken),
    internal: type[SharingServer] = SharingServer,
    clients: Path | None = None,
    port: int = 0,
) -> AsyncIterator[Plc]:
    """``shown`` is the server's certificate, whose key is that of its common name; ``clients`` is a folder with the only certificates of clients it trusts."""
    server, users = Server(iserver=internal(await asyncio.to_thread(standard_nodes))), Users()
    server.iserver.user_manager = users
    server.iserver.disabled_clock = True  # it makes every server a second slow to stop
    await server.init()
    await server.set_application_uri(SERVER_URI)
    server.set_endpoint(f"opc.tcp://127.0.0.1:{port}/plc")
    server.set_security_policy(list(types))
    server.set_identity_tokens(list(tokens))
    if shown is not None:
        name = shown.subject.get_attributes_for_oid(x509.NameOID.COMMON_NAME)[0].value
        server.iserver.certificate, server.iserver.private_key = shown, key_of(str(name))
    if clients is not None:
        store = TrustStore([clients], [])
        await store.load()
        options = CertificateValidatorOptions.TRUSTED_VALIDATION | CertificateValidatorOptions.PEER_CLIENT
        server.set_certificate_validator(CertificateValidator(options, store))
    async with server:
        server.iserver.set_attribute_value_callback(CLOCK, clock_of)
        assert server.bserver is not None
        yield Plc(server, users, server.bserver.port, shown)


def clock_of(node_id: ua.NodeId, attribute: ua.AttributeIds) -> ua.DataValue:
    return ua.DataValue(ua.Variant(datetime.now(UTC).replace(tzinfo=None), ua.VariantType.DateTime))


def server_certificate(name: str = "PLC-SEP-01", end: datetime = NOW + 365 * DAY, uri: str = SERVER_URI) -> x509.Certificate:
    return certificate(name, uri=uri, hosts=LOCALHOST, end=end)


@pytest.fixture
def pki(tmp_path: Path) -> Pki:
    """With a key made before: they take long."""
    folder = tmp_path / "pki"
    put_key(folder / "own" / "key.pem", key_of("gateway"))
    made = Pki(folder)
    made.own()
    return made


def trust(pki: Pki, shown: x509.Certificate, folder: str = "trusted") -> None:
    put_der(pki.folder / folder / "certs" / f"{thumbprint(shown)}.der", shown)


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def one_plc() -> AsyncIterator[Plc]:
    async with plc(shown=server_certificate()) as running:
        yield running


@pytest.fixture(scope="module")
def first_start(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("first") / "pki"


@pytest.fixture
def trusted(one_plc: Plc, pki: Pki) -> Plc:
    assert one_plc.certificate is not None
    trust(pki, one_plc.certificate)
    one_plc.users.asked.clear()
    return one_plc


@pytest.fixture
def named(tmp_path: Path) -> NamedUser:
    path = tmp_path / "plc.password"
    path.write_text(f"{PASSWORD}\n")
    path.chmod(0o600)
    return NamedUser("monazite", str(path))


@pytest.fixture
def certified(tmp_path: Path) -> CertificateUser:
    return CertificateUser(str(put_der(tmp_path / "user.der", USER)), str(put_key(tmp_path / "user.pem", key_of("operator"))))


def device(
    url: str, policy: SecurityPolicy = SecurityPolicy.AUTO, mode: MessageSecurity = MessageSecurity.SIGN_AND_ENCRYPT, user: OpcuaUser | None = None
) -> OpcuaDevice:
    return OpcuaDevice("PLC-SEP-01", "SEP", url, 0.05, 10.0, OpcuaSecurity(policy, mode), user)


@asynccontextmanager
async def opened(device: OpcuaDevice, pki: Pki | None, **options: Any) -> AsyncIterator[Connection]:
    connection = await Connection.open(device, pki, **options)
    try:
        yield connection
    finally:
        await connection.close()


async def refusal(device: OpcuaDevice, pki: Pki | None) -> str:
    with pytest.raises(DeviceUnreachable) as caught:
        async with opened(device, pki):
            pass
    return str(caught.value)


def security_of(plc: Plc) -> tuple[str, ua.MessageSecurityMode]:
    """What the server's end of the newest channel is protected by."""
    assert plc.server.bserver is not None
    processor = plc.server.bserver.clients[-1].processor
    assert processor is not None
    policy = processor._connection.security_policy
    return policy.URI.rpartition("#")[2].replace("_", ""), policy.Mode


@pytest.mark.parametrize("user", ["anonymous", "named", "certified"])
@pytest.mark.parametrize("mode", list(MessageSecurity))
@pytest.mark.parametrize("policy", SECURED)
async def test_every_policy_mode_and_kind_of_user(
    trusted: Plc, pki: Pki, named: NamedUser, certified: CertificateUser, policy: SecurityPolicy, mode: MessageSecurity, user: str
) -> None:
    users: dict[str, OpcuaUser | None] = {"anonymous": None, "named": named, "certified": certified}
    async with opened(device(trusted.url, policy, mode, users[user]), pki) as connection:
        (read,) = await connection.read([CLOCK])
        assert read.Value is not None
        assert isinstance(read.Value.Value, datetime)
        assert security_of(trusted) == (str(policy), ua.MessageSecurityMode[mode])
    assert trusted.users.asked == [("monazite", PASSWORD) if user == "named" else (None, None)]


@pytest.mark.parametrize("user", ["named", "certified"])
async def test_a_user_is_made_known_over_an_open_channel_only_under_the_servers_certificate(
    trusted: Plc, pki: Pki, named: NamedUser, certified: CertificateUser, user: str
) -> None:
    users: dict[str, OpcuaUser] = {"named": named, "certified": certified}
    async with recorder(trusted.port) as heard, opened(device(heard.url, SecurityPolicy.NONE, user=users[user]), pki) as connection:
        await connection.read([CLOCK])
    assert trusted.users.asked == [("monazite", PASSWORD) if user == "named" else (None, None)]
    assert PASSWORD.encode() not in heard.sent


@pytest.mark.parametrize("mode", list(MessageSecurity))
async def test_auto_takes_the_strongest_policy_in_the_wanted_mode(trusted: Plc, pki: Pki, mode: MessageSecurity) -> None:
    async with opened(device(trusted.url, mode=mode), pki):
        assert security_of(trusted) == ("Aes256Sha256RsaPss", ua.MessageSecurityMode[mode])


@pytest.mark.parametrize("policy", SECURED)
@pytest.mark.parametrize("mode", list(MessageSecurity))
async def test_the_secure_channel_is_renewed_under_every_policy(trusted: Plc, pki: Pki, policy: SecurityPolicy, mode: MessageSecurity) -> None:
    async with opened(device(trusted.url, policy, mode), pki, channel_lifetime=0.3) as connection:
        assert trusted.server.bserver is not None
        processor = trusted.server.bserver.clients[-1].processor
        assert processor is not None
        tokens = [processor._connection.security_token.TokenId]
        for _ in range(2):
            await asyncio.sleep(0.23)
            waiting = asyncio.create_task(connection.read([CLOCK]))
            await connection.renew_channel()
            await waiting
            await connection.read([CLOCK])
            tokens.append(processor._connection.security_token.TokenId)
    assert tokens == sorted(set(tokens))


async def test_a_session_goes_on_over_a_new_channel_with_the_same_certificate(trusted: Plc, pki: Pki, named: NamedUser) -> None:
    secured = device(trusted.url, user=named)
    first = await Connection.open(secured, pki)
    try:
        async with opened(secured, Pki(pki.folder), resume=lambda: first.identity) as second:
            assert second.is_resumed
            await second.read([CLOCK])
    finally:
        first.drop()
    assert trusted.users.asked == [("monazite", PASSWORD)] * 2


async def test_a_session_made_under_another_policy_is_not_gone_on_with(trusted: Plc, pki: Pki, named: NamedUser) -> None:
    """Somebody between may have thinned out what the server offers: a new session looks again, one that goes on does not."""
    first = await Connection.open(device(trusted.url, user=named), pki)
    try:
        weaker = device(trusted.url, SecurityPolicy.AES128_SHA256_RSA_OAEP, user=named)
        async with opened(weaker, pki, resume=lambda: first.identity) as second:
            assert not second.is_resumed
    finally:
        first.drop()


async def test_a_session_goes_on_without_security_only_while_its_server_is_trusted(trusted: Plc, pki: Pki, named: NamedUser) -> None:
    open_channel = device(trusted.url, SecurityPolicy.NONE, user=named)
    first = await Connection.open(open_channel, pki)
    try:
        async with opened(open_channel, pki, resume=lambda: first.identity) as second:
            assert second.is_resumed
        third = await Connection.open(open_channel, pki)
        for pinned in (pki.folder / "trusted" / "certs").iterdir():
            pinned.unlink()
        trusted.users.asked.clear()
        with pytest.raises(DeviceUnreachable, match="is not trusted"):
            await Connection.open(open_channel, pki, resume=lambda: third.identity)
        assert trusted.users.asked == []
        third.drop()
    finally:
        first.drop()


async def test_a_wrong_password_is_refused_and_so_said(trusted: Plc, pki: Pki, named: NamedUser) -> None:
    Path(named.password_file).write_text("battery staple")
    message = await refusal(device(trusted.url, user=named), pki)
    assert "the server refuses the user 'monazite' with that password: BadUserAccessDenied" in message
    assert "battery" not in message


async def test_files_of_the_user_that_cannot_be_used_are_named(trusted: Plc, pki: Pki, named: NamedUser, certified: CertificateUser) -> None:
    Path(named.password_file).write_text("\n")
    assert f"{named.password_file}: has an empty first line" in await refusal(device(trusted.url, user=named), pki)
    Path(named.password_file).unlink()
    assert f"{named.password_file}: cannot be read" in await refusal(device(trusted.url, user=named), pki)
    put_key(Path(certified.key), key_of("somebody else"))
    assert "is not the certificate of the key" in await refusal(device(trusted.url, user=certified), pki)
    assert trusted.users.asked == []


async def test_a_server_that_takes_no_anonymous_user_is_named_as_such(pki: Pki) -> None:
    async with plc(shown=server_certificate(), tokens=[ua.UserNameIdentityToken]) as strict:
        assert strict.certificate is not None
        trust(pki, strict.certificate)
        message = await refusal(device(strict.url), pki)
        assert message == "the server takes no anonymous user, only a name and a password: give the device a user"
        assert "takes no anonymous user" in await refusal(device(strict.url, SecurityPolicy.NONE), None)


async def test_the_servers_own_list_of_clients_is_satisfied_by_our_certificate(pki: Pki, tmp_path: Path) -> None:
    own = pki.own()
    put_der(tmp_path / "clients" / "gateway.der", own.certificate)
    shown = server_certificate()
    trust(pki, shown)
    async with plc(shown=shown, clients=tmp_path / "clients") as strict, opened(device(strict.url), pki) as connection:
        await connection.read([CLOCK])


async def test_a_server_that_does_not_trust_us_is_told_with_the_file_to_trust(pki: Pki, tmp_path: Path) -> None:
    put_der(tmp_path / "clients" / "other.der", certificate("other"))
    shown = server_certificate()
    trust(pki, shown)
    async with plc(shown=shown, clients=tmp_path / "clients") as strict:
        message = await refusal(device(strict.url), pki)
    assert f"the server refuses the gateway's certificate {thumbprint(pki.own().certificate)}: BadCertificateUntrusted" in message
    assert str(pki.folder / "own" / "cert.der") in message


async def test_an_unknown_server_is_turned_away_and_the_same_link_comes_up_when_its_certificate_is_moved(one_plc: Plc, pki: Pki) -> None:
    assert one_plc.certificate is not None
    one_plc.users.asked.clear()
    states: list[DeviceStatus] = []
    metrics = DriverMetricFamilies(CollectorRegistry()).of("opcua", "PLC-SEP-01")
    tag = make_tag(1, "SEP.COL101.T1", source=OpcuaAddress("nsu=http://opcfoundation.org/UA/;i=2267"))
    link = DeviceLink(device(one_plc.url), [tag], OpcuaDriver(pki).open, discard, states.append, metrics, backoff=Backoff(first=0.1, cap=0.2))
    running = asyncio.create_task(link.run())
    try:
        rejected = pki.folder / "rejected" / "certs" / f"PLC-SEP-01 [{thumbprint(one_plc.certificate)}].der"
        async with asyncio.timeout(20):
            while not any(rejected.name in (state.last_error or "") for state in states):
                await asyncio.sleep(0.02)
        assert one_plc.users.asked == []
        rejected.rename(pki.folder / "trusted" / "certs" / rejected.name)
        async with asyncio.timeout(20):
            while link.status.state is not LinkState.UP:
                await asyncio.sleep(0.02)
    finally:
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)


async def discard(batch: object) -> None:
    """Nobody listens."""


async def test_a_server_whose_ca_is_trusted_is_trusted_on_the_host_that_its_certificate_names(pki: Pki) -> None:
    ca = authority("Plant CA")
    shown = certificate("PLC-CA", uri=SERVER_URI, hosts=LOCALHOST, issuer=ca)
    trust(pki, ca.certificate)
    async with plc(shown=shown) as running:
        async with opened(device(running.url), pki) as connection:
            await connection.read([CLOCK])
        elsewhere = device(running.url.replace("127.0.0.1", "localhost"))
        assert "but not for the host localhost" in await refusal(elsewhere, pki)
        assert running.users.asked == [(None, None)]


@pytest.mark.parametrize(
    ("shown", "reason"),
    [
        (server_certificate(end=NOW - DAY / 2), "has expired on"),
        (server_certificate(uri="urn:test:another"), "is that of the application urn:test:another, and the server says that it is urn:test:plc"),
        (certificate("PLC-WEAK", uri=SERVER_URI, hosts=LOCALHOST, key=key_of("PLC-WEAK", 1024)), "has no RSA key of 2048 to 4096 bits"),
    ],
    ids=["expired", "another application", "short key"],
)
async def test_trust_does_not_mend_a_faulty_certificate(pki: Pki, named: NamedUser, shown: x509.Certificate, reason: str) -> None:
    trust(pki, shown)
    async with plc(shown=shown) as faulty:
        message = await refusal(device(faulty.url, user=named), pki)
        assert reason in message
        assert thumbprint(shown) in message
        assert "no RSA key" in reason or reason in await refusal(device(faulty.url, SecurityPolicy.NONE, user=named), pki)
        assert faulty.users.asked == []


async def test_a_server_of_sha1_policies_only_is_refused_with_the_mend(pki: Pki) -> None:
    shown = server_certificate()
    trust(pki, shown)
    async with plc([TYPES.NoSecurity, TYPES.Basic256_SignAndEncrypt, TYPES.Basic128Rsa15_Sign], shown) as old:
        message = await refusal(device(old.url), pki)
    assert "does not offer any safe policy/SignAndEncrypt, it offers Basic128Rsa15/Sign, Basic256/SignAndEncrypt, None" in message
    assert "enable one of Aes256Sha256RsaPss, Basic256Sha256, Aes128Sha256RsaOaep in the server" in message


async def test_what_is_configured_and_not_offered_is_said_with_what_is(pki: Pki) -> None:
    shown = server_certificate()
    trust(pki, shown)
    async with plc([TYPES.Basic256Sha256_Sign], shown) as one:
        for policy in (SecurityPolicy.AUTO, SecurityPolicy.AES256_SHA256_RSA_PSS, SecurityPolicy.NONE):
            message = await refusal(device(one.url, policy), pki)
            assert "it offers Basic256Sha256/Sign: " in message
            assert "set security_policy and security_mode of the device to one of Basic256Sha256/Sign" in message


@dataclass
class Recorder:
    """Somebody between gateway and server, who keeps what the gateway sent."""

    port: int
    sent: bytearray = field(default_factory=bytearray)

    @property
    def url(self) -> str:
        return f"opc.tcp://127.0.0.1:{self.port}/plc"


@asynccontextmanager
async def recorder(target: int) -> AsyncIterator[Recorder]:
    recorded = Recorder(0)
    running: set[asyncio.Task[None]] = set()

    async def copy(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, kept: bytearray | None) -> None:
        with contextlib.suppress(ConnectionError):
            while data := await reader.read(65536):
                if kept is not None:
                    kept += data
                writer.write(data)
                await writer.drain()
        writer.close()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        there, back = await asyncio.open_connection("127.0.0.1", target)
        for task in (asyncio.create_task(copy(reader, back, recorded.sent)), asyncio.create_task(copy(there, writer, None))):
            running.add(task)
            task.add_done_callback(running.discard)

    listener = await asyncio.start_server(serve, "127.0.0.1", 0)
    recorded.port = listener.sockets[0].getsockname()[1]
    try:
        yield recorded
    finally:
        listener.close()
        async with asyncio.timeout(10):
            await asyncio.gather(*running, return_exceptions=True)
            await listener.wait_closed()


@pytest.mark.parametrize("has_certificate", [False, True])
@pytest.mark.parametrize("policy", [SecurityPolicy.AUTO, SecurityPolicy.NONE])
async def test_somebody_between_who_offers_no_security_gets_no_password(pki: Pki, named: NamedUser, policy: SecurityPolicy, has_certificate: bool) -> None:
    shown = server_certificate() if has_certificate else None
    if shown is not None:
        trust(pki, shown)
    async with plc([TYPES.NoSecurity], shown) as fake, recorder(fake.port) as heard:
        message = await refusal(device(heard.url, policy, user=named), pki)
        assert fake.users.asked == []
    if policy is SecurityPolicy.AUTO:
        assert "it offers None" in message
    else:
        assert ("so that others could read it" if has_certificate else "shows no certificate") in message
    assert heard.sent.count(b"OPNF") == 1, "a channel was opened, so that this looks at what was said"
    assert PASSWORD.encode() not in heard.sent
    assert b"monazite\0" not in heard.sent


async def test_no_password_is_encrypted_for_a_stranger(pki: Pki, named: NamedUser, one_plc: Plc) -> None:
    one_plc.users.asked.clear()
    assert "is not trusted" in await refusal(device(one_plc.url, SecurityPolicy.NONE, user=named), pki)
    assert one_plc.users.asked == []


@pytest.mark.parametrize("before", [b"", b"\n"])
async def test_the_text_of_a_trusted_certificate_within_a_strangers_one_is_no_certificate(pki: Pki, named: NamedUser, before: bytes) -> None:
    known = server_certificate()
    trust(pki, known)
    thief = key_of("thief")
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "thief")])
    builder = x509.CertificateBuilder(name, name, thief.public_key(), 7, NOW - DAY, NOW + DAY)
    smuggled = x509.UnrecognizedExtension(x509.ObjectIdentifier("1.2.3.4"), before + known.public_bytes(Encoding.PEM))
    forged = builder.add_extension(smuggled, critical=False).sign(thief, hashes.SHA256())
    assert PresentedCertificate.parse(forged.public_bytes(Encoding.DER)).certificate == forged
    async with plc([TYPES.NoSecurity], forged) as fake:
        for endpoint in fake.server.iserver.endpoints:
            endpoint.ServerCertificate = forged.public_bytes(Encoding.DER)
            for token in endpoint.UserIdentityTokens:
                token.SecurityPolicyUri = BASE + "Basic256Sha256"
        await refusal(device(fake.url, SecurityPolicy.NONE, user=named), pki)
        assert fake.users.asked == []


async def test_a_trusted_server_that_is_another_device_is_refused(trusted: Plc, pki: Pki, named: NamedUser) -> None:
    """Whoever forwards the connection of one trusted device to another holds nobody's key."""
    right = replace(device(trusted.url, user=named), application_uri=SERVER_URI)
    async with opened(right, pki) as connection:
        await connection.read([CLOCK])
    trusted.users.asked.clear()
    for policy in (SecurityPolicy.AUTO, SecurityPolicy.NONE):
        message = await refusal(replace(device(trusted.url, policy, user=named), application_uri="urn:plc-2"), pki)
        assert f"the server is {SERVER_URI}, and PLC-SEP-01 is urn:plc-2: find out who answers" in message
    assert trusted.users.asked == []


class Careless(SharingServer):
    """Its sessions begin with a nonce that is none."""

    def create_session(self, *args: Any, **options: Any) -> InternalSession:
        session = super().create_session(*args, **options)
        make = session.create_session

        async def create(*parameters: Any, **named_parameters: Any) -> ua.CreateSessionResult:
            result = await make(*parameters, **named_parameters)
            result.ServerNonce = session.nonce = b""
            return result

        session.create_session = create  # type: ignore[method-assign]  # of this one session
        return session


async def test_nothing_is_encrypted_for_a_server_that_gives_no_nonce(pki: Pki, named: NamedUser) -> None:
    shown = server_certificate()
    trust(pki, shown)
    async with plc(shown=shown, internal=Careless) as careless:
        assert "gives a nonce of 0 bytes" in await refusal(device(careless.url, SecurityPolicy.NONE, user=named), pki)
        assert careless.users.asked == []


async def test_a_stranger_who_sends_chunks_for_ever_is_heard_for_a_moment(pki: Pki, one_plc: Plc, caplog: pytest.LogCaptureFixture) -> None:
    """A server that grants no limits, and whose list of endpoints never ends."""

    async def babble(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(ConnectionError, asyncio.IncompleteReadError):
            there, back = await asyncio.open_connection("127.0.0.1", one_plc.port)
            back.write(await message_of(reader))
            await message_of(there)
            writer.write(b"ACKF" + struct.pack("<6I", 28, 0, 65535, 65535, 0, 0))
            back.write(await message_of(reader))
            opened_channel = await message_of(there)
            writer.write(opened_channel)
            back.close()
            (channel,) = struct.unpack_from("<I", opened_channel, 8)
            token, _, request = struct.unpack_from("<III", await message_of(reader), 12)
            for number in itertools.count(2):
                writer.write(b"MSGC" + struct.pack("<5I", 25, channel, token, number, request) + b"x")
                await writer.drain()
        writer.close()

    listener = await asyncio.start_server(babble, "127.0.0.1", 0)
    async with listener:
        begun = time.monotonic()
        await refusal(device(f"opc.tcp://127.0.0.1:{listener.sockets[0].getsockname()[1]}/"), pki)
        assert time.monotonic() - begun < 5.0, "far from the ten seconds that an answer has"
        assert "65 is > configured max chunk count: 64" in caplog.text


async def message_of(reader: asyncio.StreamReader) -> bytes:
    head = await reader.readexactly(8)
    (size,) = struct.unpack_from("<I", head, 4)
    return head + await reader.readexactly(size - 8)


class Belittling(SharingServer):
    """Says at first that it offers the weakest policy only: what somebody between could make of its answer."""

    answers = 0

    async def get_endpoints(self, params: ua.GetEndpointsParameters | None = None, sockname: tuple[str, int] | None = None) -> list[ua.EndpointDescription]:
        endpoints = await super().get_endpoints(params, sockname)
        self.answers += 1
        return endpoints if self.answers > 1 else [one for one in endpoints if "Aes128" in one.SecurityPolicyUri]


async def test_a_list_of_endpoints_that_was_thinned_out_is_noticed_before_the_user_is_known(pki: Pki, named: NamedUser) -> None:
    shown = server_certificate()
    trust(pki, shown)
    async with plc(shown=shown, internal=Belittling) as thinned:
        assert "a stronger security policy than it seemed" in await refusal(device(thinned.url, user=named), pki)
        assert thinned.users.asked == []


class Misplaced(SharingServer):
    """Knows itself by another address, as a server behind address translation does."""

    async def get_endpoints(self, params: ua.GetEndpointsParameters | None = None, sockname: tuple[str, int] | None = None) -> list[ua.EndpointDescription]:
        return [replace(one, EndpointUrl="opc.tcp://192.0.2.1:4840/plc") for one in await super().get_endpoints(params, sockname)]


async def test_the_address_of_the_device_holds_against_what_the_server_calls_itself(pki: Pki) -> None:
    shown = server_certificate()
    trust(pki, shown)
    async with plc(shown=shown, internal=Misplaced) as inside, opened(device(inside.url), pki) as connection:
        await connection.read([CLOCK])


async def test_somebody_with_the_servers_certificate_and_another_key_gets_nothing(pki: Pki, named: NamedUser) -> None:
    shown = server_certificate()
    trust(pki, shown)
    stolen = certificate("thief", uri=SERVER_URI, hosts=LOCALHOST)
    async with plc(shown=stolen) as fake:
        fake.server.iserver.certificate = shown
        for endpoint in fake.server.iserver.endpoints:
            endpoint.ServerCertificate = shown.public_bytes(Encoding.DER)
        with contextlib.suppress(DeviceUnreachable):
            async with opened(replace(device(fake.url, user=named), timeout=1.0), pki):
                pytest.fail("it was let in")
        assert fake.users.asked == []


async def test_a_secured_device_needs_a_folder_of_certificates_and_an_open_one_does_not(trusted: Plc, named: NamedUser) -> None:
    assert "PLC-SEP-01 has security_policy auto, and the gateway has no folder of certificates" in await refusal(device(trusted.url), None)
    assert "has no folder of certificates" in (await refusal(device(trusted.url, SecurityPolicy.NONE, user=named), None)).replace("the gateway ", "")
    async with opened(device(trusted.url, SecurityPolicy.NONE), None) as connection:
        await connection.read([CLOCK])


@pytest.mark.parametrize("policy", SECURED)
async def test_the_longer_key_of_a_first_start_is_spoken_with(trusted: Plc, first_start: Path, policy: SecurityPolicy) -> None:
    """Its blocks are longer than 256 bytes, which have a padding of their own (OPC UA Part 6, 6.7.2.5)."""
    assert trusted.certificate is not None
    pki = Pki(first_start)
    assert pki.own().key.key_size == 3072
    trust(pki, trusted.certificate)
    async with opened(device(trusted.url, policy), pki, channel_lifetime=0.3) as connection:
        await asyncio.sleep(0.23)
        await connection.renew_channel()
        await connection.read([CLOCK])


async def test_the_session_names_the_application_of_the_certificate(trusted: Plc, pki: Pki) -> None:
    async with opened(device(trusted.url), pki) as connection:
        assert connection._client.application_uri == f"urn:{socket.gethostname()}:monazite:gateway"


async def test_a_certificate_of_ours_that_has_expired_is_told_with_its_end(trusted: Plc, pki: Pki, tmp_path: Path) -> None:
    registry = CollectorRegistry()
    metrics = DriverMetricFamilies(registry).of("opcua", "PLC-SEP-01")
    end = NOW - DAY
    expired = certificate("operator", usage=(), start=NOW - 9 * DAY, end=end)
    old = CertificateUser(str(put_der(tmp_path / "old.der", expired)), str(put_key(tmp_path / "old.pem", key_of("operator"))))
    with pytest.raises(DeviceUnreachable, match="has expired on"):
        await Connection.open(device(trusted.url, user=old), pki, metrics=metrics)
    put_der(pki.folder / "own" / "cert.der", certificate("gateway", uri="urn:gateway", start=NOW - 9 * DAY, end=end))
    with pytest.raises(DeviceUnreachable, match="has expired on"):
        await Connection.open(device(trusted.url), pki, metrics=metrics)
    for kind in ("user", "own"):
        labels = {"driver": "opcua", "device": "PLC-SEP-01", "certificate": kind}
        assert registry.get_sample_value("monazite_driver_certificate_expiry_timestamp_seconds", labels) == end.timestamp()


async def test_the_end_of_a_ca_is_told_with_that_of_what_it_issued(pki: Pki) -> None:
    ca = authority("Plant CA", end=NOW + 100 * DAY)
    put_der(pki.folder / "trusted" / "certs" / "ca.der", ca.certificate)
    registry = CollectorRegistry()
    metrics = DriverMetricFamilies(registry).of("opcua", "PLC-SEP-01")
    issued = certificate("PLC-SEP-01", uri=SERVER_URI, hosts=LOCALHOST, issuer=ca, end=NOW + 50 * DAY)
    async with plc(shown=issued) as running, opened(device(running.url), pki, metrics=metrics):
        labels = {"driver": "opcua", "device": "PLC-SEP-01", "certificate": "issuer"}
        assert registry.get_sample_value("monazite_driver_certificate_expiry_timestamp_seconds", labels) == (NOW + 100 * DAY).timestamp()


async def test_the_end_of_a_certificate_that_is_not_in_use_any_more_is_not_told(pki: Pki) -> None:
    ca = authority("Plant CA", end=NOW + 100 * DAY)
    put_der(pki.folder / "trusted" / "certs" / "ca.der", ca.certificate)
    registry = CollectorRegistry()
    metrics = DriverMetricFamilies(registry).of("opcua", "PLC-SEP-01")

    def told() -> set[str]:
        name = "monazite_driver_certificate_expiry_timestamp_seconds"
        return {sample.labels["certificate"] for family in registry.collect() for sample in family.samples if sample.name == name}

    issued = certificate("PLC-SEP-01", uri=SERVER_URI, hosts=LOCALHOST, issuer=ca, end=NOW + 50 * DAY)
    async with plc(shown=issued) as running, opened(device(running.url), pki, metrics=metrics):
        assert told() == {"own", "server", "issuer"}
    with pytest.raises(DeviceUnreachable):
        await Connection.open(device(running.url), pki, metrics=metrics)
    assert told() == {"own", "server", "issuer"}, "why it cannot be reached may be the end of one of them"
    shown = server_certificate(end=NOW + 90 * DAY)
    trust(pki, shown)
    async with plc(shown=shown) as running, opened(device(running.url), pki, metrics=metrics):
        assert told() == {"own", "server"}


@pytest.mark.parametrize(("url", "expected"), [("opc.tcp://192.0.2.1:1/", 1.0), ("opc.tcp://localhost:1/", 0.0), ("opc.tcp://127.0.0.1:1/", 0.0)])
async def test_a_device_on_another_machine_without_security_is_told(url: str, expected: float) -> None:
    registry = CollectorRegistry()
    metrics = DriverMetricFamilies(registry).of("opcua", "PLC-SEP-01")
    with pytest.raises(DeviceUnreachable):
        await Connection.open(replace(device(url, SecurityPolicy.NONE), timeout=0.2), metrics=metrics)
    assert registry.get_sample_value("monazite_driver_insecure", {"driver": "opcua", "device": "PLC-SEP-01"}) == expected


async def test_the_end_of_both_certificates_is_told_and_warned_of(pki: Pki, caplog: pytest.LogCaptureFixture) -> None:
    end = NOW + 20 * DAY
    shown = server_certificate(end=end)
    trust(pki, shown)
    registry = CollectorRegistry()
    metrics = DriverMetricFamilies(registry).of("opcua", "PLC-SEP-01")
    async with plc(shown=shown) as running:
        with caplog.at_level(logging.WARNING, "drivers"):
            async with opened(device(running.url), pki, metrics=metrics):
                pass

    def expiry(kind: str) -> float | None:
        return registry.get_sample_value(
            "monazite_driver_certificate_expiry_timestamp_seconds", {"driver": "opcua", "device": "PLC-SEP-01", "certificate": kind}
        )

    assert expiry("server") == end.timestamp()
    assert expiry("own") == pki.own().certificate.not_valid_after_utc.timestamp()
    assert [record.getMessage() for record in caplog.records if record.name.startswith("drivers")] == [
        f"PLC-SEP-01: the server's certificate {thumbprint(shown)} is valid until {end:%Y-%m-%d %H:%M} UTC: renew it before"
    ]
