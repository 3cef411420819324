"""Hydrogen decrepitation vessel: alloy takes up hydrogen, heats itself, falls to grains, and gives most of the hydrogen back under vacuum. Pure.

Two phases of the alloy take hydrogen, each up to its capacity c (mol H2), against its own equilibrium pressure (van 't Hoff):

- uptake: ``dn/dt = k (p / 100 kPa)^0.5 s^8 (c - n) (1 - p_eq / p)``, where s goes from 0 to 1 during the induction (the oxide skin of the flakes opens)
- release: ``dn/dt = -A exp(-E / (R T)) n (1 - p / p_eq)``
- heat: ``C dT/dt = heater - jacket (T - Tw) - sum dH dn/dt``; both hydrides are exothermic

The hard phase lets go under vacuum by about 250 degC; the hydride of the Nd-rich boundary is stable at 540 degC and leaves from 580 degC on, as fast as the
pump takes it: what stays gives the pressure bump of the sintering furnace near 600 degC.

Rule: hydrogen is conserved: what was admitted is gas, in the alloy, or pumped.
"""

import math
from dataclasses import dataclass
from typing import Annotated, Final

from simulators.process.bounds import KELVIN, PERCENT, Within, check_parameters
from simulators.process.constants import CELSIUS, GAS_CONSTANT, HYDROGEN_KG_PER_MOL, MOL_PER_NM3
from simulators.process.linear_decay import advance
from simulators.process.thermal import HARD_PHASE, ND_RICH, Hydride
from simulators.process.time_step import substeps

_LONGEST_SUBSTEP_S: Final = 1.0
_ALLOY: Final = Within(0.0, 1e5, "kg")
_HYDROGEN: Final = Within(0.0, 1e4, "Nm3/h")


@dataclass(frozen=True, slots=True)
class HydridePhase:
    """One phase of the alloy that takes hydrogen."""

    hydride: Hydride
    """Its formation and release."""
    capacity_wt_percent: Annotated[float, Within(0.0, 5.0, "wt%")]
    """% of the alloy's mass, as hydrogen."""
    uptake_per_s: Annotated[float, Within(0.0, 10.0, "1/s")]
    """1/s at 100 kPa, after the induction (assumed)."""

    def __post_init__(self) -> None:
        """Raises ValueError: a value out of its range."""
        check_parameters(self)


GRAINS: Final = HydridePhase(HARD_PHASE, 0.252, 1.0 / 900.0)
"""Nd2Fe14B H2.7: 2.7 H of 1 081 g/mol."""
BOUNDARY: Final = HydridePhase(ND_RICH, 0.128, 1.0 / 300.0)
"""NdH2.7 of 6.9 % Nd-rich phase: the rest of the 0.38 % that the process description has."""


@dataclass(frozen=True, slots=True)
class DecrepitationParameters:
    """Sizes assumed."""

    phases: tuple[HydridePhase, ...] = (GRAINS, BOUNDARY)
    """Phases of the alloy."""
    volume_m3: Annotated[float, Within(0.01, 100.0, "m3")] = 1.5
    """m3 of gas."""
    pump_m3_per_s: Annotated[float, Within(0.0, 100.0, "m3/s")] = 0.3
    """m3/s with the vacuum valve open."""
    induction_s: Annotated[float, Within(1.0, 1e5, "s")] = 600.0
    """s at 130 kPa (5 to 20 min); passivated flakes take longer."""
    alloy_j_per_kg_k: Annotated[float, Within(1.0, 1e4, "J/(kg K)")] = 450.0
    """J/(kg K)."""
    vessel_j_per_k: Annotated[float, Within(1000.0, 1e8, "J/K")] = 3e5
    """J/K, retort and baskets."""
    jacket_w_per_k: Annotated[float, Within(0.0, 1e4, "W/K")] = 800.0
    """W/K to the cooling jacket or, while heating, through the insulation at a tenth."""
    heater_w: Annotated[float, Within(0.0, 1e6, "W")] = 120e3
    """W at 100 % output."""
    surroundings_k: Annotated[float, KELVIN] = 298.15
    """K, cooling water and hall."""

    def __post_init__(self) -> None:
        """Raises ValueError: a value out of its range."""
        check_parameters(self)


