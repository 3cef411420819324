"""Where a tag lies in a Modbus device."""

from dataclasses import dataclass
from enum import StrEnum
from typing import Final


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
    FLOAT16 = "float16"
    FLOAT32 = "float32"
    FLOAT64 = "float64"
    BCD16 = "bcd16"
    """Four decimal digits, one in each four bits."""
    BCD32 = "bcd32"
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
    Encoding.FLOAT16: 1,
    Encoding.FLOAT32: 2,
    Encoding.FLOAT64: 4,
    Encoding.BCD16: 1,
    Encoding.BCD32: 2,
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
    Engineering value = register value * ``scale`` + ``offset``. A register value equal to ``no_value`` says that there is none. With ``clamp`` a value
    outside the tag's ``eu_range`` is held at its edge, and Uncertain.
    """

    table: ModbusTable
    address: int
    encoding: Encoding
    order: ByteOrder = ByteOrder.ABCD
    length: int = 1
    bit: int | None = None
    scale: float = 1.0
    offset: float = 0.0
    no_value: float | None = None
    clamp: bool = False

    @property
    def end(self) -> int:
        """First address behind the value."""
        return self.address + self.length
