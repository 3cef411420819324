"""Rare-earth oxalate that becomes oxide by heat: three consecutive first-order decompositions, written per mole of ``Ln2``. Pure.

======================  =======================================================================
hydrate -> oxalate      Ln2(C2O4)3 10 H2O -> Ln2(C2O4)3 + 10 H2O
oxalate -> oxycarbonate Ln2(C2O4)3 -> Ln2O2CO3 + 3 CO + 2 CO2
oxycarbonate -> oxide   Ln2O2CO3 -> Ln2O3 + CO2
======================  =======================================================================

Each rate is ``A exp(-E / (R T))`` of what stands before it. Rule: Ln is conserved exactly, and mass to rounding: solid plus gases is what was loaded.
The chain is solved exactly for the temperature of a sub-step, so a fast step cannot take more than there is.
"""

import math
from dataclasses import dataclass
from typing import Annotated, Final

from simulators.process.bounds import KELVIN, Within, check_parameters
from simulators.process.constants import CO2_KG_PER_MOL, CO_KG_PER_MOL, GAS_CONSTANT, WATER_KG_PER_MOL
from simulators.process.time_step import substeps

_HYDRATE_WATERS: Final = 10.0
_LONGEST_SUBSTEP_S: Final = 5.0
_LOAD: Final = Within(0.0, 1e5, "kg")


@dataclass(frozen=True, slots=True)
class OxalateParameters:
    """Kinetics that give 50 % at 164, 407 and 647 degC at 3.2 K/min; erbium oxalate dehydrates from 90 to 370 degC, has its oxycarbonate at 450 degC and is
    oxide near 600 degC, heavy ones at 680 to 700 degC (B. A. A. Balboul, 2000, on erbium oxalate hydrate)."""

    frequency_per_s: Annotated[tuple[float, float, float], Within(0.0, 1e20, "1/s")] = (3e7, 2e10, 1e9)
    """1/s, of the three steps."""
    energy_j_per_mol: Annotated[tuple[float, float, float], Within(0.0, 1e6, "J/mol")] = (85e3, 170e3, 210e3)
    """J/mol, of the three steps."""
    heat_j_per_mol: Annotated[tuple[float, float, float], Within(0.0, 1e7, "J/mol")] = (550e3, 250e3, 150e3)
    """J taken per mol Ln2 in the three steps: 10 waters at 55 kJ, and assumed values."""
    oxide_kg_per_mol: Annotated[float, Within(0.1, 1.0, "kg/mol")] = 336.48e-3
    """kg/mol of Ln2O3: neodymium."""

    def __post_init__(self) -> None:
        """Raises ValueError: a value out of its range."""
        check_parameters(self)


class OxalateCharge:
    """``hydrate``, ``oxalate``, ``oxycarbonate``, ``oxide``: mol of Ln2. ``gas_mol``: (H2O, CO, CO2) given off since the load, ``heat_j`` taken since."""

    def __init__(self, hydrate_kg: float, parameters: OxalateParameters | None = None, name: str = "oxalate") -> None:
        self.name = name
        self.parameters = parameters or OxalateParameters()
        oxide = self.parameters.oxide_kg_per_mol
        oxycarbonate = oxide + CO2_KG_PER_MOL
        oxalate = oxycarbonate + 3.0 * CO_KG_PER_MOL + 2.0 * CO2_KG_PER_MOL
        self._molar = (oxalate + _HYDRATE_WATERS * WATER_KG_PER_MOL, oxalate, oxycarbonate, oxide)
        self.loaded_kg = _LOAD.check(self.name, "hydrate_kg", hydrate_kg)
        self._amounts = [hydrate_kg / self._molar[0], 0.0, 0.0, 0.0]
        self.gas_mol = (0.0, 0.0, 0.0)
        self.heat_j = 0.0
        self.co_mol_per_s = 0.0
        """mol/s of CO, mean of the last step."""

    @property
    def hydrate(self) -> float:
        return self._amounts[0]

    @property
    def oxalate(self) -> float:
        return self._amounts[1]

    @property
    def oxycarbonate(self) -> float:
        return self._amounts[2]

    @property
    def oxide(self) -> float:
        return self._amounts[3]

    @property
    def solid_kg(self) -> float:
        return sum(amount * molar for amount, molar in zip(self._amounts, self._molar, strict=True))

    @property
    def mass_factor(self) -> float:
        """Solid over what was loaded, without unit; 1 for an empty furnace. 0.459 when all is oxide."""
        return self.solid_kg / self.loaded_kg if self.loaded_kg else 1.0

    @property
    def progress(self) -> tuple[float, float, float]:
        """How far each step is, 0 to 1; 0 for an empty furnace."""
        total = sum(self._amounts)
        if not total:
            return 0.0, 0.0, 0.0
        behind = 1.0 - self._amounts[0] / total
        return behind, behind - self._amounts[1] / total, self._amounts[3] / total

    @property
    def loss_on_ignition_wt_percent(self) -> float:
        """What the solid would still lose as oxide, % of its mass; 0 for an empty furnace."""
        solid = self.solid_kg
        return 100.0 * (1.0 - sum(self._amounts) * self._molar[3] / solid) if solid else 0.0

    def heat_w(self, temperature_k: float) -> float:
        """W that the decompositions take at a temperature, K."""
        p = self.parameters
        return sum(
            amount * frequency * math.exp(-energy / (GAS_CONSTANT * temperature_k)) * heat
            for amount, frequency, energy, heat in zip(self._amounts[:3], p.frequency_per_s, p.energy_j_per_mol, p.heat_j_per_mol, strict=True)
        )

    def step(self, dt: float, temperature_k: float) -> None:
        """Raises ValueError for a temperature of 0 K or less."""
        count, part = substeps(self.name, dt, _LONGEST_SUBSTEP_S)
        KELVIN.check(self.name, "temperature_k", temperature_k)
        if not count:
            return
        p = self.parameters
        rates = [a * math.exp(-e / (GAS_CONSTANT * temperature_k)) for a, e in zip(p.frequency_per_s, p.energy_j_per_mol, strict=True)]
        reacted = [0.0, 0.0, 0.0]
        for _ in range(count):
            # the last first: nothing goes through two reactions within a sub-step
            for number in (2, 1, 0):
                moved = self._amounts[number] * -math.expm1(-rates[number] * part)
                self._amounts[number] -= moved
                self._amounts[number + 1] += moved
                reacted[number] += moved
        first, second, third = reacted
        water, co, co2 = self.gas_mol
        self.gas_mol = (water + _HYDRATE_WATERS * first, co + 3.0 * second, co2 + 2.0 * second + third)
        self.heat_j += sum(amount * heat for amount, heat in zip(reacted, p.heat_j_per_mol, strict=True))
        self.co_mol_per_s = 3.0 * second / dt
