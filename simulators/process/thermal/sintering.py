"""Densification and grain growth of Nd-Fe-B over the temperature that the charge has seen. Pure.

- master sintering curve (H. Su, D. L. Johnson: Master sintering curve, a practical approach to sintering, J. Am. Ceram. Soc. 79 (1996) 3211):
  ``theta = int 1/T exp(-Q / (R T)) dt``, relative density ``rho0 + (1 - rho0) / (1 + exp(-(ln theta - a) / b))``;
- normal grain growth ``G^n - G0^n = int k0 exp(-Qg / (R T)) dt``.

Both integrals grow only: no temperature takes density or grain size back. Within a step the temperature is a straight line, integrated by Simpson's rule.
"""

import math
from dataclasses import dataclass
from typing import Annotated

from simulators.process.bounds import KELVIN, Within, check_parameters
from simulators.process.constants import GAS_CONSTANT
from simulators.process.time_step import check_step


@dataclass(frozen=True, slots=True)
class SinteringParameters:
    """Constants fitted to plausible end points of the plant's process description; no measured curve of Nd-Fe-B is behind them."""

    densification_energy_j_per_mol: Annotated[float, Within(0.0, 2e6, "J/mol")] = 350e3
    """J/mol (assumed)."""
    green_density: Annotated[float, Within(0.1, 0.99)] = 0.58
    """Relative density of the pressed part, without unit."""
    curve_middle: Annotated[float, Within(-1000.0, 1000.0)] = -31.940333
    """ln of theta (s/K) at half way; fitted to 0.995 after 4 h at 1065 degC and 0.965 after 4 h at 1010 degC."""
    curve_width: Annotated[float, Within(0.001, 100.0)] = 0.64647529
    """Width of the curve in ln theta; same fit."""
    full_density_g_per_cm3: Annotated[float, Within(1.0, 25.0, "g/cm3")] = 7.60
    """g/cm3, density without pores."""
    grain_energy_j_per_mol: Annotated[float, Within(0.0, 2e6, "J/mol")] = 400e3
    """J/mol (assumed)."""
    grain_exponent: Annotated[float, Within(1.0, 10.0)] = 4.0
    """Without unit (assumed)."""
    grain_rate_um4_per_s: Annotated[float, Within(0.0, 1e30, "um4/s")] = 2.973e14
    """um^n/s; fitted to 6.0 um after 4 h at 1065 degC."""
    powder_grain_um: Annotated[float, Within(0.1, 1000.0, "um")] = 4.0
    """um, grain at the start."""

    def __post_init__(self) -> None:
        """Raises ValueError: a value out of its range."""
        check_parameters(self)


class SinteringState:
    """What a charge has become. ``theta_s_per_k`` (s/K) and ``grain_um`` (um) are its whole memory."""

    def __init__(self, parameters: SinteringParameters | None = None, name: str = "sintering") -> None:
        self.name = name
        self.parameters = parameters or SinteringParameters()
        self.theta_s_per_k = 0.0
        self.grain_um = self.parameters.powder_grain_um

    @property
    def relative_density(self) -> float:
        """Green density to 1, without unit."""
        p = self.parameters
        if self.theta_s_per_k <= 0.0:
            return p.green_density
        along = (math.log(self.theta_s_per_k) - p.curve_middle) / p.curve_width
        return p.green_density + (1.0 - p.green_density) / (1.0 + math.exp(min(-along, 700.0)))

    @property
    def density_g_per_cm3(self) -> float:
        return self.relative_density * self.parameters.full_density_g_per_cm3

    def step(self, dt: float, start_k: float, end_k: float) -> None:
        """``dt`` seconds while the charge goes from ``start_k`` to ``end_k`` in a straight line. Raises ValueError for a temperature of 0 K or less."""
        check_step(self.name, dt)
        KELVIN.check(self.name, "start_k", start_k)
        KELVIN.check(self.name, "end_k", end_k)
        if dt == 0.0:
            return
        p = self.parameters
        densified = grown = 0.0
        for kelvin, weight in ((start_k, 1.0), (0.5 * (start_k + end_k), 4.0), (end_k, 1.0)):
            densified += weight * math.exp(-p.densification_energy_j_per_mol / (GAS_CONSTANT * kelvin)) / kelvin
            grown += weight * math.exp(-p.grain_energy_j_per_mol / (GAS_CONSTANT * kelvin))
        self.theta_s_per_k += dt * densified / 6.0
        self.grain_um = (self.grain_um**p.grain_exponent + p.grain_rate_um4_per_s * dt * grown / 6.0) ** (1.0 / p.grain_exponent)
