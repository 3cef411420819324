"""A chromatographic column as a train of mixed stages.

Craig's counter-current distribution: solution moves through the stages in parcels of one stage's hold-up, and at every move each stage comes to equilibrium
(L. C. Craig: Identification of small amounts of organic compounds by distribution studies II, J. Biol. Chem. 155 (1944), 519). A stage is one plate height
long, so that the number of stages is all the dispersion there is. The scheme is conservative and positive, and stable for every flow.

Rules:

- A parcel keeps the chemistry that it came with (``Chemistry``): ahead of the ligand the bed goes on as it was loaded. A parcel that two solutions filled
  has the chemistry of the later one.
- A parcel on its way in and one on its way out fill and empty at the rate of flow: what leaves in a step is what its volume carries, however long or short.
- A stage whose new parcel is what it held before, within ``_SAME``, stays as it is: nothing happens in front of a band and behind it, and most of a column
  is there. Its amounts are moved exactly all the same.
"""

import math
from dataclasses import dataclass
from typing import Annotated, Final

import numpy as np
import numpy.typing as npt

from simulators.process.bounds import Within, check_parameters
from simulators.process.separation.flash import flash
from simulators.process.separation.ions import SEPARATION_FACTORS, Array, Chemistry, Ion, Solution
from simulators.process.time_step import check_step

_LITRES: Final = 1000.0
"""Per m3."""
_SECONDS: Final = 3600.0
"""Per hour."""
_SAME: Final = 1e-11
"""REE equivalents per litre: four orders below what any assay finds."""
_FLOW: Final = Within(0.0, 200.0, "m3/h")
_CAPACITY: Final = Within(0.01, 5.0, "mol/L")


@dataclass(frozen=True, slots=True)
class ColumnParameters:
    """Size and resin of a column. Engineering values unless a source stands there; bores and capacity are the plant's assumptions, no maker's data."""

    bore_m: Annotated[float, Within(0.01, 5.0, "m")] = 1.524
    """Inner diameter, m. 60 inch; 0.4572 m, 18 inch, in the narrow column."""
    length_m: Annotated[float, Within(0.1, 30.0, "m")] = 6.0
    """Of the packed bed, m: four sections of 1.5 m."""
    plate_height_m: Annotated[float, Within(0.002, 0.2, "m")] = 0.02
    """HETP, m. 1 cm well packed, 2 cm normal, 4 cm aged or channelled."""
    capacity_mol_per_l: Annotated[float, _CAPACITY] = 0.60
    """Of the resin, REE equivalents per litre of bed: 1.8 eq/L, a strong-acid gel resin."""
    total_porosity: Annotated[float, Within(0.2, 0.95, "m3/m3")] = 0.70
    """Solution, between the beads and within them, per bed volume."""

    def __post_init__(self) -> None:
        """Raises ValueError: a value out of its range, or a bed of fewer than two plates."""
        check_parameters(self)
        if self.stages < 2:
            raise ValueError(
                f"ColumnParameters: length_m is {self.length_m:g} m, {self.stages} plates of {self.plate_height_m:g} m; give a length of at least two"
            )

    @property
    def stages(self) -> int:
        return round(self.length_m / self.plate_height_m)

    @property
    def area_m2(self) -> float:
        """Cross-section, m2."""
        return math.pi * self.bore_m**2 / 4.0

    @property
    def bed_volume_l(self) -> float:
        """L."""
        return self.area_m2 * self.length_m * _LITRES

    def band_speed_m_per_h(self, velocity_m_per_h: float, molar: float) -> float:
        """Speed of a displaced band at a superficial velocity and ``molar`` mol/L of ligand: a litre of ligand moves what it can carry."""
        return velocity_m_per_h * molar / (self.capacity_mol_per_l + self.total_porosity * molar)


