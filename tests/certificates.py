"""Certificates of servers, users and CAs for tests. Keys are slow to make: each name has one a process."""

import functools
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

NOW = datetime.now(UTC).replace(microsecond=0)
DAY = timedelta(days=1)


@functools.cache
def key_of(name: str, bits: int = 2048) -> rsa.RSAPrivateKey:
    """One key for each ``name``."""
    return rsa.generate_private_key(public_exponent=65537, key_size=bits)


@dataclass(frozen=True)
class Issuer:
    certificate: x509.Certificate
    key: rsa.RSAPrivateKey


def certificate(
    name: str,
    *,
    uri: str | None = None,
    hosts: Sequence[x509.GeneralName] = (),
    start: datetime = NOW - DAY,
    end: datetime = NOW + 365 * DAY,
    issuer: Issuer | None = None,
    ca: bool = False,
    path_length: int | None = None,
    usage: Sequence[x509.ObjectIdentifier] = (ExtendedKeyUsageOID.SERVER_AUTH,),
    key: rsa.RSAPrivateKey | None = None,
) -> x509.Certificate:
    """Signed by ``issuer``, else by itself. The key is that of ``name``."""
    own = key or key_of(name)
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    builder = x509.CertificateBuilder(issuer.certificate.subject if issuer else subject, subject, own.public_key(), x509.random_serial_number(), start, end)
    names: list[x509.GeneralName] = [*([x509.UniformResourceIdentifier(uri)] if uri else []), *hosts]
    if names:
        builder = builder.add_extension(x509.SubjectAlternativeName(names), critical=False)
    builder = builder.add_extension(x509.BasicConstraints(ca=ca, path_length=path_length), critical=True)
    signs = x509.KeyUsage(
        digital_signature=True,
        content_commitment=not ca,
        key_encipherment=not ca,
        data_encipherment=not ca,
        key_agreement=False,
        key_cert_sign=ca,
        crl_sign=ca,
        encipher_only=False,
        decipher_only=False,
    )
    builder = builder.add_extension(signs, critical=True)
    if usage and not ca:
        builder = builder.add_extension(x509.ExtendedKeyUsage(usage), critical=False)
    return builder.sign(issuer.key if issuer else own, hashes.SHA256())


def authority(name: str, issuer: Issuer | None = None, *, end: datetime = NOW + 365 * DAY, path_length: int | None = None) -> Issuer:
    """A CA."""
    return Issuer(certificate(name, ca=True, issuer=issuer, end=end, path_length=path_length), key_of(name))


def revocations(issuer: Issuer, revoked: Sequence[x509.Certificate], *, signed_with: rsa.RSAPrivateKey | None = None) -> x509.CertificateRevocationList:
    builder = x509.CertificateRevocationListBuilder(issuer.certificate.subject, NOW - DAY, NOW + 30 * DAY)
    for one in revoked:
        builder = builder.add_revoked_certificate(x509.RevokedCertificateBuilder(one.serial_number, NOW - DAY).build())
    return builder.sign(signed_with or issuer.key, hashes.SHA256())


def put_der(path: Path, what: x509.Certificate | x509.CertificateRevocationList) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(what.public_bytes(Encoding.DER))
    return path


def put_key(path: Path, key: rsa.RSAPrivateKey) -> Path:
    """PEM, for the owner's eyes only."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.touch(mode=0o600)
    path.write_bytes(key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
    return path
