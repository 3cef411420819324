"""modbus.csv, opcua.csv and calculated.toml of a site folder -> where each tag's value comes from."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from plant.device import (
    ByteOrder,
    ClockOffset,
    Deadband,
    DeadbandKind,
    Device,
    Encoding,
    Expression,
    LinkLost,
    ModbusAddress,
    ModbusTable,
    OpcuaAddress,
    Source,
)
from plant.expression import check_expression, is_variable
from plant.site_document import TomlTable
from plant.site_table import Row, number_of

MODBUS_COLUMNS: Final = ("tag", "table", "address", "encoding", "order", "length", "bit", "scale", "offset")
MODBUS_OPTIONAL: Final = ("no_value", "clamp")
OPCUA_COLUMNS: Final = ("tag", "node")
OPCUA_OPTIONAL: Final = ("index", "sampling_ms", "queue_size", "deadband", "method_of")
LONGEST_STRING: Final = 123
"""Registers of one write request (MODBUS Application Protocol V1.1b3, 6.12): a string is written whole or not at all."""

_NODE: Final = re.compile(r"nsu=[^;\s]+;(s=\S.*|i=\d{1,10}|g=[0-9A-Fa-f]{8}(-[0-9A-Fa-f]{4}){3}-[0-9A-Fa-f]{12}|b=[A-Za-z0-9+/]+={0,2})", re.ASCII)
_QUOTE: Final = 'write the tag name in quotes, as in ["SYS.PLC101.XA101"]'


@dataclass(frozen=True, slots=True)
class SourceRow:
    """The source of one tag and where it is written; ``None`` where a source is written that cannot be used."""

    tag: str
    source: Source | None
    place: Row | TomlTable


def parse_modbus(rows: Sequence[Row]) -> list[SourceRow]:
    return [SourceRow(tag, _modbus_address(row), row) for row in rows if (tag := _tag_of(row)) is not None]


def parse_opcua(rows: Sequence[Row]) -> list[SourceRow]:
    return [SourceRow(tag, _opcua_address(row), row) for row in rows if (tag := _tag_of(row)) is not None]


def parse_calculated(document: TomlTable, devices: Mapping[str, Device | None] | None) -> list[SourceRow]:
    """``devices`` is ``None`` where they are not known, and then not looked for."""
    return [SourceRow(tag, _calculated(table, devices), table) for tag, table in document.tables(_QUOTE)]


def _tag_of(row: Row) -> str | None:
    return row.required("tag", "write the tag that lies here, or remove the row")


def _modbus_address(row: Row) -> ModbusAddress | None:
    before = len(row.problems)
    for field in ("table", "address", "encoding"):
        row.required(field, f"every address has {'an' if field[0] in 'ae' else 'a'} {field}")
    table = row.choice("table", ModbusTable)
    address = row.integer("address", 0, 65535)
    encoding = row.choice("encoding", Encoding)
    order = row.choice("order", ByteOrder) or ByteOrder.ABCD
    length = row.integer("length", 1, LONGEST_STRING)
    bit = row.integer("bit", 0, 15)
    scale = row.number("scale")
    offset = row.number("offset")
    no_value = row.number("no_value")
    clamp = _flag(row, "clamp")
    if scale is not None and scale <= 0:
        row.report("scale", f"{scale:g} is not above 0", "write a positive factor; blank is 1")
    if len(row.problems) > before or table is None or address is None or encoding is None:
        return None
    plain_scale = 1.0 if scale is None else scale
    place = ModbusAddress(table, address, encoding, order, _length(encoding, length), bit, plain_scale, offset or 0.0, no_value, clamp)
    _check_address(row, place, length)
    return place if len(row.problems) == before else None


def _length(encoding: Encoding, length: int | None) -> int:
    match encoding:
        case Encoding.BIT:
            return 1
        case Encoding.STRING:
            return length or 1
        case _:
            return encoding.registers


def _check_address(row: Row, place: ModbusAddress, length: int | None) -> None:
    if place.encoding is Encoding.STRING:
        if length is None:
            row.report("length", "a string needs its length", "write its registers, two characters in each")
    elif length is not None and length != place.length:
        row.report("length", f"{place.encoding} has the length {place.length}, not {length}", "leave it blank")
    if place.end > 65536:
        row.report("address", f"ends at {place.end - 1}, behind the last address 65535", "correct the address or the length")
    if place.table.is_bit and place.encoding is not Encoding.BIT:
        row.report("encoding", f"the table {place.table} holds bits, not {place.encoding}", "write bit, or choose holding or input")
    if place.table.is_bit and place.bit is not None:
        row.report("bit", f"the table {place.table} has no bits within an address", "leave it blank: the address is that of the bit")
    if not place.table.is_bit and place.encoding is Encoding.BIT and place.bit is None:
        row.report("bit", f"which bit of the word in {place.table}?", "write 0 (the least) … 15")
    if not place.table.is_bit and place.encoding is not Encoding.BIT and place.bit is not None:
        row.report("bit", f"{place.encoding} has no bit", "leave it blank, or write the encoding bit")
    if place.encoding in {Encoding.BIT, Encoding.STRING} and (place.scale, place.offset) != (1.0, 0.0):
        row.report("scale", f"{place.encoding} cannot be scaled", "leave scale and offset blank")
    if place.encoding in {Encoding.BIT, Encoding.STRING} and place.no_value is not None:
        row.report("no_value", f"every {place.encoding} is a value", "leave it blank")
    if place.encoding in {Encoding.BIT, Encoding.STRING} and place.clamp:
        row.report("clamp", f"a {place.encoding} has no range", "leave it blank")


def _opcua_address(row: Row) -> OpcuaAddress | None:
    node = row.required("node", "write its node, as in nsu=urn:site:plc;s=NAME")
    if node is None:
        return None
    if _NODE.fullmatch(node) is None:
        row.report("node", f"{node!r} names no node by namespace URI", "write nsu=URI;s=NAME (or i=, g=, b=): indices move when a server restarts")
        return None
    before = len(row.problems)
    index = row.integer("index", 0, 2**31 - 1)
    sampling = row.integer("sampling_ms", 0, 86_400_000)
    queue_size = row.integer("queue_size", 1, 1_000_000)
    deadband = _deadband(row)
    method_of = row.text("method_of") or None
    if method_of is not None and _NODE.fullmatch(method_of) is None:
        row.report("method_of", f"{method_of!r} names no object by namespace URI", "write nsu=URI;s=NAME (or i=, g=, b=) of the object that has the method")
    if method_of is not None and any(one is not None for one in (index, sampling, queue_size, deadband)):
        row.report("method_of", "a method is called, not watched", "leave index, sampling_ms, queue_size and deadband blank")
    if len(row.problems) > before:
        return None
    return OpcuaAddress(node, index, None if sampling is None else float(sampling), queue_size, deadband, method_of)


def _deadband(row: Row) -> Deadband | None:
    """``0.5`` in the units of the node, ``2%`` of its range."""
    text = row.text("deadband")
    if not text:
        return None
    kind = DeadbandKind.PERCENT if text.endswith("%") else DeadbandKind.ABSOLUTE
    value = number_of(text.removesuffix("%").rstrip())
    if value is None or value <= 0 or (kind is DeadbandKind.PERCENT and value > 100):
        row.report("deadband", f"{text!r} is no deadband", "write a number above 0 in the units of the node, or a part of its range as in 2%")
        return None
    return Deadband(kind, value)


def _flag(row: Row, field: str) -> bool:
    """Blank is no."""
    return bool(row.text(field)) and bool(row.flag(field))


def _calculated(table: TomlTable, devices: Mapping[str, Device | None] | None) -> Source | None:
    match table.values.get("source"):
        case "link_lost":
            device = _device(table, devices)
            return None if device is None else LinkLost(device)
        case "clock_offset":
            device = _device(table, devices)
            return None if device is None else ClockOffset(device)
        case "expression":
            return _expression(table)
        case None:
            table.report("source", "is missing", _QUOTE if "." not in table.path[-1] else 'write source = "link_lost", "clock_offset" or "expression"')
        case other:
            table.report("source", f"unknown source {other!r}", "write one of link_lost, clock_offset, expression")
    return None


def _device(table: TomlTable, devices: Mapping[str, Device | None] | None) -> str | None:
    table.only(["source", "device"])
    device = table.string("device", '"PLC-SEP-01"')
    if device is not None and devices is not None and device not in devices:
        table.report("device", f"unknown device {device!r}", "add it to devices.toml or correct the name")
        return None
    return device


def _expression(table: TomlTable) -> Expression | None:
    before = len(table.problems)
    table.only(["source", "expression", "inputs"])
    text = table.string("expression", '"F / A"') or ""
    inputs = table.values.get("inputs")
    if not isinstance(inputs, dict) or not inputs or not all(isinstance(name, str) and name for name in inputs.values()):
        table.report("inputs", "names no tags", 'write inputs = { F = "SIN.PRS101.WT101" }')
        return None
    for name in inputs:
        if not is_variable(name):
            table.report("inputs", f"{name!r} is no name of an input", "write a letter, then letters, digits or _, and no name of a function")
    if text and len(table.problems) == before:
        for message, mend in check_expression(text, inputs.keys()):
            table.report("expression", message, mend)
    return Expression(text, dict(inputs)) if len(table.problems) == before else None
