"""The processes of ``monazite up``: what each is run with, and when it counts as ready."""

import asyncio
import json
import os
import shutil
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Final

from monazite.atomic_file import PRIVATE, write_atomically
from monazite.child import Launch
from monazite.data_folder import DataFolder
from monazite.settings import PREFIX, Settings, variable_of
from monazite.supervisor import Ailment, Details, ProcessSpec
from services import bus

NATS: Final = "nats"
SIMULATE: Final = "simulate"
HISTORIAN: Final = "historian"
GATEWAY: Final = "gateway"
CONTROL: Final = "control"
API: Final = "api"

LOOPBACK: Final = "127.0.0.1"
_READY_WITHIN: Final = 60.0
_POLL: Final = 0.05
_ROOM: Final = 32 * 1024**2
"""Bytes free on the disk of the streams from which it is not full any more."""


class Assembly:
    """Specifications of all processes on one data folder. Addresses become known as processes become ready; ``learn`` is told of them."""

    def __init__(self, settings: Settings, folder: DataFolder, simulators: bool) -> None:
        self._settings = settings
        self._folder = folder
        self._simulators = simulators
        self._addresses: dict[str, Details] = {}

    def stages(self) -> Sequence[Sequence[ProcessSpec]]:
        """In order of dependence. Stopped the other way round, the gateway goes before the historian, which so has all of it to store."""
        second = [self._service(HISTORIAN)]
        if self._simulators:
            second.append(self._service(SIMULATE))
        return [[self._nats()], second, [self._service(GATEWAY), self._service(CONTROL)], [self._service(API)]]

    def learn(self, name: str, details: Details) -> None:
        """Keeps what a process said of itself, for those that start after it."""
        self._addresses[name] = details

    def address(self, name: str, what: str) -> str | None:
        """``what`` of a process, such as ``metrics``; ``None`` before it is known."""
        found = self._addresses.get(name, {}).get(what)
        return None if found is None else str(found)

    @property
    def device_endpoints(self) -> Path | None:
        """File with the endpoints of the devices, if they are not simply where the site says."""
        return self._folder.device_endpoints if self._simulators else self._settings.device_endpoints

    def _nats(self) -> ProcessSpec:
        settings, folder = self._settings, self._folder

        def launch(last: Details | None) -> Launch:
            for stale in folder.nats.glob("nats-server_*.ports"):  # a process id may come again
                stale.unlink()
            port = 0 if last is None else int(str(last["port"]))
            config = bus.NatsServerConfig(folder.nats, LOOPBACK, port, settings.nats_user, folder.password_of_nats())
            file = folder.nats / "nats-server.conf"
            write_atomically(file, config.render(), PRIVATE)
            guard = (sys.executable, "-m", "monazite.guard", str(os.getpid()))
            return Launch((*guard, *bus.command(file)), self._environment({}))

        async def ready(pid: int) -> Details:
            port = await bus.read_port(folder.nats, pid, _READY_WITHIN)
            await bus.wait_until_ready(LOOPBACK, port, _READY_WITHIN)
            return {"port": port, "url": f"nats://{LOOPBACK}:{port}"}

        def has_room() -> bool:
            try:
                return shutil.disk_usage(folder.nats).free >= _ROOM
            except OSError:
                return False

        return ProcessSpec(NATS, launch, ready, _READY_WITHIN, ailment=Ailment("does not write to a stream any more", bus.FAILED_WRITE, has_room))

    def _service(self, name: str) -> ProcessSpec:
        ready_file = self._folder.run / f"{name}.json"

        def launch(last: Details | None) -> Launch:
            ready_file.unlink(missing_ok=True)
            return Launch((sys.executable, "-m", "monazite", name), self._environment(self._settings_of(name, ready_file, last)))

        async def ready(pid: int) -> Details:
            return await read_when_ready(ready_file, pid)

        return ProcessSpec(name, launch, ready, _READY_WITHIN)

    def _settings_of(self, name: str, ready_file: Path, last: Details | None) -> Mapping[str, object]:
        settings, folder = self._settings, self._folder
        values: dict[str, object] = {
            "data": folder.path,
            "plant": settings.plant and settings.plant.absolute(),
            "device_endpoints": self.device_endpoints and self.device_endpoints.absolute(),
            "log_level": settings.log_level,
            "metrics_port": _port(last, "metrics"),
            "ready_file": ready_file,
        }
        if name == SIMULATE:
            values |= {"speed": settings.speed, "simulator_ports": "free"}
        else:
            values |= {"nats_url": self.address(NATS, "url"), "nats_user": settings.nats_user, "nats_password_file": folder.nats_password}
        if name == GATEWAY:
            values["pki"] = settings.pki and settings.pki.absolute()
        if name in {HISTORIAN, API}:
            values |= {
                "store": settings.store and settings.store.get_secret_value(),
                "store_password_file": settings.store_password_file and settings.store_password_file.absolute(),
            }
        if name == HISTORIAN:
            values["keep_days"] = settings.keep_days
        if name == API:
            values |= {
                "host": settings.host,
                "port": settings.port if last is None else _port(last, "api"),
                "admin_password": settings.admin_password and settings.admin_password.get_secret_value(),
                "admin_password_file": settings.admin_password_file and settings.admin_password_file.absolute(),
            }
        return values

    def _environment(self, values: Mapping[str, object]) -> Mapping[str, str]:
        """Ours without its settings, with those of the process: it reads no setting that is not its own."""
        inherited = {name: value for name, value in os.environ.items() if not name.startswith(PREFIX)}
        own = {variable_of(name): str(value) for name, value in values.items() if value is not None}
        return {**inherited, **own, "PYTHONUNBUFFERED": "1"}


async def read_when_ready(file: Path, pid: int) -> Details:
    """What process ``pid`` writes there when it is ready. Waits without a deadline of its own."""
    while True:
        details = _read_if_of(file, pid)
        if details is not None:
            return details
        await asyncio.sleep(_POLL)


def _read_if_of(file: Path, pid: int) -> Details | None:
    if not file.exists():
        return None
    details: dict[str, object] = json.loads(file.read_text(encoding="utf-8"))
    return details if details["pid"] == pid else None


def _port(details: Details | None, what: str) -> int:
    """Port of a URL that the process said when it last ran, else 0."""
    return 0 if details is None else int(str(details[what]).split("/")[2].rpartition(":")[2])
