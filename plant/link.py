"""How a gateway stands with a device: what operators see of a link."""

from dataclasses import dataclass
from enum import StrEnum


class LinkState(StrEnum):
    """``DEGRADED``: the link is up and part of the device does not answer as configured."""

    CONNECTING = "connecting"
    UP = "up"
    DEGRADED = "degraded"
    DOWN = "down"

    @property
    def is_up(self) -> bool:
        return self in {LinkState.UP, LinkState.DEGRADED}


@dataclass(frozen=True, slots=True)
class DeviceStatus:
    """State of one device's link.

    ``since`` is when ``state`` was entered (UTC microseconds); ``latency`` the last round trip in seconds; ``clock_offset`` the device's clock minus
    the gateway's in seconds, ``None`` where the protocol carries no time or none was measured yet; ``last_heard`` the last sign of life (UTC microseconds,
    the gateway's clock), ``None`` before the first.
    """

    device: str
    protocol: str
    endpoint: str
    state: LinkState
    since: int
    last_error: str | None = None
    reconnects: int = 0
    latency: float | None = None
    clock_offset: float | None = None
    last_heard: int | None = None
