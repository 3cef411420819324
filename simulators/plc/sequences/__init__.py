"""Sequences with the procedural states of ISA-88: what they are, and how they run."""

from simulators.plc.sequences.procedural_state import TRANSITIONS, ProceduralState, SequenceCommand, diagram
from simulators.plc.sequences.procedure import Procedure
from simulators.plc.sequences.sinter_programme import sinter_programme
from simulators.plc.sequences.step_sequence import COMPLETE, Ramp, Reaction, Step, StepSequence, Transition

__all__ = [
    "COMPLETE",
    "TRANSITIONS",
    "ProceduralState",
    "Procedure",
    "Ramp",
    "Reaction",
    "SequenceCommand",
    "Step",
    "StepSequence",
    "Transition",
    "diagram",
    "sinter_programme",
]
