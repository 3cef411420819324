"""Metal hydrides: the pressure of hydrogen over them, and how fast they let go of it. Pure."""

import math
from dataclasses import dataclass
from typing import Annotated, Final

from simulators.process.bounds import Within, check_parameters
from simulators.process.constants import GAS_CONSTANT


@dataclass(frozen=True, slots=True)
class Hydride:
    """Formation and release of one hydride."""

    enthalpy_j_per_mol: Annotated[float, Within(-1e6, 1e6, "J/mol")]
    """J/mol H2 of formation; negative: forming it gives heat."""
    entropy_j_per_mol_k: Annotated[float, Within(-1000.0, 1000.0, "J/(mol K)")]
    """J/(mol K) of H2, of formation."""
    release_per_s: Annotated[float, Within(0.0, 1e15, "1/s")]
    """1/s, frequency factor of the release (assumed)."""
    release_energy_j_per_mol: Annotated[float, Within(0.0, 1e6, "J/mol")]
    """J/mol, activation energy of the release (assumed)."""

    def __post_init__(self) -> None:
        """Raises ValueError: a value out of its range."""
        check_parameters(self)

    def equilibrium_pa(self, temperature_k: float) -> float:
        """Pa of hydrogen over the hydride: ``1 bar exp(dH / (R T) - dS / R)``, van 't Hoff."""
        return 1e5 * math.exp(min((self.enthalpy_j_per_mol / temperature_k - self.entropy_j_per_mol_k) / GAS_CONSTANT, 50.0))

    def release_rate_per_s(self, temperature_k: float) -> float:
        """1/s into a vacuum: ``A exp(-E / (R T))``."""
        return self.release_per_s * math.exp(-self.release_energy_j_per_mol / (GAS_CONSTANT * temperature_k))


HARD_PHASE: Final = Hydride(-57e3, -130.0, 1e3, 50e3)
"""Nd2Fe14B hydride: enthalpy of the process description, entropy as usual for metal hydrides; empty by 250 degC under vacuum."""
ND_RICH: Final = Hydride(-190e3, -165.0, 1e8, 174e3)
"""Hydride of the Nd-rich boundary: enthalpy of the process description (handbooks give about -208e3 for pure NdH2); the entropy is set so that the equilibrium
is 1.8 mbar at 600 degC, as the pressure bump of 50 to 200 Pa in the sintering furnace wants."""
