"""The field as simulated devices: a plant that behaves, and recordings that are played again.

Simulators import ``plant`` and never ``drivers``: a device that shared its coding with our decoders would agree with their mistakes.
"""

from simulators.plant_simulation import SimulatedPlant
from simulators.replay import Recording, ReplayDevice, replay_site

__all__ = ["Recording", "ReplayDevice", "SimulatedPlant", "replay_site"]
