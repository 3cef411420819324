"""What a server's certificate must be like, before anybody asks whether it is trusted. Source: OPC UA Part 4, 6.1.3, and Part 7, 6.6."""

import ipaddress
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from drivers.opcua.security.certificate_file import parse_certificate
from plant.errors import DeviceProtocolError, DeviceUnreachable

KEY_BITS: Final = range(2048, 4097)
"""Of RSA, under each of the policies spoken here."""
_HASHES: Final = (hashes.SHA256, hashes.SHA384, hashes.SHA512)
_LONGEST_CHAIN: Final = 8
_LARGEST: Final = 1 << 16
_EARLY: Final = timedelta(hours=1)
"""A certificate made just now by a device whose clock is ahead of ours is none of the future. None is granted at the other end: that is known years ahead."""


@dataclass(frozen=True, slots=True)
class PresentedCertificate:
    """What a server showed. ``issuers`` are the certificates that it sent along: a help, and no proof of anything."""

    certificate: x509.Certificate
    issuers: tuple[x509.Certificate, ...]

    @classmethod
    def parse(cls, blob: bytes | None) -> "PresentedCertificate":
        """From one certificate, or a chain of them one after the other, in DER (Part 6, 6.2.6).

        Raises:
            DeviceUnreachable: there is none.
            DeviceProtocolError: it cannot be read.
        """
        if not blob:
            raise DeviceUnreachable("the server shows no certificate, so nothing proves who it is: give it one")
        if len(blob) > _LARGEST:
            raise DeviceProtocolError(f"the server's certificate has {len(blob)} bytes")
        try:
            chain = [parse_certificate(part) for part in _parts(blob)]
        except (ValueError, IndexError) as error:
            raise DeviceProtocolError(f"the server's certificate cannot be read: {error}") from error
        return cls(chain[0], tuple(chain[1:]))


def thumbprint(certificate: x509.Certificate) -> str:
    """By which people and products know a certificate: SHA-1 over its DER form (Part 6, 6.2.1). It identifies; it proves nothing."""
    return certificate.fingerprint(hashes.SHA1()).hex().upper()  # noqa: S303  # the standard's name for it


def common_name(certificate: x509.Certificate) -> str:
    names = certificate.subject.get_attributes_for_oid(NameOID.COMMON_NAME)
    return str(names[0].value) if names else "no name"


def uris_of(certificate: x509.Certificate) -> Sequence[str]:
    return _names(certificate).get_values_for_type(x509.UniformResourceIdentifier)


def check_form(certificate: x509.Certificate, application_uri: str | None) -> None:
    """Algorithm, key and application URI, which nobody can trust away.

    Raises:
        DeviceUnreachable
    """
    known = f"the server's certificate {thumbprint(certificate)}"
    mend = "have the server make a new one"
    algorithm = signature_hash(certificate)
    if algorithm is None:
        raise DeviceUnreachable(f"{known} is not signed with SHA-256 or better, so it can be forged: {mend}")
    key = certificate.public_key()
    if not isinstance(key, rsa.RSAPublicKey) or key.key_size not in KEY_BITS:
        raise DeviceUnreachable(f"{known} has no RSA key of {KEY_BITS.start} to {KEY_BITS.stop - 1} bits: {mend}")
    uris = uris_of(certificate)
    if application_uri not in uris:
        raise DeviceUnreachable(
            f"{known} is that of the application {', '.join(uris) or '(none named)'}, and the server says that it is {application_uri}: {mend}"
        )


def check_time(certificate: x509.Certificate, now: datetime) -> None:
    """Raises:
    DeviceUnreachable: not valid any more, or not yet.
    """
    known = f"the server's certificate {thumbprint(certificate)}"
    if certificate.not_valid_after_utc < now:
        raise DeviceUnreachable(f"{known} has expired on {certificate.not_valid_after_utc:%Y-%m-%d %H:%M} UTC: have the server make a new one, and trust that")
    if certificate.not_valid_before_utc > now + _EARLY:
        raise DeviceUnreachable(f"{known} is valid only from {certificate.not_valid_before_utc:%Y-%m-%d %H:%M} UTC: check the clocks of both machines")


def is_for_host(certificate: x509.Certificate, host: str) -> bool:
    """Whether the certificate names the host of the device's URL, which is a name or an IP address."""
    names = _names(certificate)
    try:
        return ipaddress.ip_address(host) in names.get_values_for_type(x509.IPAddress)
    except ValueError:
        return host.lower() in (name.lower() for name in names.get_values_for_type(x509.DNSName))


def may_be_server(certificate: x509.Certificate) -> bool:
    """Whether its issuer meant it for a server: false for a user's or a web client's certificate of the same CA."""
    try:
        usage = certificate.extensions.get_extension_for_class(x509.ExtendedKeyUsage).value
    except x509.ExtensionNotFound:
        return True
    return ExtendedKeyUsageOID.SERVER_AUTH in usage or ExtendedKeyUsageOID.ANY_EXTENDED_KEY_USAGE in usage


def signature_hash(certificate: x509.Certificate) -> hashes.HashAlgorithm | None:
    """``None`` for what must not be relied on."""
    try:
        algorithm = certificate.signature_hash_algorithm
    except UnsupportedAlgorithm:
        return None
    return algorithm if isinstance(algorithm, _HASHES) else None


def _names(certificate: x509.Certificate) -> x509.SubjectAlternativeName:
    try:
        return certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    except x509.ExtensionNotFound:
        return x509.SubjectAlternativeName([])


def _parts(blob: bytes) -> list[bytes]:
    """Cut where each SEQUENCE ends (X.690, 8.1.3)."""
    parts: list[bytes] = []
    start = 0
    while start < len(blob):
        length, header = blob[start + 1], 2
        if length & 0x80:
            header += length & 0x7F
            length = int.from_bytes(blob[start + 2 : start + header], "big")
        parts.append(blob[start : start + header + length])
        start += header + length
        if len(parts) > _LONGEST_CHAIN:
            raise ValueError(f"more than {_LONGEST_CHAIN} certificates")
    return parts
