"""Who the gateway is to a server: nobody in particular, a name with a password, or a certificate.

Rule: a password leaves the gateway only encrypted with the certificate of a server that is trusted, or over a channel that is.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from pathlib import Path
from typing import Final

from asyncua import ua
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import rsa

from drivers.opcua.security.certificate_file import CertificateExpired, read_pair, read_secret, wrong
from drivers.opcua.security.endpoints import NONE_URI, policy_name, strength
from plant.errors import DeviceUnreachable
from plant.opcua_device import NamedUser, OpcuaUser

_LONGEST: Final = 128
"""Bytes of a password: with length and nonce one block of RSA-OAEP-SHA256 with the shortest key allowed."""
_KINDS: Final = {
    ua.UserTokenType.Anonymous: "anonymous",
    ua.UserTokenType.UserName: "a name and a password",
    ua.UserTokenType.Certificate: "a user's certificate",
    ua.UserTokenType.IssuedToken: "an issued token",
}


@dataclass(frozen=True, slots=True)
class Anonymous:
    kind = ua.UserTokenType.Anonymous


@dataclass(frozen=True, slots=True)
class Named:
    kind = ua.UserTokenType.UserName
    name: str
    password: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class Certified:
    kind = ua.UserTokenType.Certificate
    certificate: x509.Certificate
    key: rsa.RSAPrivateKey = field(repr=False)


Identity = Anonymous | Named | Certified


def load_identity(user: OpcuaUser | None, now: datetime) -> Identity:
    """Reads the user's files, at each connection anew: passwords change.

    Raises:
        ConfigurationError
    """
    if user is None:
        return Anonymous()
    if isinstance(user, NamedUser):
        return Named(user.name, _password(Path(user.password_file)))
    certificate, key = read_pair(Path(user.certificate), Path(user.key))
    if certificate.not_valid_after_utc < now:
        raise CertificateExpired(Path(user.certificate), certificate, "put a valid one there, with its key")
    return Certified(certificate, key)


def choose_token(offered: Sequence[ua.UserTokenPolicy], identity: Identity, channel_uri: str, mode: ua.MessageSecurityMode) -> ua.UserTokenPolicy:
    """The strongest of the server's policies for this kind of user, with the security policy it really means. Source: OPC UA Part 4, 7.41.

    Raises:
        DeviceUnreachable: it takes no such user, or would have the password unprotected.
    """
    able = [replace(one, SecurityPolicyUri=one.SecurityPolicyUri or channel_uri) for one in offered if one.TokenType == identity.kind]
    if isinstance(identity, Anonymous):
        if not able and offered:
            raise DeviceUnreachable(f"the server takes no anonymous user, only {_kinds(offered)}: give the device a user")
        return able[0] if able else ua.UserTokenPolicy(TokenType=ua.UserTokenType.Anonymous)
    if not able:
        raise DeviceUnreachable(f"the server does not take {_KINDS[identity.kind]}, only {_kinds(offered)}: enable it there, or change the device's user")
    safe = [one for one in able if strength(one.SecurityPolicyUri) is not None]
    if safe:
        return max(safe, key=lambda one: strength(one.SecurityPolicyUri) or 0)
    plain = next((one for one in able if one.SecurityPolicyUri == NONE_URI), None)
    if isinstance(identity, Named) and plain is not None and mode is ua.MessageSecurityMode.SignAndEncrypt:
        return plain
    names = ", ".join(sorted({policy_name(one.SecurityPolicyUri) for one in able}))
    what = "the password would be sent so that others could read it" if isinstance(identity, Named) else "nothing would prove that the user's key is ours"
    raise DeviceUnreachable(
        f"{what}, since the server protects it by {names} only: nothing was sent; choose a security_policy other than None, with SignAndEncrypt"
    )


def _kinds(offered: Sequence[ua.UserTokenPolicy]) -> str:
    return " or ".join(sorted({_KINDS.get(one.TokenType, "an unknown kind") for one in offered})) or "nobody"


def _password(path: Path) -> str:
    data = read_secret(path, "a file whose first line is the password")
    try:
        lines = data.decode("utf-8-sig").splitlines()
    except UnicodeDecodeError as error:
        raise wrong(path, "is no UTF-8", "write the password into it, in UTF-8") from error
    if not lines or not lines[0]:
        raise wrong(path, "has an empty first line", "write the password into it")
    if len(lines[0].encode()) > _LONGEST:
        raise wrong(path, f"has a first line of more than {_LONGEST} bytes", "have a shorter password")
    return lines[0]
