"""The rotary valve at a column's outlet: ``ZC`` demands a port, ``ZI`` is where it stands, ``ZA`` says that the two have disagreed for too long."""

from dataclasses import dataclass
from typing import Annotated, Final

from simulators.process.bounds import Within, check_parameters
from simulators.process.time_step import check_step

_PORTS: Final = Within(1.0, 7.0)


@dataclass(frozen=True, slots=True)
class ValveParameters:
    """A rotary valve with pneumatic drive. Engineering values."""

    travel_s_per_port: Annotated[float, Within(0.0, 30.0, "s/port")] = 0.25
    """From one port to the next, s: 1.5 s over all seven."""
    allowed_s: Annotated[float, Within(0.1, 60.0, "s")] = 2.0
    """For which demand and position may disagree, s, before ``is_discrepant``."""

    def __post_init__(self) -> None:
        """Raises ValueError: a value out of its range."""
        check_parameters(self)


class OutletValve:
    """State of one valve, at rest on ``port``. ``is_stuck`` keeps it where it stands, whatever is demanded."""

    def __init__(self, port: int, parameters: ValveParameters | None = None, name: str = "outlet valve") -> None:
        _PORTS.check(name, "port", port)
        self.name = name
        self.parameters = parameters or ValveParameters()
        self.demand = port
        self.is_stuck = False
        self._place = float(port)
        self._disagreed = 0.0

    @property
    def port(self) -> int:
        """The port that the effluent goes to: the nearer one while it turns."""
        return int(self._place + 0.5)

    @property
    def position(self) -> int:
        """The feedback ``ZI``: the port, or 0 between two."""
        return self.port if self._place == self.port else 0

    @property
    def is_discrepant(self) -> bool:
        return self._disagreed > self.parameters.allowed_s

    def step(self, dt: float, demand: int) -> None:
        """``dt`` seconds under ``demand``. Raises ValueError: a port that there is not, or ``dt`` outside 0 to 60 s."""
        check_step(self.name, dt)
        _PORTS.check(self.name, "demand", demand)
        self.demand = demand
        if not self.is_stuck:
            way = demand - self._place
            reach = dt / self.parameters.travel_s_per_port if self.parameters.travel_s_per_port > 0.0 else abs(way)
            self._place = float(demand) if reach >= abs(way) else self._place + (reach if way > 0 else -reach)
        self._disagreed = 0.0 if self.position == demand else self._disagreed + dt
