"""What left a column over a run, parcel by parcel, and what pools could be cut from it."""

import math
from dataclasses import dataclass
from typing import Final

import numpy as np

from simulators.process.bounds import Within
from simulators.process.separation.column import Column
from simulators.process.separation.ions import MOLAR_MASS, MOLES_PER_EQUIVALENT, OXIDE_MASS, RARE_EARTHS, Array, Ion, Solution
from simulators.process.time_step import LONGEST_STEP_S

_KILOGRAM: Final = 1000.0
_PURITY: Final = Within(0.5, 0.99999, "kg/kg")
_BAND: Final = 0.02
"""Of the highest concentration: where a band begins and ends."""
_RUN: Final = Within(0.0, 200.0, "h")


@dataclass(frozen=True, slots=True)
class Pool:
    """A window of the effluent in one tank."""

    start_h: float
    """h since the beginning of the record."""
    end_h: float
    purity: float
    """Oxide mass of the ions that were asked for over that of all rare earths."""
    recovery: float
    """Their oxide mass in the pool over that in the whole record: single-pass yield, if nothing of them stayed in the column."""
    copper: float
    """Mass of Cu over that of rare-earth oxide."""


@dataclass(frozen=True, slots=True, eq=False)
class Chromatogram:
    """Effluent of ``times_h`` (n,) h, end of each interval; ``amounts`` (7, n) REE equivalents, ``volumes_l`` (n,) L."""

    times_h: Array
    volumes_l: Array
    amounts: Array

    @property
    def oxides_kg(self) -> Array:
        """(5, n) kg of rare-earth oxide, Dy to Pr."""
        oxides_kg: Array = (self.amounts * OXIDE_MASS[:, None])[RARE_EARTHS] / _KILOGRAM
        return oxides_kg

    def best_pool(self, ions: tuple[Ion, ...], purity: float) -> Pool | None:
        """The window that keeps most of ``ions`` (one, or what is sold together, as Nd and Pr) at ``purity`` or better; None if no interval is as pure.

        Exact over all windows of whole intervals that lie within the band, where rare earths are above 2 % of their highest: before it comes Cu, behind it
        ligand. Raises ValueError: a purity outside 0.5 to 0.99999, or an ion that is no rare earth.
        """
        _PURITY.check("best_pool", "purity", purity)
        oxides_kg = self.oxides_kg
        wanted, all_oxides = oxides_kg[_rows(ions)].sum(axis=0), oxides_kg.sum(axis=0)
        strength = all_oxides / self.volumes_l
        band = np.flatnonzero(strength > _BAND * strength.max(initial=0.0))
        if not len(band):
            return None
        begin = int(band[0])
        in_band = slice(begin, int(band[-1]) + 1)
        heaped = np.concatenate([[0.0], wanted[in_band].cumsum()])
        margin = np.concatenate([[0.0], (wanted[in_band] - purity * all_oxides[in_band]).cumsum()])
        gain = np.where(margin[None, :] >= margin[:, None], heaped[None, :] - heaped[:, None], 0.0)
        first, last = divmod(int(gain.argmax()), gain.shape[1])
        return self.pool(ions, begin + first, begin + last) if last > first else None

    def pool(self, ions: tuple[Ion, ...], first: int, last: int) -> Pool:
        """Intervals ``first`` to, and without, ``last`` in one tank, looked at for ``ions``. Raises ValueError: no interval, or no rare earth in them."""
        oxides_kg = self.oxides_kg[:, first:last]
        whole = float(oxides_kg.sum())
        if not whole > 0.0:
            raise ValueError(f"pool {first}:{last}: holds no rare earth; give intervals in which a band leaves")
        rows = _rows(ions)
        wanted = float(oxides_kg[rows].sum())
        copper = float(self.amounts[Ion.CU, first:last].sum() * MOLES_PER_EQUIVALENT[Ion.CU] * MOLAR_MASS[Ion.CU]) / _KILOGRAM
        start_h = float(self.times_h[first - 1]) if first else 0.0
        return Pool(start_h, float(self.times_h[last - 1]), wanted / whole, wanted / float(self.oxides_kg[rows].sum()), copper / whole)


def _rows(ions: tuple[Ion, ...]) -> list[int]:
    """Rows of ``Chromatogram.oxides``."""
    for ion in ions:
        if not Ion.DY <= ion <= Ion.PR:
            raise ValueError(f"pool: {ion.name} is no rare earth; give ions from DY to PR")
    return [ion - Ion.DY for ion in ions]


def run(column: Column, flow_m3_per_h: float, solution: Solution, hours: float) -> Chromatogram:
    """Feeds ``hours`` of ``solution``, recorded about a parcel at a time. Raises ValueError, as ``Column.step`` does."""
    _RUN.check(f"run of column {column.name}", "hours", hours)
    parcels = hours * flow_m3_per_h * 1000.0 / column.parcel_l
    intervals = max(1, math.ceil(hours * 3600.0 / LONGEST_STEP_S), round(parcels))
    effluents = [column.step(hours * 3600.0 / intervals, flow_m3_per_h, solution) for _ in range(intervals)]
    return Chromatogram(
        np.arange(1, intervals + 1, dtype=np.float64) * (hours / intervals),
        np.array([effluent.volume_l for effluent in effluents]),
        np.array([effluent.amounts for effluent in effluents]).T,
    )
