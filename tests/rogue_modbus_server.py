"""A Modbus server, or gateway with many units, that misbehaves as it is told, request by request, and keeps what it was asked.

It has one table of registers, which is read as holding and as input, and one of bits; all units show the same. It speaks Modbus TCP, with TLS if wanted, or
RTU over TCP or over a pseudo-terminal. A behaviour changes the frame of the proper answer, its time, or what becomes of the connection; it never invents a
server of another kind, so that the next request may be answered as if nothing had been.
"""

import asyncio
import contextlib
import os
import ssl
import struct
import tty
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Final, Self

from plant.device import Framing

UNIT: Final = 7
_SIZE: Final = 200
_MBAP: Final = struct.Struct(">HHHB")
_WRITES: Final = {5, 6, 15, 16, 22}


@dataclass(frozen=True, slots=True)
class Behaviour:
    """What becomes of one answer.

    ``change`` makes the bytes that are sent from those of the proper answer; ``delay`` is seconds before the first byte, ``pace`` seconds between two
    bytes; ``closes`` ends the connection afterwards; ``copy_after`` sends the same once more, so many seconds later;
    with ``executes`` a write is stored, whatever its answer says.
    """

    name: str
    change: Callable[[bytes], bytes] = bytes
    delay: float = 0.0
    pace: float = 0.0
    closes: bool = False
    executes: bool = True
    copy_after: float = 0.0

    def __str__(self) -> str:
        return self.name


def _with_header(frame: bytes, transaction: int = 0, protocol: int = 0, unit: int = 0, length: int | None = None) -> bytes:
    """The frame with its header's fields raised, or its length replaced."""
    was_transaction, was_protocol, was_length, was_unit = _MBAP.unpack_from(frame)
    header = (was_transaction + transaction & 0xFFFF, was_protocol + protocol, was_length if length is None else length, was_unit + unit)
    return _MBAP.pack(*header) + frame[_MBAP.size :]


def _with_pdu(frame: bytes, pdu: bytes) -> bytes:
    return _with_header(frame[: _MBAP.size] + pdu, length=len(pdu) + 1)


def checksum(frame: bytes) -> bytes:
    """CRC-16 of an RTU frame as it is sent, computed bit by bit as the standard draws it (MODBUS over Serial Line V1.02, 6.2.2)."""
    crc = 0xFFFF
    for byte in frame:
        crc ^= byte
        for _ in range(8):
            crc = (crc >> 1) ^ 0xA001 if crc & 1 else crc >> 1
    return struct.pack("<H", crc)


def _rtu_with_pdu(frame: bytes, pdu: bytes) -> bytes:
    return frame[:1] + pdu + checksum(frame[:1] + pdu)


PROPER: Final = Behaviour("proper answer")
ANOTHER_TRANSACTION: Final = Behaviour("another transaction", lambda frame: _with_header(frame, transaction=1))
FAR_TRANSACTION: Final = Behaviour("a far transaction", lambda frame: _with_header(frame, transaction=1000))
EARLIER_TRANSACTION: Final = Behaviour("the transaction before", lambda frame: _with_header(frame, transaction=-1))
ANOTHER_UNIT: Final = Behaviour("another unit", lambda frame: _with_header(frame, unit=1))
ANOTHER_PROTOCOL: Final = Behaviour("another protocol", lambda frame: _with_header(frame, protocol=1))
ANOTHER_FUNCTION: Final = Behaviour("another function", lambda frame: _with_pdu(frame, bytes([frame[7] ^ 1]) + frame[8:]))
OVERSIZE_LENGTH: Final = Behaviour("oversize length", lambda frame: _with_header(frame, length=0xFFFF))
LENGTH_OF_NOTHING: Final = Behaviour("length of nothing", lambda frame: _with_header(frame, length=1))
ONE_REGISTER_LESS: Final = Behaviour("one register less", lambda frame: _with_pdu(frame, bytes([frame[7], frame[8] - 2]) + frame[9:-2]))
ONE_REGISTER_MORE: Final = Behaviour("one register more", lambda frame: _with_pdu(frame, bytes([frame[7], frame[8] + 2]) + frame[9:] + b"\0\0"))
SHORT_THEN_SILENCE: Final = Behaviour("short frame then silence", lambda frame: frame[:-1])
GARBAGE: Final = Behaviour("garbage", lambda frame: b"HTTP/1.1 400 Bad Request\r\n\r\n")
CLOSES: Final = Behaviour("closes instead", lambda frame: b"", closes=True)
CLOSES_MID_FRAME: Final = Behaviour("closes in mid-frame", lambda frame: frame[:9], closes=True)
HANGS: Final = Behaviour("hangs for ever", delay=3600.0)


