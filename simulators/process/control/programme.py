"""Set-point programme of a furnace: ramps and soaks. Pure: its only clock is the ``dt`` of ``step``."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated

from simulators.process.bounds import CELSIUS_RANGE, Within, check_parameters
from simulators.process.time_step import check_step


@dataclass(frozen=True, slots=True)
class Segment:
    """A ramp and the soak at its end."""

    target_c: Annotated[float, CELSIUS_RANGE]
    """degC, end of the ramp and temperature of the soak."""
    rate_k_per_min: Annotated[float, Within(1e-6, 1e4, "K/min")]
    """K/min, up or down to the target."""
    soak_s: Annotated[float, Within(0.0, 1e7, "s")]
    """s at the target."""

    def __post_init__(self) -> None:
        """Raises ValueError: a value out of its range."""
        check_parameters(self)


class Programme:
    """``set_point_c`` starts at ``start_c``; a step that ends a ramp or soak goes on with the next within the same step. A held programme is not stepped."""

    def __init__(self, segments: Sequence[Segment], start_c: float = 25.0, name: str = "programme") -> None:
        self.name = name
        self._segments = tuple(segments)
        self._soaked = 0.0
        self.position = 0
        self.set_point_c = start_c

    @property
    def is_complete(self) -> bool:
        return self.position == len(self._segments)

    @property
    def is_soaking(self) -> bool:
        return not self.is_complete and self.set_point_c == self._segments[self.position].target_c

    def step(self, dt: float) -> float:
        """The set-point, degC, ``dt`` seconds later; the last target once the programme is complete."""
        check_step(self.name, dt)
        while dt > 0.0 and not self.is_complete:
            segment = self._segments[self.position]
            if self.is_soaking:
                part = min(dt, segment.soak_s - self._soaked)
                self._soaked += part
                dt -= part
                if self._soaked >= segment.soak_s:
                    self.position, self._soaked = self.position + 1, 0.0
                continue
            rate = segment.rate_k_per_min / 60.0
            distance = segment.target_c - self.set_point_c
            part = min(dt, abs(distance) / rate)
            if part >= abs(distance) / rate:
                self.set_point_c = segment.target_c
            else:
                self.set_point_c += (rate if distance > 0.0 else -rate) * part
            dt -= part
        return self.set_point_c
