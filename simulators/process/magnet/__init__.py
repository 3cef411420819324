"""From flake to magnet: hydrogen decrepitation, jet mill, aligned press, boundary diffusion, magnetic properties."""

from simulators.process.magnet.decrepitation import BOUNDARY, GRAINS, DecrepitationParameters, DecrepitationVessel, HydridePhase
from simulators.process.magnet.diffusion import BoundaryDiffusion, DiffusionParameters
from simulators.process.magnet.jet_mill import JetMill, JetMillParameters
from simulators.process.magnet.press import AlignedPress, PressParameters
from simulators.process.magnet.quality import MagneticProperties, MagnetLot, QualityParameters, magnetic_properties

__all__ = [
    "BOUNDARY",
    "GRAINS",
    "AlignedPress",
    "BoundaryDiffusion",
    "DecrepitationParameters",
    "DecrepitationVessel",
    "DiffusionParameters",
    "HydridePhase",
    "JetMill",
    "JetMillParameters",
    "MagnetLot",
    "MagneticProperties",
    "PressParameters",
    "QualityParameters",
    "magnetic_properties",
]
