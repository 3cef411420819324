"""An OPC UA server as a device of the site: its address, how messages are protected, and who the gateway is to it."""

from dataclasses import dataclass
from enum import StrEnum
from typing import Final
from urllib.parse import urlsplit, urlunsplit

from plant.heartbeat import Heartbeat
from plant.write_within import WRITE_WITHIN

_PORT: Final = 4840
"""Where an OPC UA server listens unless told otherwise. Source: OPC UA Part 6, 7.1.2."""


class SecurityPolicy(StrEnum):
    """OPC UA Part 7, 6.6. The policies built on SHA-1 (Basic128Rsa15, Basic256) are deprecated and not spoken.

    ``AUTO``: the strongest of the others that the server offers, never ``NONE``.
    """

    AUTO = "auto"
    NONE = "None"
    BASIC256_SHA256 = "Basic256Sha256"
    AES128_SHA256_RSA_OAEP = "Aes128Sha256RsaOaep"
    AES256_SHA256_RSA_PSS = "Aes256Sha256RsaPss"


class MessageSecurity(StrEnum):
    """MessageSecurityMode of OPC UA Part 4, 7.20."""

    SIGN = "Sign"
    SIGN_AND_ENCRYPT = "SignAndEncrypt"


@dataclass(frozen=True, slots=True)
class OpcuaSecurity:
    """``mode`` means nothing with the policy ``NONE``, under which everybody on the network can read and change what is sent."""

    policy: SecurityPolicy = SecurityPolicy.AUTO
    mode: MessageSecurity = MessageSecurity.SIGN_AND_ENCRYPT

    @classmethod
    def none(cls) -> "OpcuaSecurity":
        return cls(SecurityPolicy.NONE)


@dataclass(frozen=True, slots=True)
class NamedUser:
    """``password_file`` is the absolute path of a file whose first line is the password: secrets stay out of a site's files."""

    name: str
    password_file: str


@dataclass(frozen=True, slots=True)
class CertificateUser:
    """A user known by a certificate: absolute paths of the certificate (PEM or DER) and its private key (PEM)."""

    certificate: str
    key: str


class Decoder(StrEnum):
    """What makes samples of the bytes of a subscription. ``LIBRARY`` is slower, and there for a server that the other does not understand."""

    COLUMNS = "columns"
    LIBRARY = "library"


OpcuaUser = NamedUser | CertificateUser


@dataclass(frozen=True, slots=True)
class OpcuaDevice:
    """An OPC UA server. ``publishing_interval`` and ``timeout`` are seconds.

    ``user`` ``None`` is anonymous. With ``polling`` values are read every scan period, without a subscription. With ``history`` what the server kept
    during an outage is fetched after it. ``application_uri``: by which the server calls itself and its certificate names it; ``None`` is whoever is trusted.
    ``heartbeat``: see ``plant.heartbeat``.
    """

    name: str
    area: str
    url: str
    publishing_interval: float = 0.25
    timeout: float = 4.0
    security: OpcuaSecurity = OpcuaSecurity()
    user: OpcuaUser | None = None
    polling: bool = False
    history: bool = True
    application_uri: str | None = None
    heartbeat: Heartbeat | None = None
    decoder: Decoder = Decoder.COLUMNS

    @property
    def protocol(self) -> str:
        return "opcua"

    @property
    def has_clock(self) -> bool:
        return True

    @property
    def write_within(self) -> float:
        return WRITE_WITHIN

    @property
    def endpoint(self) -> str:
        """The URL with its port, and without user and password: this is what logs and people see."""
        parts = urlsplit(self.url)
        address = parts.netloc.rpartition("@")[2]
        return urlunsplit(parts._replace(netloc=address if parts.port else f"{address}:{_PORT}"))
