"""Certificates and keys as files, DER or PEM. What cannot be used is a ``ConfigurationError`` that names the file and the mend."""

import os
from pathlib import Path
from typing import Final

from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import Encoding, load_der_private_key, load_pem_private_key

from plant.errors import ConfigurationError, Problem

_PEM: Final = b"-----BEGIN "
_FORBIDDEN: Final = 0o037
"""Of a secret's file: nobody but the owner writes it; others do not read it. The group may: that is how secrets are mounted."""
_LARGEST: Final = 1 << 20
"""Bytes of a file: what is larger is nothing that belongs here."""


class CertificateExpired(ConfigurationError):
    """Of a file of ours. Whoever watches certificates is told of this one even so."""

    def __init__(self, path: Path, certificate: x509.Certificate, mend: str) -> None:
        self.certificate = certificate
        super().__init__([Problem(str(path), None, None, f"has expired on {certificate.not_valid_after_utc:%Y-%m-%d %H:%M} UTC", mend)])


def wrong(path: Path, message: str, mend: str) -> ConfigurationError:
    return ConfigurationError([Problem(str(path), None, None, message, mend)])


def read_certificate(path: Path) -> x509.Certificate:
    """The first certificate of the file.

    Raises:
        ConfigurationError
    """
    return read_certificates(path)[0]


def read_certificates(path: Path) -> list[x509.Certificate]:
    """One in DER, or all that a PEM file has.

    Raises:
        ConfigurationError
    """
    data = read_bytes(path, "a certificate")
    try:
        if _PEM not in data:
            return [parse_certificate(data)]
        return [parse_certificate(one.public_bytes(Encoding.DER)) for one in x509.load_pem_x509_certificates(data)]
    except ValueError as error:
        raise wrong(path, f"is no certificate ({error})", "put an X.509 certificate there, DER or PEM") from error


def parse_certificate(der: bytes) -> x509.Certificate:
    """From DER and nothing else: what a stranger sends could bear the text of another certificate somewhere inside. Reads every part of it now: the library
    does so only when it is asked for one, and raises then.

    Raises:
        ValueError: no certificate, or one with a part that cannot be read.
    """
    try:
        read = x509.load_der_x509_certificate(der)
        _ = (read.extensions, read.public_key(), read.subject, read.issuer, read.not_valid_before_utc, read.not_valid_after_utc)
    except (UnsupportedAlgorithm, x509.DuplicateExtension, x509.InvalidVersion, x509.UnsupportedGeneralNameType) as error:
        raise ValueError(str(error)) from error
    return read


def read_key(path: Path) -> rsa.RSAPrivateKey:
    """An RSA key without a pass phrase: nobody could type it in when the gateway starts by itself.

    Raises:
        ConfigurationError: also where others may read it or change it.
    """
    data = read_secret(path, "a private key")
    mend = "put an RSA key there, PEM or DER, without a pass phrase"
    try:
        key = load_pem_private_key(data, None) if _PEM in data else load_der_private_key(data, None)
    except (ValueError, TypeError, UnsupportedAlgorithm) as error:
        raise wrong(path, "is no private key that can be read", mend) from error
    if not isinstance(key, rsa.RSAPrivateKey):
        raise wrong(path, "is no RSA key: no security policy that is spoken here uses another", mend)
    return key


def read_pair(certificate: Path, key: Path) -> tuple[x509.Certificate, rsa.RSAPrivateKey]:
    """A certificate and the key that belongs to it.

    Raises:
        ConfigurationError
    """
    pair = read_certificate(certificate), read_key(key)
    if pair[0].public_key() != pair[1].public_key():
        raise wrong(certificate, f"is not the certificate of the key in {key}", "put a certificate and a key there that belong together")
    return pair


def read_secret(path: Path, what: str) -> bytes:
    """Raises:
    ConfigurationError: as ``read_bytes``, and where everybody may read the file, or others change it.
    """
    data, mode = _read(path, what)
    if mode & _FORBIDDEN:
        raise wrong(path, "can be read by everybody, or changed by others", f"chmod 600 {path}, and put another secret there if others had access")
    return data


def read_bytes(path: Path, what: str) -> bytes:
    """Raises:
    ConfigurationError: no file, or one that this process may not read, or one too large.
    """
    return _read(path, what)[0]


def _read(path: Path, what: str) -> tuple[bytes, int]:
    """The bytes and the mode of a file."""
    try:
        with path.open("rb") as file:
            data, mode = file.read(_LARGEST + 1), os.fstat(file.fileno()).st_mode
    except OSError as error:
        raise wrong(path, f"cannot be read: {error.strerror}", f"put {what} there that this process may read") from error
    if len(data) > _LARGEST:
        raise wrong(path, "is larger than a megabyte", f"put {what} there")
    return data, mode
