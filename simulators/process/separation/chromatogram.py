"""What left a column over a run, parcel by parcel, and what pools could be cut from it."""

import math
from dataclasses import dataclass
from typing import Final

import numpy as np

from simulators.process.separation.bounds import STEP, Within
from simulators.process.separation.column import Column
from simulators.process.separation.ions import MOLAR_MASS, MOLES_PER_EQUIVALENT, OXIDE_MASS, RARE_EARTHS, Array, Ion, Solution

_KILOGRAM: Final = 1000.0
_PURITY: Final = Within(0.5, 0.99999, "kg/kg")
_BAND: Final = 0.02
"""Of the highest concentration: where a band begins and ends."""
_RUN: Final = Within(0.0, 200.0, "h")


@dataclass(frozen=True, slots=True)
class Pool:
    """A window of the effluent in one tank."""

    start: float
    """h since the beginning of the record."""
    end: float
    purity: float
    """Oxide mass of the ion over that of all rare earths."""
    recovery: float
    """Oxide mass of the ion in the pool over that in the whole record: single-pass yield, if nothing of it stayed in the column."""
    copper: float
    """Mass of Cu over that of rare-earth oxide."""


@dataclass(frozen=True, slots=True, eq=False)
class Chromatogram:
    """Effluent of ``times`` (n,) h, end of each interval; ``amounts`` (7, n) REE equivalents, ``volumes`` (n,) L."""

    times: Array
    volumes: Array
    amounts: Array

    @property
    def oxides(self) -> Array:
        """(5, n) kg of rare-earth oxide, Dy to Pr."""
        oxides: Array = (self.amounts * OXIDE_MASS[:, None])[RARE_EARTHS] / _KILOGRAM
        return oxides

    def best_pool(self, ion: Ion, purity: float) -> Pool | None:
        """The window that keeps most of ``ion`` at ``purity`` or better; None if no interval is as pure.

        Exact over all windows of whole intervals that lie within the band, where rare earths are above 2 % of their highest: before it comes Cu, behind it
        ligand. Raises ValueError: a purity outside 0.5 to 0.99999.
        """
        _PURITY.check("best_pool", "purity", purity)
        oxides = self.oxides
        wanted, all_oxides = oxides[ion - 1], oxides.sum(axis=0)
        strength = all_oxides / self.volumes
        band = np.flatnonzero(strength > _BAND * strength.max(initial=0.0))
        if not len(band):
            return None
        begin = int(band[0])
        in_band = slice(begin, int(band[-1]) + 1)
        heaped = np.concatenate([[0.0], wanted[in_band].cumsum()])
        margin = np.concatenate([[0.0], (wanted[in_band] - purity * all_oxides[in_band]).cumsum()])
        gain = np.where(margin[None, :] >= margin[:, None], heaped[None, :] - heaped[:, None], 0.0)
        first, last = divmod(int(gain.argmax()), gain.shape[1])
        return self.pool(ion, begin + first, begin + last) if last > first else None

    def pool(self, ion: Ion, first: int, last: int) -> Pool:
        """Intervals ``first`` to, and without, ``last`` in one tank, looked at for ``ion``. Raises ValueError: no interval, or no rare earth in them."""
        amounts = self.amounts[:, first:last].sum(axis=1)
        masses = amounts * OXIDE_MASS
        if not masses.sum() > 0.0:
            raise ValueError(f"pool {first}:{last}: holds no rare earth; give intervals in which a band leaves")
        start = self.times[first - 1] if first else 0.0
        whole = self.amounts[ion].sum() * OXIDE_MASS[ion]
        copper = amounts[Ion.CU] * MOLES_PER_EQUIVALENT[Ion.CU] * MOLAR_MASS[Ion.CU]
        return Pool(float(start), float(self.times[last - 1]), masses[ion] / masses.sum(), masses[ion] / whole, copper / masses.sum())


def run(column: Column, flow: float, solution: Solution, hours: float) -> Chromatogram:
    """Feeds ``hours`` of ``solution`` at ``flow`` m3/h, recorded about a parcel at a time. Raises ValueError, as ``Column.step`` does."""
    _RUN.check(f"run of column {column.name}", "hours", hours)
    parcels = hours * flow * 1000.0 / column.parcel_volume
    intervals = max(1, math.ceil(hours * 3600.0 / STEP.high), round(parcels))
    effluents = [column.step(hours * 3600.0 / intervals, flow, solution) for _ in range(intervals)]
    return Chromatogram(
        np.arange(1, intervals + 1, dtype=np.float64) * (hours / intervals),
        np.array([effluent.volume for effluent in effluents]),
        np.array([effluent.amounts for effluent in effluents]).T,
    )
