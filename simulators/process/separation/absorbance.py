"""The absorbance detector at a column's outlet: five wavelengths, and everything that keeps them from telling the truth."""

from dataclasses import dataclass
from typing import Annotated, Final

import numpy as np

from simulators.process.separation.bounds import STEP, Within, check_parameters
from simulators.process.separation.ions import MOLES_PER_EQUIVALENT, Array, Ion

WAVELENGTHS: Final = (575, 444, 910, 402, 735)
"""nm, for Nd, Pr, Dy, Sm and the Cu complex: rows of every array over channels."""
VISIBLE: Final = (Ion.CU, Ion.DY, Ion.SM, Ion.ND, Ion.PR)
"""Columns of ``ABSORPTIVITY``. Tb has no band that is of use: it is found by balance, or by the laboratory."""
_AT: Final = np.array(VISIBLE, np.intp)
ABSORPTIVITY: Final[Array] = np.array(
    [
        [15.0, 0.0, 0.2, 7.0, 0.0],
        [1.0, 0.0, 0.0, 0.3, 10.0],
        [25.0, 2.2, 0.0, 0.0, 0.0],
        [0.0, 0.0, 3.2, 0.0, 0.0],
        [85.0, 0.0, 0.0, 7.0, 0.0],
    ]
)
"""(5, 5) L/(mol cm), wavelengths by visible ions, of the EDTA complexes: rough engineering values. Free Cu(2+) absorbs less and is taken for its complex."""
ABSORPTIVITY.setflags(write=False)
_DAY: Final = 86_400.0


@dataclass(frozen=True, slots=True)
class DetectorParameters:
    """A flow-through photometer. Engineering values."""

    path: Annotated[float, Within(0.01, 10.0, "cm")] = 0.5
    """Of the cell, cm: 0.09 mol/L of Nd reads 0.32 AU."""
    copper_path: Annotated[float, Within(0.001, 10.0, "cm")] = 0.05
    """Of the 735 nm cell, cm: in 0.5 cm Cu-EDTA would read 3.8 AU."""
    noise: Annotated[float, Within(0.0, 0.1, "AU")] = 5e-4
    """Standard deviation of one sample, AU."""
    ceiling: Annotated[float, Within(0.1, 6.0, "AU")] = 3.0
    """Where stray light ends the scale, AU: a reading that stands there says nothing."""

    def __post_init__(self) -> None:
        """Raises ValueError: a value out of its range."""
        check_parameters(self)

    @property
    def response(self) -> Array:
        """(5, 5) AU L/mol, wavelengths by visible ions: absorptivity times path."""
        paths = np.array([self.path] * 4 + [self.copper_path])
        response: Array = ABSORPTIVITY * paths[:, None]
        return response


class Detector:
    """State of one detector: ``baseline`` AU, common to all wavelengths, ``drift`` AU per day, and ``is_lit``. ``rng`` alone decides the noise."""

    def __init__(self, rng: np.random.Generator, parameters: DetectorParameters | None = None, name: str = "detector") -> None:
        self.name = name
        self.parameters = DetectorParameters() if parameters is None else parameters
        self.baseline = 0.0
        self.drift = 0.0
        self.is_lit = True
        self._rng = rng
        self._response = self.parameters.response
        self._zero: Array = np.zeros(len(WAVELENGTHS))

    def step(self, dt: float, concentration: Array) -> Array:
        """One sample (5,) AU, ``dt`` seconds after the last, of a solution of ``concentration`` (7,) REE equivalents per litre.

        Beer-Lambert: A = b sum(absorptivity C) + baseline. Without light every wavelength stands at the ceiling. Raises ValueError.
        """
        STEP.check(f"detector {self.name}", "dt", dt)
        self.baseline += self.drift * dt / _DAY
        ceiling = self.parameters.ceiling
        if not self.is_lit:
            return np.full(len(WAVELENGTHS), ceiling)
        moles = (concentration * MOLES_PER_EQUIVALENT)[_AT]
        noise = self.parameters.noise * self._rng.standard_normal(len(WAVELENGTHS))
        return np.minimum(self._response @ moles + self.baseline + noise - self._zero, ceiling)

    def zero(self, reading: Array) -> None:
        """Takes ``reading`` (5,) AU, the mean over a while of clear ligand, for the baseline from now on."""
        self._zero = self._zero + reading
