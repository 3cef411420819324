"""Magnetic properties of a finished magnet from what its lot has become. Pure, and without a step: a test on a bench has no duration that matters.

- ``Br = 1.61 align (rho / 7.60) V - 0.025 w_Dy - 0.020 w_Tb`` T
- ``Hcj = 1125 (G / 5 um)^-0.4 + 160 w_Dy + 2600 w_Tb - 60 max(0, (O - 1500 ppm) / 1000)`` kA/m, w_Tb diffused along the boundaries
- ``BHmax = 0.975 Br^2 / (4 mu0)`` kJ/m3
- reversible loss by temperature: 0.12 % of Br and 0.55 % of Hcj per K above 20 degC

A fit to the plant's targets of 1.35 T, 1 990 kA/m and 354 kJ/m3, not to measured magnets; only its directions are physics.
"""

import math
from dataclasses import dataclass

from simulators.process.constants import MU0
from simulators.process.time_step import finite


@dataclass(frozen=True, slots=True)
class QualityParameters:
    """Fit of the process description."""

    saturation_t: float = 1.61
    """T, Nd2Fe14B at 20 degC."""
    full_density_g_per_cm3: float = 7.60
    """g/cm3."""
    hard_share: float = 0.91
    """Volume of the hard phase, without unit."""
    dysprosium_t: float = 0.025
    """T lost per wt% Dy."""
    terbium_t: float = 0.020
    """T lost per wt% Tb."""
    coercivity_ka_per_m: float = 1125.0
    """kA/m at a grain of 5 um."""
    grain_exponent: float = -0.4
    """Without unit."""
    dysprosium_ka_per_m: float = 160.0
    """kA/m gained per wt% Dy."""
    terbium_ka_per_m: float = 2600.0
    """kA/m gained per wt% Tb diffused along the boundaries."""
    oxygen_ka_per_m: float = 60.0
    """kA/m lost per 1 000 ppm of oxygen above 1 500."""
    energy_share: float = 0.975
    """Of the ideal energy product, without unit."""
    remanence_per_k: float = 0.0012
    """1/K lost of Br."""
    coercivity_per_k: float = 0.0055
    """1/K lost of Hcj."""


@dataclass(frozen=True, slots=True)
class MagnetLot:
    """What decides the properties. ``ValueError`` for a value that no magnet has."""

    density_g_per_cm3: float
    """g/cm3, sintered."""
    grain_um: float
    """um, mean grain after sintering."""
    alignment: float
    """Without unit: mean cosine of the grains' axes to the field."""
    dysprosium_wt_percent: float
    """%, Dy of the alloy."""
    terbium_wt_percent: float
    """%, Tb along the grain boundaries."""
    oxygen_ppm: float
    """ppm by mass."""

    def __post_init__(self) -> None:
        finite("density_g_per_cm3", self.density_g_per_cm3, 1.0, 8.0)
        finite("grain_um", self.grain_um, 0.1, 1000.0)
        finite("alignment", self.alignment, 0.0, 1.0)
        finite("dysprosium_wt_percent", self.dysprosium_wt_percent, 0.0, 15.0)
        finite("terbium_wt_percent", self.terbium_wt_percent, 0.0, 15.0)
        finite("oxygen_ppm", self.oxygen_ppm, 0.0, 1e5)


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
    """Br, Hcj and BHmax at 20 to 200 degC; ``ValueError`` for another temperature. None is below 0."""
    p = parameters or QualityParameters()
    above = finite("temperature_c", temperature_c, 20.0, 200.0) - 20.0
    aligned = p.saturation_t * lot.alignment * lot.density_g_per_cm3 / p.full_density_g_per_cm3 * p.hard_share
    remanence = max(0.0, aligned - p.dysprosium_t * lot.dysprosium_wt_percent - p.terbium_t * lot.terbium_wt_percent)
    remanence *= 1.0 - p.remanence_per_k * above
    coercivity = p.coercivity_ka_per_m * (lot.grain_um / 5.0) ** p.grain_exponent
    coercivity += p.dysprosium_ka_per_m * lot.dysprosium_wt_percent + p.terbium_ka_per_m * lot.terbium_wt_percent
    coercivity -= p.oxygen_ka_per_m * max(0.0, (lot.oxygen_ppm - 1500.0) / 1000.0)
    coercivity = max(0.0, coercivity) * (1.0 - p.coercivity_per_k * above)
    return MagneticProperties(remanence, coercivity, p.energy_share * math.pow(remanence, 2) / (4.0 * MU0) / 1e3)
