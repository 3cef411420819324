"""Electrolysis cell that makes rare-earth metal from oxide in molten LiF-NdF3. Pure.

- metal (Faraday): ``dm/dt = CE I M / (3 F)``; oxide consumed is metal times ``Ln2O3 / 2 Ln``, carbon of the anode leaves as CO
- voltage: ``V = 1.622 + 0.1 ln(I / 4010 A) + I R``, the interfaces and the ohmic drop of melt and leads
- bath: ``C dT/dt = I (V - 1.95) + heater - UA (T - T0)``; 1.95 V go into the reaction
- oxide in the bath: below 1.5 % the anode is covered by gas (anode effect: the voltage jumps by more than 11 V, CF4 follows) until the bath holds 1.8 % again;
  above 4 % it settles as sludge and the current efficiency is a tenth lower

Rule: oxide that was fed is in the bath, in the metal, or slag; nothing is taken from a bath that has none.
"""

import math
from dataclasses import dataclass
from typing import Annotated, Final

from simulators.process.bounds import CELSIUS_RANGE, KELVIN, PERCENT, SHARE, Within, check_parameters
from simulators.process.constants import CARBON_KG_PER_MOL, CELSIUS, FARADAY, MOL_PER_NM3
from simulators.process.time_step import substeps

_LONGEST_SUBSTEP_S: Final = 1.0
_CURRENT: Final = Within(0.0, 1e6, "A")
_HEATER: Final = Within(0.0, 1e7, "W")
_FEED: Final = Within(0.0, 1e4, "kg/h")
_TAP: Final = Within(0.0, 1e5, "kg")


@dataclass(frozen=True, slots=True)
class CellParameters:
    """A cell of 6 kA. Voltage: a 6 kA cell measured at 4 010 A had 6.28 V, modelled as 4.43 melt + 0.248 ohmic + 1.622 interfaces (preprint 202409.0791, 2024);
    the rest is assumed unless it says otherwise."""

    metal_kg_per_mol: Annotated[float, Within(0.04, 0.25, "kg/mol")] = 144.24e-3
    """kg/mol, neodymium."""
    oxide_kg_per_mol: Annotated[float, Within(0.1, 1.0, "kg/mol")] = 336.48e-3
    """kg/mol of Ln2O3."""
    current_efficiency: Annotated[float, Within(0.01, 1.0)] = 0.78
    """Without unit."""
    interface_v: Annotated[float, Within(0.0, 10.0, "V")] = 1.622
    """V at 4 010 A (preprint)."""
    interface_slope_v: Annotated[float, Within(0.0, 10.0, "V")] = 0.1
    """V per ln of the current (assumed)."""
    reference_a: Annotated[float, Within(1.0, 1e6, "A")] = 4010.0
    """A (preprint)."""
    resistance_ohm: Annotated[float, Within(0.0, 1.0, "Ohm")] = (4.43 + 0.248) / 4010.0
    """Ohm of melt and leads at the normal anode gap (preprint)."""
    gap_normal_percent: Annotated[float, PERCENT] = 55.0
    """% of the output that trims the anode gap, at which ``resistance_ohm`` holds."""
    gap_effect_per_percent: Annotated[float, Within(0.0, 0.01, "1/%")] = 0.0037
    """Change of the resistance per % of that output, without unit: 4 K of the bath per %, as its loop is tuned for."""
    reaction_v: Annotated[float, Within(0.0, 10.0, "V")] = 1.95
    """V that go into the reaction and not into heat (process description)."""
    bath_kg: Annotated[float, Within(1.0, 1e5, "kg")] = 200.0
    """kg of molten salt."""
    bath_j_per_k: Annotated[float, Within(1000.0, 1e9, "J/K")] = 1.415e5
    """J/K of salt, metal and lining: 3 600 s with the loss below, as the loop is tuned for."""
    loss_w_per_k: Annotated[float, Within(0.1, 1e5, "W/K")] = 39.3
    """W/K: 6 kA hold 1 050 degC."""
    surroundings_k: Annotated[float, KELVIN] = 298.15
    """K, cell hall."""
    slag_share: Annotated[float, SHARE] = 0.03
    """Share of the oxide fed that goes to slag, without unit (yield of metal making .97)."""
    anode_effect_below: Annotated[float, SHARE] = 0.015
    """Mass fraction of oxide at which an anode effect begins."""
    anode_effect_ends: Annotated[float, SHARE] = 0.018
    """Mass fraction of oxide at which it ends."""
    anode_effect_v: Annotated[tuple[float, float], Within(0.0, 100.0, "V")] = (11.3, 21.0)
    """V added by the gas film: where the effect begins, and in a bath without oxide."""
    anode_effect_efficiency: Annotated[float, SHARE] = 0.5
    """Factor of the current efficiency during an anode effect: the current makes fluorides of carbon too."""
    film_s: Annotated[float, Within(0.001, 60.0, "s")] = 0.5
    """s, time constant of the film: 8.7 to 20 V in 2 s."""
    sludge_above: Annotated[float, SHARE] = 0.04
    """Mass fraction of oxide above which it settles."""
    off_gas_nm3_per_h: Annotated[float, Within(1.0, 1e6, "Nm3/h")] = 16000.0
    """Nm3/h through the hood."""
    cf4_ppm: Annotated[tuple[float, float], Within(0.0, 1e6, "ppm")] = (10.0, 400.0)
    """ppm in the off-gas: normal, and in an anode effect."""
    gas_s: Annotated[float, Within(0.1, 1000.0, "s")] = 15.0
    """s, each of the two lags between anode and analyser."""

    def __post_init__(self) -> None:
        """Raises ValueError: a value out of its range."""
        check_parameters(self)


