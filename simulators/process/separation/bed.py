"""The packed bed seen from outside: pressure drop, and what years, fines and poison do to void, capacity and plate height.

Rules:

- Fines fill the void and raise the pressure drop; a backwash takes out what is not stuck for good. They alone leave a separation as it was.
- What is stuck for good raises the plate height, and poison lowers the capacity and raises the plate height: those are what longer mixed bands come from.
"""

import math
from dataclasses import dataclass
from typing import Annotated, Final

from simulators.process.bounds import Within, check_parameters
from simulators.process.time_step import check_step

_BAR: Final = 1e5
_SECONDS: Final = 3600.0
_LEAST_VOID: Final = 0.20
"""A bed of crushed fines still leaks; below, Kozeny-Carman says nothing of use."""
_LEAST_CAPACITY: Final = 0.02
_WORST_PLATES: Final = 10.0
_VELOCITY: Final = Within(0.0, 50.0, "m/h")
_TEMPERATURE: Final = Within(-5.0, 100.0, "degC")
_TURBIDITY: Final = Within(0.0, 10_000.0, "NTU")
_POISON: Final = Within(0.0, 0.95)
_SPREAD: Final = Within(1.0, 10.0)


@dataclass(frozen=True, slots=True)
class BedParameters:
    """A packed bed when it was new. Engineering values unless a source stands there."""

    void: Annotated[float, Within(0.25, 0.6, "m3/m3")] = 0.38
    """Between the beads, m3 per m3 of bed: random close packing of spheres is 0.36 to 0.40."""
    bead_m: Annotated[float, Within(2e-5, 2e-3, "m")] = 150e-6
    """Diameter, m. Decides the pressure drop, by its square: 1.46 bar/m at 100 um, 0.65 at 150, 0.16 at 300."""
    constant: Annotated[float, Within(100.0, 250.0)] = 150.0
    """Of Blake, Kozeny and Carman; Ergun's laminar term has 150, Carman's own is 180. Ergun's inertial term adds 0.3 % here and is left out."""
    fouling_per_m_ntu: Annotated[float, Within(0.0, 1e-3, "1/(m NTU)")] = 0.04 / (60.0 * 24.0 * 5.0 * 3.0)
    """Void lost per metre of superficial travel and NTU: 0.38 to 0.34 in 60 days of 5 m/h at 3 NTU."""
    stuck: Annotated[float, Within(0.0, 1.0)] = 0.20
    """Share of what fouls that no backwash takes out."""
    spreading: Annotated[float, Within(0.0, 1e4, "m3/m3")] = 125.0
    """Relative rise of the plate height per void lost for good: it doubles after those 60 days, to the 4 cm of an aged bed."""
    loss_per_cycle: Annotated[float, Within(0.0, 0.1, "1/cycle")] = 2e-4
    """Share of its capacity that the resin loses in one cycle."""

    def __post_init__(self) -> None:
        """Raises ValueError: a value out of its range."""
        check_parameters(self)


def viscosity_pa_s(temperature_c: float) -> float:
    """Of a dilute solution, Pa s: 1.0e-3 exp(-0.022 (T - 20)), within 2 % of water from 15 to 40 degC. Raises ValueError."""
    _TEMPERATURE.check("viscosity", "temperature_c", temperature_c)
    return 1.0e-3 * math.exp(-0.022 * (temperature_c - 20.0))


class Bed:
    """State of one bed.

    ``loose`` and ``fixed`` are void lost to fines, for now and for good; ``channels`` is void won by channelling; ``cycles`` counts; ``poison`` is the share
    of capacity lost to Fe and Al.
    """

    def __init__(self, parameters: BedParameters | None = None, name: str = "bed") -> None:
        self.name = name
        self.parameters = parameters or BedParameters()
        self.loose = 0.0
        self.fixed = 0.0
        self.channels = 0.0
        self.cycles = 0
        self.poison = 0.0
        self._spread = 1.0

    @property
    def void(self) -> float:
        return max(self.parameters.void - self.loose - self.fixed + self.channels, _LEAST_VOID)

    @property
    def capacity_factor(self) -> float:
        """Capacity over that of new resin; 0.02 at the least, as much as a column can still be reckoned with."""
        return max((1.0 - self.parameters.loss_per_cycle) ** self.cycles * (1.0 - self.poison), _LEAST_CAPACITY)

    @property
    def plate_height_factor(self) -> float:
        """Plate height over that of the new bed; 10 at the most, where nothing is parted any more."""
        return min((1.0 + self.parameters.spreading * self.fixed) * self._spread / (1.0 - self.poison), _WORST_PLATES)

    def step(self, dt: float, velocity_m_per_h: float, turbidity_ntu: float) -> None:
        """``dt`` seconds of flow at a superficial velocity, of a turbid feed. Raises ValueError."""
        check_step(self.name, dt)
        _VELOCITY.check(self.name, "velocity_m_per_h", velocity_m_per_h)
        _TURBIDITY.check(self.name, "turbidity_ntu", turbidity_ntu)
        lost = min(self.parameters.fouling_per_m_ntu * velocity_m_per_h * dt / _SECONDS * turbidity_ntu, self.void - _LEAST_VOID)
        self.fixed += self.parameters.stuck * lost
        self.loose += (1.0 - self.parameters.stuck) * lost

    def backwash(self) -> None:
        """Takes out what is loose."""
        self.loose = 0.0

    def count_cycle(self) -> None:
        """One more load and displacement."""
        self.cycles += 1

    def take_poison(self, share: float) -> None:
        """Fe and Al take ``share`` of what capacity is left. Raises ValueError."""
        _POISON.check(self.name, "share", share)
        self.poison = min(1.0 - (1.0 - self.poison) * (1.0 - share), _POISON.high)

    def channel(self, spread: float = 2.0, void: float = 0.006) -> None:
        """Channels open: plates ``spread`` times as high, ``void`` more of it. Raises ValueError."""
        _SPREAD.check(self.name, "spread", spread)
        Within(0.0, 0.2, "m3/m3").check(self.name, "void", void)
        self._spread, self.channels = spread, void

    def pressure_drop_bar(self, velocity_m_per_h: float, temperature_c: float, length_m: float) -> float:
        """bar over a length at a superficial velocity: 150 mu u (1 - void)^2 / (void^3 d^2) per metre (Kozeny and Carman). Raises ValueError."""
        _VELOCITY.check(self.name, "velocity_m_per_h", velocity_m_per_h)
        Within(0.0, 30.0, "m").check(self.name, "length_m", length_m)
        packing = (1.0 - self.void) ** 2 / (self.void**3 * self.parameters.bead_m**2)
        return self.parameters.constant * viscosity_pa_s(temperature_c) * velocity_m_per_h / _SECONDS * packing * length_m / _BAR
