"""The absorbance detector at a column's outlet: five wavelengths, and everything that keeps them from telling the truth."""

from dataclasses import dataclass
from typing import Annotated, Final

import numpy as np

from simulators.process.bounds import Within, check_parameters
from simulators.process.separation.ions import MOLES_PER_EQUIVALENT, Array, Ion
from simulators.process.time_step import check_step

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

    path_cm: Annotated[float, Within(0.01, 10.0, "cm")] = 0.5
    """Of the cell, cm: 0.09 mol/L of Nd reads 0.32 AU."""
    copper_path_cm: Annotated[float, Within(0.001, 10.0, "cm")] = 0.05
    """Of the 735 nm cell, cm: in 0.5 cm Cu-EDTA would read 3.8 AU."""
    noise_au: Annotated[float, Within(0.0, 0.1, "AU")] = 5e-4
    """Standard deviation of one sample, AU."""
    ceiling_au: Annotated[float, Within(0.1, 6.0, "AU")] = 3.0
    """Where stray light ends the scale, AU: a reading that stands there says nothing."""

    def __post_init__(self) -> None:
        """Raises ValueError: a value out of its range."""
        check_parameters(self)

    @property
    def response(self) -> Array:
        """(5, 5) AU L/mol, wavelengths by visible ions: absorptivity times path."""
        paths = np.array([self.path_cm] * 4 + [self.copper_path_cm])
        response: Array = ABSORPTIVITY * paths[:, None]
        return response


class Detector:
    """State of one detector: ``baseline_au``, common to all wavelengths, ``drift_au_per_d`` and ``is_lit``. ``rng`` alone decides the noise."""

    def __init__(self, rng: np.random.Generator, parameters: DetectorParameters | None = None, name: str = "detector") -> None:
        self.name = name
        self.parameters = parameters or DetectorParameters()
        self.baseline_au = 0.0
        self.drift_au_per_d = 0.0
        self.is_lit = True
        self._rng = rng
        self._response = self.parameters.response
        self._zero: Array = np.zeros(len(WAVELENGTHS))
        self._noise: Array = np.zeros(len(WAVELENGTHS))

    def step(self, dt: float, concentration: Array) -> Array:
        """One sample (5,) AU, ``dt`` seconds after the last, of a solution of ``concentration`` (7,) REE equivalents per litre.

        Beer-Lambert: A = b sum(absorptivity C) + baseline. Without light every wavelength stands at the ceiling. Raises ValueError.
        """
        check_step(self.name, dt)
        self.baseline_au += self.drift_au_per_d * dt / _DAY
        ceiling_au = self.parameters.ceiling_au
        if not self.is_lit:
            return np.full(len(WAVELENGTHS), ceiling_au)
        moles = (concentration * MOLES_PER_EQUIVALENT)[_AT]
        if dt > 0.0:
            self._noise = self.parameters.noise_au * self._rng.standard_normal(len(WAVELENGTHS))
        return np.minimum(self._response @ moles + self.baseline_au + self._noise - self._zero, ceiling_au)

    def zero(self, reading: Array) -> None:
        """Takes ``reading`` (5,) AU, the mean over a while of clear ligand, for the baseline from now on."""
        self._zero = self._zero + reading
