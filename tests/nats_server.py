"""A real nats-server for tests: started, killed and started again on the same port and data."""

import asyncio
import secrets
from asyncio.subprocess import Process
from pathlib import Path
from types import TracebackType
from typing import Self

from services.bus import Bus, NatsServerConfig, command, read_port, wait_until_ready


class NatsServer:
    """Use as an async context manager; ``folder`` holds its configuration and streams."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._password = secrets.token_hex(8)
        self._process: Process | None = None
        self.port = 0

    @property
    def url(self) -> str:
        return f"nats://127.0.0.1:{self.port}"

    @property
    def environment(self) -> dict[str, str]:
        """What a service needs to find it."""
        return {"MONAZITE_NATS_URL": self.url, "MONAZITE_NATS_USER": "monazite", "MONAZITE_NATS_PASSWORD": self._password}

    async def connect(self, name: str = "test") -> Bus:
        return await Bus.connect(self.url, name=name, user="monazite", password=self._password)

    async def start(self) -> None:
        self._folder.mkdir(parents=True, exist_ok=True)
        config = self._folder / "nats.conf"
        config.write_text(NatsServerConfig(self._folder, "127.0.0.1", self.port, "monazite", self._password).render())
        with (self._folder / "nats.log").open("ab") as log:
            self._process = await asyncio.create_subprocess_exec(*command(config), stdout=log, stderr=log)
        self.port = await read_port(self._folder, self._process.pid, 10)
        await wait_until_ready("127.0.0.1", self.port, 10)

    async def kill(self) -> None:
        """kill -9, as a power cut would."""
        assert self._process is not None
        self._process.kill()
        await self._process.wait()

    async def stop(self) -> None:
        assert self._process is not None
        if self._process.returncode is None:
            self._process.terminate()
            await asyncio.wait_for(self._process.wait(), 10)

    async def __aenter__(self) -> Self:
        await self.start()
        return self

    async def __aexit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        await self.stop()
