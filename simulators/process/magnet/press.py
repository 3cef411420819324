"""Die press in an aligning field. Pure.

- powder: ``rho = 3.2 + 0.62 ln(1 + p / 15 MPa)`` g/cm3 at the pressing pressure p, up to 4.8; below 3.8 it holds no shape
- ram: comes down at its speed to its stop; the hydraulic pressure is what the powder answers, and the ram stands where the relief valve opens
- alignment: ``0.96 (1 - exp(-2.4 B / 1 T))`` of the field while the powder is loose; compacted powder does not turn any more

The force is a function of where the ram is: a double fill is felt before the stop, within 100 ms at 20 mm/s. Such a fill wants steps of 0.1 s or less.
"""

import math
from dataclasses import dataclass
from typing import Annotated, Final

from simulators.process.bounds import SHARE, Within, check_parameters
from simulators.process.time_step import substeps

_LONGEST_SUBSTEP_S: Final = 0.05
_PRESSURE: Final = Within(0.0, 1e4, "MPa")
_POWDER: Final = Within(1e-6, 1e3, "kg")
_STOP: Final = Within(0.0, 10.0, "m")
_COIL: Final = Within(0.0, 1e5, "A")
_MPA_PER_BAR: Final = 0.1


@dataclass(frozen=True, slots=True)
class PressParameters:
    """Sizes assumed: 600 kN press the powder to 4.4 g/cm3, at 210 bar."""

    loose_g_per_cm3: Annotated[float, Within(0.5, 7.0, "g/cm3")] = 3.2
    """g/cm3, density at which the powder begins to answer."""
    slope_g_per_cm3: Annotated[float, Within(0.01, 5.0, "g/cm3")] = 0.62
    """g/cm3 per ln of the pressure (process description)."""
    scale_mpa: Annotated[float, Within(0.1, 1000.0, "MPa")] = 15.0
    """MPa (process description)."""
    densest_g_per_cm3: Annotated[float, Within(0.5, 8.0, "g/cm3")] = 4.8
    """g/cm3, where the powder gives way no more."""
    weakest_g_per_cm3: Annotated[float, Within(0.5, 8.0, "g/cm3")] = 3.8
    """g/cm3, below which a part breaks at ejection."""
    fill_g_per_cm3: Annotated[float, Within(0.5, 7.0, "g/cm3")] = 2.0
    """g/cm3, powder as filled."""
    die_m2: Annotated[float, Within(1e-5, 1.0, "m2")] = 0.6 / 88.9
    """m2: 600 kN at 88.9 MPa."""
    ram_m2: Annotated[float, Within(1e-5, 1.0, "m2")] = 0.6 / 21.0
    """m2 of the hydraulic ram: 600 kN at 210 bar."""
    ram_m_per_s: Annotated[float, Within(1e-5, 1.0, "m/s")] = 0.02
    """m/s, pressing."""
    relief_bar: Annotated[float, Within(1.0, 1000.0, "bar")] = 300.0
    """bar at which the relief valve holds."""
    coil_lag_s: Annotated[float, Within(0.001, 60.0, "s")] = 0.5
    """s, field behind the current."""
    coil_t_per_a: Annotated[float, Within(0.0, 1.0, "T/A")] = 1.9 / 900.0
    """T/A in the die."""
    alignment_limit: Annotated[float, SHARE] = 0.96
    """Without unit (process description)."""
    alignment_per_t: Annotated[float, Within(0.0, 100.0, "1/T")] = 2.4
    """1/T; 1.9 T align to 0.95, which the magnetic figures of quality control take for granted."""

    def __post_init__(self) -> None:
        """Raises ValueError: a value out of its range."""
        check_parameters(self)