class ElectrolysisCell:
    """``bath_k`` K, ``oxide_kg`` in the bath, ``metal_kg`` in the pool, ``voltage_v``, ``cf4_ppm`` and ``co_ppm`` in the off-gas."""

    def __init__(
        self, parameters: CellParameters | None = None, bath_c: float = 1050.0, oxide_fraction: float = 0.025, name: str = "electrolysis cell"
    ) -> None:
        self.name = name
        self.parameters = parameters or CellParameters()
        self.bath_k = CELSIUS_RANGE.check(self.name, "bath_c", bath_c) + CELSIUS
        self.oxide_kg = SHARE.check(self.name, "oxide_fraction", oxide_fraction) * self.parameters.bath_kg
        self.metal_kg = 0.0
        self.slag_kg = 0.0
        self.anode_used_kg = 0.0
        self.energy_j = 0.0
        """J of direct current since the start."""
        self.voltage_v = 0.0
        self.has_anode_effect = False
        self.cf4_ppm = self._before_gas = self.parameters.cf4_ppm[0]
        self.co_ppm = 0.0
        self._film_v = 0.0

    @property
    def bath_c(self) -> float:
        return self.bath_k - CELSIUS

    @property
    def oxide_fraction(self) -> float:
        return self.oxide_kg / self.parameters.bath_kg

    @property
    def current_efficiency(self) -> float:
        p = self.parameters
        factor = 0.9 if self.oxide_fraction > p.sludge_above else 1.0
        return p.current_efficiency * factor * (p.anode_effect_efficiency if self.has_anode_effect else 1.0)

    def metal_kg_per_s(self, current_a: float) -> float:
        """By Faraday's law at the present current efficiency."""
        return self.current_efficiency * current_a * self.parameters.metal_kg_per_mol / (3.0 * FARADAY)

    def normal_v(self, current_a: float, gap_percent: float | None = None) -> float:
        """V without an anode effect; 0 below 1 A. ``gap_percent``: output that trims the anode gap, normal if left out."""
        p = self.parameters
        if current_a < 1.0:
            return 0.0
        off_normal = 0.0 if gap_percent is None else gap_percent - p.gap_normal_percent
        ohmic = current_a * p.resistance_ohm * (1.0 + p.gap_effect_per_percent * off_normal)
        return max(0.0, p.interface_v + p.interface_slope_v * math.log(current_a / p.reference_a)) + ohmic

    def tap(self, kg: float) -> float:
        """kg of metal taken: no more than the pool has. Raises ValueError for less than 0."""
        taken = min(_TAP.check(self.name, "kg", kg), self.metal_kg)
        self.metal_kg -= taken
        return taken

    def step(self, dt: float, current_a: float, oxide_kg_per_h: float, gap_percent: float | None = None, heater_w: float = 0.0) -> None:
        """``heater_w`` is the start-up heater. Raises ValueError for anything negative, or an output outside 0 to 100 %."""
        count, part = substeps(self.name, dt, _LONGEST_SUBSTEP_S)
        p = self.parameters
        _CURRENT.check(self.name, "current_a", current_a)
        _HEATER.check(self.name, "heater_w", heater_w)
        feed = _FEED.check(self.name, "oxide_kg_per_h", oxide_kg_per_h) / 3600.0
        normal = self.normal_v(current_a, None if gap_percent is None else PERCENT.check(self.name, "gap_percent", gap_percent))
        for _ in range(count):
            self._electrolyse(part, current_a, feed)
            film = self._film() if current_a >= 1.0 else 0.0
            self._film_v += (film - self._film_v) * -math.expm1(-part / p.film_s)
            self.voltage_v = normal + self._film_v if current_a >= 1.0 else 0.0
            self.energy_j += current_a * self.voltage_v * part
            self._heat(part, current_a * (self.voltage_v - p.reaction_v) + heater_w)
            share = -math.expm1(-part / p.gas_s)
            self._before_gas += (p.cf4_ppm[1 if film else 0] - self._before_gas) * share
            self.cf4_ppm += (self._before_gas - self.cf4_ppm) * share

    def _electrolyse(self, dt: float, current_a: float, feed: float) -> None:
        p = self.parameters
        self.slag_kg += feed * p.slag_share * dt
        self.oxide_kg += feed * (1.0 - p.slag_share) * dt
        oxide_per_metal = p.oxide_kg_per_mol / (2.0 * p.metal_kg_per_mol)
        metal = min(self.metal_kg_per_s(current_a) * dt, self.oxide_kg / oxide_per_metal)
        self.metal_kg += metal
        self.oxide_kg = max(0.0, self.oxide_kg - metal * oxide_per_metal)
        carbon_mol = 1.5 * metal / p.metal_kg_per_mol
        self.anode_used_kg += carbon_mol * CARBON_KG_PER_MOL
        self.co_ppm = 1e6 * carbon_mol / dt / (p.off_gas_nm3_per_h * MOL_PER_NM3 / 3600.0)
        if self.oxide_fraction < p.anode_effect_below:
            self.has_anode_effect = True
        elif self.oxide_fraction > p.anode_effect_ends:
            self.has_anode_effect = False

    def _film(self) -> float:
        """V that the gas film takes once it is there; 0 without an anode effect."""
        if not self.has_anode_effect:
            return 0.0
        least, most = self.parameters.anode_effect_v
        return max(least, most - (most - least) * self.oxide_fraction / self.parameters.anode_effect_below)

    def _heat(self, dt: float, watts: float) -> None:
        """Exact for constant ``watts``; what the reaction takes beyond them cools the bath, no further than the hall."""
        p = self.parameters
        resting = p.surroundings_k + max(watts, 0.0) / p.loss_w_per_k
        self.bath_k += (resting - self.bath_k) * -math.expm1(-dt * p.loss_w_per_k / p.bath_j_per_k)
