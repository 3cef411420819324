"""The indicator of a weighbridge as a device of the site."""

from dataclasses import dataclass

from plant.heartbeat import Heartbeat
from plant.write_within import WRITE_WITHIN


@dataclass(frozen=True, slots=True)
class WeighbridgeDevice:
    """``timeout`` is seconds for one answer, ``period`` from one reading to the next."""

    name: str
    area: str
    host: str
    port: int
    timeout: float = 1.0
    period: float = 0.05
    heartbeat: Heartbeat | None = None

    @property
    def protocol(self) -> str:
        return "weighbridge"

    @property
    def has_clock(self) -> bool:
        return False

    @property
    def write_within(self) -> float:
        return WRITE_WITHIN

    @property
    def endpoint(self) -> str:
        return f"weighbridge://{self.host}:{self.port}"
