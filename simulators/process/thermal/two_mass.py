"""Resistance furnace as masses that radiate to each other: in each zone a heater with its shields, and a share of the charge. Pure.

Per zone, temperatures in K, areas and conductances a zone's share:

- heater: ``m c dT/dt = P u - q - loss - gas + neighbours``
- charge: ``m c dT/dt = q - gas + neighbours``
- ``q = sigma e_hc A (Th^4 - Tc^4) + k_hc (Th - Tc)``, ``loss = sigma e_shell A (Th^4 - T0^4) + k_shell (Th - T0)``
- neighbours: ``coupling`` of the area sees the next zone, heater to heater and charge to charge, with the same e_hc

Rule: energy is conserved to rounding. Every flow is added to the account that the test closes with the same two stages (Heun) that move the temperatures.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated, Final

from simulators.process.bounds import KELVIN, PERCENT, SHARE, Within, check_parameters
from simulators.process.constants import CELSIUS, STEFAN_BOLTZMANN
from simulators.process.time_step import substeps

_LONGEST_SUBSTEP_S: Final = 5.0
_GAS: Final = Within(0.0, 1e5, "W/K")


@dataclass(frozen=True, slots=True)
class FurnaceParameters:
    """Defaults: sintering furnace, two-mass model of the plant's process description (assumed sizes, no furnace's data sheet)."""

    heater_mass_kg: Annotated[float, Within(1.0, 1e6, "kg")] = 900.0
    """kg of heaters and shields, all zones."""
    heater_heat_j_per_kg_k: Annotated[float, Within(1.0, 1e4, "J/(kg K)")] = 500.0
    """J/(kg K), Mo and steel."""
    charge_mass_kg: Annotated[float, Within(1.0, 1e6, "kg")] = 702.0
    """kg of magnets, boxes and rack, all zones."""
    charge_heat_j_per_kg_k: Annotated[float, Within(1.0, 1e4, "J/(kg K)")] = 480.0
    """J/(kg K), Nd-Fe-B and steel."""
    radiating_area_m2: Annotated[float, Within(0.0, 1000.0, "m2")] = 14.0
    """m2, all zones."""
    charge_exchange: Annotated[float, SHARE] = 0.35
    """Effective emissivity between heater and charge, without unit."""
    charge_conductance_w_per_k: Annotated[float, Within(0.0, 1e5, "W/K")] = 8.4
    """W/K, all zones: what touches the heater side."""
    shell_exchange: Annotated[float, SHARE] = 0.02
    """Effective emissivity through the shields to the cooled shell, without unit."""
    shell_conductance_w_per_k: Annotated[float, Within(0.0, 1e5, "W/K")] = 45.0
    """W/K, all zones: leads, supports, door."""
    coupling: Annotated[float, SHARE] = 0.05
    """Share of a zone's area that sees its neighbour, without unit."""
    power_w: Annotated[float, Within(1.0, 1e7, "W")] = 260e3
    """W at 100 % output, all zones."""
    surroundings_k: Annotated[float, KELVIN] = 300.0
    """K, cooled shell."""
    zones: Annotated[int, Within(1.0, 12.0)] = 3
    """Zones in a row, each with its own heater and its equal share of everything."""

    def __post_init__(self) -> None:
        """Raises ValueError: a value out of its range."""
        check_parameters(self)


DIFFUSION_FURNACE: Final = FurnaceParameters(
    heater_mass_kg=500.0, charge_mass_kg=330.0, radiating_area_m2=10.0, charge_conductance_w_per_k=6.0, shell_conductance_w_per_k=35.0, power_w=130e3, zones=1
)
"""One zone for 250 kg of slices on 80 kg of trays; 40 % hold 900 degC (assumed sizes)."""


@dataclass(slots=True)
class EnergyAccount:
    """J since the furnace was made."""

    heating_j: float = 0.0
    shell_j: float = 0.0
    """To the cooled shell."""
    gas_j: float = 0.0
    """To the quench gas."""


