"""Furnaces and cells: sintering, calcination, electrolysis, strip casting."""

from simulators.process.thermal.calciner import Calciner, CalcinerParameters
from simulators.process.thermal.electrolysis_cell import CellParameters, ElectrolysisCell
from simulators.process.thermal.hydride import HARD_PHASE, ND_RICH, Hydride
from simulators.process.thermal.oxalate import OxalateCharge, OxalateParameters
from simulators.process.thermal.sinter_furnace import QuenchParameters, SinterFurnace, SinterFurnaceInputs
from simulators.process.thermal.sintering import SinteringParameters, SinteringState
from simulators.process.thermal.strip_caster import CasterParameters, StripCaster
from simulators.process.thermal.two_mass import DIFFUSION_FURNACE, FurnaceParameters, TwoMassFurnace
from simulators.process.thermal.vacuum_chamber import ChamberParameters, VacuumChamber

__all__ = [
    "DIFFUSION_FURNACE",
    "HARD_PHASE",
    "ND_RICH",
    "Calciner",
    "CalcinerParameters",
    "CasterParameters",
    "CellParameters",
    "ChamberParameters",
    "ElectrolysisCell",
    "FurnaceParameters",
    "Hydride",
    "OxalateCharge",
    "OxalateParameters",
    "QuenchParameters",
    "SinterFurnace",
    "SinterFurnaceInputs",
    "SinteringParameters",
    "SinteringState",
    "StripCaster",
    "TwoMassFurnace",
    "VacuumChamber",
]
