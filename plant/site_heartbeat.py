"""The heartbeat of a device as devices.toml describes it."""

from typing import Final

from plant.heartbeat import Heartbeat
from plant.site_document import TomlTable

HEARTBEAT_KEY: Final = "heartbeat"
_WITHIN: Final = 10.0


def parse_heartbeat(table: TomlTable) -> Heartbeat | None:
    """``None`` where the device has none, or none that can be used. Whether the tag is one of the device is checked where tags are known."""
    heartbeat = table.table(HEARTBEAT_KEY, '{ tag = "SYS.PLC101.NT101", within = 10 }')
    if heartbeat is None:
        return None
    heartbeat.only(["tag", "within"])
    tag = heartbeat.string("tag", '"SYS.PLC101.NT101"')
    within = heartbeat.seconds("within", _WITHIN)
    return None if tag is None else Heartbeat(tag, within)