TWICE: Final = Behaviour("twice", lambda frame: frame + frame)
"""Of any framing."""
RTU_WRONG_CHECKSUM: Final = Behaviour("a wrong checksum", lambda frame: frame[:-1] + bytes([frame[-1] ^ 1]))
RTU_ANOTHER_UNIT: Final = Behaviour("another unit", lambda frame: bytes([frame[0] + 1]) + frame[1:-2] + checksum(bytes([frame[0] + 1]) + frame[1:-2]))
RTU_ANOTHER_FUNCTION: Final = Behaviour("another function", lambda frame: _rtu_with_pdu(frame, bytes([frame[1] ^ 1]) + frame[2:-2]))
RTU_ONE_REGISTER_LESS: Final = Behaviour("one register less", lambda frame: _rtu_with_pdu(frame, bytes([frame[1], frame[2] - 2]) + frame[3:-4]))
RTU_TRUNCATED: Final = Behaviour("truncated", lambda frame: frame[:-3])
RTU_NOISE_BEFORE: Final = Behaviour("noise before the answer", lambda frame: b"\x00\xff" + frame)


def late(seconds: float) -> Behaviour:
    return Behaviour(f"{seconds:g} s late", delay=seconds)


def byte_by_byte(pace: float) -> Behaviour:
    return Behaviour(f"a byte every {pace:g} s", pace=pace)


def exception(code: int) -> Behaviour:
    return Behaviour(f"exception {code:02X}", lambda frame: _with_pdu(frame, bytes([frame[7] | 0x80, code])), executes=False)


@dataclass(frozen=True, slots=True)
class Request:
    """One request as it arrived. ``connection`` counts from 1; ``argument`` is the count of a read or of registers written, else the value.

    ``behaviour`` is what met it.
    """

    connection: int
    transaction: int
    unit: int
    function: int
    address: int
    argument: int
    behaviour: Behaviour

    @property
    def is_write(self) -> bool:
        return self.function in _WRITES


