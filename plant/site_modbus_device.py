"""A Modbus device as devices.toml describes it."""

import re
from dataclasses import replace
from typing import Any, Final

from plant.modbus_address import ModbusTable
from plant.modbus_device import AddressRange, BitWrites, Framing, Identity, ModbusDevice, ModbusLine, Parity, SerialLine, TcpLine, TlsFiles, WriteStyle
from plant.site_document import TomlTable
from plant.site_heartbeat import HEARTBEAT_KEY, parse_heartbeat

_TCP_KEYS: Final = ("host", "port", "framing", "tls", "window")
_SERIAL_KEYS: Final = ("serial", "baud_rate", "parity", "stop_bits")
# fmt: off
_KEYS: Final = (
    "protocol", "area", *_TCP_KEYS, *_SERIAL_KEYS, "pause", "unit_id", "max_registers", "max_bits", "max_gap", "forbidden", "timeout", "writes", "bit_writes",
    "identity", HEARTBEAT_KEY,
)
# fmt: on
_RANGE: Final = re.compile(r"(coil|discrete|holding|input) +(\d{1,5})(?: *(?:-|\.\.) *(\d{1,5}))?", re.ASCII)
_LONGEST_IDENTITY: Final = 16
_LARGEST_WINDOW: Final = 64
_LONGEST_TIMEOUT: Final = 10.0
"""Seconds: a command at a device that is slower would outlast what its user waits for."""


def parse_modbus_device(name: str, area: str, table: TomlTable) -> ModbusDevice:
    """What cannot be used is reported, and a default or 0 stands for it."""
    table.only(_KEYS)
    unit_id = table.integer("unit_id", 0, 255)
    if unit_id is not None and 247 < unit_id < 255:
        table.report("unit_id", f"{unit_id} is reserved by the Modbus standard", "write 0 … 247, or 255 for the device behind the socket itself")
    line = _serial_line(table) if "serial" in table.values else _tcp_line(table)
    if unit_id == 0 and (isinstance(line, SerialLine) or line.framing is Framing.RTU):
        table.report("unit_id", "0 is the broadcast address of a serial line, which nobody answers", "write 1 … 247")
    if unit_id == 255 and isinstance(line, SerialLine):
        table.report("unit_id", "255 is the device behind a socket itself, and a serial line has none", "write 1 … 247")
    plain = ModbusDevice(name, area, line, unit_id or 0)
    device = replace(
        plain,
        max_registers=table.integer_or("max_registers", 1, 125, plain.max_registers),
        max_bits=table.integer_or("max_bits", 1, 2000, plain.max_bits),
        max_gap=table.integer_or("max_gap", 0, 125, plain.max_gap),
        forbidden=_forbidden(table),
        timeout=table.seconds("timeout", plain.timeout, _LONGEST_TIMEOUT),
        writes=table.choice_or("writes", WriteStyle, plain.writes),
        bit_writes=table.choice_or("bit_writes", BitWrites, plain.bit_writes),
        identity=_identity(table),
        heartbeat=parse_heartbeat(table),
    )
    _check_identity(table, device)
    return device


def _tcp_line(table: TomlTable) -> TcpLine:
    _refuse(table, (*_SERIAL_KEYS,), "belongs to a serial line", 'remove it, or write serial = "/dev/ttyUSB0" instead of host and port')
    host = table.string("host", '"10.20.3.11"') or ""
    if host and not _is_host(host):
        table.report("host", f"{host!r} is no host", "write an IP address or a host name")
    framing = table.choice_or("framing", Framing, Framing.TCP)
    window = table.integer_or("window", 1, _LARGEST_WINDOW, 1)
    if framing is Framing.RTU and window > 1:
        table.report("window", "answers of RTU framing bear no number: only one request can be under way", "write window = 1")
    port = table.integer("port", 1, 65535) or 0
    return TcpLine(host, port, framing, _tls(table), window, _pause(table))


def _serial_line(table: TomlTable) -> ModbusLine:
    _refuse(table, _TCP_KEYS, "belongs to a socket", "remove it, or remove serial")
    path = table.absolute_path("serial", "/dev/ttyUSB0") or ""
    stop_bits = table.integer_or("stop_bits", 1, 2, 1)
    baud_rate = table.integer_or("baud_rate", 300, 1_000_000, 19200)
    return SerialLine(path, baud_rate, table.choice_or("parity", Parity, Parity.EVEN), stop_bits, _pause(table))


