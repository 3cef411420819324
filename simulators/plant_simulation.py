"""The simulated plant: every device of a site, its behaviour and its protocol server, in one process and on one event loop."""

import asyncio
import math
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from typing import Final
from urllib.parse import urlsplit

import numpy as np

from plant.device import Device, ModbusDevice
from plant.site import Site
from plant.times import now
from simulators.first_order import FirstOrderDevice
from simulators.image import TagImage
from simulators.modbus_server import ModbusServer
from simulators.opcua_server import OpcuaServer

_MODBUS_STEP: Final = 0.1
"""Seconds: the fastest scan of a Modbus device. A step costs little, for the server reads the image only when it is asked."""
_OPCUA_STEP: Final = 0.25
"""Seconds: each new value of an OPC UA device is written into its node and copied into every subscription."""
_LONGEST_STEP: Final = 5.0
"""Seconds that one step may catch up after the process was held up; what lies before is left out, as while a device is off."""


@dataclass(frozen=True, slots=True)
class _Unit:
    """One simulated device."""

    image: TagImage
    behaviour: FirstOrderDevice
    server: ModbusServer | OpcuaServer

    @property
    def step_seconds(self) -> float:
        return _OPCUA_STEP if isinstance(self.server, OpcuaServer) else _MODBUS_STEP


class SimulatedPlant:
    """All devices of ``site``, on ``host``.

    ``speed`` is process seconds per second; scans keep their periods whatever the speed. The same ``seed`` gives the same plant.
    """

    def __init__(self, site: Site, host: str = "127.0.0.1", speed: float = 1.0, seed: int = 0) -> None:
        self._site = site
        self._host = host
        self._speed = speed
        self._seed = seed
        self._units: dict[str, _Unit] = {}
        self._endpoints: dict[str, str] = {}

    async def start(self, ports: Mapping[str, int] | None = None) -> Mapping[str, str]:
        """Starts every device on its port of ``ports``; 0, or no entry, takes a free one. A restart with the same ports is found by who knew them.

        Returns what ``Site.at_endpoints`` takes: ``host:port`` of a Modbus device, URL of an OPC UA one.

        Raises:
            OSError: a port cannot be had. What was started is left to ``stop``.
        """
        seeds = np.random.SeedSequence(self._seed).spawn(len(self._site.devices))
        for (name, device), seed in zip(self._site.devices.items(), seeds, strict=True):
            image = TagImage(self._site.tags_on_wire(name), now())
            behaviour = FirstOrderDevice(image, np.random.default_rng(seed), self._speed)
            server = self._server(device, image)
            self._units[name] = _Unit(image, behaviour, server)
            self._endpoints[name] = await server.start((ports or {}).get(name, 0))
        return dict(self._endpoints)

    def image(self, device: str) -> TagImage:
        """The image of a running device: what its server shows."""
        return self._units[device].image

    async def run(self, stop: asyncio.Event) -> None:
        """Moves the plant on until ``stop`` is set."""
        async with asyncio.TaskGroup() as group:
            for step_seconds in (_MODBUS_STEP, _OPCUA_STEP):
                units = [unit for unit in self._units.values() if unit.step_seconds == step_seconds]
                group.create_task(_run(units, step_seconds, stop))

    async def stop(self) -> None:
        """Closes every server. Also after a start that failed."""
        units, self._units = self._units, {}
        await asyncio.gather(*(unit.server.stop() for unit in units.values()))

    async def disconnect(self, device: str) -> None:
        """Takes one device off the network: its listener and connections are closed, its process goes on."""
        await self._units[device].server.stop()

    async def reconnect(self, device: str) -> None:
        """Brings a device back to the endpoint that it had."""
        server = self._units[device].server
        await server.start(server.port)

    def _server(self, device: Device, image: TagImage) -> ModbusServer | OpcuaServer:
        if isinstance(device, ModbusDevice):
            return ModbusServer(image, device.unit_id, self._host)
        return OpcuaServer(device.name, image, self._host, urlsplit(device.url).path)


async def _run(units: list[_Unit], step_seconds: float, stop: asyncio.Event) -> None:
    """Steps on multiples of ``step_seconds`` of the loop's clock, each as long as the time that really went by."""
    loop = asyncio.get_running_loop()
    last = loop.time()
    due = last + step_seconds
    while not stop.is_set():
        with suppress(TimeoutError):
            async with asyncio.timeout_at(due):
                await stop.wait()
        moment, time = loop.time(), now()
        dt, last = min(moment - last, _LONGEST_STEP), moment
        due += step_seconds * max(1, math.ceil((moment - due) / step_seconds))
        for unit in units:
            unit.behaviour.step(dt, time)
            if isinstance(unit.server, OpcuaServer):
                await unit.server.publish()
