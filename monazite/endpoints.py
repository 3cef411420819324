"""``endpoints.json``: every address in use, for scripts and tests beside a running ``monazite up``."""

import json
from collections.abc import Mapping
from pathlib import Path
from urllib.parse import urlsplit

from monazite.atomic_file import write_atomically
from plant import Device, ModbusDevice, SerialLine, Site


def write_endpoints(file: Path, api: str, nats: str, metrics: Mapping[str, str], site: Site) -> None:
    """``metrics``: URL by service. ``site`` has its devices where they are."""
    content = {"api": api, "nats": nats, "metrics": dict(metrics), "devices": [_row(device) for device in site.devices.values()]}
    write_atomically(file, json.dumps(content, indent=2) + "\n")


def _row(device: Device) -> Mapping[str, object]:
    if isinstance(device, ModbusDevice):
        line = device.line
        where = {"serial": line.path} if isinstance(line, SerialLine) else {"host": line.host, "port": line.port}
        return {"name": device.name, "protocol": device.protocol, **where, "unit_id": device.unit_id}
    parts = urlsplit(device.url)
    return {"name": device.name, "protocol": device.protocol, "host": parts.hostname, "port": parts.port, "url": device.endpoint}
