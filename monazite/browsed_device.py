"""The device that a command line names, checked by the rules of a site folder."""

from pathlib import Path

from plant import ConfigurationError, OpcuaDevice, OpcuaSecurity, Problem
from plant.device import NamedUser
from plant.site_devices import TOKEN
from plant.site_opcua_device import is_opcua_url


def device_of(url: str, name: str, area: str, security: OpcuaSecurity, user: str | None, password_file: Path | None) -> OpcuaDevice:
    """Raises ``ConfigurationError`` with everything that cannot be used."""
    problems: list[Problem] = []
    if not is_opcua_url(url) or "@" in url:
        problems.append(Problem("URL", None, None, f"{url!r} is no address of an OPC UA server", "write opc.tcp://HOST:PORT/PATH, without a user"))
    if TOKEN.fullmatch(name) is None:
        problems.append(Problem("--device", None, None, f"{name!r} is no device name", "use letters, digits, _ and - only"))
    if not (area.isascii() and area.isalnum() and area.isupper()):
        problems.append(Problem("--area", None, None, f"{area!r} is no area of a tag's name", "use capitals and digits only"))
    if (user is None) != (password_file is None):
        problems.append(Problem("--user", None, None, "a user is of no use without a password, and a password without its user", "write --password-file too"))
    if problems:
        raise ConfigurationError(problems)
    named = None if user is None or password_file is None else NamedUser(user, str(password_file.absolute()))
    return OpcuaDevice(name, area, url, security=security, user=named)
