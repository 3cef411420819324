"""The services as processes of their own, around a real nats-server, for tests that kill them."""

import asyncio
import json
import os
import signal
import sys
from asyncio.subprocess import Process
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import httpx

from tests.nats_server import NatsServer

PASSWORD = "a long enough password"


class DidNotStart(AssertionError):
    """A service ended before it was ready; the message is the end of its log."""


class Stack:
    """Gateway, historian, control and API over one site folder and one store."""

    def __init__(self, folder: Path, site: Path, store_url: str, nats: NatsServer) -> None:
        self._folder = folder
        self._site = site
        self._store_url = store_url
        self._processes: dict[str, Process] = {}
        self.nats = nats

    async def start(self, name: str) -> Mapping[str, Any]:
        """Starts ``monazite <name>`` and returns what its ready file says."""
        ready = self._folder / f"{name}-ready.json"
        ready.unlink(missing_ok=True)
        environment = {
            **os.environ,
            **self.nats.environment,
            "MONAZITE_PLANT": str(self._site),
            "MONAZITE_STORE": self._store_url,
            "MONAZITE_DATA": str(self._folder / "data"),
            "MONAZITE_PORT": "0",
            "MONAZITE_READY_FILE": str(ready),
            "MONAZITE_ADMIN_PASSWORD": PASSWORD,
        }
        with (self._folder / f"{name}.log").open("ab") as log:
            self._processes[name] = await asyncio.create_subprocess_exec(
                sys.executable, "-m", "monazite", name, stdout=log, stderr=log, stdin=asyncio.subprocess.DEVNULL, env=environment
            )
        async with asyncio.timeout(60):
            while not ready.exists():
                if self._processes[name].returncode is not None:
                    raise DidNotStart(self.log(name))
                await asyncio.sleep(0.05)
        answer: Mapping[str, Any] = json.loads(ready.read_text())
        return answer

    def runs(self, name: str) -> bool:
        """Whether it was started and has neither ended by itself nor been killed."""
        return name in self._processes and self._processes[name].returncode is None

    async def kill(self, name: str) -> None:
        """kill -9; the process must have been alive."""
        process = self._processes.pop(name)
        assert process.returncode is None, self.log(name)
        process.kill()
        assert await process.wait() == -signal.SIGKILL

    def signal(self, name: str, number: signal.Signals) -> None:
        self._processes[name].send_signal(number)

    @asynccontextmanager
    async def beside(self, name: str) -> AsyncIterator[None]:
        """A second process of a service beside the first one."""
        first = self._processes.pop(name)
        try:
            await self.start(name)
            second = self._processes.pop(name)
        finally:
            self._processes[name] = first
        try:
            yield
        finally:
            second.terminate()
            await asyncio.wait_for(second.wait(), 20)

    async def stop(self) -> None:
        for process in self._processes.values():
            if process.returncode is None:
                process.terminate()
        for name, process in self._processes.items():
            try:
                await asyncio.wait_for(process.wait(), 20)
            except TimeoutError:
                process.kill()
                raise AssertionError(f"{name} did not stop within 20 s:\n{self.log(name)}") from None

    def log(self, name: str) -> str:
        """Last lines of a service's log."""
        return "\n".join((self._folder / f"{name}.log").read_text().splitlines()[-40:])


@asynccontextmanager
async def running_stack(folder: Path, site: Path, store_url: str, nats_folder: Path | None = None) -> AsyncIterator[Stack]:
    """A stack with its bus up and no service started; everything is stopped at the end."""
    folder.mkdir(parents=True, exist_ok=True)
    async with NatsServer(nats_folder or folder / "nats") as nats:
        stack = Stack(folder, site, store_url, nats)
        try:
            yield stack
        finally:
            await stack.stop()


@asynccontextmanager
async def api_client(base_url: str, password: str = PASSWORD) -> AsyncIterator[httpx.AsyncClient]:
    """A client of /api/v1, logged in as admin."""
    async with httpx.AsyncClient(base_url=f"{base_url}/api/v1", timeout=30) as client:
        token = await client.post("/auth/token", data={"username": "admin", "password": password})
        token.raise_for_status()
        client.headers["Authorization"] = f"Bearer {token.json()['access_token']}"
        yield client


async def history(client: httpx.AsyncClient, tag: str, start: str = "1970-01-01T00:00:00Z", end: str = "+1h") -> tuple[list[str], list[Any], list[str]]:
    """All samples of a tag, page by page: times, values, qualities."""
    times: list[str] = []
    values: list[Any] = []
    qualities: list[str] = []
    cursor: str | None = None
    while True:
        parameters = {"from": start, "to": end, "limit": "5000", **({"cursor": cursor} if cursor else {})}
        answer = await client.get(f"/tags/{tag}/samples", params=parameters)
        answer.raise_for_status()
        page = answer.json()
        times += page["time"]
        values += page["value"]
        qualities += page["quality"]
        cursor = page["next"]
        if cursor is None:
            return times, values, qualities
