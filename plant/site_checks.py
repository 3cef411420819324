"""Checks between the files of a site folder: tags against devices and sources, and sources against each other."""

from collections.abc import Collection, Mapping, Sequence
from typing import Final

from plant.device import (
    AddressRange,
    ClockOffset,
    Device,
    Encoding,
    Expression,
    LinkLost,
    ModbusAddress,
    ModbusDevice,
    OpcuaAddress,
    OpcuaDevice,
    WriteStyle,
)
from plant.site_document import TomlTable
from plant.site_heartbeat import HEARTBEAT_KEY
from plant.site_sources import SourceRow
from plant.site_table import Row
from plant.site_tags import REACH, TagRow
from plant.tag import DataType, Tag

_WHOLE: Final = {
    Encoding.INT16: (-(2**15), 2**15 - 1),
    Encoding.UINT16: (0, 2**16 - 1),
    Encoding.INT32: (-(2**31), 2**31 - 1),
    Encoding.UINT32: (0, 2**32 - 1),
    Encoding.INT64: (-(2**63), 2**63 - 1),
    Encoding.UINT64: (0, 2**64 - 1),
    Encoding.BCD16: (0, 9_999),
    Encoding.BCD32: (0, 99_999_999),
}


def one_source_a_tag(rows: Sequence[SourceRow]) -> list[SourceRow]:
    """The first source of each tag; a second one is reported."""
    first: dict[str, SourceRow] = {}
    for row in rows:
        earlier = first.setdefault(row.tag, row)
        if earlier is not row:
            row.place.report(_tag_field(row), f"{row.tag} has a source in {_where(earlier)} already", "keep one of them: a tag has one source")
    return list(first.values())


def check_devices(tags: Sequence[TagRow], devices: Mapping[str, Device | None] | None) -> None:
    """Every tag's device exists; ``devices`` is ``None`` where they could not be read."""
    for tag in tags:
        if tag.device and devices is not None and tag.device not in devices:
            tag.row.report("device", f"unknown device {tag.device!r}", "add it to devices.toml or correct the name")


def check_heartbeats(tags: Sequence[TagRow], devices: Mapping[str, Device | None], document: TomlTable) -> None:
    """A heartbeat is a number that its own device serves, and is looked at more than once within its time. ``document`` is what names the devices."""
    by_name = {tag.name: tag for tag in tags}
    for name, device in devices.items():
        if device is None or device.heartbeat is None:
            continue
        row = by_name.get(device.heartbeat.tag)
        place, tag = TomlTable(document.file, document.text, ("devices", name, HEARTBEAT_KEY), {}, document.problems), device.heartbeat.tag
        if row is None or row.device != name:
            place.report("tag", f"{tag} is no tag of {name}", "name one of its tags that always moves")
        elif row.tag is not None and not _is_served_number(row.tag):
            place.report("tag", f"{tag} is no number that comes from {name}", "name one of its tags that always moves")
        elif row.tag is not None and device.heartbeat.within * 1000 <= row.tag.scan_ms:
            message = f"{device.heartbeat.within:g} s, and {tag} is read every {row.tag.scan_ms / 1000:g} s: a PLC that runs would seem to stand"
            place.report("within", message, "make it longer than the tag's scan_ms")


def _is_served_number(tag: Tag) -> bool:
    is_called = isinstance(tag.source, OpcuaAddress) and tag.source.method_of is not None
    return not is_called and not tag.data_type.is_text and not isinstance(tag.source, (LinkLost, ClockOffset, Expression))


