"""A Modbus server that meets each request as a script says, tens of thousands of them, and keeps nothing but counts.

Two registers are read at a time: the first says whose they are, the second which request they answer. Where more are read, or one, each says whose it is.
"""

import asyncio
import os
import struct
import tty
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Final, Self

from plant.device import Encoding, Framing, Identity, ModbusAddress, ModbusTable
from plant.tag import Tag
from tests.rogue_modbus_server import checksum
from tests.samples import make_tag

ADDRESSES: Final = (0, 40, 80, 120)
IDENTITY: Final = Identity(ModbusTable.HOLDING, 190, (1190, 7))
POISON: Final = 0xDEAD
"""In the place of the first register: a value made of it must never be Good."""
_MBAP: Final = struct.Struct(">HHHB")
_TCP_REQUEST: Final = 12
_RTU_REQUEST: Final = 8


@dataclass(frozen=True, slots=True)
class Asked:
    """A read that came. ``number`` counts the reads of the server, from 0."""

    number: int
    transaction: int
    unit: int
    address: int
    count: int = 2


@dataclass(frozen=True, slots=True)
class Reply:
    """``delay`` in seconds; ``closes`` ends the connection behind ``frame``; ``again_after`` sends it once more, so many seconds later."""

    frame: bytes
    delay: float = 0.0
    closes: bool = False
    again_after: float | None = None


class ScriptedModbusServer:
    """``meet`` makes the reply; ``frame_of`` the proper one. A reply goes to the connection that was made last: RTU frames over a socket come through a
    converter that knows nothing of requests, and hands what its serial line brings to whoever is connected by then."""

    def __init__(self, framing: Framing, meet: Callable[["ScriptedModbusServer", Asked], Reply]) -> None:
        self.framing = framing
        self.port = 0
        self.reads = 0
        self._meet = meet
        self._server: asyncio.Server | None = None
        self._open: set[asyncio.WriteTransport] = set()
        self._newest: asyncio.WriteTransport | None = None
        self._terminal: tuple[int, int] | None = None

    def frame_of(self, asked: Asked, first: int | None = None) -> bytes:
        """The answer to ``asked``; with ``first`` in the place of its first register."""
        registers = IDENTITY.registers if asked.address == IDENTITY.address else (1000 + asked.address, asked.number & 0xFFFF)
        if asked.count != 2:
            registers = tuple(range(1000 + asked.address, 1000 + asked.address + asked.count))
        if first is not None:
            registers = (first, *registers[1:])
        pdu = struct.pack(f">BB{len(registers)}H", 3, 2 * len(registers), *registers)
        if self.framing is Framing.TCP:
            return _MBAP.pack(asked.transaction, 0, len(pdu) + 1, asked.unit) + pdu
        body = bytes([asked.unit]) + pdu
        return body + checksum(body)

    def take(self, received: bytes, transport: asyncio.WriteTransport) -> bytes:
        """Replies to the whole requests of ``received``; the rest of it."""
        size = _TCP_REQUEST if self.framing is Framing.TCP else _RTU_REQUEST
        while len(received) >= size:
            request, received = received[:size], received[size:]
            unit, asked_for = (request[6], request[8:12]) if self.framing is Framing.TCP else (request[0], request[2:6])
            address, count = struct.unpack(">HH", asked_for)
            asked = Asked(self.reads, int.from_bytes(request[:2], "big"), unit, address, count)
            self.reads += 1
            reply = self._meet(self, asked)
            if reply.delay:
                asyncio.get_running_loop().call_later(reply.delay, self._send, transport, reply)
            else:
                self._send(transport, reply)
            if reply.again_after is not None:
                asyncio.get_running_loop().call_later(reply.delay + reply.again_after, self._send, transport, reply)
        return received

    def _send(self, asked_on: asyncio.WriteTransport, reply: Reply) -> None:
        transport = asked_on if self.framing is Framing.TCP or self._newest is None else self._newest
        if not transport.is_closing():
            transport.write(reply.frame)
            if reply.closes:
                transport.close()

    async def start_on_terminal(self, path: Path) -> None:
        """Serves a new pseudo-terminal, whose other end ``path`` leads to."""
        ours, theirs = self._terminal = os.openpty()
        for end in self._terminal:
            tty.setraw(end)
        path.symlink_to(os.ttyname(theirs))
        loop = asyncio.get_running_loop()
        transport, _ = await loop.connect_write_pipe(asyncio.BaseProtocol, os.fdopen(os.dup(ours), "wb", buffering=0))
        self._open.add(transport)
        reading, _ = await loop.connect_read_pipe(lambda: _Connection(self, transport), os.fdopen(os.dup(ours), "rb", buffering=0))
        self._open.add(reading)  # type: ignore[arg-type]  # closed with the others

    async def __aenter__(self) -> Self:
        self._server = await asyncio.get_running_loop().create_server(lambda: _Connection(self, None), "127.0.0.1", 0)
        self.port = self._server.sockets[0].getsockname()[1]
        return self

    async def __aexit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        assert self._server is not None
        self._server.close()
        for transport in self._open:
            transport.close()
        await self._server.wait_closed()
        for end in self._terminal or ():
            os.close(end)

    def opened(self, transport: asyncio.WriteTransport) -> None:
        self._open.add(transport)
        self._newest = transport

    def closed(self, transport: asyncio.WriteTransport) -> None:
        self._open.discard(transport)


class _Connection(asyncio.Protocol):
    def __init__(self, server: ScriptedModbusServer, transport: asyncio.WriteTransport | None) -> None:
        self._server = server
        self._transport = transport
        self._received = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        if self._transport is None:
            assert isinstance(transport, asyncio.WriteTransport)
            self._transport = transport
            self._server.opened(transport)

    def data_received(self, data: bytes) -> None:
        assert self._transport is not None
        self._received = self._server.take(self._received + data, self._transport)

    def connection_lost(self, exc: Exception | None) -> None:
        if self._transport is not None:
            self._server.closed(self._transport)


def tags_of(device: str, first_id: int, scan_ms: int) -> tuple[Tag, ...]:
    """A block each, all of one length: the answer to one could be taken for that to another."""
    return tuple(
        make_tag(
            first_id + row,
            f"SEP.COL101.FT{address}",
            device=device,
            scan_ms=scan_ms,
            eu_range=None,
            source=ModbusAddress(ModbusTable.HOLDING, address, Encoding.UINT32, length=2),
        )
        for row, address in enumerate(ADDRESSES)
    )