def _refuse(table: TomlTable, keys: tuple[str, ...], message: str, mend: str) -> None:
    for key in keys:
        if key in table.values:
            table.report(key, message, mend)


def _pause(table: TomlTable) -> float:
    return table.seconds("pause", 0.001) if "pause" in table.values else 0.0


def _tls(table: TomlTable) -> TlsFiles | None:
    files = table.table("tls", '{ trusted = "/etc/monazite/plc-ca.pem" }')
    if files is None:
        return None
    files.only(["trusted", "certificate", "key", "server_name"])
    trusted = files.absolute_path("trusted") or ""
    certificate = files.absolute_path("certificate") if "certificate" in files.values else None
    key = files.absolute_path("key") if "key" in files.values else None
    if (certificate is None) != (key is None):
        files.report("certificate", "a certificate is of no use without its key, and a key without its certificate", "write both, or neither")
    server_name = files.string("server_name", '"plc-1"') if "server_name" in files.values else None
    return TlsFiles(trusted, certificate, key, server_name)


def _forbidden(table: TomlTable) -> tuple[AddressRange, ...]:
    texts = table.values.get("forbidden", [])
    mend = 'write forbidden = ["holding 100..199", "input 7"]'
    if not isinstance(texts, list):
        table.report("forbidden", f"{texts!r} is no list", mend)
        return ()
    ranges: list[AddressRange] = []
    for text in texts:
        match = _RANGE.fullmatch(text) if isinstance(text, str) else None
        first, last = (0, -1) if match is None else (int(match[2]), int(match[3] or match[2]))
        if match is None or not first <= last <= 65535:
            table.report("forbidden", f"{text!r} is no range of addresses", mend)
        else:
            ranges.append(AddressRange(ModbusTable(match[1]), first, last))
    return tuple(ranges)


def _identity(table: TomlTable) -> Identity | None:
    identity = table.table("identity", '{ table = "holding", address = 0, registers = [17, 4] }')
    if identity is None:
        return None
    identity.only(["table", "address", "registers"])
    place = identity.choice_or("table", ModbusTable, ModbusTable.HOLDING)
    if place.is_bit:
        identity.report("table", f"the table {place} holds bits: many devices have the same", "write holding or input")
    address = identity.integer("address", 0, 65535) or 0
    registers = identity.values.get("registers")
    if registers is None or not _are_registers(registers):
        message = "is missing" if registers is None else f"{registers!r} does not tell a device from another"
        identity.report("registers", message, f"write what they read, as in [17, 4]: 1 … {_LONGEST_IDENTITY} whole numbers from 0 to 65535, not all 0")
        return None
    found = Identity(place, address, tuple(registers))
    if found.end > 65536:
        identity.report("address", f"ends at {found.end - 1}, behind the last address 65535", "correct the address or the registers")
    return found


def _check_identity(table: TomlTable, device: ModbusDevice) -> None:
    """It is read in one request, by the rules of every other."""
    if (identity := device.identity) is None:
        return
    if len(identity.registers) > device.max_registers:
        message = f"has {len(identity.registers)} registers, and the device gives {device.max_registers} at once"
        table.report("identity", message, "shorten it, or raise max_registers")
    for one in device.forbidden:
        if one.table is identity.table and one.first < identity.end and identity.address <= one.last:
            table.report("identity", f"lies in {one.table} {one.first} to {one.last}, which forbidden names", "correct one of the two")


def _are_registers(registers: Any) -> bool:
    """All zero would be what a device without a memory answers, too."""
    return (
        isinstance(registers, list)
        and 1 <= len(registers) <= _LONGEST_IDENTITY
        and all(isinstance(word, int) and not isinstance(word, bool) and 0 <= word <= 65535 for word in registers)
        and any(registers)
    )


def _is_host(host: str) -> bool:
    try:
        host.encode("idna")
    except UnicodeError:
        return False
    return re.search(r"\s", host) is None