def check_sources(
    tags: Sequence[TagRow], rows: Sequence[SourceRow], devices: Mapping[str, Device | None] | None, *, all_tags_read: bool, all_sources_read: bool
) -> None:
    """Every source (one a tag) belongs to a tag and suits it, and every tag has one. What may only be unread is not said to be missing."""
    by_name = {tag.name: tag for tag in tags}
    sourced = {row.tag for row in rows}
    for tag in tags:
        if all_sources_read and tag.name not in sourced:
            tag.row.report("tag", f"{tag.name} has no source", "give it a row in modbus.csv or opcua.csv, or a table in calculated.toml")
    computed = {row.tag for row in rows if isinstance(row.source, Expression)}
    for row in rows:
        tag_row = by_name.get(row.tag)
        if tag_row is None:
            if all_tags_read:
                row.place.report(_tag_field(row), f"{row.tag} is no tag of tags.csv", "add the tag or correct the name")
            continue
        device = None if devices is None else devices.get(tag_row.device)
        match row.source:
            case ModbusAddress() as address:
                _check_modbus(row, address, tag_row, device)
            case OpcuaAddress() if isinstance(device, ModbusDevice):
                row.place.report("tag", f"{row.tag} belongs to {device.name}, a Modbus device", "move the row to modbus.csv, or correct the tag's device")
            case OpcuaAddress() as address:
                _check_opcua(row, address, tag_row.tag)
            case Expression() as expression:
                _check_inputs(row, expression, by_name, computed, all_tags_read)
            case _:
                pass
        if tag_row.tag is not None and isinstance(row.source, (LinkLost, ClockOffset, Expression)):
            _check_calculated(row, tag_row.tag)
    _report_shared_nodes(rows, by_name)
    _report_overlaps(rows, by_name)


def _check_modbus(row: SourceRow, address: ModbusAddress, tag_row: TagRow, device: Device | None) -> None:
    if isinstance(device, OpcuaDevice):
        row.place.report("tag", f"{row.tag} belongs to {device.name}, an OPC UA device", "move the row to opcua.csv, or correct the tag's device")
    elif device is not None and not address.table.is_bit and address.length > device.max_registers:
        message = f"{address.length} registers, and {device.name} gives {device.max_registers} at once"
        row.place.report("length", message, "a value is read whole: shorten it, or raise max_registers")
    if isinstance(device, ModbusDevice) and (forbidden := _forbidden(address, device)) is not None:
        message = f"{_registers(address)} lies in {forbidden.table} {forbidden.first} to {forbidden.last}, which {device.name} forbids"
        row.place.report("address", message, "correct the address, or the device's forbidden")
    _check_no_value(row, address)
    tag = tag_row.tag
    if tag is None:
        return
    if tag.writable and not address.table.is_writable:
        row.place.report("table", f"{row.tag} is writable, and the table {address.table} is not", "write coil or holding, or make the tag read-only")
    if address.clamp and tag.eu_range is None:
        row.place.report("clamp", f"{row.tag} has no range to hold its value in", "write lo and hi in tags.csv, or leave clamp blank")
    if (mend := _mend_of_encoding(tag.data_type, address)) is not None:
        row.place.report("encoding", f"{address.encoding} does not fit the datatype {tag.data_type} of {row.tag}", mend)
    elif tag.writable and isinstance(device, ModbusDevice) and device.writes is WriteStyle.SINGLE and not address.table.is_bit and address.length > 1:
        message = f"{row.tag} is writable and {address.length} registers long, and {device.name} is written one register at a time"
        row.place.report("encoding", message, 'write writes = "either" for the device, or make the tag read-only: a value must not be written in parts')


def _check_no_value(row: SourceRow, address: ModbusAddress) -> None:
    """It is a register value, before scale and offset: one that the registers cannot hold would never be met."""
    if address.no_value is None or address.encoding not in _WHOLE:
        return
    low, high = _WHOLE[address.encoding]
    if not address.no_value.is_integer() or not low <= address.no_value <= high:
        message = f"{address.no_value:g} is no register value of {address.encoding}"
        row.place.report("no_value", message, f"write a whole number from {low} to {high}, as it stands in the register before scale and offset")


def _check_opcua(row: SourceRow, address: OpcuaAddress, tag: Tag | None) -> None:
    if tag is None:
        return
    if address.deadband is not None and tag.data_type.is_text:
        row.place.report("deadband", f"{row.tag} is a {tag.data_type}, which has none", "leave it blank")
    if address.method_of is not None and not tag.writable:
        row.place.report("method_of", f"{row.tag} is not writable, and a method is called by a write", "make it writable in tags.csv, or leave method_of blank")


def _forbidden(address: ModbusAddress, device: ModbusDevice) -> AddressRange | None:
    return next((one for one in device.forbidden if one.table is address.table and one.first < address.end and address.address <= one.last), None)