class DecrepitationVessel:
    """Starts evacuated with ``alloy_kg`` of flakes without hydrogen. ``temperature_k`` is that of alloy and vessel, ``absorbed_mol`` H2 in each phase."""

    def __init__(self, alloy_kg: float = 600.0, parameters: DecrepitationParameters | None = None, name: str = "decrepitation") -> None:
        self.name = name
        self.parameters = parameters or DecrepitationParameters()
        self.alloy_kg = _ALLOY.check(self.name, "alloy_kg", alloy_kg)
        self.temperature_k = self.parameters.surroundings_k
        self.absorbed_mol = [0.0] * len(self.parameters.phases)
        self.hydrogen_mol = 0.0
        """mol of H2 gas in the vessel."""
        self.admitted_mol = 0.0
        self.pumped_mol = 0.0
        self.opened = 0.0
        """How far the induction is, 0 to 1."""
        self.reaction_j = 0.0
        """J that the uptake gave so far, less what the release took."""
        self.heating_j = 0.0
        self.jacket_j = 0.0

    @property
    def temperature_c(self) -> float:
        return self.temperature_k - CELSIUS

    @property
    def pressure_pa(self) -> float:
        """Pa absolute of hydrogen."""
        return self.hydrogen_mol * self._pa_per_mol

    @property
    def absorbed_wt_percent(self) -> float:
        """Hydrogen in the alloy, % of the alloy; 0 for an empty vessel."""
        return 100.0 * sum(self.absorbed_mol) * HYDROGEN_KG_PER_MOL / self.alloy_kg if self.alloy_kg else 0.0

    @property
    def heat_capacity_j_per_k(self) -> float:
        return self.alloy_kg * self.parameters.alloy_j_per_kg_k + self.parameters.vessel_j_per_k

    def step(self, dt: float, hydrogen_nm3_per_h: float = 0.0, pump_open: bool = False, heater_percent: float = 0.0, cooling: bool = False) -> None:
        """Raises ValueError for a flow below 0 or an output outside 0 to 100 %."""
        count, part = substeps(self.name, dt, _LONGEST_SUBSTEP_S)
        p = self.parameters
        inflow = _HYDROGEN.check(self.name, "hydrogen_nm3_per_h", hydrogen_nm3_per_h) / 3600.0 * MOL_PER_NM3
        heater = PERCENT.check(self.name, "heater_percent", heater_percent) / 100.0 * p.heater_w
        jacket = p.jacket_w_per_k * (1.0 if cooling else 0.1)
        for _ in range(count):
            self.opened = min(1.0, self.opened + part * self.pressure_pa / (130e3 * p.induction_s))
            self._exchange(part, inflow, p.pump_m3_per_s / p.volume_m3 if pump_open else 0.0)
            lost = jacket * (self.temperature_k - p.surroundings_k)
            self.temperature_k += part * (heater - lost) / self.heat_capacity_j_per_k
            self.heating_j += part * heater
            self.jacket_j += part * lost

    @property
    def _pa_per_mol(self) -> float:
        return GAS_CONSTANT * self.temperature_k / self.parameters.volume_m3

    def _exchange(self, dt: float, inflow: float, pumping: float) -> None:
        """Gas of the vessel for ``dt``: ``dn/dt = given - taken n`` with the two phases as sources and sinks, solved exactly."""
        pressure = self.pressure_pa
        phases = list(zip(self.parameters.phases, self.absorbed_mol, strict=True))
        equilibria = [phase.hydride.equilibrium_pa(self.temperature_k) for phase, _ in phases]
        sources = [
            min(phase.hydride.release_rate_per_s(self.temperature_k), 0.5 / dt) * absorbed if pressure <= equilibrium else 0.0
            for (phase, absorbed), equilibrium in zip(phases, equilibria, strict=True)
        ]
        given = inflow + sum(sources)
        # a sink is per mole of gas: against the most that there can be in this step, a phase takes no more than half of what it has free
        most = self.hydrogen_mol + given * dt
        sinks = []
        for (phase, absorbed), equilibrium, source in zip(phases, equilibria, sources, strict=True):
            free = max(0.0, self._capacity(phase) - absorbed)
            if pressure > equilibrium:
                rate = min(phase.uptake_per_s * math.sqrt(pressure / 1e5) * self.opened**8, 0.5 / dt)
                sinks.append(rate * free * (1.0 - equilibrium / pressure) / most)
            else:
                back = source * self._pa_per_mol / equilibrium
                sinks.append(min(back, (source + 0.5 * free / dt) / most) if most > 0.0 else 0.0)
        taken = pumping + sum(sinks)
        end, mean = advance(self.hydrogen_mol, given, taken, dt)
        for number, phase in enumerate(self.parameters.phases):
            moved = (sinks[number] * mean - sources[number]) * dt
            self.absorbed_mol[number] += moved
            self.reaction_j -= moved * phase.hydride.enthalpy_j_per_mol
            self.temperature_k -= moved * phase.hydride.enthalpy_j_per_mol / self.heat_capacity_j_per_k
        self.hydrogen_mol = end
        self.admitted_mol += inflow * dt
        self.pumped_mol += pumping * mean * dt

    def _capacity(self, phase: HydridePhase) -> float:
        """mol H2."""
        return self.alloy_kg * phase.capacity_wt_percent / 100.0 / HYDROGEN_KG_PER_MOL
