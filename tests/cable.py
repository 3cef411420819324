"""A cable between a driver and its device: a TCP relay that can be cut, with the connections on it reset, and mended."""

import asyncio
from types import TracebackType
from typing import Self

_PIECE = 65_536


class Cable:
    """Listens on ``port`` and relays to ``device_port``. ``connections`` counts those made through it."""

    def __init__(self, device_port: int) -> None:
        self._device_port = device_port
        self._server: asyncio.Server | None = None
        self._tasks: set[asyncio.Task[None]] = set()
        self._transports: set[asyncio.WriteTransport] = set()
        self._is_dead = asyncio.Event()
        self.port = 0
        self.connections = 0

    async def mend(self) -> None:
        """Listens on a free port, and on the same one ever after."""
        self._is_dead.clear()
        self._server = await asyncio.start_server(self._relay, "127.0.0.1", self.port)
        self.port = self._server.sockets[0].getsockname()[1]

    async def cut(self) -> None:
        """Nobody can connect, and whoever was connected is reset."""
        if self._server is not None:
            self._server.close()
            for transport in set(self._transports):
                transport.abort()
            for task in set(self._tasks):
                task.cancel()
            await asyncio.gather(*self._tasks, return_exceptions=True)
            await self._server.wait_closed()
            self._server = None

    def go_dead(self) -> None:
        """Bytes go nowhere from now on, and nobody is told: what a switch does that lost its power."""
        self._is_dead.set()

    def passes(self, piece: bytes) -> bool:
        """Whether these bytes reach the other end."""
        return not self._is_dead.is_set()

    async def __aenter__(self) -> Self:
        await self.mend()
        return self

    async def __aexit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        await self.cut()

    async def _relay(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            device_reader, device_writer = await asyncio.open_connection("127.0.0.1", self._device_port)
        except OSError:
            writer.transport.abort()
            return
        self.connections += 1
        self._transports |= {writer.transport, device_writer.transport}
        for source, target in ((reader, device_writer), (device_reader, writer)):
            task = asyncio.create_task(self._copy(source, target))
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)

    async def _copy(self, source: asyncio.StreamReader, target: asyncio.StreamWriter) -> None:
        try:
            while piece := await source.read(_PIECE):
                if self.passes(piece):
                    target.write(piece)
                    await target.drain()
        except OSError:
            pass
        finally:
            self._transports.discard(target.transport)
            target.transport.abort()


class FlappingCable(Cable):
    """Dies when told to, at an OPC UA request of one type (the number of its binary encoding), which is lost. Works for what is not encrypted."""

    def __init__(self, device_port: int, request: int) -> None:
        super().__init__(device_port)
        self._mark = b"\x01\x00" + request.to_bytes(2, "little")
        self._left: int | None = None
        self.died = asyncio.Event()

    def die_at(self, count: int) -> None:
        """At the request of that number from now on."""
        self._left = count
        self.died.clear()

    def passes(self, piece: bytes) -> bool:
        if self._left is not None and self._mark in piece:
            self._left -= 1
            if self._left == 0:
                self._left = None
                self.go_dead()
                self.died.set()
        return super().passes(piece)
