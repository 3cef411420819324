"""The indicator: a real server on a real socket, which can be stopped, frozen and made to talk nonsense."""

import asyncio
from types import TracebackType
from typing import Self


class Indicator:
    """``values`` by channel; ``state`` is S, M or E. With ``is_frozen`` connections are taken and nothing is answered."""

    def __init__(self) -> None:
        self.values = {"GROSS": 18_230.5, "TARE": 7_200.0, "BEAT": 0.0}
        self.state = "S"
        self.is_frozen = False
        self.answers_late = 0.0
        """Seconds."""
        self.runs = True
        self.nonsense: bytes | None = None
        self.port = 0
        self.connections = 0
        self._server: asyncio.Server | None = None
        self._writers: set[asyncio.StreamWriter] = set()

    async def start(self) -> None:
        """Listens on a free port, and on the same one ever after."""
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", self.port)
        self.port = self._server.sockets[0].getsockname()[1]

    async def stop(self) -> None:
        if self._server is not None:
            self._server.close()
            for writer in set(self._writers):
                writer.transport.abort()
            await self._server.wait_closed()
            self._server = None

    async def __aenter__(self) -> Self:
        await self.start()
        return self

    async def __aexit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        await self.stop()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        self._writers.add(writer)
        try:
            while line := await reader.readline():
                await asyncio.sleep(self.answers_late)
                if not self.is_frozen:
                    writer.write(self.nonsense or f"{self._answer(line.decode().split())}\r\n".encode())
        except OSError:
            pass
        finally:
            self._writers.discard(writer)
            writer.transport.abort()

    def _answer(self, words: list[str]) -> str:
        if words[0] == "R":
            if self.runs:
                self.values["BEAT"] += 1.0
            return " ".join([self.state, *(f"{channel}={value}" for channel, value in self.values.items())])
        channel, _, number = words[1].partition("=")
        if channel != "TARE":
            return "NO"
        self.values[channel] = float(number)
        return "OK"
