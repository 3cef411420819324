"""devices.toml of a site folder -> devices."""

import re
from collections.abc import Mapping
from typing import Final

from plant.device import Device, ModbusDevice
from plant.site_document import TomlTable
from plant.site_modbus_device import parse_modbus_device
from plant.site_opcua_device import parse_opcua_device

TOKEN: Final = re.compile(r"[A-Za-z0-9_-]+", re.ASCII)
"""What names of areas and devices are made of: they become tokens of bus subjects."""


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
    _report_lines(dict(tables), devices)
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
            device: Device = parse_modbus_device(name, area, table)
        case "opcua":
            device = parse_opcua_device(name, area, table)
        case None:
            table.report("protocol", "is missing", 'write protocol = "modbus" or "opcua"')
            return None
        case other:
            table.report("protocol", f"unknown protocol {other!r}", "write one of modbus, opcua")
            return None
    return device if len(table.problems) == before else None


def _report_shared_endpoints(tables: Mapping[str, TomlTable], devices: Mapping[str, Device | None]) -> None:
    """One device, one session: a second one would take the first one's place in some servers, and count every fault twice."""
    first: dict[str, str] = {}
    for name, device in devices.items():
        if device is not None and first.setdefault(device.endpoint, name) != name:
            key = "unit_id" if isinstance(device, ModbusDevice) else "url"
            tables[name].report(key, f"{device.endpoint} is already that of {first[device.endpoint]}", "give each device its own, or make them one device")


def _report_lines(tables: Mapping[str, TomlTable], devices: Mapping[str, Device | None]) -> None:
    """Units behind one socket or on one serial line are asked over one connection: how to talk on it is said alike."""
    first: dict[str, ModbusDevice] = {}
    for name, device in devices.items():
        if isinstance(device, ModbusDevice):
            other = first.setdefault(_place_of(device), device)
            if other.line != device.line:
                message = f"the line {device.line.endpoint} is that of {other.name} too, and is described otherwise there"
                tables[name].report(None, message, "write framing, tls, window, pause and the settings of a serial port alike for every device of a line")


def _place_of(device: ModbusDevice) -> str:
    return device.line.endpoint.partition("://")[2]
