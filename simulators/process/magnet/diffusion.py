"""Grain-boundary diffusion of terbium or dysprosium from a film on both faces of a slice, over the temperature of its furnace. Pure.

``depth = sqrt(2 int D dt)``, ``D = 9.4e-11 m2/s exp(-Ea / R (1 / T - 1 / 1173.15 K))``, an effective value of the boundaries. From a film on the surface the
amount goes in with the depth: all that the slice takes is in when the two fronts meet.
"""

import math
from dataclasses import dataclass
from typing import Annotated, Final

from simulators.process.bounds import KELVIN, SHARE, Within, check_parameters
from simulators.process.constants import GAS_CONSTANT
from simulators.process.time_step import check_step

_CHARGE: Final = Within(1e-6, 1e5, "kg")
_SOURCE: Final = Within(0.0, 1e3, "kg")

_REFERENCE_K: Final = 1173.15


@dataclass(frozen=True, slots=True)
class DiffusionParameters:
    """Assumed in the process description: 2.6 mm after 10 h at 900 degC."""

    diffusivity_m2_per_s: Annotated[float, Within(1e-16, 1e-6, "m2/s")] = 9.4e-11
    """m2/s at 900 degC."""
    energy_j_per_mol: Annotated[float, Within(0.0, 1e6, "J/mol")] = 180e3
    """J/mol."""
    slice_m: Annotated[float, Within(0.0001, 0.1, "m")] = 5e-3
    """m, thickness of the slice; a film on both faces."""
    uptake_share: Annotated[float, SHARE] = 0.75
    """Share of the source that a slice takes in the end, without unit."""
    source_share: Annotated[float, SHARE] = 0.945
    """Tb or Dy in the film that is applied, by mass (hydride and fluoride)."""

    def __post_init__(self) -> None:
        """Raises ValueError: a value out of its range."""
        check_parameters(self)


class BoundaryDiffusion:
    """A charge of ``charge_kg`` with ``source_kg`` of film. ``spread_m2`` (int D dt) is its whole memory. Raises ValueError: a charge of 0."""

    def __init__(self, charge_kg: float = 250.0, source_kg: float = 1.0, parameters: DiffusionParameters | None = None, name: str = "diffusion") -> None:
        self.name = name
        self.parameters = parameters or DiffusionParameters()
        self.charge_kg = _CHARGE.check(self.name, "charge_kg", charge_kg)
        self.source_kg = _SOURCE.check(self.name, "source_kg", source_kg)
        self.spread_m2 = 0.0

    @property
    def depth_mm(self) -> float:
        """mm from each face."""
        return math.sqrt(2.0 * self.spread_m2) * 1e3

    @property
    def absorbed_kg(self) -> float:
        """kg of the element in the charge."""
        p = self.parameters
        return self.source_kg * p.source_share * p.uptake_share * min(1.0, self.depth_mm * 1e-3 / (0.5 * p.slice_m))

    @property
    def absorbed_wt_percent(self) -> float:
        """% of the charge's mass with what it took."""
        return 100.0 * self.absorbed_kg / (self.charge_kg + self.absorbed_kg)

    def diffusivity_m2_per_s(self, temperature_k: float) -> float:
        p = self.parameters
        return p.diffusivity_m2_per_s * math.exp(-p.energy_j_per_mol / GAS_CONSTANT * (1.0 / temperature_k - 1.0 / _REFERENCE_K))

    def step(self, dt: float, temperature_k: float) -> None:
        """Raises ValueError for a temperature of 0 K or less."""
        check_step(self.name, dt)
        self.spread_m2 += self.diffusivity_m2_per_s(KELVIN.check(self.name, "temperature_k", temperature_k)) * dt
