"""Injections as the recipe has them: a bed in Cu form is loaded, and ligand displaces the load."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache

import numpy as np

from simulators.process.separation import MOLAR_MASS, OXIDE_MASS, Chromatogram, Column, ColumnParameters, Ion, Solution, leachate, ligand, run
from simulators.process.separation.ions import Array

VELOCITY = 5.0
"""m/h, superficial."""
PRIMARY = {Ion.DY: 13.90, Ion.TB: 4.19, Ion.ND: 307.61, Ion.PR: 93.92}
"""kg/d of metal that the module's leachate carries."""
HEAVY_POOL = {Ion.DY: 0.95 * 13.90, Ion.TB: 0.95 * 4.19, Ion.ND: 0.25, Ion.PR: 0.05}


def feed(masses: Mapping[Ion, float], molar: float = 0.10) -> Solution:
    return leachate(molar, {ion: mass / float(MOLAR_MASS[ion]) for ion, mass in masses.items()})


def load(column: Column, kilograms: float, masses: Mapping[Ion, float]) -> float:
    """Loads ``kilograms`` of oxide; hours that it took."""
    solution = feed(masses)
    flow_m3_per_h = VELOCITY * column.parameters.area_m2
    hours = kilograms / float((solution.concentration * OXIDE_MASS).sum()) / flow_m3_per_h
    run(column, flow_m3_per_h, solution, hours)
    return hours


@dataclass(frozen=True, slots=True, eq=False)
class Injection:
    """``early`` and ``late`` (7, stages) are the resin's fractions at two moments of the displacement, ``effluent`` what left from the later one on."""

    column: Column
    early: Array
    late: Array
    effluent: Chromatogram

    def front(self, fractions: Array) -> float:
        """Where the displacer is half of the resin, m from the inlet."""
        return float(np.interp(-0.5, -fractions[Ion.DISPLACER], self.middles))

    def mixed_zone(self, first: Ion, second: Ion, theta: float) -> float:
        """Plates between a share of ``theta`` and of 1 - ``theta`` of ``first`` beside ``second``."""
        both = self.late[first] + self.late[second]
        there = both > 1e-4
        share = np.clip(self.late[first][there] / both[there], 1e-12, 1.0 - 1e-12)
        logit = np.log(share / (1.0 - share))
        low, high = np.interp([np.log(theta / (1.0 - theta)), np.log((1.0 - theta) / theta)], logit, self.middles[there])
        return float(abs(high - low)) / self.column.parameters.plate_height_m

    @property
    def middles(self) -> Array:
        """m from the inlet to the middle of every stage."""
        middles: Array = (np.arange(self.column.parameters.stages, dtype=np.float64) + 0.5) * self.column.parameters.plate_height_m
        return middles


@cache
def injection(plate_height_m: float, length_m: float, kilograms: float, moments: tuple[float, float], end: float) -> Injection:
    """The primary column, once a session for all that look at it; ``moments`` and ``end`` are hours of displacement."""
    column = Column(ColumnParameters(plate_height_m=plate_height_m, length_m=length_m))
    load(column, kilograms, PRIMARY)
    flow_m3_per_h = VELOCITY * column.parameters.area_m2
    run(column, flow_m3_per_h, ligand(0.09), moments[0])
    early = column.fractions.copy()
    run(column, flow_m3_per_h, ligand(0.09), moments[1] - moments[0])
    late = column.fractions.copy()
    return Injection(column, early, late, run(column, flow_m3_per_h, ligand(0.09), end - moments[1]))


def whole_run(plate_height_m: float = 0.02) -> Injection:
    """The recipe: 276 kg into 6 m, displaced until all of it has left."""
    return injection(plate_height_m, 6.0, 276.0, (4.0, 6.9), 9.6)
