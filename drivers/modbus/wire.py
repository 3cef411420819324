"""The two framings over a transport: bytes to answers, and answers to the requests they belong to.

Rules:

1. A wire knows nothing of time, of sessions and of sockets: it is told what to send, tells what came, and does not decide what follows.
2. Modbus TCP: an answer belongs to the request of its transaction number. A number that was given up may still come, once; a number that nobody waits
   for is a fault of the device or of what stands before it, and nothing after it can be trusted.
3. RTU: an answer belongs to the one request under way. Bytes that come while there is none belong to nothing.
"""

import asyncio
import contextlib
import socket
from typing import Final, Protocol

from drivers.abort import abort
from drivers.modbus.exchange import Exchange, Seat
from drivers.modbus.frames import MBAP, BadFrame, adu, check_unit, header_at
from drivers.modbus.rtu import answer_pdu, rtu_adu
from drivers.modbus.serial_port import SerialTransport

_GIVEN_UP_KEPT: Final = 256
"""Numbers of requests that were given up and may still be answered. The answer to one that is older ends the connection."""

_QUICK_ACK: Final[int | None] = getattr(socket, "TCP_QUICKACK", None)


class Listener(Protocol):
    """Told by a wire what came. Called from the event loop; must not block."""

    def answered(self, exchange: Exchange, pdu: bytes) -> None: ...

    def broken(self, error: BadFrame, exchange: Exchange | None, unit: int | None) -> None:
        """``exchange``: the request that the wrong answer met, no longer under way; ``None`` when it met none, or several."""

    def late(self, seat: Seat) -> None:
        """The answer to a request that was given up came, and was thrown away."""

    def unasked(self) -> None:
        """Bytes came while nothing was asked, and were thrown away."""

    def ended(self, wire: "Wire", error: Exception | None) -> None:
        """The other end closed (``None``) or the connection broke. ``wire.under_way`` are the requests that will not be answered."""


class Wire(asyncio.Protocol):
    """What both framings have in common. ``under_way`` are the requests without an answer, by transaction number."""

    def __init__(self, listener: Listener) -> None:
        self._listener = listener
        self._transport: asyncio.WriteTransport | None = None
        self._received = b""
        self.under_way: dict[int, Exchange] = {}
        self.is_over = False
        self.closed = asyncio.Event()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.WriteTransport)
        self._transport = transport

    def connection_lost(self, error: Exception | None) -> None:
        self.closed.set()
        if not self.is_over:
            self.is_over = True
            self._listener.ended(self, error)

    @property
    def is_midway(self) -> bool:
        """The beginning of a frame came, and its end did not yet."""
        return bool(self._received)

    def send(self, exchange: Exchange) -> None:
        raise NotImplementedError

    def forget(self, exchange: Exchange) -> None:
        """The request is given up; its answer may still come."""
        self.under_way.pop(exchange.transaction, None)

    def clear(self) -> None:
        """Everything under way and everything received is forgotten."""
        self.under_way.clear()
        self._received = b""

    def close(self) -> None:
        """Ends politely; ``closed`` is set when it is done. Nothing is told to the listener any more."""
        self.is_over = True
        if self._transport is not None:
            self._transport.close()

    def abort(self) -> None:
        """Ends at once, and nothing leaves any more."""
        self.is_over = True
        if self._transport is not None:
            abort(self._transport)

    def discard(self) -> None:
        """Nothing of what was sent and is still on this machine leaves any more, where the connection itself cannot be ended."""
        if isinstance(self._transport, SerialTransport):
            self._transport.discard()

    def _write(self, frame: bytes) -> None:
        if self._transport is not None:
            self._transport.write(frame)


class TcpWire(Wire):
    """MBAP framing. ``is_hurried``: several requests are under way at once, and each segment is acknowledged at once.

    Source of the hurry: a device whose TCP joins small answers (Nagle, RFC 896) holds the second until the first is acknowledged, and a delayed
    acknowledgement (RFC 1122, 4.2.3.2) comes some 40 ms later. The kernel forgets the option at will, so that it is set each time.
    """

    def __init__(self, listener: Listener, *, is_hurried: bool = False) -> None:
        super().__init__(listener)
        self._transaction = 0
        self._given_up: dict[int, Seat] = {}
        self._is_hurried = is_hurried and _QUICK_ACK is not None
        self._socket: socket.socket | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        super().connection_made(transport)
        self._socket = transport.get_extra_info("socket")

    def send(self, exchange: Exchange) -> None:
        transaction = (self._transaction + 1) & 0xFFFF
        while transaction == 0 or transaction in self._given_up or transaction in self.under_way:
            transaction = (transaction + 1) & 0xFFFF
        self._transaction = exchange.transaction = transaction
        self.under_way[transaction] = exchange
        self._write(adu(transaction, exchange.seat.unit, exchange.request.pdu))

    def forget(self, exchange: Exchange) -> None:
        if self.under_way.pop(exchange.transaction, None) is None:
            return
        self._given_up[exchange.transaction] = exchange.seat
        if len(self._given_up) > _GIVEN_UP_KEPT:
            del self._given_up[next(iter(self._given_up))]

    def data_received(self, data: bytes) -> None:
        received = self._received + data if self._received else data
        at, size = 0, len(received)
        while size - at >= MBAP.size and not self.is_over:
            try:
                transaction, length, unit = header_at(received, at)
            except BadFrame as error:
                self._broken(error, None)
                return
            end = at + MBAP.size + length
            if end > size:
                break
            self._frame(transaction, unit, received[at + MBAP.size : end])
            at = end
        self._received = received[at:]
        if self._is_hurried and self.under_way and not self.is_over and self._socket is not None and _QUICK_ACK is not None:
            with contextlib.suppress(OSError):  # the connection is ending, and says so by itself
                self._socket.setsockopt(socket.IPPROTO_TCP, _QUICK_ACK, 1)

    def _frame(self, transaction: int, unit: int, pdu: bytes) -> None:
        exchange = self.under_way.pop(transaction, None)
        if exchange is None:
            seat = self._given_up.pop(transaction, None)
            if seat is not None:
                self._listener.late(seat)
                return
            asked = ", ".join(str(number) for number in self.under_way) or "none"
            self._broken(BadFrame("transaction", f"the answer is to transaction {transaction}, the request was {asked}"), unit)
            return
        try:
            check_unit(unit, exchange.seat.unit)
        except BadFrame as error:
            self._listener.broken(error, exchange, unit)
            return
        self._listener.answered(exchange, pdu)

    def _broken(self, error: BadFrame, unit: int | None) -> None:
        met = self.under_way.popitem()[1] if len(self.under_way) == 1 else None
        self._listener.broken(error, met, unit)


class RtuWire(Wire):
    """RTU framing, over a socket or a serial port: one request under way at the most."""

    def send(self, exchange: Exchange) -> None:
        exchange.transaction = 1
        self._received = b""
        self.under_way[1] = exchange
        self._write(rtu_adu(exchange.seat.unit, exchange.request.pdu))

    def data_received(self, data: bytes) -> None:
        exchange = self.under_way.get(1)
        if exchange is None:
            self._listener.unasked()
            return
        self._received += data
        try:
            pdu = answer_pdu(self._received, exchange.seat.unit, exchange.request.pdu)
        except BadFrame as error:
            self.clear()
            self._listener.broken(error, exchange, None)
            return
        if pdu is not None:
            self.clear()
            self._listener.answered(exchange, pdu)
