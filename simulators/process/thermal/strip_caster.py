"""Vacuum induction furnace and its casting wheel: alloy is molten under argon and poured to flakes. Pure.

- melt: ``m dh/dt = eta P - e sigma A (T^4 - T0^4) - UA (T - T0)`` on the specific enthalpy h, which is solid, melting between solidus and liquidus, or liquid
- strip: thickness ``0.30 (1.2 / v)^0.8 (rate / rate0)^0.5`` mm, lamella spacing ``~ thickness^0.5``; alpha-iron appears above 0.4 mm
- chamber: pumped below 1 Pa, then 40 kPa of argon (``VacuumChamber``); oxygen of the argon is what of the residual gas is air

Rule: what was charged is in the crucible, on the flake heap, or dross.
"""

import math
from dataclasses import dataclass
from typing import Annotated, Final

from simulators.process.bounds import CELSIUS_RANGE, KELVIN, PERCENT, SHARE, Within, check_parameters
from simulators.process.constants import AIR_OXYGEN, CELSIUS, STEFAN_BOLTZMANN
from simulators.process.thermal.vacuum_chamber import ChamberParameters, VacuumChamber
from simulators.process.time_step import substeps

CASTER_CHAMBER: Final = ChamberParameters(volume_m3=4.0, pump_m3_per_s=0.3, base_load_pa_m3_per_s=0.03)
"""Rests at 0.1 Pa; isolated it rises by 0.45 Pa/min, inside the 0.5 Pa/min of the leak test (assumed sizes)."""
_WATER_J_PER_L_K: Final = 4180.0
_LONGEST_SUBSTEP_S: Final = 2.0
_CHARGE: Final = Within(0.0, 1e5, "kg")
_POUR: Final = Within(0.0, 100.0, "kg/s")
_WHEEL: Final = Within(0.0, 100.0, "m/s")
_WATER: Final = Within(0.0, 1e5, "L/min")


@dataclass(frozen=True, slots=True)
class CasterParameters:
    """600 kg of Nd-Fe-B; sizes and heats assumed: 320 kW hold 1 440 degC, one % of power moves it by 10 K."""

    power_w: Annotated[float, Within(1.0, 1e7, "W")] = 582e3
    """W at 100 % output: 320 kW at 55 %."""
    coupling_efficiency: Annotated[float, SHARE] = 0.65
    """Share of the power that reaches the metal, without unit (process description); the rest heats the coil."""
    emissivity: Annotated[float, SHARE] = 0.60
    """Of the melt's surface, without unit."""
    surface_m2: Annotated[float, Within(0.0, 100.0, "m2")] = 0.45
    """m2 of the melt's surface."""
    crucible_w_per_k: Annotated[float, Within(0.0, 1e4, "W/K")] = 54.0
    """W/K through the crucible to the coil."""
    surroundings_k: Annotated[float, KELVIN] = 303.15
    """K, cooled walls."""
    full_coupling_kg: Annotated[float, Within(0.1, 1e4, "kg")] = 100.0
    """kg below which the metal covers less of the coil and the crucible, and gains and loses heat in proportion."""
    solid_j_per_kg_k: Annotated[float, Within(1.0, 1e4, "J/(kg K)")] = 550.0
    """J/(kg K), below the solidus."""
    liquid_j_per_kg_k: Annotated[float, Within(1.0, 1e4, "J/(kg K)")] = 750.0
    """J/(kg K), above the liquidus."""
    solidus_k: Annotated[float, KELVIN] = 1423.15
    """K: 1 150 degC."""
    liquidus_k: Annotated[float, KELVIN] = 1553.15
    """K: 1 280 degC."""
    melting_j_per_kg: Annotated[float, Within(1.0, 1e7, "J/kg")] = 310e3
    """J/kg from solidus to liquidus, with its sensible heat."""
    normal_pour_kg_per_s: Annotated[float, Within(0.001, 100.0, "kg/s")] = 0.5
    """kg/s at which 1.2 m/s give 0.30 mm."""
    dross_share: Annotated[float, SHARE] = 0.015
    """Share of the metal that stays as dross, without unit (yield .985)."""
    lamella_um: Annotated[float, Within(0.1, 100.0, "um")] = 3.5
    """um, lamella spacing at 0.30 mm (2 to 5 um in the process description)."""
    iron_above_mm: Annotated[float, Within(0.01, 10.0, "mm")] = 0.4
    """mm, thickness above which alpha-iron appears."""
    thickest_mm: Annotated[float, Within(0.1, 100.0, "mm")] = 5.0
    """mm, what lies on a wheel that stands."""
    water_in_c: Annotated[float, Within(0.0, 95.0, "degC")] = 18.0
    """degC, coil water."""
    water_lag_s: Annotated[float, Within(0.1, 1e4, "s")] = 20.0
    """s."""

    def __post_init__(self) -> None:
        """Raises ValueError: a value out of its range."""
        check_parameters(self)


