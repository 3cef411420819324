"""Where a tag's value comes from: devices, and the address of a tag in one. Which register is data; how to talk is in ``drivers``."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Protocol

from plant.heartbeat import Heartbeat
from plant.modbus_address import ByteOrder, Encoding, ModbusAddress, ModbusTable
from plant.modbus_device import AddressRange, BitWrites, Framing, Identity, ModbusDevice, ModbusLine, Parity, SerialLine, TcpLine, TlsFiles, WriteStyle
from plant.opcua_address import Deadband, DeadbandKind, OpcuaAddress
from plant.opcua_device import CertificateUser, Decoder, MessageSecurity, NamedUser, OpcuaDevice, OpcuaSecurity, SecurityPolicy

__all__ = [
    "AddressRange",
    "BitWrites",
    "ByteOrder",
    "CertificateUser",
    "ClockOffset",
    "Deadband",
    "DeadbandKind",
    "Decoder",
    "Device",
    "Encoding",
    "Expression",
    "FieldDevice",
    "Framing",
    "Identity",
    "LinkLost",
    "MessageSecurity",
    "ModbusAddress",
    "ModbusDevice",
    "ModbusLine",
    "ModbusTable",
    "NamedUser",
    "OpcuaAddress",
    "OpcuaDevice",
    "OpcuaSecurity",
    "Parity",
    "SecurityPolicy",
    "SerialLine",
    "Source",
    "TcpLine",
    "TlsFiles",
    "WriteStyle",
]


@dataclass(frozen=True, slots=True)
class LinkLost:
    """1 while the gateway has no link to ``device``, else 0: known by the gateway, carried by no wire."""

    device: str


@dataclass(frozen=True, slots=True)
class ClockOffset:
    """Clock of ``device`` minus the gateway's clock, in ms; 0 for a protocol that carries no time, whose samples bear the gateway's time."""

    device: str


@dataclass(frozen=True, slots=True)
class Expression:
    """A value computed from other tags, with the worst quality of its inputs.

    ``text`` is an arithmetic expression over the variables of ``inputs`` (variable -> tag name).
    """

    text: str
    inputs: Mapping[str, str]


Source = ModbusAddress | OpcuaAddress | LinkLost | ClockOffset | Expression

Device = ModbusDevice | OpcuaDevice


class FieldDevice(Protocol):
    """What every device has, whatever protocol it speaks. ``endpoint`` is what logs and people see: it bears no password."""

    @property
    def name(self) -> str: ...

    @property
    def area(self) -> str: ...

    @property
    def protocol(self) -> str: ...

    @property
    def endpoint(self) -> str: ...

    @property
    def heartbeat(self) -> Heartbeat | None: ...

    @property
    def has_clock(self) -> bool:
        """The protocol carries the device's time. Else samples bear the gateway's, and there is no offset between the two."""
        ...

    @property
    def write_within(self) -> float:
        """Seconds for a command to be written and read back; afterwards it is never sent."""
        ...
