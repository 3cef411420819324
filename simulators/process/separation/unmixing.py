"""From absorbances to concentrations and indicated purity.

Non-negative least squares, exact: of five ions there are 32 sets that may be above 0, the best fit over each set is a linear map, and the answer is the best
of those that come out non-negative (C. L. Lawson, R. J. Hanson: Solving Least Squares Problems, ch. 23, whose active-set search ends at the same point).

Purity so indicated is no certificate: noise that non-negativity cuts off on one side makes what is absent look present, and a common drift of the baseline
looks like ions. A lot is released by its assay.
"""

from dataclasses import dataclass
from itertools import chain, combinations
from typing import Final

import numpy as np

from simulators.process.separation.absorbance import VISIBLE, WAVELENGTHS, DetectorParameters
from simulators.process.separation.ions import OXIDE_MASS, Array, Ion

_MOST_IONS: Final = 8
_SAMPLES: Final = 40
"""Of one mean: 20 s at 500 ms."""
_LOST: Final = -0.05
"""AU: a mean below has lost its baseline."""
_AT: Final = np.array(VISIBLE, np.intp)


class Unmixing:
    """Solves ``response @ c = reading`` for c >= 0; ``response`` (m, k), up to 8 ions k, of full column rank."""

    def __init__(self, response: Array) -> None:
        m, k = response.shape
        if k > _MOST_IONS or np.linalg.matrix_rank(response) < k:
            raise ValueError(f"unmixing: response ({m}, {k}) does not tell {k} ions apart; give as many wavelengths or more, and at most {_MOST_IONS} ions")
        sets = list(chain.from_iterable(combinations(range(k), size) for size in range(k + 1)))
        maps = np.zeros((len(sets), k, m))
        for number, members in enumerate(sets):
            if members:
                maps[number, list(members)] = np.linalg.pinv(response[:, list(members)])
        self._inverse: Array = maps[-1]
        self._sets, self._ions = len(sets), k
        # from a reading to what every set finds, and to what every set leaves over
        self._found: Array = maps.reshape(-1, m)
        self._left: Array = (np.eye(m) - response @ maps).reshape(-1, m)

    def solve(self, readings: Array) -> Array:
        """Concentrations (n, k) of ``readings`` (n, m)."""
        n, m = readings.shape
        found = (readings @ self._found.T).reshape(n, self._sets, self._ions)
        misfit = ((readings @ self._left.T).reshape(n, self._sets, m) ** 2).sum(axis=2)
        best = np.where(found.min(axis=2) < 0.0, np.inf, misfit).argmin(axis=1)
        concentrations: Array = found[np.arange(n), best]
        return concentrations

    def clipped(self, readings: Array) -> Array:
        """Concentrations (n, k) as a plain controller has them: the inverse, and 0 for what comes out below. Three times as uncertain as ``solve``."""
        concentrations: Array = np.maximum(readings @ self._inverse.T, 0.0)
        return concentrations


@dataclass(frozen=True, slots=True, eq=False)
class Indication:
    """What the detector makes of the effluent."""

    oxide_g_per_l: Array
    """(7,) g/L of rare-earth oxide; 0 of Cu, Tb and displacer, which it does not weigh or see."""
    is_faulty: bool
    """A wavelength stands at the ceiling or has lost its baseline: nothing here may be used."""

    @property
    def purity(self) -> Array:
        """(7,) kg/kg of the oxides seen; 0 where none is."""
        whole = self.oxide_g_per_l.sum()
        return self.oxide_g_per_l / whole if whole > 0.0 else np.zeros(len(Ion))


class PurityMeter:
    """Mean of the last ``samples`` readings, unmixed. Until it has as many it shows no oxide."""

    def __init__(self, parameters: DetectorParameters | None = None, samples: int = _SAMPLES) -> None:
        if not 1 <= samples <= 10_000:
            raise ValueError(f"purity meter: a mean of {samples} samples; give 1 to 10000")
        parameters = parameters or DetectorParameters()
        self._ceiling = parameters.ceiling_au
        self._unmixing = Unmixing(parameters.response)
        self._recent: Array = np.zeros((samples, len(WAVELENGTHS)))
        self._taken = 0

    @property
    def mean(self) -> Array:
        """(5,) AU; 0 before the first sample."""
        mean: Array = self._recent.sum(axis=0) / min(max(self._taken, 1), len(self._recent))
        return mean

    def take(self, reading: Array) -> Indication:
        """Adds one ``reading`` (5,) AU."""
        self._recent[self._taken % len(self._recent)] = reading
        self._taken += 1
        mean = self.mean
        oxide_g_per_l = np.zeros(len(Ion))
        # a NaN compares false, and is a fault
        is_faulty = not (reading.max() < self._ceiling and mean.min() > _LOST)
        if not is_faulty and self._taken >= len(self._recent):
            oxide_g_per_l[_AT] = self._unmixing.solve(mean[None, :])[0] * OXIDE_MASS[_AT]
        return Indication(oxide_g_per_l, is_faulty)

    def forget(self) -> None:
        """Empties the mean: after a new zero, old readings stand on the old baseline."""
        self._recent[:] = 0.0
        self._taken = 0
