"""Soft PLCs in virtual time: scan cycle, forces, loops, interlocks, sequences, device logic. Pure: no clock, no event loop, no I/O but package data."""

from simulators.plc.block import Block, Description
from simulators.plc.condition import Comparison, Condition, when
from simulators.plc.heartbeat_watch import HeartbeatWatch
from simulators.plc.on_delay import OnDelay
from simulators.plc.pid_loop import PidLoop
from simulators.plc.plc import OperatingState, Plc
from simulators.plc.program import Program
from simulators.plc.reference_signals import parse_signals, reference_signals
from simulators.plc.scan_timing import ScanTiming
from simulators.plc.signal import Direction, Signal, signal_of
from simulators.plc.signal_image import SignalImage

__all__ = [
    "Block",
    "Comparison",
    "Condition",
    "Description",
    "Direction",
    "HeartbeatWatch",
    "OnDelay",
    "OperatingState",
    "PidLoop",
    "Plc",
    "Program",
    "ScanTiming",
    "Signal",
    "SignalImage",
    "parse_signals",
    "reference_signals",
    "signal_of",
    "when",
]
