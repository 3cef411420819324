"""Magnetic properties of a finished magnet from what its lot has become. Pure, and without a step: a test on a bench has no duration that matters.

- ``Br = 1.61 align (rho / 7.60) V - 0.025 w_Dy - 0.020 w_Tb`` T
- ``Hcj = 1125 (G / 5 um)^-0.4 + 160 w_Dy + 2600 w_Tb - 60 max(0, (O - 1500 ppm) / 1000)`` kA/m, w_Tb diffused along the boundaries
- ``BHmax = 0.975 Br^2 / (4 mu0)`` kJ/m3
- reversible loss by temperature: 0.12 % of Br and 0.55 % of Hcj per K above 20 degC

A fit to the plant's targets of 1.35 T, 1 990 kA/m and 354 kJ/m3, not to measured magnets; only its directions are physics.
"""

import math
from dataclasses import dataclass
from typing import Annotated, Final

from simulators.process.bounds import SHARE, Within, check_parameters
from simulators.process.constants import MU0

_TEMPERATURE: Final = Within(20.0, 200.0, "degC")


@dataclass(frozen=True, slots=True)
class QualityParameters:
    """Fit of the process description."""

    saturation_t: Annotated[float, Within(0.1, 3.0, "T")] = 1.61
    """T, Nd2Fe14B at 20 degC."""
    full_density_g_per_cm3: Annotated[float, Within(1.0, 10.0, "g/cm3")] = 7.60
    """g/cm3."""
    hard_share: Annotated[float, SHARE] = 0.91
    """Volume of the hard phase, without unit."""
    dysprosium_t: Annotated[float, Within(0.0, 1.0, "T")] = 0.025
    """T lost per wt% Dy."""
    terbium_t: Annotated[float, Within(0.0, 1.0, "T")] = 0.020
    """T lost per wt% Tb."""
    coercivity_ka_per_m: Annotated[float, Within(1.0, 1e4, "kA/m")] = 1125.0
    """kA/m at a grain of 5 um."""
    grain_exponent: Annotated[float, Within(-2.0, 0.0)] = -0.4
    """Without unit."""
    dysprosium_ka_per_m: Annotated[float, Within(0.0, 1e4, "kA/m")] = 160.0
    """kA/m gained per wt% Dy."""
    terbium_ka_per_m: Annotated[float, Within(0.0, 1e5, "kA/m")] = 2600.0
    """kA/m gained per wt% Tb diffused along the boundaries."""
    oxygen_ka_per_m: Annotated[float, Within(0.0, 1e4, "kA/m")] = 60.0
    """kA/m lost per 1 000 ppm of oxygen above 1 500."""
    energy_share: Annotated[float, SHARE] = 0.975
    """Of the ideal energy product, without unit."""
    remanence_per_k: Annotated[float, Within(0.0, 0.005, "1/K")] = 0.0012
    """1/K lost of Br."""
    coercivity_per_k: Annotated[float, Within(0.0, 0.0055, "1/K")] = 0.0055
    """1/K lost of Hcj."""

    def __post_init__(self) -> None:
        """Raises ValueError: a value out of its range."""
        check_parameters(self)


@dataclass(frozen=True, slots=True)
class MagnetLot:
    """What decides the properties."""

    density_g_per_cm3: Annotated[float, Within(1.0, 8.0, "g/cm3")]
    """g/cm3, sintered."""
    grain_um: Annotated[float, Within(0.1, 1000.0, "um")]
    """um, mean grain after sintering."""
    alignment: Annotated[float, SHARE]
    """Without unit: mean cosine of the grains' axes to the field."""
    dysprosium_wt_percent: Annotated[float, Within(0.0, 15.0, "wt%")]
    """%, Dy of the alloy."""
    terbium_wt_percent: Annotated[float, Within(0.0, 15.0, "wt%")]
    """%, Tb along the grain boundaries."""
    oxygen_ppm: Annotated[float, Within(0.0, 1e5, "ppm")]
    """ppm by mass."""

    def __post_init__(self) -> None:
        """Raises ValueError: a value that no magnet has."""
        check_parameters(self)


@dataclass(frozen=True, slots=True)
class MagneticProperties:
    """As a hysteresigraph reads them."""

    remanence_t: float
    """T, Br."""
    coercivity_ka_per_m: float
    """kA/m, Hcj."""
    energy_kj_per_m3: float
    """kJ/m3, BHmax."""


def magnetic_properties(lot: MagnetLot, temperature_c: float = 20.0, parameters: QualityParameters | None = None) -> MagneticProperties:
    """Br, Hcj and BHmax at 20 to 200 degC. Raises ValueError for another temperature. None is below 0."""
    p = parameters or QualityParameters()
    above = _TEMPERATURE.check("magnetic properties", "temperature_c", temperature_c) - 20.0
    aligned = p.saturation_t * lot.alignment * lot.density_g_per_cm3 / p.full_density_g_per_cm3 * p.hard_share
    remanence = max(0.0, aligned - p.dysprosium_t * lot.dysprosium_wt_percent - p.terbium_t * lot.terbium_wt_percent)
    remanence *= 1.0 - p.remanence_per_k * above
    coercivity = p.coercivity_ka_per_m * (lot.grain_um / 5.0) ** p.grain_exponent
    coercivity += p.dysprosium_ka_per_m * lot.dysprosium_wt_percent + p.terbium_ka_per_m * lot.terbium_wt_percent
    coercivity -= p.oxygen_ka_per_m * max(0.0, (lot.oxygen_ppm - 1500.0) / 1000.0)
    coercivity = max(0.0, coercivity) * (1.0 - p.coercivity_per_k * above)
    return MagneticProperties(remanence, coercivity, p.energy_share * math.pow(remanence, 2) / (4.0 * MU0) / 1e3)