class TwoMassFurnace:
    """``heater_k`` and ``charge_k``: K, one a zone. A zone's ``element_health`` is the share of its elements that still conduct (2/3: one phase open)."""

    def __init__(self, parameters: FurnaceParameters | None = None, start_k: float = 298.15, name: str = "furnace") -> None:
        self.name = name
        self.parameters = parameters or FurnaceParameters()
        zones = self.parameters.zones
        self.heater_k = [KELVIN.check(name, "start_k", start_k)] * zones
        self.charge_k = [start_k] * zones
        self.element_health = [1.0] * zones
        self.account = EnergyAccount()

    @property
    def heater_c(self) -> list[float]:
        return [one - CELSIUS for one in self.heater_k]

    @property
    def charge_c(self) -> list[float]:
        return [one - CELSIUS for one in self.charge_k]

    @property
    def stored_j(self) -> float:
        """J above 0 K."""
        heater, charge = self._capacities()
        return heater * sum(self.heater_k) + charge * sum(self.charge_k)

    def step(self, dt: float, outputs_percent: Sequence[float], gas_conductance_w_per_k: tuple[float, float] = (0.0, 0.0), gas_k: float = 300.0) -> None:
        """``outputs_percent``: one a zone. ``gas_conductance_w_per_k``: of the quench gas at ``gas_k`` to (heaters, charge), all zones.

        Raises ValueError for another number of outputs than zones, or one outside 0 to 100.
        """
        count, part = substeps(self.name, dt, _LONGEST_SUBSTEP_S)
        zones = self.parameters.zones
        if len(outputs_percent) != zones:
            raise ValueError(f"{self.name}: outputs_percent has {len(outputs_percent)} numbers for {zones} zones; give one a zone")
        watts = [
            PERCENT.check(self.name, f"output of zone {number}", output) / 100.0 * self.parameters.power_w / zones * self.element_health[number - 1]
            for number, output in enumerate(outputs_percent, 1)
        ]
        to_heater, to_charge = (_GAS.check(self.name, "gas_conductance_w_per_k", one) / zones for one in gas_conductance_w_per_k)
        heater_capacity, charge_capacity = self._capacities()
        # the gas is the one flow that may be faster than a sub-step
        stiffest = max(to_heater / heater_capacity, to_charge / charge_capacity)
        if count and part * stiffest > 0.2:
            count, part = substeps(self.name, dt, 0.2 / stiffest)
        for _ in range(count):
            first = self._flows(self.heater_k, self.charge_k, watts, to_heater, to_charge, gas_k)
            heater = [one + part * net / heater_capacity for one, net in zip(self.heater_k, first[0], strict=True)]
            charge = [one + part * net / charge_capacity for one, net in zip(self.charge_k, first[1], strict=True)]
            second = self._flows(heater, charge, watts, to_heater, to_charge, gas_k)
            half = 0.5 * part
            for zone in range(zones):
                self.heater_k[zone] += half * (first[0][zone] + second[0][zone]) / heater_capacity
                self.charge_k[zone] += half * (first[1][zone] + second[1][zone]) / charge_capacity
            self.account.heating_j += part * sum(watts)
            self.account.shell_j += half * (first[2] + second[2])
            self.account.gas_j += half * (first[3] + second[3])

    def _capacities(self) -> tuple[float, float]:
        """J/K of (heater, charge) of one zone."""
        p = self.parameters
        return p.heater_mass_kg * p.heater_heat_j_per_kg_k / p.zones, p.charge_mass_kg * p.charge_heat_j_per_kg_k / p.zones

    def _flows(
        self, heater: list[float], charge: list[float], watts: list[float], to_heater: float, to_charge: float, gas_k: float
    ) -> tuple[list[float], list[float], float, float]:
        """W: (net into each heater, net into each charge, to the shell, to the gas)"""
        p = self.parameters
        area = STEFAN_BOLTZMANN * p.radiating_area_m2 / p.zones
        sight = area * p.charge_exchange * p.coupling
        ambient4 = p.surroundings_k**4
        heater4, charge4 = [one**4 for one in heater], [one**4 for one in charge]
        into_heater, into_charge = watts.copy(), [0.0] * p.zones
        shell = gas = 0.0
        for zone in range(p.zones):
            across = area * p.charge_exchange * (heater4[zone] - charge4[zone]) + p.charge_conductance_w_per_k / p.zones * (heater[zone] - charge[zone])
            lost = area * p.shell_exchange * (heater4[zone] - ambient4) + p.shell_conductance_w_per_k / p.zones * (heater[zone] - p.surroundings_k)
            heater_gas, charge_gas = to_heater * (heater[zone] - gas_k), to_charge * (charge[zone] - gas_k)
            into_heater[zone] -= across + lost + heater_gas
            into_charge[zone] += across - charge_gas
            shell += lost
            gas += heater_gas + charge_gas
        for zone in range(p.zones - 1):
            heaters, charges = sight * (heater4[zone] - heater4[zone + 1]), sight * (charge4[zone] - charge4[zone + 1])
            into_heater[zone] -= heaters
            into_heater[zone + 1] += heaters
            into_charge[zone] -= charges
            into_charge[zone + 1] += charges
        return into_heater, into_charge, shell, gas
