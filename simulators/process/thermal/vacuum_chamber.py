"""Vacuum chamber with its pump: what leaks in, what the walls and the charge give off, what is admitted, and what the pump takes. Pure.

``V dp/dt = Q - S p`` for residual gas, hydrogen and argon. The hydride of the charge (NdH2) gives off hydrogen at ``r = k n (1 - p_H2 / p_eq)``, with k of
Arrhenius and p_eq of van 't Hoff; for a step with k and p_eq held this is linear in p and solved exactly, so the 4 s of the chamber need no small steps.

Rule: amounts are conserved. What was given off, admitted and leaked in is in the chamber or in ``pumped_pa_m3``.
"""

from dataclasses import dataclass
from typing import Annotated, Final

from simulators.process.bounds import KELVIN, Within, check_parameters
from simulators.process.constants import ATMOSPHERE_PA, GAS_CONSTANT
from simulators.process.linear_decay import advance
from simulators.process.thermal.hydride import ND_RICH, Hydride
from simulators.process.time_step import substeps

PA_PER_MBAR: Final = 100.0
_GAS_K: Final = 300.0
"""K, temperature of the gas in the chamber: most of it stands at the cooled shell."""
_LONGEST_SUBSTEP_S: Final = 5.0
_HYDRIDE: Final = Within(0.0, 1e7, "mol")
_PRESSURE: Final = Within(0.0, 1e7, "Pa")
_GAS: Final = Within(0.0, 1e7, "Pa m3/s")


@dataclass(frozen=True, slots=True)
class ChamberParameters:
    """Defaults: sintering furnace of the plant's process description (assumed sizes)."""

    volume_m3: Annotated[float, Within(0.001, 1000.0, "m3")] = 6.0
    """m3."""
    pump_m3_per_s: Annotated[float, Within(0.0, 100.0, "m3/s")] = 1.5
    """m3/s, roots set with its valve open; taken as constant below 1 bar."""
    base_load_pa_m3_per_s: Annotated[float, Within(0.0, 1000.0, "Pa m3/s")] = 0.03
    """Pa m3/s (3e-4 mbar m3/s): outgassing of walls and charge of a healthy furnace, and its rest of leakage."""
    hydride: Hydride = ND_RICH
    """What the charge gives hydrogen off from."""

    def __post_init__(self) -> None:
        """Raises ValueError: a value out of its range."""
        check_parameters(self)


class VacuumChamber:
    """Pressures in Pa by gas. ``leak_pa_m3_per_s`` is air through a leak at full outside pressure; ``hydride_mol`` H2 still in the charge."""

    def __init__(
        self, parameters: ChamberParameters | None = None, hydride_mol: float = 0.0, start_pa: float = ATMOSPHERE_PA, name: str = "vacuum chamber"
    ) -> None:
        self.name = name
        self.parameters = parameters or ChamberParameters()
        self.hydride_mol = _HYDRIDE.check(self.name, "hydride_mol", hydride_mol)
        self.residual_pa = _PRESSURE.check(self.name, "start_pa", start_pa)
        self.hydrogen_pa = 0.0
        self.argon_pa = 0.0
        self.leak_pa_m3_per_s = 0.0
        self.entered_pa_m3 = 0.0
        """Pa m3 of gas that leaked in, was given off or was admitted since the start."""
        self.pumped_pa_m3 = 0.0
        self.air_pa_m3 = 0.0
        """Pa m3 of air that came through the leak."""

    @property
    def pressure_pa(self) -> float:
        return self.residual_pa + self.hydrogen_pa + self.argon_pa

    @property
    def pressure_mbar(self) -> float:
        return self.pressure_pa / PA_PER_MBAR

    def step(self, dt: float, charge_k: float, pump_open: bool, argon_pa_m3_per_s: float = 0.0) -> None:
        """``charge_k``: temperature of the charge; ``argon_pa_m3_per_s``: argon let in. Raises ValueError: a flow below 0 or a temperature of 0 K."""
        count, part = substeps(self.name, dt, _LONGEST_SUBSTEP_S)
        KELVIN.check(self.name, "charge_k", charge_k)
        _GAS.check(self.name, "argon_pa_m3_per_s", argon_pa_m3_per_s)
        p = self.parameters
        pump = p.pump_m3_per_s if pump_open else 0.0
        rate, equilibrium = p.hydride.release_rate_per_s(charge_k), p.hydride.equilibrium_pa(charge_k)
        for _ in range(count):
            leak = _GAS.check(self.name, "leak_pa_m3_per_s", self.leak_pa_m3_per_s) * max(0.0, 1.0 - self.pressure_pa / ATMOSPHERE_PA)
            self.air_pa_m3 += leak * part
            outgassing = p.base_load_pa_m3_per_s if self.pressure_pa < ATMOSPHERE_PA else 0.0
            self.residual_pa = self._pump(self.residual_pa, leak + outgassing, pump, part)
            self.argon_pa = self._pump(self.argon_pa, argon_pa_m3_per_s, pump, part)
            self._release(rate, equilibrium, pump, part)

    def _release(self, rate: float, equilibrium: float, pump: float, dt: float) -> None:
        """Hydrogen of the hydride; a charge that cools in hydrogen takes none back up (hydrogen was pumped long before)."""
        if self.hydride_mol <= 0.0 or self.hydrogen_pa >= equilibrium:
            self.hydrogen_pa = self._pump(self.hydrogen_pa, 0.0, pump, dt)
            return
        # r = k n (1 - p / p_eq) is an inflow k n and a pump of k n / p_eq, whose share goes back into the hydride
        inflow = GAS_CONSTANT * _GAS_K * rate * self.hydride_mol
        backflow = inflow / equilibrium
        pressure, mean = self._advance(self.hydrogen_pa, inflow, pump + backflow, dt)
        given_mol = (inflow - backflow * mean) * dt / (GAS_CONSTANT * _GAS_K)
        if given_mol >= self.hydride_mol:
            inflow = self.hydride_mol * GAS_CONSTANT * _GAS_K / dt
            pressure, mean = self._advance(self.hydrogen_pa, inflow, pump, dt)
            given_mol = self.hydride_mol
        self.hydride_mol -= given_mol
        self.hydrogen_pa = pressure
        self.entered_pa_m3 += given_mol * GAS_CONSTANT * _GAS_K
        self.pumped_pa_m3 += pump * mean * dt

    def _pump(self, pressure: float, inflow: float, pump: float, dt: float) -> float:
        """Pressure of one gas at the end of ``dt``, with its entries in the account."""
        end, mean = self._advance(pressure, inflow, pump, dt)
        self.entered_pa_m3 += inflow * dt
        self.pumped_pa_m3 += pump * mean * dt
        return end

    def _advance(self, pressure: float, inflow: float, taken: float, dt: float) -> tuple[float, float]:
        """(end, mean) of ``V dp/dt = inflow - taken p`` over ``dt``, exactly."""
        volume = self.parameters.volume_m3
        return advance(pressure, inflow / volume, taken / volume, dt)
