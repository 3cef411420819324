"""Certificates and keys as files, DER or PEM. What cannot be used is a ``ConfigurationError`` that names the file and the mend."""

from pathlib import Path
from typing import Final

from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import load_der_private_key, load_pem_private_key

from plant.errors import ConfigurationError, Problem

_PEM: Final = b"-----BEGIN "
_LARGEST: Final = 1 << 20
"""Bytes of a file: what is larger is nothing that belongs here."""


def wrong(path: Path, message: str, mend: str) -> ConfigurationError:
    return ConfigurationError([Problem(str(path), None, None, message, mend)])


def read_certificate(path: Path) -> x509.Certificate:
    """The first certificate of the file.

    Raises:
        ConfigurationError
    """
    data = read_bytes(path, "a certificate")
    try:
        return parse_certificate(data)
    except ValueError as error:
        raise wrong(path, f"is no certificate ({error})", "put an X.509 certificate there, DER or PEM") from error


def parse_certificate(data: bytes) -> x509.Certificate:
    """Reads every part of it now: the library does so only when it is asked for one, and raises then.

    Raises:
        ValueError: no certificate, or one with a part that cannot be read.
    """
    try:
        read = x509.load_pem_x509_certificate(data) if _PEM in data else x509.load_der_x509_certificate(data)
        _ = (read.extensions, read.public_key(), read.subject, read.issuer, read.not_valid_before_utc, read.not_valid_after_utc)
    except (UnsupportedAlgorithm, x509.DuplicateExtension, x509.InvalidVersion, x509.UnsupportedGeneralNameType) as error:
        raise ValueError(str(error)) from error
    return read


def read_key(path: Path) -> rsa.RSAPrivateKey:
    """An RSA key without a pass phrase: nobody could type it in when the gateway starts by itself.

    Raises:
        ConfigurationError
    """
    data = read_bytes(path, "a private key")
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


def read_bytes(path: Path, what: str) -> bytes:
    """Raises:
    ConfigurationError: no file, or one that this process may not read, or one too large.
    """
    try:
        with path.open("rb") as file:
            data = file.read(_LARGEST + 1)
    except OSError as error:
        raise wrong(path, f"cannot be read: {error.strerror}", f"put {what} there that this process may read") from error
    if len(data) > _LARGEST:
        raise wrong(path, "is larger than a megabyte", f"put {what} there")
    return data
