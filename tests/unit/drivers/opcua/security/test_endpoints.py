"""Which endpoint is taken of what a server offers, whatever the server says of its strength."""

import pytest
from asyncua import ua

from drivers.opcua.security.endpoints import choose_endpoint
from plant.errors import DeviceUnreachable
from plant.opcua_device import MessageSecurity, OpcuaSecurity, SecurityPolicy

URL = "opc.tcp://10.0.0.1:4840/plc"
BASE = "http://opcfoundation.org/UA/SecurityPolicy#"


def offer(policy: str, mode: str = "SignAndEncrypt", url: str = URL, level: int = 0) -> ua.EndpointDescription:
    return ua.EndpointDescription(EndpointUrl=url, SecurityMode=ua.MessageSecurityMode[mode], SecurityPolicyUri=BASE + policy, SecurityLevel=level)


EVERYTHING = [
    offer("None", "None_", level=99),
    offer("Basic128Rsa15", level=98),
    offer("Basic256", level=97),
    offer("Basic256Sha256", "Sign"),
    offer("Aes128_Sha256_RsaOaep", level=90),
    offer("Basic256Sha256", level=5),
    offer("Aes256_Sha256_RsaPss", level=1),
    offer("Aes256_Sha256_RsaPss", "Sign"),
]


def chosen(offers: list[ua.EndpointDescription], policy: SecurityPolicy = SecurityPolicy.AUTO, mode: MessageSecurity = MessageSecurity.SIGN_AND_ENCRYPT) -> str:
    endpoint = choose_endpoint(offers, OpcuaSecurity(policy, mode), URL)
    return f"{endpoint.SecurityPolicyUri.removeprefix(BASE)}/{endpoint.SecurityMode.name}"


def test_auto_takes_the_strongest_by_our_own_judgement() -> None:
    left = list(EVERYTHING)
    taken = []
    for _ in range(3):
        taken.append(chosen(left))
        left = [one for one in left if f"{one.SecurityPolicyUri.removeprefix(BASE)}/{one.SecurityMode.name}" != taken[-1]]
    assert taken == ["Aes256_Sha256_RsaPss/SignAndEncrypt", "Basic256Sha256/SignAndEncrypt", "Aes128_Sha256_RsaOaep/SignAndEncrypt"]
    with pytest.raises(DeviceUnreachable, match=r"does not offer any safe policy/SignAndEncrypt, it offers .*Basic256/SignAndEncrypt"):
        chosen(left)


@pytest.mark.parametrize("mode", list(MessageSecurity))
def test_what_is_configured_is_taken_and_nothing_else(mode: MessageSecurity) -> None:
    assert chosen(EVERYTHING, SecurityPolicy.BASIC256_SHA256, mode) == f"Basic256Sha256/{mode}"
    with pytest.raises(DeviceUnreachable, match=r"does not offer Aes128Sha256RsaOaep/Sign, it offers"):
        chosen(EVERYTHING, SecurityPolicy.AES128_SHA256_RSA_OAEP, MessageSecurity.SIGN)


def test_nothing_is_offered_by_what_speaks_another_transport() -> None:
    with pytest.raises(DeviceUnreachable, match="it offers nothing: enable one of Aes256Sha256RsaPss, Basic256Sha256, Aes128Sha256RsaOaep in the server"):
        chosen([offer("Basic256Sha256", url="https://10.0.0.1/plc"), offer("Basic256Sha256", url="")])


def test_among_equals_the_path_of_the_device_decides_and_never_the_host() -> None:
    other, same = offer("Basic256Sha256", url="opc.tcp://10.0.0.1:4840/other"), offer("Basic256Sha256", url="opc.tcp://192.168.7.7:99/plc/")
    assert choose_endpoint([other, same], OpcuaSecurity(), URL) is same
    assert choose_endpoint([other], OpcuaSecurity(), URL) is other
