"""A site written as the folder of files that ``plant.site_loader`` reads."""

import csv
import io
import json
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Final

from plant.device import Device, Encoding, ModbusAddress, ModbusDevice, OpcuaAddress
from plant.site import Site
from plant.tag import Tag

_MODBUS_COLUMNS: Final = ("tag", "table", "address", "encoding", "order", "length", "bit", "scale", "offset")
_OPCUA_COLUMNS: Final = ("tag", "node")
# fmt: off
_TAG_COLUMNS: Final = (
    "id", "tag", "area", "unit", "description", "kind", "datatype", "eu", "lo", "hi", "normal", "device", "scan_ms", "deadband",
    "alarm_ll", "alarm_l", "alarm_h", "alarm_hh", "priority", "writable",
)
# fmt: on

Cell = str | int | float | None


def write_site(site: Site, folder: Path) -> None:
    """Writes ``site`` into ``folder``, which is made if need be; files of a site that lie there are replaced.

    Devices must have the endpoints at which they are found. For a site whose tags all have an address on the wire.

    Raises:
        OSError: the folder cannot be written.
    """
    folder.mkdir(parents=True, exist_ok=True)
    modbus = [_modbus_row(tag.name, tag.source) for tag in site.tags if isinstance(tag.source, ModbusAddress)]
    opcua = [(tag.name, tag.source.node) for tag in site.tags if isinstance(tag.source, OpcuaAddress)]
    texts = {
        "site.toml": f"name = {_quoted(site.name)}\n",
        "devices.toml": "\n".join(_device_table(device) for device in site.devices.values()),
        "tags.csv": _table(_TAG_COLUMNS, map(_tag_row, site.tags)),
        "modbus.csv": _table(_MODBUS_COLUMNS, modbus),
        "opcua.csv": _table(_OPCUA_COLUMNS, opcua),
    }
    for name, text in texts.items():
        (folder / name).write_text(text, encoding="utf-8")


def _device_table(device: Device) -> str:
    lines = [f"[devices.{device.name}]", f"protocol = {_quoted(device.protocol)}", f"area = {_quoted(device.area)}"]
    if isinstance(device, ModbusDevice):
        lines += [f"host = {_quoted(device.host)}", f"port = {device.port}", f"unit_id = {device.unit_id}"]
        lines += [f"max_registers = {device.max_registers}", f"max_bits = {device.max_bits}", f"max_gap = {device.max_gap}"]
    else:
        lines += [f"url = {_quoted(device.url)}", f"publishing_interval = {device.publishing_interval}"]
    return "\n".join([*lines, f"timeout = {device.timeout}", ""])


def _quoted(text: str) -> str:
    """A TOML basic string; JSON writes the same escapes."""
    return json.dumps(text, ensure_ascii=False)


def _table(columns: Sequence[str], rows: Iterable[Sequence[Cell]]) -> str:
    text = io.StringIO(newline="")
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(columns)
    writer.writerows(["" if cell is None else _cell(cell) for cell in row] for row in rows)
    return text.getvalue()


def _cell(cell: str | int | float) -> str:
    """Whole numbers without a decimal point; every other number so that it reads back the same."""
    return str(int(cell)) if isinstance(cell, float) and cell.is_integer() else str(cell)


def _tag_row(tag: Tag) -> Sequence[Cell]:
    low, high = (None, None) if tag.eu_range is None else tag.eu_range
    limits = tag.alarm_limits
    head = (tag.id, tag.name, tag.area, tag.unit, tag.description, tag.kind, tag.data_type, tag.engineering_unit, low, high, tag.normal, tag.device)
    return (*head, tag.scan_ms, tag.deadband, limits.low_low, limits.low, limits.high, limits.high_high, tag.priority, int(tag.writable))


def _modbus_row(name: str, address: ModbusAddress) -> Sequence[Cell]:
    length = address.length if address.encoding is Encoding.STRING else None
    return (name, address.table, address.address, address.encoding, address.order, length, address.bit, address.scale, address.offset)