WIDE: Final = ColumnParameters()
"""Zone A, COL101: 10.9 m3 of bed."""
NARROW: Final = ColumnParameters(bore_m=0.4572, length_m=3.0)
"""Zone B, COL201: the heavy pool is a twentieth of an injection, and in a wide column shorter than its own mixed zone."""


@dataclass(frozen=True, slots=True, eq=False)
class Effluent:
    """What left a column in one step."""

    volume_l: float
    """L."""
    amounts: Array
    """(7,) REE equivalents."""

    @property
    def concentration(self) -> Array:
        """(7,) REE equivalents per litre; 0 where nothing flowed."""
        return self.amounts / self.volume_l if self.volume_l > 0.0 else np.zeros(len(Ion))


class Column:
    """State of one column. ``name`` is how errors call it.

    - ``fractions`` (7, stages) float64: share of the resin's capacity; sums to 1 over the ions
    - ``dissolved`` (7, stages) float64: REE equivalents in the solution of a stage
    - ``fed``, ``left`` (7,) float64: REE equivalents since the beginning

    The bed begins wholly in the form ``form``, with ``molar`` REE equivalents per litre of the same ion between the beads.
    """

    def __init__(self, parameters: ColumnParameters = WIDE, name: str = "column", form: Ion = Ion.CU, molar: float = 0.05) -> None:
        Within(0.0, 2.0, "mol/L").check(name, "molar", molar)
        self.name = name
        self.parameters = parameters
        self._size()
        stages = parameters.stages
        self.fractions: Array = np.zeros((len(Ion), stages))
        self.fractions[form] = 1.0
        self.dissolved: Array = np.zeros((len(Ion), stages))
        self.dissolved[form] = self.parcel_l * molar
        self.fed: Array = np.zeros(len(Ion))
        self.left: Array = np.zeros(len(Ion))
        self._chemistry: npt.NDArray[np.intp] = np.full(stages, Chemistry.FREE, np.intp)
        self._rho: Array = np.full(stages, 1.0 / SEPARATION_FACTORS[Chemistry.FREE, form])
        self._disturbed = False
        self._coming: Array = np.zeros(len(Ion))
        self._coming_volume = 0.0
        self._going: Array = self.dissolved[:, -1].copy()
        self._initial = self.held()

    def step(self, dt: float, flow_m3_per_h: float, solution: Solution) -> Effluent:
        """``dt`` seconds of ``solution``.

        Raises:
            ValueError: ``dt`` outside 0 to 60 s, or a flow outside 0 to 200 m3/h.
        """
        check_step(self.name, dt)
        _FLOW.check(self.name, "flow_m3_per_h", flow_m3_per_h)
        volume_l = dt * flow_m3_per_h * _LITRES / _SECONDS
        amounts = np.zeros(len(Ion))
        rest = volume_l
        while rest > 0.0:
            room = self.parcel_l - self._coming_volume
            part = min(rest, room)
            leaving = self._going * (part / room)
            amounts += leaving
            self._going -= leaving
            entering = solution.concentration * part
            self._coming += entering
            self.fed += entering
            self._coming_volume += part
            rest -= part
            if part == room:
                self._transfer(solution.chemistry)
        self.left += amounts
        return Effluent(volume_l, amounts)

    def rebed(self, capacity_mol_per_l: float, plate_height_m: float) -> None:
        """Changes the bed under what it holds: resin of another capacity, plates of another height. What dead resin cannot hold goes into solution.

        The total of every ion is kept; stages that were joined or cut come to equilibrium with the next parcel. Raises ValueError.
        """
        old = self.parameters
        new = ColumnParameters(old.bore_m, old.length_m, plate_height_m, capacity_mol_per_l, old.total_porosity)
        # resin only dies
        Within(0.0, old.capacity_mol_per_l, "mol/L").check(self.name, "capacity_mol_per_l", capacity_mol_per_l)
        if new.stages != old.stages:
            edges = np.linspace(0.0, old.stages, new.stages + 1)
            share = new.stages / old.stages
            self.fractions = _restaged(self.fractions, edges) * share
            self.dissolved = _restaged(self.dissolved, edges)
            middles = np.minimum(((edges[:-1] + edges[1:]) / 2.0).astype(np.intp), old.stages - 1)
            self._chemistry, self._rho = self._chemistry[middles], self._rho[middles]
        per_stage = self.parcel_l / old.total_porosity * (old.stages / new.stages)
        self.dissolved += (old.capacity_mol_per_l - capacity_mol_per_l) * per_stage * self.fractions
        # a parcel on its way in or out keeps its share of the way
        share = self._coming_volume / self.parcel_l
        self.parameters = new
        self._size()
        self._coming_volume = share * self.parcel_l
        self._disturbed = True

    def held(self) -> Array:
        """(7,) REE equivalents in the column, parcels on their way included."""
        held: Array = self.resin_amounts * self.fractions.sum(axis=1) + self.dissolved.sum(axis=1) + self._coming + self._going
        return held

    def imbalance(self) -> Array:
        """(7,) REE equivalents that the books cannot account for: begun with + fed - left - held."""
        imbalance: Array = self._initial + self.fed - self.left - self.held()
        return imbalance

    def _size(self) -> None:
        """Sets ``parcel_l``, L of solution in one stage, and ``resin_amounts``, REE equivalents that its resin holds."""
        parameters = self.parameters
        stage_volume = parameters.bed_volume_l / parameters.stages
        self.parcel_l = stage_volume * parameters.total_porosity
        self.resin_amounts = stage_volume * parameters.capacity_mol_per_l

    def _transfer(self, chemistry: Chemistry) -> None:
        """The full parcel enters, every parcel moves on by one stage, and the last one is on its way out."""
        before, before_chemistry = self.dissolved, self._chemistry
        moved = np.empty_like(before)
        moved[:, 1:] = before[:, :-1]
        moved[:, 0] = self._coming
        kinds = np.empty_like(before_chemistry)
        kinds[1:] = before_chemistry[:-1]
        kinds[0] = chemistry
        self._going = before[:, -1].copy()
        self._coming = np.zeros(len(Ion))
        self._coming_volume = 0.0
        self.dissolved, self._chemistry = moved, kinds
        first, last = self._changed(before, before_chemistry)
        if first < last:
            active = slice(first, last)
            kind = kinds[active]
            factors = SEPARATION_FACTORS[kind[0]][:, None] if (kind == kind[0]).all() else SEPARATION_FACTORS[kind].T
            total = moved[:, active] + self.resin_amounts * self.fractions[:, active]
            in_solution = moved[:, active].sum(axis=0)
            self.fractions[:, active], moved[:, active], self._rho[active] = flash(total, in_solution, self.resin_amounts, factors, self._rho[active])

    def _changed(self, before: Array, before_chemistry: npt.NDArray[np.intp]) -> tuple[int, int]:
        """First and one past the last stage whose parcel is another than before."""
        if self._disturbed:
            self._disturbed = False
            return 0, len(before_chemistry)
        same = _SAME * self.parcel_l
        difference = self.dissolved - before
        np.abs(difference, out=difference)
        changed = np.flatnonzero((np.maximum.reduce(difference, axis=0) > same) | (self._chemistry != before_chemistry))
        return (int(changed[0]), int(changed[-1]) + 1) if len(changed) else (0, 0)


def _restaged(per_stage: Array, edges: Array) -> Array:
    """Amounts (7, stages) between new ``edges``, in old stages: each lies evenly over its stage."""
    heaped = np.concatenate([np.zeros((len(Ion), 1)), per_stage.cumsum(axis=1)], axis=1)
    old = np.arange(heaped.shape[1], dtype=np.float64)
    cut: Array = np.maximum(np.array([np.diff(np.interp(edges, old, row)) for row in heaped]), 0.0)
    return cut
