"""A Modbus device: one unit id on a line, and what it can be asked."""

from dataclasses import dataclass
from enum import StrEnum

from plant.heartbeat import Heartbeat
from plant.modbus_address import ModbusTable
from plant.write_within import WRITE_WITHIN


class Framing(StrEnum):
    """How a request is wrapped. ``TCP``: the MBAP header with a transaction number. ``RTU``: unit and checksum, no number, as on a serial line."""

    TCP = "tcp"
    RTU = "rtu"


class Parity(StrEnum):
    NONE = "none"
    EVEN = "even"
    ODD = "odd"


@dataclass(frozen=True, slots=True)
class TlsFiles:
    """Absolute paths of PEM files: ``trusted`` certificates of authorities (or the server's own), and our certificate and key where the server asks.

    ``server_name`` is what the server's certificate must name; ``None``: the host. Source: MODBUS/TCP Security, 2018.
    """

    trusted: str
    certificate: str | None = None
    key: str | None = None
    server_name: str | None = None


@dataclass(frozen=True, slots=True)
class TcpLine:
    """A socket address: a device, or a gateway with several unit ids behind it.

    ``window`` requests may be under way at once (1 for RTU framing, whose answers bear no number); ``pause`` is seconds between an answer and the next
    request, for devices that need rest.
    """

    host: str
    port: int
    framing: Framing = Framing.TCP
    tls: TlsFiles | None = None
    window: int = 1
    pause: float = 0.0

    @property
    def endpoint(self) -> str:
        scheme = "modbus+tls" if self.tls is not None else "modbus" if self.framing is Framing.TCP else "modbus+rtu"
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{scheme}://{host}:{self.port}"


@dataclass(frozen=True, slots=True)
class SerialLine:
    """A serial port with RTU framing: 8 data bits; ``path`` as in ``/dev/ttyUSB0``. ``pause`` as in ``TcpLine``, over the silence that the standard asks."""

    path: str
    baud_rate: int = 19200
    parity: Parity = Parity.EVEN
    stop_bits: int = 1
    pause: float = 0.0

    @property
    def endpoint(self) -> str:
        return f"modbus+serial://{self.path}"


ModbusLine = TcpLine | SerialLine


class WriteStyle(StrEnum):
    """Which write functions a device knows: 5 and 6 for one value, 15 and 16 for several."""

    EITHER = "either"
    SINGLE = "single"
    MULTIPLE = "multiple"


class BitWrites(StrEnum):
    """How a bit within a word is written: ``MASK`` by function 22, in which the device changes the bit alone, and in no other way; ``READ_MODIFY_WRITE`` for
    devices without it: what the device itself does to the word in between is undone. ``AUTO``: by function 22, and by the other where the device refuses it as
    unknown."""

    AUTO = "auto"
    MASK = "mask"
    READ_MODIFY_WRITE = "read-modify-write"


@dataclass(frozen=True, slots=True)
class AddressRange:
    """Addresses ``first`` to ``last``, both included, of one table."""

    table: ModbusTable
    first: int
    last: int


@dataclass(frozen=True, slots=True)
class Identity:
    """Registers that always read the same (a serial number, a type code), by which a device is known after its line was in disorder."""

    table: ModbusTable
    address: int
    registers: tuple[int, ...]

    @property
    def end(self) -> int:
        """First address behind the registers."""
        return self.address + len(self.registers)


@dataclass(frozen=True, slots=True)
class ModbusDevice:
    """One unit id on a line.

    ``max_registers`` and ``max_bits`` bound one read; ``max_gap`` is the widest hole (registers; bits count 16 to one) read along to save a request;
    no read touches a ``forbidden`` address; ``timeout`` is seconds for one answer. ``heartbeat``: see ``plant.heartbeat``.
    """

    name: str
    area: str
    line: ModbusLine
    unit_id: int
    max_registers: int = 125
    max_bits: int = 2000
    max_gap: int = 10
    forbidden: tuple[AddressRange, ...] = ()
    timeout: float = 1.0
    writes: WriteStyle = WriteStyle.EITHER
    bit_writes: BitWrites = BitWrites.AUTO
    identity: Identity | None = None
    heartbeat: Heartbeat | None = None

    @property
    def protocol(self) -> str:
        return "modbus"

    @property
    def has_clock(self) -> bool:
        return False

    @property
    def write_within(self) -> float:
        """An answer to the write and one to the read-back, however slow the device may be."""
        return max(WRITE_WITHIN, 2 * self.timeout)

    @property
    def endpoint(self) -> str:
        return f"{self.line.endpoint}/{self.unit_id}"
