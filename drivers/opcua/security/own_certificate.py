"""The certificate by which the gateway is known to OPC UA servers, and its private key.

Rules:

- Both are kept: servers trust this very certificate. A new one is made only where there is none.
- A file appears whole or not at all, and never in the place of another: two processes that start at once end up with the same pair.
- The certificate is made for the key that is on the disk, so that a process killed between the two files leaves nothing that does not match.

The key has 3072 bits: NIST SP 800-57 ends 2048 bits with 2030, within the certificate's life, and all policies spoken here take 2048 to 4096. A server computes
with our public key only, which costs it next to nothing; an administrator can put a pair of 2048 bits there for a device that takes no longer keys.
"""

import contextlib
import os
import socket
import tempfile
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Final
from urllib.parse import quote

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from drivers.opcua.security.certificate_file import CertificateExpired, read_key, read_pair, wrong
from drivers.opcua.security.server_certificate import KEY_BITS, uris_of

_KEY_BITS: Final = 3072
_LIFE: Final = timedelta(days=5 * 365)
_BACKDATED: Final = timedelta(days=1)
"""Clocks of devices are late: to them a certificate of now is one of the future."""


@dataclass(frozen=True, slots=True)
class OwnCertificate:
    """``application_uri`` is the certificate's own: servers compare it with what the session says."""

    certificate: x509.Certificate
    key: rsa.RSAPrivateKey
    application_uri: str
    file: Path


def make_own(certificate_file: Path, key_file: Path, *, key_bits: int = _KEY_BITS) -> None:
    """Makes what is not there. Takes up to some seconds of computing.

    Raises:
        ConfigurationError: a certificate without its key.
        OSError
    """
    if not key_file.exists():
        if certificate_file.exists():
            raise wrong(
                key_file, "is missing", f"put back the key of {certificate_file}, or remove that too to have a new pair made, which servers must then trust"
            )
        new = rsa.generate_private_key(public_exponent=65537, key_size=key_bits)
        _put(key_file, new.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()), 0o600)
    if not certificate_file.exists():
        _put(certificate_file, self_signed(read_key(key_file), socket.gethostname()).public_bytes(Encoding.DER), 0o644)


def load_own(certificate_file: Path, key_file: Path, now: datetime) -> OwnCertificate:
    """Raises:
    ConfigurationError: unreadable, open to others, no pair, too short a key, without application URI, or out of its time.
    """
    certificate, key = read_pair(certificate_file, key_file)
    if key.key_size not in KEY_BITS:
        raise wrong(key_file, f"has {key.key_size} bits", f"put a pair of {KEY_BITS.start} to {KEY_BITS.stop - 1} bits there")
    uris = uris_of(certificate)
    if not uris:
        raise wrong(certificate_file, "has no application URI", "put one there whose subjectAltName has a URI (OPC UA Part 6, 6.2.2)")
    mend = f"put a valid pair there, or remove it and {key_file} to have a new one made, which servers must then trust"
    if certificate.not_valid_after_utc < now:
        raise CertificateExpired(certificate_file, certificate, mend)
    if certificate.not_valid_before_utc > now:
        raise wrong(certificate_file, f"is valid only from {certificate.not_valid_before_utc:%Y-%m-%d %H:%M} UTC", f"check this machine's clock; else {mend}")
    return OwnCertificate(certificate, key, uris[0], certificate_file)


def self_signed(key: rsa.RSAPrivateKey, host: str) -> x509.Certificate:
    """An application instance certificate. Source: OPC UA Part 6, 6.2.2: no CA, and with keyCertSign because it is signed by itself."""
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "Monazite gateway"), x509.NameAttribute(NameOID.ORGANIZATION_NAME, "Monazite")])
    now = datetime.now(UTC)
    identifier = x509.SubjectKeyIdentifier.from_public_key(key.public_key())
    names: list[x509.GeneralName] = [x509.UniformResourceIdentifier(f"urn:{quote(host)}:monazite:gateway")]
    if host.isascii():  # other names have no place there; servers look at the URI
        names.append(x509.DNSName(host))
    usage = x509.KeyUsage(
        digital_signature=True,
        content_commitment=True,
        key_encipherment=True,
        data_encipherment=True,
        key_agreement=False,
        key_cert_sign=True,
        crl_sign=False,
        encipher_only=False,
        decipher_only=False,
    )
    return (
        x509.CertificateBuilder(name, name, key.public_key(), x509.random_serial_number(), now - _BACKDATED, now + _LIFE)
        .add_extension(x509.SubjectAlternativeName(names), critical=False)
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(usage, critical=True)
        .add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.CLIENT_AUTH, ExtendedKeyUsageOID.SERVER_AUTH]), critical=False)
        .add_extension(identifier, critical=False)
        .add_extension(x509.AuthorityKeyIdentifier.from_issuer_subject_key_identifier(identifier), critical=False)
        .sign(key, hashes.SHA256())
    )


def _put(path: Path, data: bytes, mode: int) -> None:
    """Puts a whole file there, unless there is one by now."""
    descriptor, temporary = tempfile.mkstemp(prefix=".new-", dir=path.parent)  # with mode 600
    try:
        with os.fdopen(descriptor, "wb") as file:
            os.fchmod(descriptor, mode)
            file.write(data)
            file.flush()
            os.fsync(descriptor)
        with contextlib.suppress(FileExistsError):
            os.link(temporary, path)
    finally:
        Path(temporary).unlink()
    folder = os.open(path.parent, os.O_RDONLY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)