def _mend_of_encoding(data_type: DataType, address: ModbusAddress) -> str | None:
    """What to write instead, or ``None`` if every value of the encoding, scaled, is one of the type."""
    if data_type.is_text:
        return None if address.encoding is Encoding.STRING else "write string"
    if data_type is DataType.BOOLEAN:
        return None if address.encoding is Encoding.BIT else "write bit, and which bit of the word"
    if data_type.is_continuous:
        return "write float32, float64 or an integer with its scale" if address.encoding in {Encoding.BIT, Encoding.STRING} else None
    if address.encoding not in _WHOLE:
        return f"write one of {', '.join(_WHOLE)}"
    if not address.scale.is_integer() or not address.offset.is_integer():
        return "make the tag a Float, or scale by whole numbers"
    low, high = (edge * address.scale + address.offset for edge in _WHOLE[address.encoding])
    if not REACH[data_type][0] <= low <= high <= REACH[data_type][1]:
        return f"its values run from {low:g} to {high:g}: choose a narrower encoding or a wider datatype"
    return None


def _check_inputs(row: SourceRow, expression: Expression, by_name: Mapping[str, TagRow], computed: Collection[str], all_tags_read: bool) -> None:
    for name in dict.fromkeys(expression.inputs.values()):
        tag_row = by_name.get(name)
        if tag_row is None and all_tags_read:
            row.place.report("inputs", f"unknown tag {name!r}", "write the name of a tag of tags.csv")
        elif name in computed:
            row.place.report("inputs", f"{name} is itself computed by an expression", "write out its expression here")
        elif tag_row is not None and tag_row.tag is not None and tag_row.tag.data_type.is_text:
            row.place.report("inputs", f"{name} is a text", "use tags that are numbers")
        elif tag_row is not None and tag_row.tag is not None and tag_row.tag.compression_deviation is not None:
            what = f"{name} is thinned (compression), and results over thinned history would not be those that were"
            row.place.report("inputs", what, "leave its compression blank in tags.csv")


def _check_calculated(row: SourceRow, tag: Tag) -> None:
    if tag.data_type.is_text:
        row.place.report("source", f"yields a number, and {tag.name} is a {tag.data_type}", "make the tag a number, or give it an address")
    if tag.writable:
        row.place.report("source", f"is computed, and {tag.name} is writable", "write 0 for writable, or give it an address")


def _report_shared_nodes(rows: Sequence[SourceRow], by_name: Mapping[str, TagRow]) -> None:
    first: dict[tuple[str, str, int | None, str | None], SourceRow] = {}
    for row in rows:
        if isinstance(row.source, OpcuaAddress) and row.tag in by_name:
            earlier = first.setdefault((by_name[row.tag].device, row.source.node, row.source.index, row.source.method_of), row)
            if earlier.tag != row.tag:
                row.place.report("node", f"is already that of {earlier.tag}", "give each tag a node of its own, or remove one tag")


def _report_overlaps(rows: Sequence[SourceRow], by_name: Mapping[str, TagRow]) -> None:
    """Two tags over the same registers: one of the addresses is wrong, or one tag is too many. Bits of one word may share it."""
    tables: dict[tuple[str, str], list[tuple[ModbusAddress, SourceRow]]] = {}
    for row in rows:
        if isinstance(row.source, ModbusAddress) and row.tag in by_name:
            tables.setdefault((by_name[row.tag].device, row.source.table), []).append((row.source, row))
    for placed in tables.values():
        placed.sort(key=lambda place: (place[0].address, 16 if place[0].bit is None else place[0].bit))
        reaching, holder = placed[0]
        for address, row in placed[1:]:
            if address.address < reaching.end and not _are_bits_of_a_word(reaching, address):
                row.place.report("address", f"{_registers(address)} overlaps {holder.tag} at {_registers(reaching)}", "correct one of the two addresses")
            if address.end >= reaching.end:
                reaching, holder = address, row


def _are_bits_of_a_word(one: ModbusAddress, other: ModbusAddress) -> bool:
    return one.bit is not None and other.bit is not None and one.bit != other.bit


def _registers(address: ModbusAddress) -> str:
    bit = "" if address.bit is None else f" bit {address.bit}"
    return f"{address.table} {address.address}{bit}" if address.length == 1 else f"{address.table} {address.address} to {address.end - 1}"


def _tag_field(row: SourceRow) -> str | None:
    return "tag" if isinstance(row.place, Row) else None


def _where(row: SourceRow) -> str:
    return f"line {row.place.line} of {row.place.file}" if isinstance(row.place, Row) else row.place.file
