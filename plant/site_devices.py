"""devices.toml of a site folder -> devices."""

import re
from collections.abc import Mapping
from dataclasses import replace
from typing import Final
from urllib.parse import urlsplit

from plant.device import Device, ModbusDevice, OpcuaDevice
from plant.site_document import TomlTable

TOKEN: Final = re.compile(r"[A-Za-z0-9_-]+", re.ASCII)
"""What names of areas and devices are made of: they become tokens of bus subjects."""

_MODBUS_KEYS: Final = ("protocol", "area", "host", "port", "unit_id", "max_registers", "max_bits", "max_gap", "timeout")
_OPCUA_KEYS: Final = ("protocol", "area", "url", "publishing_interval", "timeout")


def parse_devices(document: TomlTable) -> Mapping[str, Device | None]:
    """Devices by name; ``None`` for one that is named and cannot be used, so that its tags do not seem to name an unknown device."""
    document.only(["devices"])
    root = document.values.get("devices")
    if not isinstance(root, dict) or not root:
        document.report("devices", "the site has no devices", "write a table [devices.NAME] for each")
        return {}
    tables = TomlTable(document.file, document.text, ("devices",), root, document.problems).tables("write a table [devices.NAME] for each device")
    devices = {name: _device(name, table) for name, table in tables}
    _report_shared_endpoints(dict(tables), devices)
    return devices


def _device(name: str, table: TomlTable) -> Device | None:
    before = len(table.problems)
    if TOKEN.fullmatch(name) is None:
        table.report(None, f"{name!r} is no device name", "use letters, digits, _ and - only: it becomes part of a bus subject")
    area = table.string("area", '"SEP"') or ""
    if area and TOKEN.fullmatch(area) is None:
        table.report("area", f"{area!r} is no area name", "use letters, digits, _ and - only: it becomes part of a bus subject")
    match table.values.get("protocol"):
        case "modbus":
            device: Device = _modbus(name, area, table)
        case "opcua":
            device = _opcua(name, area, table)
        case None:
            table.report("protocol", "is missing", 'write protocol = "modbus" or "opcua"')
            return None
        case other:
            table.report("protocol", f"unknown protocol {other!r}", "write one of modbus, opcua")
            return None
    return device if len(table.problems) == before else None


def _modbus(name: str, area: str, table: TomlTable) -> ModbusDevice:
    table.only(_MODBUS_KEYS)
    unit_id = table.integer("unit_id", 0, 255)
    if unit_id is not None and 247 < unit_id < 255:
        table.report("unit_id", f"{unit_id} is reserved by the Modbus standard", "write 0 … 247, or 255 for the device behind the socket itself")
    host = table.string("host", '"10.20.3.11"') or ""
    if host and not _is_host(host):
        table.report("host", f"{host!r} is no host", "write an IP address or a host name")
    plain = ModbusDevice(name, area, host, table.integer("port", 1, 65535) or 0, unit_id or 0)
    return replace(
        plain,
        max_registers=table.integer_or("max_registers", 1, 125, plain.max_registers),
        max_bits=table.integer_or("max_bits", 1, 2000, plain.max_bits),
        max_gap=table.integer_or("max_gap", 0, 125, plain.max_gap),
        timeout=table.seconds("timeout", plain.timeout),
    )


def _opcua(name: str, area: str, table: TomlTable) -> OpcuaDevice:
    table.only(_OPCUA_KEYS)
    url = table.string("url", '"opc.tcp://10.20.3.21:4840"') or ""
    if url and not _is_opcua_url(url):
        table.report("url", f"{url!r} is no address of an OPC UA server", "write opc.tcp://HOST:PORT/PATH")
    plain = OpcuaDevice(name, area, url)
    return replace(
        plain,
        publishing_interval=table.seconds("publishing_interval", plain.publishing_interval),
        timeout=table.seconds("timeout", plain.timeout),
    )


def _is_host(host: str) -> bool:
    try:
        host.encode("idna")
    except UnicodeError:
        return False
    return re.search(r"\s", host) is None


def _is_opcua_url(url: str) -> bool:
    try:
        parts = urlsplit(url)
        return parts.scheme == "opc.tcp" and bool(parts.hostname) and parts.port != 0 and re.search(r"\s", url) is None
    except ValueError:  # brackets around what is no IPv6 address, or a port above 65535
        return False


def _report_shared_endpoints(tables: Mapping[str, TomlTable], devices: Mapping[str, Device | None]) -> None:
    """One device, one session: a second one would take the first one's place in some servers, and count every fault twice."""
    first: dict[str, str] = {}
    for name, device in devices.items():
        if device is not None and first.setdefault(device.endpoint, name) != name:
            key = "unit_id" if isinstance(device, ModbusDevice) else "url"
            tables[name].report(key, f"{device.endpoint} is already that of {first[device.endpoint]}", "give each device its own, or make them one device")
