"""Where a tag's value comes from: devices, and the address of a tag in one. Which register is data; how to talk is in ``drivers``."""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Final
from urllib.parse import urlsplit, urlunsplit


class ModbusTable(StrEnum):
    """The four tables of the Modbus data model (MODBUS Application Protocol V1.1b3, 4.3)."""

    COIL = "coil"
    DISCRETE = "discrete"
    HOLDING = "holding"
    INPUT = "input"

    @property
    def is_bit(self) -> bool:
        return self in {ModbusTable.COIL, ModbusTable.DISCRETE}

    @property
    def is_writable(self) -> bool:
        return self in {ModbusTable.COIL, ModbusTable.HOLDING}


class Encoding(StrEnum):
    """How registers hold a value."""

    BIT = "bit"
    INT16 = "int16"
    UINT16 = "uint16"
    INT32 = "int32"
    UINT32 = "uint32"
    INT64 = "int64"
    UINT64 = "uint64"
    FLOAT32 = "float32"
    FLOAT64 = "float64"
    STRING = "string"

    @property
    def registers(self) -> int:
        """16-bit registers of one value; 0 for ``STRING``, whose length is the address's."""
        return _REGISTERS[self]


_REGISTERS: Final = {
    Encoding.BIT: 1,
    Encoding.INT16: 1,
    Encoding.UINT16: 1,
    Encoding.INT32: 2,
    Encoding.UINT32: 2,
    Encoding.INT64: 4,
    Encoding.UINT64: 4,
    Encoding.FLOAT32: 2,
    Encoding.FLOAT64: 4,
    Encoding.STRING: 0,
}


class ByteOrder(StrEnum):
    """Order of the bytes of a value over its registers, written for a 32-bit value; 64-bit values follow the same rule.

    ``ABCD`` big-endian (the standard), ``CDAB`` words swapped, ``BADC`` bytes swapped in each word, ``DCBA`` little-endian.
    """

    ABCD = "ABCD"
    CDAB = "CDAB"
    BADC = "BADC"
    DCBA = "DCBA"


@dataclass(frozen=True, slots=True)
class ModbusAddress:
    """Where a tag lies in a Modbus device.

    ``address`` is the zero-based address of the protocol data unit; ``bit`` picks a bit (0 the least) of a register table's word and is ``None``
    elsewhere; ``length`` counts registers and is derived except for strings (two ASCII characters a register, NUL padded).
    Engineering value = register value * ``scale`` + ``offset``.
    """

    table: ModbusTable
    address: int
    encoding: Encoding
    order: ByteOrder = ByteOrder.ABCD
    length: int = 1
    bit: int | None = None
    scale: float = 1.0
    offset: float = 0.0

    @property
    def end(self) -> int:
        """First address behind the value."""
        return self.address + self.length


@dataclass(frozen=True, slots=True)
class OpcuaAddress:
    """Node of a tag: ``nsu=URI;s=NAME`` (or ``i=``, ``g=``, ``b=``). Namespace URIs, never indices: indices move when a server restarts."""

    node: str


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
    """A value computed in the gateway from other tags, with the worst quality of its inputs.

    ``text`` is an arithmetic expression over the variables of ``inputs`` (variable -> tag name).
    """

    text: str
    inputs: Mapping[str, str]


Source = ModbusAddress | OpcuaAddress | LinkLost | ClockOffset | Expression


@dataclass(frozen=True, slots=True)
class ModbusDevice:
    """A Modbus TCP server: one unit id behind one socket address.

    ``max_registers`` and ``max_bits`` bound one read; ``max_gap`` is the widest hole (registers; bits count 16 to one) read along to save a request;
    ``timeout`` is seconds for one answer.
    """

    name: str
    area: str
    host: str
    port: int
    unit_id: int
    max_registers: int = 125
    max_bits: int = 2000
    max_gap: int = 10
    timeout: float = 1.0

    @property
    def protocol(self) -> str:
        return "modbus"

    @property
    def endpoint(self) -> str:
        return f"modbus://{self.host}:{self.port}/{self.unit_id}"


@dataclass(frozen=True, slots=True)
class OpcuaDevice:
    """An OPC UA server. ``publishing_interval`` and ``timeout`` are seconds."""

    name: str
    area: str
    url: str
    publishing_interval: float = 0.25
    timeout: float = 4.0

    @property
    def protocol(self) -> str:
        return "opcua"

    @property
    def endpoint(self) -> str:
        """The URL without user and password: this is what logs and people see."""
        parts = urlsplit(self.url)
        return urlunsplit(parts._replace(netloc=parts.netloc.rpartition("@")[2]))


Device = ModbusDevice | OpcuaDevice