class StripCaster:
    """Holds ``charge_kg`` at ``start_c``. ``chamber`` has the pressures; ``strip_kg`` and ``dross_kg`` what was poured, ``iron_kg`` of it with alpha-iron."""

    def __init__(self, charge_kg: float = 600.0, parameters: CasterParameters | None = None, start_c: float = 25.0, name: str = "strip caster") -> None:
        self.name = name
        self.parameters = parameters or CasterParameters()
        self.melt_kg = _CHARGE.check(self.name, "charge_kg", charge_kg)
        self.enthalpy_j_per_kg = self._enthalpy(CELSIUS_RANGE.check(self.name, "start_c", start_c) + CELSIUS)
        self.chamber = VacuumChamber(CASTER_CHAMBER, name=name)
        self.strip_kg = 0.0
        self.dross_kg = 0.0
        self.iron_kg = 0.0
        self.thickness_mm = 0.0
        """mm of what is cast now; 0 when nothing is."""
        self.coil_water_c = self.parameters.water_in_c
        self.heating_j = 0.0
        self.loss_j = 0.0
        """J into the metal and out of it by surface and crucible since the start; the metal that is poured takes its own."""

    @property
    def melt_k(self) -> float:
        """K of what is in the crucible; of its last drop when it is empty."""
        p, h = self.parameters, self.enthalpy_j_per_kg
        at_solidus = p.solid_j_per_kg_k * p.solidus_k
        if h <= at_solidus:
            return h / p.solid_j_per_kg_k
        if h <= at_solidus + p.melting_j_per_kg:
            return p.solidus_k + (h - at_solidus) / p.melting_j_per_kg * (p.liquidus_k - p.solidus_k)
        return p.liquidus_k + (h - at_solidus - p.melting_j_per_kg) / p.liquid_j_per_kg_k

    @property
    def melt_c(self) -> float:
        return self.melt_k - CELSIUS

    @property
    def is_molten(self) -> bool:
        return self.melt_kg > 0.0 and self.melt_k > self.parameters.liquidus_k

    @property
    def lamella_um(self) -> float:
        """um in the strip that is cast now."""
        return self.parameters.lamella_um * math.sqrt(self.thickness_mm / 0.30)

    @property
    def oxygen_ppm(self) -> float:
        """ppm by volume of the gas in the chamber, taking its residual gas as air."""
        return 1e6 * AIR_OXYGEN * self.chamber.residual_pa / self.chamber.pressure_pa if self.chamber.pressure_pa else 0.0

    def strip_mm(self, wheel_m_per_s: float, pour_kg_per_s: float) -> float:
        """mm of strip at a surface speed of the wheel and a pouring rate."""
        if pour_kg_per_s <= 0.0:
            return 0.0
        p = self.parameters
        if wheel_m_per_s <= 0.0:
            return p.thickest_mm
        return min(p.thickest_mm, 0.30 * math.pow(1.2 / wheel_m_per_s, 0.8) * math.sqrt(pour_kg_per_s / p.normal_pour_kg_per_s))

    def step(
        self,
        dt: float,
        output_percent: float,
        pump_open: bool = False,
        argon_pa_m3_per_s: float = 0.0,
        pour_kg_per_s: float = 0.0,
        wheel_m_per_s: float = 1.2,
        coil_water_l_per_min: float = 160.0,
    ) -> None:
        """``pour_kg_per_s`` is what the tilt lets out of a melt; nothing runs out of a solid charge. Raises ValueError for an input below 0 or above 100 %."""
        count, part = substeps(self.name, dt, _LONGEST_SUBSTEP_S)
        p = self.parameters
        power = PERCENT.check(self.name, "output_percent", output_percent) / 100.0 * p.power_w
        _POUR.check(self.name, "pour_kg_per_s", pour_kg_per_s)
        _WHEEL.check(self.name, "wheel_m_per_s", wheel_m_per_s)
        water = _WATER.check(self.name, "coil_water_l_per_min", coil_water_l_per_min) / 60.0 * _WATER_J_PER_L_K
        self.chamber.step(dt, p.surroundings_k, pump_open, argon_pa_m3_per_s)
        for _ in range(count):
            to_coil = self._heat(part, power) + (1.0 - p.coupling_efficiency) * power
            warmed = min(p.water_in_c + to_coil / water, 100.0) if water else 100.0
            self.coil_water_c += (warmed - self.coil_water_c) * -math.expm1(-part / p.water_lag_s)
            self._pour(part, pour_kg_per_s, wheel_m_per_s)

    def _heat(self, dt: float, power: float) -> float:
        """W through the crucible to the coil; an empty crucible takes no power."""
        p = self.parameters
        if self.melt_kg <= 0.0:
            return 0.0
        kelvin = self.melt_k
        covered = min(1.0, self.melt_kg / p.full_coupling_kg)
        through = covered * p.crucible_w_per_k * (kelvin - p.surroundings_k)
        lost = through + covered * p.emissivity * STEFAN_BOLTZMANN * p.surface_m2 * (kelvin**4 - p.surroundings_k**4)
        gained = covered * p.coupling_efficiency * power
        self.heating_j += dt * gained
        self.loss_j += dt * lost
        self.enthalpy_j_per_kg += dt * (gained - lost) / self.melt_kg
        return through

    def _pour(self, dt: float, pour_kg_per_s: float, wheel_m_per_s: float) -> None:
        if not self.is_molten or pour_kg_per_s <= 0.0:
            self.thickness_mm = 0.0
            return
        p = self.parameters
        poured = min(pour_kg_per_s * dt, self.melt_kg)
        self.thickness_mm = self.strip_mm(wheel_m_per_s, pour_kg_per_s)
        strip = poured * (1.0 - p.dross_share)
        self.melt_kg -= poured
        self.strip_kg += strip
        self.dross_kg += poured - strip
        if self.thickness_mm > p.iron_above_mm:
            self.iron_kg += strip

    def _enthalpy(self, kelvin: float) -> float:
        """J/kg above 0 K."""
        p = self.parameters
        solid = p.solid_j_per_kg_k * min(kelvin, p.solidus_k)
        melting = p.melting_j_per_kg * min(max((kelvin - p.solidus_k) / (p.liquidus_k - p.solidus_k), 0.0), 1.0)
        return solid + melting + p.liquid_j_per_kg_k * max(kelvin - p.liquidus_k, 0.0)
