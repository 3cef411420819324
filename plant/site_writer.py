"""A site written as the folder of files that ``plant.site_loader`` reads."""

import csv
import io
from collections.abc import Iterable, Sequence
from pathlib import Path

from plant.device import DeadbandKind, Encoding, ModbusAddress, OpcuaAddress
from plant.site import Site
from plant.site_device_table import device_table, toml
from plant.site_sources import MODBUS_COLUMNS, MODBUS_OPTIONAL, OPCUA_COLUMNS, OPCUA_OPTIONAL
from plant.site_tags import TAG_COLUMNS, TAG_OPTIONAL
from plant.tag import Tag

Cell = str | int | float | None


def write_site(site: Site, folder: Path) -> None:
    """Writes ``site`` into ``folder``, which is made if need be; files of a site that lie there are replaced.

    Devices must have the endpoints at which they are found. For a site whose tags all have an address on the wire, with settings as ``load_site`` gives them:
    it then gives an equal site for the folder.

    Raises:
        OSError: the folder cannot be written.
    """
    folder.mkdir(parents=True, exist_ok=True)
    modbus = [_modbus_row(tag.name, tag.source) for tag in site.tags if isinstance(tag.source, ModbusAddress)]
    opcua = [_opcua_row(tag.name, tag.source) for tag in site.tags if isinstance(tag.source, OpcuaAddress)]
    texts = {
        "site.toml": f"name = {toml(site.name)}\n",
        "devices.toml": "\n".join(device_table(device) for device in site.devices.values()),
        "tags.csv": _table(TAG_COLUMNS, map(_tag_row, site.tags), TAG_OPTIONAL),
        "modbus.csv": _table(MODBUS_COLUMNS, modbus, MODBUS_OPTIONAL),
        "opcua.csv": _table(OPCUA_COLUMNS, opcua, OPCUA_OPTIONAL),
    }
    for name, text in texts.items():
        (folder / name).write_text(text, encoding="utf-8")


def _table(columns: Sequence[str], rows: Iterable[Sequence[Cell]], optional: Sequence[str] = ()) -> str:
    """Cells of a row are those of ``columns`` and then of ``optional``, of which a column that is blank throughout is left out."""
    cells = [["" if cell is None else _cell(cell) for cell in row] for row in rows]
    kept = [*range(len(columns)), *(place for place in range(len(columns), len(columns) + len(optional)) if any(row[place] for row in cells))]
    text = io.StringIO(newline="")
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow([(*columns, *optional)[place] for place in kept])
    writer.writerows([row[place] for place in kept] for row in cells)
    return text.getvalue()


def _cell(cell: str | int | float) -> str:
    """Whole numbers without a decimal point; every other number so that it reads back the same."""
    return str(int(cell)) if isinstance(cell, float) and cell.is_integer() else str(cell)


def _tag_row(tag: Tag) -> Sequence[Cell]:
    low, high = (None, None) if tag.eu_range is None else tag.eu_range
    limits = tag.alarm_limits
    head = (tag.id, tag.name, tag.area, tag.unit, tag.description, tag.kind, tag.data_type, tag.engineering_unit, low, high, tag.normal, tag.device)
    alarms = (limits.low_low, limits.low, limits.high, limits.high_high, tag.priority)
    return (*head, tag.scan_ms, tag.deadband, *alarms, int(tag.writable), tag.compression_deviation)


def _modbus_row(name: str, address: ModbusAddress) -> Sequence[Cell]:
    length = address.length if address.encoding is Encoding.STRING else None
    place = (name, address.table, address.address, address.encoding, address.order, length, address.bit, address.scale, address.offset)
    return (*place, address.no_value, 1 if address.clamp else None)


def _opcua_row(name: str, address: OpcuaAddress) -> Sequence[Cell]:
    deadband = None if address.deadband is None else _cell(address.deadband.value)
    if address.deadband is not None and address.deadband.kind is DeadbandKind.PERCENT:
        deadband = f"{deadband}%"
    return (name, address.node, address.index, address.sampling_interval, address.queue_size, deadband, address.method_of)
