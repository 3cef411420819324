"""The site that a process works on: what the settings name, at the endpoints they name."""

import json
from collections.abc import Mapping
from pathlib import Path

from monazite.settings import Settings
from plant import ConfigurationError, ModbusDevice, Problem, Site, load_site, reference_site


def site_of(settings: Settings) -> Site:
    """The site folder, else the reference plant; devices where ``device_endpoints`` says, if it is there.

    Raises:
        ConfigurationError: the site or the file of endpoints cannot be used.
    """
    site = reference_site() if settings.plant is None else load_site(settings.plant)
    if settings.device_endpoints is None or not settings.device_endpoints.exists():
        return site
    return site.at_endpoints(read_endpoints(settings.device_endpoints, site))


def read_endpoints(file: Path, site: Site) -> Mapping[str, str]:
    """Device name -> ``host:port`` (Modbus) or URL (OPC UA).

    Raises:
        ConfigurationError: the file is no such JSON, or names what the site does not have.
    """
    try:
        endpoints = json.loads(file.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise ConfigurationError([_problem(file, None, f"cannot be read as JSON: {error}", 'write {"DEVICE": "HOST:PORT"}')]) from None
    if not isinstance(endpoints, dict):
        raise ConfigurationError([_problem(file, None, "is no JSON object", 'write {"DEVICE": "HOST:PORT"}')])
    problems = [problem for name, endpoint in endpoints.items() if (problem := _check(file, site, name, endpoint)) is not None]
    if problems:
        raise ConfigurationError(problems)
    return endpoints


def _check(file: Path, site: Site, name: str, endpoint: object) -> Problem | None:
    if name not in site.devices:
        return _problem(file, name, "the site has no such device", f"its devices are {', '.join(site.devices)}")
    if isinstance(site.devices[name], ModbusDevice):
        host, _, port = endpoint.rpartition(":") if isinstance(endpoint, str) else ("", "", "")
        if host and port.isascii() and port.isdigit() and 0 < int(port) < 65536:
            return None
        return _problem(file, name, f"{endpoint!r} is no address of a Modbus device", "write HOST:PORT")
    if isinstance(endpoint, str) and endpoint.startswith("opc.tcp://"):
        return None
    return _problem(file, name, f"{endpoint!r} is no address of an OPC UA device", "write opc.tcp://HOST:PORT/PATH")


def _problem(file: Path, field: str | None, message: str, mend: str) -> Problem:
    return Problem(str(file), None, field, message, mend)
