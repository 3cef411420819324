"""Calcination furnace: heated chamber, oxalate charge on trays, off-gas with its burner. Pure.

- chamber: ``C dT/dt = P u - UA (T - T0) - UAc (T - Tc)``; charge: ``m c dTc/dt = UAc (T - Tc) - heat of decomposition``
- off-gas: ``CO ppm = CO rate * (1 - burnt) / gas flow``; the draught fan carries air through the chamber and keeps it below the hall's pressure

The two temperatures are linear in each other and are advanced with their heat exchange held over sub-steps of 5 s, against time constants above 500 s.
"""

from dataclasses import dataclass
from typing import Annotated, Final

from simulators.process.bounds import KELVIN, PERCENT, SHARE, Within, check_parameters
from simulators.process.constants import CELSIUS, MOL_PER_NM3
from simulators.process.thermal.oxalate import OxalateCharge, OxalateParameters
from simulators.process.time_step import substeps

_LONGEST_SUBSTEP_S: Final = 5.0


@dataclass(frozen=True, slots=True)
class CalcinerParameters:
    """Assumed: 15 K per % of output and 1 500 s of the empty chamber, as its loop is tuned for; 62 % holds 950 degC."""

    power_w: Annotated[float, Within(1.0, 1e7, "W")] = 300e3
    """W at 100 % output."""
    loss_w_per_k: Annotated[float, Within(0.0, 1e5, "W/K")] = 200.0
    """W/K, chamber to hall."""
    chamber_j_per_k: Annotated[float, Within(1000.0, 1e9, "J/K")] = 3e5
    """J/K, lining and elements."""
    charge_w_per_k: Annotated[float, Within(0.0, 1e5, "W/K")] = 400.0
    """W/K, chamber to charge on its trays."""
    solid_heat_j_per_kg_k: Annotated[float, Within(1.0, 1e4, "J/(kg K)")] = 500.0
    """J/(kg K), oxalate and oxide alike."""
    tray_j_per_k: Annotated[float, Within(1000.0, 1e9, "J/K")] = 1.5e5
    """J/K, trays."""
    surroundings_k: Annotated[float, KELVIN] = 298.15
    """K, hall."""
    draught_nm3_per_h: Annotated[float, Within(1.0, 1e6, "Nm3/h")] = 1500.0
    """Nm3/h of air with the fan at full speed."""
    draught_pa: Annotated[float, Within(-1e4, 0.0, "Pa")] = -60.0
    """Pa against the hall with the fan at full speed."""
    burnt_share: Annotated[float, SHARE] = 0.9995
    """Share of CO that the off-gas burner burns, without unit; 0 with the burner out."""

    def __post_init__(self) -> None:
        """Raises ValueError: a value out of its range."""
        check_parameters(self)


class Calciner:
    """``chamber_k`` and ``charge_k`` in K; ``charge`` is what lies in it."""

    def __init__(
        self, hydrate_kg: float = 0.0, parameters: CalcinerParameters | None = None, oxalate: OxalateParameters | None = None, name: str = "calciner"
    ) -> None:
        self.name = name
        self.parameters = parameters or CalcinerParameters()
        self.charge = OxalateCharge(hydrate_kg, oxalate, name)
        self.chamber_k = self.charge_k = self.parameters.surroundings_k
        self.heating_j = 0.0
        self.loss_j = 0.0
        """J to the hall since the furnace was made."""
        self.co_ppm = 0.0
        self.draught_pa = 0.0

    @property
    def chamber_c(self) -> float:
        return self.chamber_k - CELSIUS

    def step(self, dt: float, output_percent: float, fan_share: float = 1.0, burner_on: bool = True) -> None:
        """``output_percent`` 0 to 100, ``fan_share`` 0 to 1 of full speed. Raises ValueError outside."""
        count, longest = substeps(self.name, dt, _LONGEST_SUBSTEP_S)
        p = self.parameters
        power = PERCENT.check(self.name, "output_percent", output_percent) / 100.0 * p.power_w
        SHARE.check(self.name, "fan_share", fan_share)
        if not count:
            return
        co = self.charge.gas_mol[1]
        capacity = p.tray_j_per_k + self.charge.loaded_kg * p.solid_heat_j_per_kg_k
        left = dt
        while left > 0.0:
            # a reaction that starts in a hot charge cools it faster than the sub-step: no more than 2 K at a time
            reacting = self.charge.heat_w(self.charge_k)
            part = min(left, longest, 2.0 * capacity / reacting if reacting else longest)
            left = left - part if part < left else 0.0
            heat = self.charge.heat_j
            self.charge.step(part, self.charge_k)
            across = p.charge_w_per_k * (self.chamber_k - self.charge_k)
            lost = p.loss_w_per_k * (self.chamber_k - p.surroundings_k)
            self.chamber_k += part * (power - lost - across) / p.chamber_j_per_k
            self.charge_k += (part * across - (self.charge.heat_j - heat)) / capacity
            self.heating_j += power * part
            self.loss_j += lost * part
        air = p.draught_nm3_per_h * fan_share * MOL_PER_NM3 / 3600.0
        given_off = (self.charge.gas_mol[1] - co) / dt
        burnt = p.burnt_share if burner_on else 0.0
        self.co_ppm = 1e6 * given_off * (1.0 - burnt) / (air + given_off) if given_off else 0.0
        self.draught_pa = p.draught_pa * fan_share**2