class RogueModbusServer:
    """Answers each request by the first behaviour of ``next_read`` or ``next_write``, and by ``otherwise`` when there is none.

    ``silent`` are units that never answer, and use up no behaviour; ``absent`` are addresses that the device does not have, ``failing`` those whose reading
    fails (04); with ``keeps_writes`` false it confirms writes and forgets them. With ``patience`` it is a gateway to one bus: it serves one request at a time,
    and waits so many seconds for a silent unit before it says so (0B). One that ``is_converter`` hands what its bus brings to the connection made last,
    whoever asked. ``pipelined`` counts requests that came on a connection while an earlier one of it was
    unanswered.
    """

    def __init__(self, framing: Framing = Framing.TCP, tls: ssl.SSLContext | None = None) -> None:
        self.framing = framing
        self.port = 0
        self.silent: set[int] = set()
        self.registers = [0] * _SIZE
        self.bits = [False] * _SIZE
        self.absent: set[int] = set()
        self.failing: set[int] = set()
        self.patience: float | None = None
        self.is_converter = False
        self.keeps_writes = True
        self.next_read: deque[Behaviour] = deque()
        self.next_write: deque[Behaviour] = deque()
        self.otherwise = PROPER
        self.requests: list[Request] = []
        self.connections = 0
        self.pipelined = 0
        self._tls = tls
        self._bus = asyncio.Lock()
        self._server: asyncio.Server | None = None
        self._terminal: tuple[int, int] | None = None
        self._writers: set[asyncio.StreamWriter] = set()
        self._newest: asyncio.StreamWriter | None = None
        self._tasks: set[asyncio.Task[None]] = set()

    @property
    def open_connections(self) -> int:
        return len(self._writers)

    @property
    def writes(self) -> list[Request]:
        return [request for request in self.requests if request.is_write]

    async def start(self) -> None:
        """Listens on a free port, and on the same one ever after."""
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", self.port, ssl=self._tls)
        self.port = self._server.sockets[0].getsockname()[1]

    async def start_on_terminal(self, path: Path) -> None:
        """Serves a new pseudo-terminal, whose other end ``path`` leads to."""
        ours, theirs = os.openpty()
        for end in (ours, theirs):
            tty.setraw(end)
        path.unlink(missing_ok=True)
        path.symlink_to(os.ttyname(theirs))
        self._terminal = (ours, theirs)  # held open, or our end would break whenever nobody has the other
        loop, reader = asyncio.get_running_loop(), asyncio.StreamReader()
        await loop.connect_read_pipe(lambda: asyncio.StreamReaderProtocol(reader), os.fdopen(os.dup(ours), "rb", buffering=0))
        transport, protocol = await loop.connect_write_pipe(asyncio.streams.FlowControlMixin, os.fdopen(os.dup(ours), "wb", buffering=0))
        task = asyncio.create_task(self._serve(reader, asyncio.StreamWriter(transport, protocol, reader, loop)))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    def babble(self, noise: bytes) -> None:
        """Sends bytes that nobody asked for, to all."""
        for writer in self._writers:
            writer.write(noise)

    def close_connections(self) -> None:
        """Closes them as a device does that takes them for idle, and listens on."""
        for writer in self._writers:
            writer.close()

    async def stop(self) -> None:
        """Listens no more and resets its connections, as a process that was killed."""
        if self._server is not None:
            self._server.close()
        for writer in self._writers:
            writer.transport.abort()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        if self._server is not None:
            await self._server.wait_closed()
        for end in self._terminal or ():
            os.close(end)
        self._server = self._terminal = None

    async def __aenter__(self) -> Self:
        await self.start()
        return self

    async def __aexit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        await self.stop()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        connection, answering = self.connections, set[asyncio.Task[None]]()
        self._writers.add(writer)
        self._newest = writer
        try:
            while True:
                transaction, unit, pdu = await self._request(reader)
                self.pipelined += bool(answering)
                told = self.next_write if pdu[0] in _WRITES else self.next_read
                behaviour = self._of_silent_unit() if unit in self.silent else told.popleft() if told else self.otherwise
                function, address, argument = struct.unpack_from(">BHH", pdu)
                self.requests.append(Request(connection, transaction, unit, function, address, argument, behaviour))
                frame = self._frame(transaction, unit, self._answer(pdu, behaviour.executes))
                task = asyncio.create_task(self._send(writer, behaviour, frame))
                for tasks in (answering, self._tasks):
                    tasks.add(task)
                    task.add_done_callback(tasks.discard)
        except (asyncio.IncompleteReadError, OSError):
            writer.transport.abort()
        finally:
            self._writers.discard(writer)

    def _of_silent_unit(self) -> Behaviour:
        return HANGS if self.patience is None else Behaviour("a gateway that waits", exception(0x0B).change, delay=self.patience)

    async def _send(self, asked_on: asyncio.StreamWriter, behaviour: Behaviour, frame: bytes) -> None:
        async with self._bus if self.patience is not None else contextlib.nullcontext():
            await asyncio.sleep(behaviour.delay)
            writer = self._newest if self.is_converter and self._newest is not None else asked_on
            await _send(writer, behaviour, frame)

    async def _request(self, reader: asyncio.StreamReader) -> tuple[int, int, bytes]:
        """Transaction (0 for RTU), unit and PDU."""
        if self.framing is Framing.TCP:
            transaction, _, length, unit = _MBAP.unpack(await reader.readexactly(_MBAP.size))
            return transaction, unit, await reader.readexactly(length - 1)
        head = await reader.readexactly(7)
        rest = head[6] + 2 if head[1] in {15, 16} else 3 if head[1] == 22 else 1
        frame = head + await reader.readexactly(rest)
        assert checksum(frame[:-2]) == frame[-2:], "a request arrives with its checksum"
        return 0, frame[0], frame[1:-2]

    def _frame(self, transaction: int, unit: int, answer: bytes) -> bytes:
        if self.framing is Framing.TCP:
            return _MBAP.pack(transaction, 0, len(answer) + 1, unit) + answer
        body = bytes([unit]) + answer
        return body + checksum(body)

    def _answer(self, pdu: bytes, executes: bool) -> bytes:
        function, address, argument = struct.unpack_from(">BHH", pdu)
        count = argument if function in {1, 2, 3, 4, 15, 16} else 1
        if not self.absent.isdisjoint(range(address, address + count)):
            return bytes([function | 0x80, 2])
        if not self.failing.isdisjoint(range(address, address + count)):
            return bytes([function | 0x80, 4])
        if function in {1, 2}:
            packed = sum(bit << place for place, bit in enumerate(self.bits[address : address + count])).to_bytes((count + 7) // 8, "little")
            return bytes([function, len(packed)]) + packed
        if function in {3, 4}:
            return struct.pack(f">BB{count}H", function, 2 * count, *self.registers[address : address + count])
        if function not in _WRITES:
            return bytes([function | 0x80, 1])
        if executes and self.keeps_writes:
            if function == 5:
                self.bits[address] = argument == 0xFF00
            elif function == 15:
                self.bits[address : address + count] = [bool(pdu[6 + bit // 8] >> bit % 8 & 1) for bit in range(count)]
            elif function == 22:
                and_mask, or_mask = struct.unpack_from(">HH", pdu, 3)
                self.registers[address] = (self.registers[address] & and_mask) | (or_mask & ~and_mask & 0xFFFF)
            else:
                self.registers[address : address + count] = [argument] if function == 6 else struct.unpack_from(f">{count}H", pdu, 6)
        return pdu if function == 22 else pdu[:5]


async def _send(writer: asyncio.StreamWriter, behaviour: Behaviour, frame: bytes) -> None:
    sent = behaviour.change(frame)
    for piece in (sent[at : at + 1] for at in range(len(sent))) if behaviour.pace else (sent,):
        if writer.is_closing():
            return
        writer.write(piece)
        await asyncio.sleep(behaviour.pace)
    if behaviour.copy_after:
        await asyncio.sleep(behaviour.copy_after)
        writer.write(sent)
    if behaviour.closes:
        writer.close()
