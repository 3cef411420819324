"""The ions of a ligand-assisted displacement, and the solutions that flow through a column.

Amounts of this package are **REE equivalents**, moles of three charges: 1 mol Ln(3+), 1.5 mol Cu(2+), 3 mol NH4(+). A resin site takes one or the other,
so that in equivalents an exchange is one for one. ``MOLES_PER_EQUIVALENT`` leads back to moles.

Arrays over ions are (7,) or (7, n) float64, in the order of ``Ion``, which is the order in which bands leave a column.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import IntEnum
from typing import Final

import numpy as np
import numpy.typing as npt

from simulators.process.bounds import Within

Array = npt.NDArray[np.float64]

CONCENTRATION: Final = Within(0.0, 2.0, "mol/L")
SHARE: Final = Within(0.0, 1e9)


class Ion(IntEnum):
    """Rows of every array over ions."""

    CU = 0
    DY = 1
    TB = 2
    SM = 3
    ND = 4
    PR = 5
    DISPLACER = 6
    """NH4(+) or Na(+), which comes with the ligand."""


RARE_EARTHS: Final = slice(Ion.DY, Ion.DISPLACER)


class Chemistry(IntEnum):
    """What decides between resin and solution; rows of ``SEPARATION_FACTORS``."""

    FREE = 0
    """No ligand: the resin prefers the higher charge."""
    LIGAND = 1
    """EDTA: the ion of the stronger complex prefers the solution."""


def _by_stability() -> list[float]:
    """10 ** (log K - log K of Pr). Log K of the EDTA complexes, 20 degC and ionic strength 0.1 mol/L, as in the standard tables (Martell and Smith)."""
    return [10.0 ** (log_k - 16.40) for log_k in (18.80, 18.30, 17.93, 17.14, 16.61, 16.40)]


SEPARATION_FACTORS: Final[Array] = np.array(
    [
        [20.0, 1.0, 1.0, 1.0, 1.0, 1.0, 60.0],
        [*_by_stability(), 0.01],
    ]
)
"""(2, 7), preference for the solution relative to Pr. FREE: engineering values, Ln(3+) held 20 times as hard as Cu(2+) and that 3 times as hard as NH4(+).
LIGAND: the displacer forms no complex, and 0.01 makes its front as sharp as the stages allow."""
SEPARATION_FACTORS.setflags(write=False)

MOLAR_MASS: Final[Array] = np.array([63.546, 162.500, 158.925, 150.36, 144.242, 140.908, 18.039])
"""(7,) g/mol of ion (IUPAC standard atomic weights, abridged)."""
MOLAR_MASS.setflags(write=False)

MOLES_PER_EQUIVALENT: Final[Array] = np.array([1.5, 1.0, 1.0, 1.0, 1.0, 1.0, 3.0])
"""(7,) moles of ion per REE equivalent: three charges."""
MOLES_PER_EQUIVALENT.setflags(write=False)

_OXYGENS: Final = np.array([0.0, 1.5, 1.75, 1.5, 1.5, 11.0 / 6.0, 0.0])
OXIDE_MASS: Final[Array] = np.where(_OXYGENS > 0.0, MOLAR_MASS + 15.999 * _OXYGENS, 0.0)
"""(7,) g of oxide (Dy2O3, Tb4O7, Sm2O3, Nd2O3, Pr6O11) per mol of ion; 0 of what is no rare earth: purity is a share among the rare earths."""
OXIDE_MASS.setflags(write=False)


@dataclass(frozen=True, slots=True, eq=False)
class Solution:
    """What enters a column."""

    chemistry: Chemistry
    concentration: Array
    """(7,) REE equivalents per litre. Read only."""

    def __post_init__(self) -> None:
        kept = np.array(self.concentration, np.float64)
        if kept.shape != (len(Ion),):
            raise ValueError(f"Solution: concentration has shape {kept.shape}; give one number per ion, ({len(Ion)},)")
        for ion in Ion:
            CONCENTRATION.check("Solution", f"concentration of {ion.name}", float(kept[ion]))
        kept.setflags(write=False)
        object.__setattr__(self, "concentration", kept)


def _alone(chemistry: Chemistry, ion: Ion, equivalents: float) -> Solution:
    concentration = np.zeros(len(Ion))
    concentration[ion] = equivalents
    return Solution(chemistry, concentration)


def water() -> Solution:
    """Rinse: carries nothing in and the solution of the bed out."""
    return Solution(Chemistry.FREE, np.zeros(len(Ion)))


def copper(molar: float) -> Solution:
    """Presaturation with ``molar`` mol/L Cu(2+)."""
    return _alone(Chemistry.FREE, Ion.CU, molar / MOLES_PER_EQUIVALENT[Ion.CU])


def ligand(molar: float) -> Solution:
    """EDTA of ``molar`` mol/L at pH 9: a litre carries as many equivalents of metal as it has moles of ligand."""
    return _alone(Chemistry.LIGAND, Ion.DISPLACER, molar)


def leachate(molar: float, shares: Mapping[Ion, float]) -> Solution:
    """Rare earths of ``molar`` mol/L in all, in the ``shares`` (mol, any scale) of their ions. Raises ValueError on a share below 0, or none above it."""
    concentration = np.zeros(len(Ion))
    for ion, share in shares.items():
        SHARE.check("leachate", f"share of {ion.name}", share)
        concentration[ion] = share
    if not concentration.sum() > 0.0:
        raise ValueError("leachate: shares sum to 0; give at least one rare earth a share above 0")
    return Solution(Chemistry.FREE, molar * concentration / concentration.sum())
