"""Separation of rare earths by ligand-assisted displacement: column, bed, detector, fraction cuts, pump and outlet valve."""

from simulators.process.separation.absorbance import ABSORPTIVITY, VISIBLE, WAVELENGTHS, Detector, DetectorParameters
from simulators.process.separation.bed import Bed, BedParameters, viscosity_pa_s
from simulators.process.separation.chromatogram import Chromatogram, Pool, run
from simulators.process.separation.column import NARROW, WIDE, Column, ColumnParameters, Effluent
from simulators.process.separation.fraction_cuts import CutParameters, CutState, Port, Product, RunningPool, next_cut
from simulators.process.separation.ions import (
    MOLAR_MASS,
    MOLES_PER_EQUIVALENT,
    OXIDE_MASS,
    RARE_EARTHS,
    SEPARATION_FACTORS,
    Chemistry,
    Ion,
    Solution,
    copper,
    leachate,
    ligand,
    water,
)
from simulators.process.separation.outlet_valve import OutletValve, ValveParameters
from simulators.process.separation.pump import Pump, PumpParameters, PumpReading, vapour_pressure_bar
from simulators.process.separation.unmixing import Indication, PurityMeter, Unmixing

__all__ = [
    "ABSORPTIVITY",
    "MOLAR_MASS",
    "MOLES_PER_EQUIVALENT",
    "NARROW",
    "OXIDE_MASS",
    "RARE_EARTHS",
    "SEPARATION_FACTORS",
    "VISIBLE",
    "WAVELENGTHS",
    "WIDE",
    "Bed",
    "BedParameters",
    "Chemistry",
    "Chromatogram",
    "Column",
    "ColumnParameters",
    "CutParameters",
    "CutState",
    "Detector",
    "DetectorParameters",
    "Effluent",
    "Indication",
    "Ion",
    "OutletValve",
    "Pool",
    "Port",
    "Product",
    "Pump",
    "PumpParameters",
    "PumpReading",
    "PurityMeter",
    "RunningPool",
    "Solution",
    "Unmixing",
    "ValveParameters",
    "copper",
    "leachate",
    "ligand",
    "next_cut",
    "run",
    "vapour_pressure_bar",
    "viscosity_pa_s",
    "water",
]
