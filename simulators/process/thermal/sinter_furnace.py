"""Sintering furnace: heating, vacuum, argon quench, and what they make of the charge. Pure.

The charge is read zone by zone: a zone that lags sinters less, and the density of the lot is that of its worst zone. Argon is let in up to the quench
pressure and blown through a cooler; heat goes as ``(p / p0)^0.8`` of the gas (turbulent forced convection, Nu ~ Re^0.8: VDI Heat Atlas, part G).
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated, Final

from simulators.process.bounds import KELVIN, Within, check_parameters
from simulators.process.constants import AIR_OXYGEN, GAS_CONSTANT, HYDROGEN_KG_PER_MOL, OXYGEN_KG_PER_MOL
from simulators.process.thermal.sintering import SinteringParameters, SinteringState
from simulators.process.thermal.two_mass import FurnaceParameters, TwoMassFurnace
from simulators.process.thermal.vacuum_chamber import ChamberParameters, VacuumChamber
from simulators.process.time_step import substeps

_GETTERING_K: Final = 773.15
"""K; above it the charge takes all oxygen of the air that leaks in (assumed)."""
_LONGEST_SUBSTEP_S: Final = 5.0
_HYDROGEN: Final = Within(0.0, 1e5, "ppm")


@dataclass(frozen=True, slots=True)
class QuenchParameters:
    """Assumed, so that the charge goes at 200 K/min on average from 1065 to 600 degC at full pressure."""

    pressure_pa: Annotated[float, Within(1.0, 1e7, "Pa")] = 200e3
    """Pa absolute, end of the backfill, at which the conductances hold."""
    backfill_pa_m3_per_s: Annotated[float, Within(0.0, 1e7, "Pa m3/s")] = 2e4
    """Pa m3/s of argon: 60 s to the pressure in 6 m3."""
    heater_conductance_w_per_k: Annotated[float, Within(0.0, 1e5, "W/K")] = 1650.0
    """W/K, gas to heaters and shields with the blower on."""
    charge_conductance_w_per_k: Annotated[float, Within(0.0, 1e5, "W/K")] = 1950.0
    """W/K, gas to charge with the blower on."""
    gas_k: Annotated[float, KELVIN] = 320.0
    """K, argon behind the cooler."""

    def __post_init__(self) -> None:
        """Raises ValueError: a value out of its range."""
        check_parameters(self)


@dataclass(frozen=True, slots=True)
class SinterFurnaceInputs:
    """What the controller of the furnace commands."""

    outputs_percent: Sequence[float]
    """%, one a zone."""
    pump_open: bool
    """Valve between chamber and pump."""
    argon_open: bool = False
    """Argon flows until the quench pressure."""
    blower_on: bool = False
    """Blows the gas through charge and cooler."""


class SinterFurnace:
    """``magnet_kg`` of the charge are magnets, which hold ``hydrogen_ppm`` by mass as hydride; ``masses``, ``chamber`` and ``zones`` are its parts."""

    def __init__(
        self,
        furnace: FurnaceParameters | None = None,
        chamber: ChamberParameters | None = None,
        quench: QuenchParameters | None = None,
        sintering: SinteringParameters | None = None,
        magnet_kg: float = 500.0,
        hydrogen_ppm: float = 800.0,
        name: str = "sinter furnace",
    ) -> None:
        self.name = name
        self.masses = TwoMassFurnace(furnace, name=name)
        self.quench = quench or QuenchParameters()
        self.magnet_kg = Within(1e-3, self.masses.parameters.charge_mass_kg, "kg").check(name, "magnet_kg", magnet_kg)
        hydride_mol = self.magnet_kg * _HYDROGEN.check(self.name, "hydrogen_ppm", hydrogen_ppm) * 1e-6 / HYDROGEN_KG_PER_MOL
        self.chamber = VacuumChamber(chamber, hydride_mol, name=name)
        self.zones = [SinteringState(sintering, name) for _ in range(self.masses.parameters.zones)]
        self.oxygen_pickup_kg = 0.0
        """kg of oxygen that the hot charge took from the leak. The gauge does not show it: the leak counts as air in full."""

    @property
    def worst_zone(self) -> SinteringState:
        return min(self.zones, key=lambda one: one.theta_s_per_k)

    @property
    def oxygen_pickup_ppm(self) -> float:
        """ppm by mass of the magnets."""
        return self.oxygen_pickup_kg / self.magnet_kg * 1e6

    def step(self, dt: float, inputs: SinterFurnaceInputs) -> None:
        count, part = substeps(self.name, dt, _LONGEST_SUBSTEP_S)
        for _ in range(count):
            before = self.masses.charge_k.copy()
            self.masses.step(part, inputs.outputs_percent, self._gas_conductance(inputs.blower_on), self.quench.gas_k)
            for zone, start, end in zip(self.zones, before, self.masses.charge_k, strict=True):
                zone.step(part, start, end)
            mean = sum(self.masses.charge_k) / len(self.masses.charge_k)
            air = self.chamber.air_pa_m3
            self.chamber.step(part, mean, inputs.pump_open, self._argon(part, inputs.argon_open))
            if mean > _GETTERING_K:
                self.oxygen_pickup_kg += (self.chamber.air_pa_m3 - air) / (GAS_CONSTANT * 300.0) * AIR_OXYGEN * OXYGEN_KG_PER_MOL

    def _argon(self, dt: float, is_open: bool) -> float:
        """Pa m3/s, no more than what reaches the quench pressure in this step."""
        missing = max(0.0, self.quench.pressure_pa - self.chamber.pressure_pa) * self.chamber.parameters.volume_m3
        return min(self.quench.backfill_pa_m3_per_s, missing / dt) if is_open else 0.0

    def _gas_conductance(self, blower_on: bool) -> tuple[float, float]:
        if not blower_on:
            return 0.0, 0.0
        strength = (self.chamber.pressure_pa / self.quench.pressure_pa) ** 0.8
        return self.quench.heater_conductance_w_per_k * strength, self.quench.charge_conductance_w_per_k * strength
