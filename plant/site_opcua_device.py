"""An OPC UA device as devices.toml describes it."""

import re
from dataclasses import replace
from typing import Final
from urllib.parse import urlsplit

from plant.opcua_device import CertificateUser, Decoder, MessageSecurity, NamedUser, OpcuaDevice, OpcuaSecurity, OpcuaUser, SecurityPolicy
from plant.site_document import TomlTable
from plant.site_heartbeat import HEARTBEAT_KEY, parse_heartbeat

# fmt: off
_KEYS: Final = (
    "protocol", "area", "url", "publishing_interval", "timeout", "security_policy", "security_mode", "user", "polling", "history",
    "application_uri", "decoder", HEARTBEAT_KEY,
)
# fmt: on
_SHA1: Final = {"Basic128Rsa15", "Basic256"}


def parse_opcua_device(name: str, area: str, table: TomlTable) -> OpcuaDevice:
    """What cannot be used is reported, and a default stands for it."""
    table.only(_KEYS)
    url = table.string("url", '"opc.tcp://10.20.3.21:4840"') or ""
    if url and not is_opcua_url(url):
        table.report("url", f"{url!r} is no address of an OPC UA server", "write opc.tcp://HOST:PORT/PATH")
    elif url and urlsplit(url).username is not None:
        table.report("url", "bears a user: a site's files are no place for a password", 'write user = { name = "…", password_file = "/etc/monazite/…" }')
    plain = OpcuaDevice(name, area, url)
    return replace(
        plain,
        publishing_interval=table.seconds("publishing_interval", plain.publishing_interval),
        timeout=table.seconds("timeout", plain.timeout),
        security=_security(table, plain.security),
        user=_user(table),
        polling=table.flag_or("polling", plain.polling),
        history=table.flag_or("history", plain.history),
        application_uri=_application_uri(table),
        heartbeat=parse_heartbeat(table),
        decoder=table.choice_or("decoder", Decoder, plain.decoder),
    )


def _security(table: TomlTable, plain: OpcuaSecurity) -> OpcuaSecurity:
    policy = table.values.get("security_policy")
    if isinstance(policy, str) and policy in _SHA1:
        table.report("security_policy", f"{policy} rests on SHA-1, which can be forged", "write Basic256Sha256 or a stronger one, and enable it in the device")
        return plain
    if policy == SecurityPolicy.NONE:
        if "security_mode" in table.values:
            table.report("security_mode", "nothing is signed or encrypted under the policy None", "remove it, or choose another policy")
        return OpcuaSecurity.none()
    return OpcuaSecurity(table.choice_or("security_policy", SecurityPolicy, plain.policy), table.choice_or("security_mode", MessageSecurity, plain.mode))


def _application_uri(table: TomlTable) -> str | None:
    if "application_uri" not in table.values:
        return None
    uri = table.string("application_uri", '"urn:plc-1:vendor:server"')
    if table.values.get("security_policy") == SecurityPolicy.NONE and "user" not in table.values:
        table.report("application_uri", "nothing proves it under the policy None without a user", "remove it, or choose another policy")
    return uri


def _user(table: TomlTable) -> OpcuaUser | None:
    user = table.table("user", '{ name = "monazite", password_file = "/etc/monazite/plc-1.password" }')
    if user is None:
        return None
    if "certificate" in user.values or "key" in user.values:
        user.only(["certificate", "key"])
        certificate, key = user.absolute_path("certificate"), user.absolute_path("key")
        return None if certificate is None or key is None else CertificateUser(certificate, key)
    if "password" in user.values:
        user.report("password", "a site's files are no place for a password", 'write it into a file, and password_file = "/etc/monazite/…" for that')
        return None
    user.only(["name", "password_file"])
    name, password_file = user.string("name", '"monazite"'), user.absolute_path("password_file")
    return None if name is None or password_file is None else NamedUser(name, password_file)


def is_opcua_url(url: str) -> bool:
    try:
        parts = urlsplit(url)
        return parts.scheme == "opc.tcp" and bool(parts.hostname) and parts.port != 0 and re.search(r"\s", url) is None
    except ValueError:  # brackets around what is no IPv6 address, or a port above 65535
        return False
