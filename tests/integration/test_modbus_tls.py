"""Modbus lines with TLS."""

import datetime
import ipaddress
import ssl
from dataclasses import replace
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from drivers.modbus import ModbusDriver
from drivers.session import WriteStatus
from plant.device import TlsFiles
from plant.errors import DeviceUnreachable
from tests import rogue_modbus_server
from tests.modbus_lines import device_on, linked, opened, serving, tcp


def certify(folder: Path, name: str, issuer: tuple[x509.Name, ec.EllipticCurvePrivateKey] | None = None) -> tuple[x509.Name, ec.EllipticCurvePrivateKey]:
    """Writes ``name.pem`` and ``name.key``, signed by the issuer or by itself; valid for 127.0.0.1 and ``name``."""
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, name)])
    now = datetime.datetime.now(datetime.UTC)
    issuer_name, issuer_key = issuer or (subject, key)
    names = [x509.DNSName(name), x509.IPAddress(ipaddress.ip_address("127.0.0.1"))]
    certificate = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer_name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - datetime.timedelta(minutes=5))
        .not_valid_after(now + datetime.timedelta(hours=1))
        .add_extension(x509.BasicConstraints(ca=issuer is None, path_length=None), critical=True)
        .add_extension(x509.SubjectAlternativeName(names), critical=False)
        .sign(issuer_key, hashes.SHA256())
    )
    (folder / f"{name}.pem").write_bytes(certificate.public_bytes(serialization.Encoding.PEM))
    (folder / f"{name}.key").write_bytes(key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()))
    return subject, key


@pytest.fixture(scope="module")
def certificates(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("certificates")
    authority = certify(folder, "authority")
    certify(folder, "server", authority)
    certify(folder, "client", authority)
    certify(folder, "stranger")
    return folder


def server_side(folder: Path, *, asks_for_ours: bool = False) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(folder / "server.pem", folder / "server.key")
    if asks_for_ours:
        context.verify_mode = ssl.CERT_REQUIRED
        context.load_verify_locations(folder / "authority.pem")
    return context


@pytest.mark.parametrize("asks_for_ours", [False, True])
async def test_a_line_with_tls_reads_and_writes(certificates: Path, asks_for_ours: bool) -> None:
    files = TlsFiles(str(certificates / "authority.pem"))
    if asks_for_ours:
        files = replace(files, certificate=str(certificates / "client.pem"), key=str(certificates / "client.key"))
    async with (
        serving(tls=server_side(certificates, asks_for_ours=asks_for_ours)) as server,
        linked(device_on(replace(tcp(server), tls=files), timeout=5.0)) as [link],
    ):
        await link.good()
        assert (await link.link.write(link.tags[0], 1000.0, 5.0)).status is WriteStatus.CONFIRMED
        assert link.wrong == []


@pytest.mark.parametrize(
    ("files", "text"),
    [
        (("stranger.pem", None, None, None), "put its authority in"),
        (("authority.pem", None, None, "another.example"), "or set server_name to its name"),
        (("missing.pem", None, None, None), "missing.pem holds no certificates in PEM to trust"),
        (("server.key", None, None, None), "server.key holds no certificates in PEM to trust"),
        (("authority.pem", "client.pem", "stranger.key", None), "hold no certificate with its key in PEM"),
        (("authority.pem", None, None, "x" * 64 + ".example"), "example' is no host"),
        (("authority.pem", None, None, "a\0b"), "'a.x00b' is no host"),
    ],
)
async def test_a_server_that_cannot_be_trusted_and_files_that_are_wrong_are_refused_with_the_mend(
    certificates: Path, files: tuple[str, str | None, str | None, str | None], text: str
) -> None:
    trusted, certificate, key, name = files
    tls = TlsFiles(str(certificates / trusted), certificate and str(certificates / certificate), key and str(certificates / key), name)
    async with serving(tls=server_side(certificates)) as server:
        with pytest.raises(DeviceUnreachable, match=text):
            async with opened(ModbusDriver(), device_on(replace(tcp(server), tls=tls), timeout=5.0)):
                pass
        assert server.requests == []


async def test_a_server_without_tls_is_refused(certificates: Path) -> None:
    async with serving() as server:
        server.otherwise = rogue_modbus_server.GARBAGE
        line = replace(tcp(server), tls=TlsFiles(str(certificates / "authority.pem")))
        with pytest.raises(DeviceUnreachable, match="no connection"):
            async with opened(ModbusDriver(), device_on(line)):
                pass
