"""Which of a server's endpoints the gateway takes, and how people are told what there was.

What a server says in GetEndpoints is not protected: a stranger between could have said it. The strength of a policy is therefore ours to judge, and what is
chosen is held against the list that comes over the secured channel.
"""

from collections.abc import Sequence
from typing import Final
from urllib.parse import urlsplit

from asyncua import ua
from asyncua.crypto import security_policies

from plant.errors import DeviceUnreachable
from plant.opcua_device import MessageSecurity, OpcuaSecurity, SecurityPolicy

POLICIES: Final[dict[SecurityPolicy, type[security_policies.SecurityPolicy]]] = {
    SecurityPolicy.AES256_SHA256_RSA_PSS: security_policies.SecurityPolicyAes256Sha256RsaPss,
    SecurityPolicy.BASIC256_SHA256: security_policies.SecurityPolicyBasic256Sha256,
    SecurityPolicy.AES128_SHA256_RSA_OAEP: security_policies.SecurityPolicyAes128Sha256RsaOaep,
}
"""The strongest first. The last two differ in the length of the AES key only."""
NONE_URI: Final = security_policies.SecurityPolicyNone.URI
MODES: Final = {MessageSecurity.SIGN: ua.MessageSecurityMode.Sign, MessageSecurity.SIGN_AND_ENCRYPT: ua.MessageSecurityMode.SignAndEncrypt}


def strength(policy_uri: str) -> int | None:
    """The higher, the stronger; ``None`` for what is not spoken: none, SHA-1, or unknown."""
    uris = [policy.URI for policy in reversed(POLICIES.values())]
    return uris.index(policy_uri) if policy_uri in uris else None


def choose_endpoint(endpoints: Sequence[ua.EndpointDescription], security: OpcuaSecurity, url: str) -> ua.EndpointDescription:
    """The strongest that the device's configuration allows; among equals the one with the path of ``url``. Host and port of what is offered mean nothing:
    a server behind address translation does not know its own.

    Raises:
        DeviceUnreachable: there is none. The message says what there is, and the mend.
    """
    wanted = None if security.policy in {SecurityPolicy.AUTO, SecurityPolicy.NONE} else POLICIES[security.policy].URI
    mode = MODES[security.mode]
    able = [
        (strength(one.SecurityPolicyUri) or 0, _path(one.EndpointUrl) == _path(url), -position, one)
        for position, one in enumerate(endpoints)
        if _is_binary(one) and one.SecurityMode == mode and strength(one.SecurityPolicyUri) is not None and wanted in {None, one.SecurityPolicyUri}
    ]
    if not able:
        raise not_offered(endpoints, security)
    return max(able, key=lambda one: one[:3])[3]


def not_offered(endpoints: Sequence[ua.EndpointDescription], security: OpcuaSecurity) -> DeviceUnreachable:
    """The error for a server that does not offer what the device's configuration asks for."""
    offers = sorted({_offer(one) for one in endpoints if _is_binary(one)})
    spoken = sorted({_offer(one) for one in endpoints if _is_binary(one) and strength(one.SecurityPolicyUri) is not None})
    asked = (
        "None"
        if security.policy is SecurityPolicy.NONE
        else f"{'any safe policy' if security.policy is SecurityPolicy.AUTO else security.policy}/{security.mode}"
    )
    if spoken:
        mend = f"enable that in the server, or set security_policy and security_mode of the device to one of {', '.join(spoken)}"
    else:
        mend = "enable one of " + ", ".join(POLICIES) + " in the server"
    return DeviceUnreachable(f"the server does not offer {asked}, it offers {', '.join(offers) or 'nothing'}: {mend}")


def policy_name(policy_uri: str | None) -> str:
    """For people, as the configuration writes it where it knows it."""
    name = next((str(known) for known, policy in POLICIES.items() if policy_uri == policy.URI), None)
    return name or (policy_uri or "None").rpartition("#")[2]


def _offer(endpoint: ua.EndpointDescription) -> str:
    name = policy_name(endpoint.SecurityPolicyUri)
    return name if endpoint.SecurityMode == ua.MessageSecurityMode.None_ else f"{name}/{endpoint.SecurityMode.name}"


def _is_binary(endpoint: ua.EndpointDescription) -> bool:
    """Not HTTPS, and not a web socket."""
    return bool(endpoint.EndpointUrl) and endpoint.EndpointUrl.startswith("opc.tcp:")


def _path(url: str) -> str:
    return urlsplit(url).path.strip("/")
