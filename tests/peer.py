"""Protocol stacks that others wrote, as processes of a test: what they are and how they come here is in ``tests/peers``."""

import asyncio
import contextlib
import json
import os
import shutil
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, Final

import pytest

FOLDER: Final = Path(__file__).parent / "peers"
LIBMODBUS_SERVER: Final = FOLDER / "build" / "libmodbus_server"
_NEEDS: Final = {
    "libmodbus": [str(LIBMODBUS_SERVER)],
    "mbpoll": ["mbpoll"],
    "modbus-serial": ["node", str(FOLDER / "node_modules" / "modbus-serial")],
    "node-opcua": ["node", str(FOLDER / "node_modules" / "node-opcua-server")],
    "timescaledb": ["node", str(FOLDER / "node_modules" / "@unni-craftsman" / "pglite")],
}
_DEADLINE: Final = 60.0


def require(name: str) -> None:
    """Skips the test where the peer is not installed; fails it where ``MONAZITE_REQUIRE_PEERS`` says that it is."""
    lacking = [thing for thing in _NEEDS[name] if not (Path(thing).exists() or shutil.which(thing))]
    if not lacking:
        return
    message = f"the peer {name} is not here ({', '.join(lacking)}): run tests/peers/install"
    if os.environ.get("MONAZITE_REQUIRE_PEERS") == "1":
        pytest.fail(message)
    pytest.skip(message)


class Peer:
    """A process that says that it is ready, and does what it is told, in lines of JSON."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self._process = process
        self.ready: dict[str, Any] = {}

    @property
    def port(self) -> int:
        return int(self.ready["port"])

    async def ask(self, **command: Any) -> dict[str, Any]:
        """What the peer answers to a command."""
        assert self._process.stdin is not None
        self._process.stdin.write(json.dumps(command).encode() + b"\n")
        return await self.answer()

    async def answer(self) -> dict[str, Any]:
        """The next line of JSON. What a library prints between is no answer, and shown when there is none."""
        assert self._process.stdout is not None
        other: list[str] = []
        async with asyncio.timeout(_DEADLINE):
            while line := (await self._process.stdout.readline()).decode():
                if line.startswith("{"):
                    return dict(json.loads(line))
                other.append(line)
        raise AssertionError(f"the peer ended: {''.join(other)}")

    async def kill(self) -> None:
        """As a power cut would."""
        with contextlib.suppress(ProcessLookupError):
            self._process.kill()
        await self._process.communicate()


@asynccontextmanager
async def running(name: str, *command: str | Path) -> AsyncIterator[Peer]:
    """The peer ``name``, started by ``command``, once it is ready."""
    require(name)
    pipe, joined = asyncio.subprocess.PIPE, asyncio.subprocess.STDOUT
    peer = Peer(await asyncio.create_subprocess_exec(*command, cwd=FOLDER, stdin=pipe, stdout=pipe, stderr=joined))
    try:
        peer.ready = await peer.answer()
        yield peer
    finally:
        await peer.kill()
