"""Cause and effect: interlocks and permissives with votes, delays, resets and first-out, and the tables they come from."""

from simulators.plc.interlocks.interlock import Action, Cause, Effect, Group, Interlock, Reset
from simulators.plc.interlocks.latch import Latch, ResetAnswer
from simulators.plc.interlocks.protection import Protection
from simulators.plc.interlocks.table import load_interlocks, parse_interlocks, reference_interlocks

__all__ = [
    "Action",
    "Cause",
    "Effect",
    "Group",
    "Interlock",
    "Latch",
    "Protection",
    "Reset",
    "ResetAnswer",
    "load_interlocks",
    "parse_interlocks",
    "reference_interlocks",
]
