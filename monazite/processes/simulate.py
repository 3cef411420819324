"""``monazite simulate``: the devices of the site, simulated.

Endpoints stay: a device listens where the file of endpoints says it listened before, else where the settings say. Whoever learned an endpoint once
finds the device there after a restart.
"""

import json
from collections.abc import Mapping
from urllib.parse import urlsplit

from monazite.atomic_file import write_atomically
from monazite.service import ServiceContext
from monazite.settings import Settings
from monazite.site_of import site_of
from plant import ConfigurationError, Device, ModbusDevice, Problem, Site, TcpLine
from simulators import SimulatedPlant


async def run(context: ServiceContext) -> None:
    settings = context.settings
    site = site_of(settings)
    plant = SimulatedPlant(site, settings.host, settings.speed)
    try:
        endpoints = await plant.start(ports_of(site, settings))
    except OSError as error:
        await plant.stop()
        raise ConfigurationError([Problem("simulate", None, None, f"a device cannot listen: {error}", "free the port, or use --free-ports")]) from None
    try:
        if settings.device_endpoints is not None:
            write_atomically(settings.device_endpoints, json.dumps(dict(endpoints), indent=2))
        context.ready({"devices": endpoints})
        await plant.run(context.stop)
    finally:
        await plant.stop()


def ports_of(site: Site, settings: Settings) -> Mapping[str, int]:
    """Port of each device, 0 for a free one."""
    known = settings.device_endpoints is not None and settings.device_endpoints.exists()
    if settings.simulator_ports == "free" and not known:
        return dict.fromkeys(site.devices, 0)
    return {name: _port_of(device) for name, device in site.devices.items()}


def _port_of(device: Device) -> int:
    """A simulator listens where its device does; that of a serial line on any free port."""
    if isinstance(device, ModbusDevice):
        return device.line.port if isinstance(device.line, TcpLine) else 0
    return urlsplit(device.url).port or 4840
