"""A device written as a table of devices.toml: what has no default, and then what differs from it."""

import json
from collections.abc import Iterable
from typing import Final

from plant.device import AddressRange, CertificateUser, Device, ModbusDevice, ModbusLine, NamedUser, OpcuaDevice, SecurityPolicy, SerialLine, TcpLine
from plant.heartbeat import Heartbeat

Value = str | bool | int | float | list[str] | list[int] | dict[str, "Value"]
Setting = tuple[str, Value | None]
"""Key and value; ``None`` is left out."""

_DELETE: Final = "\x7f"


def device_table(device: Device) -> str:
    """The table ``[devices.NAME]``, as ``plant.site_loader`` reads it."""
    settings = [("protocol", device.protocol), ("area", device.area), *(_modbus(device) if isinstance(device, ModbusDevice) else _opcua(device))]
    return "\n".join([f"[devices.{device.name}]", *(f"{key} = {toml(value)}" for key, value in settings if value is not None), ""])


def toml(value: Value) -> str:
    """A value as TOML writes it within a line."""
    match value:
        case bool():
            return str(value).lower()
        case str():
            # JSON has the escapes of a basic string, and lets one character stand that TOML does not.
            return json.dumps(value, ensure_ascii=False).replace(_DELETE, r"\u007f")
        case int() | float():
            return str(value)
        case list():
            return f"[{', '.join(map(toml, value))}]"
        case dict():
            return f"{{ {', '.join(f'{key} = {toml(one)}' for key, one in value.items())} }}"


def _modbus(device: ModbusDevice) -> Iterable[Setting]:
    plain = ModbusDevice(device.name, device.area, device.line, device.unit_id)
    yield from _line(device.line)
    yield "unit_id", device.unit_id
    yield "max_registers", _unless(plain.max_registers, device.max_registers)
    yield "max_bits", _unless(plain.max_bits, device.max_bits)
    yield "max_gap", _unless(plain.max_gap, device.max_gap)
    yield "forbidden", [_range(one) for one in device.forbidden] or None
    yield "timeout", _unless(plain.timeout, device.timeout)
    yield "writes", _unless(plain.writes, device.writes)
    yield "bit_writes", _unless(plain.bit_writes, device.bit_writes)
    if device.identity is not None:
        yield "identity", {"table": device.identity.table, "address": device.identity.address, "registers": list(device.identity.registers)}
    yield "heartbeat", _heartbeat(device.heartbeat)


def _line(line: ModbusLine) -> Iterable[Setting]:
    if isinstance(line, SerialLine):
        port = SerialLine(line.path)
        yield "serial", line.path
        yield "baud_rate", _unless(port.baud_rate, line.baud_rate)
        yield "parity", _unless(port.parity, line.parity)
        yield "stop_bits", _unless(port.stop_bits, line.stop_bits)
        yield "pause", _unless(port.pause, line.pause)
        return
    socket = TcpLine(line.host, line.port)
    yield "host", line.host
    yield "port", line.port
    yield "framing", _unless(socket.framing, line.framing)
    if line.tls is not None:
        files = {"trusted": line.tls.trusted, "certificate": line.tls.certificate, "key": line.tls.key, "server_name": line.tls.server_name}
        yield "tls", {key: value for key, value in files.items() if value is not None}
    yield "window", _unless(socket.window, line.window)
    yield "pause", _unless(socket.pause, line.pause)


def _opcua(device: OpcuaDevice) -> Iterable[Setting]:
    plain = OpcuaDevice(device.name, device.area, device.url)
    yield "url", device.url
    yield "publishing_interval", _unless(plain.publishing_interval, device.publishing_interval)
    yield "timeout", _unless(plain.timeout, device.timeout)
    yield "security_policy", _unless(plain.security.policy, device.security.policy)
    if device.security.policy is not SecurityPolicy.NONE:
        yield "security_mode", _unless(plain.security.mode, device.security.mode)
    match device.user:
        case NamedUser(name, password_file):
            yield "user", {"name": name, "password_file": password_file}
        case CertificateUser(certificate, key):
            yield "user", {"certificate": certificate, "key": key}
        case None:
            pass
    yield "polling", _unless(plain.polling, device.polling)
    yield "history", _unless(plain.history, device.history)
    yield "application_uri", device.application_uri
    yield "decoder", _unless(plain.decoder, device.decoder)
    yield "heartbeat", _heartbeat(device.heartbeat)


def _unless(default: Value, value: Value) -> Value | None:
    return None if value == default else value


def _range(one: AddressRange) -> str:
    return f"{one.table} {one.first}" if one.first == one.last else f"{one.table} {one.first}..{one.last}"


def _heartbeat(heartbeat: Heartbeat | None) -> Value | None:
    return None if heartbeat is None else {"tag": heartbeat.tag, "within": heartbeat.within}