class AlignedPress:
    """``height_m`` of the powder column, ``field_t`` in the die, ``alignment`` and ``green_g_per_cm3`` of the part in it (0 of an empty die)."""

    def __init__(self, parameters: PressParameters | None = None, name: str = "press") -> None:
        self.name = name
        self.parameters = parameters or PressParameters()
        self.powder_kg = 0.0
        self.height_m = 0.0
        self.green_g_per_cm3 = 0.0
        self.field_t = 0.0
        self.alignment = 0.0
        self.force_kn = 0.0
        self.peak_force_kn = 0.0
        """kN since the fill: what a controller with a peak hold shows."""

    @property
    def ram_bar(self) -> float:
        return self.force_kn * 1e3 / self.parameters.ram_m2 / 1e6 / _MPA_PER_BAR

    @property
    def is_sound(self) -> bool:
        """Whether the part can be ejected whole."""
        return self.green_g_per_cm3 >= self.parameters.weakest_g_per_cm3

    def density_at(self, pressure_mpa: float) -> float:
        """g/cm3 of powder pressed at ``pressure_mpa`` (die or isostatic). Raises ValueError below 0."""
        p = self.parameters
        _PRESSURE.check(self.name, "pressure_mpa", pressure_mpa)
        return min(p.densest_g_per_cm3, p.loose_g_per_cm3 + p.slope_g_per_cm3 * math.log1p(pressure_mpa / p.scale_mpa))

    def pressure_at(self, density_g_per_cm3: float) -> float:
        """MPa with which powder answers at a density; the inverse of ``density_at``."""
        p = self.parameters
        return p.scale_mpa * math.expm1(max(0.0, density_g_per_cm3 - p.loose_g_per_cm3) / p.slope_g_per_cm3)

    def fill(self, powder_kg: float) -> None:
        """An empty die with ``powder_kg`` of loose powder. Raises ValueError unless above 0."""
        p = self.parameters
        self.powder_kg = _POWDER.check(self.name, "powder_kg", powder_kg)
        self.height_m = powder_kg / (p.die_m2 * p.fill_g_per_cm3 * 1e3)
        self.green_g_per_cm3 = p.fill_g_per_cm3
        self.alignment = self.force_kn = self.peak_force_kn = 0.0

    def eject(self) -> float:
        """Green density of the part, g/cm3; the die is empty then."""
        density = self.green_g_per_cm3
        self.powder_kg = self.height_m = self.green_g_per_cm3 = self.alignment = self.force_kn = 0.0
        return density

    def step(self, dt: float, pressing: bool, stop_m: float, coil_a: float = 0.0) -> None:
        """``stop_m``: height at which the ram is told to stop; not ``pressing`` takes the ram off. Raises ValueError for a stop or a current below 0."""
        p = self.parameters
        count, part = substeps(self.name, dt, _LONGEST_SUBSTEP_S if pressing else math.inf)
        _STOP.check(self.name, "stop_m", stop_m)
        target = _COIL.check(self.name, "coil_a", coil_a) * p.coil_t_per_a
        share = -math.expm1(-part / p.coil_lag_s)
        for _ in range(count):
            self.field_t += (target - self.field_t) * share
            if self.powder_kg and self.green_g_per_cm3 <= p.loose_g_per_cm3:
                self.alignment = max(self.alignment, p.alignment_limit * -math.expm1(-p.alignment_per_t * self.field_t))
            self.force_kn = 0.0
            if pressing and self.powder_kg:
                self._press(part, stop_m)

    def _press(self, dt: float, stop_m: float) -> None:
        p = self.parameters
        relief_mpa = p.relief_bar * _MPA_PER_BAR * p.ram_m2 / p.die_m2
        densest = self.density_at(relief_mpa)
        least = max(stop_m, self.powder_kg / (p.die_m2 * densest * 1e3))
        if self.height_m > least:
            self.height_m = max(least, self.height_m - p.ram_m_per_s * dt)
        self.green_g_per_cm3 = self.powder_kg / (p.die_m2 * self.height_m * 1e3)
        # against powder that gives way no more, the ram itself goes to the relief pressure
        solid = self.green_g_per_cm3 >= p.densest_g_per_cm3 * (1.0 - 1e-9) and stop_m < self.height_m
        pressure = relief_mpa if solid else self.pressure_at(self.green_g_per_cm3)
        self.force_kn = pressure * 1e6 * p.die_m2 / 1e3
        self.peak_force_kn = max(self.peak_force_kn, self.force_kn)
