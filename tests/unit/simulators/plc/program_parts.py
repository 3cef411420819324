"""Small programs that several tests run."""

import numpy as np

from simulators.plc import Direction, Plc, Program, ScanTiming, Signal
from simulators.plc.sequences import ProceduralState, Procedure


def exact_plc(program: Program, period_s: float = 0.1) -> Plc:
    """Scans exactly at 0, 0.1, 0.2, ... s."""
    return Plc("PLC-TEST", program, ScanTiming(period_s, lateness=0.0, execution_spread=0.0), np.random.default_rng(0))


def signal(name: str, direction: Direction, high: float = 100.0, initial: float = 0.0, safe: float = 0.0) -> Signal:
    return Signal(name, direction, 0.0, high, initial, safe)


def state_of(procedure: Procedure) -> ProceduralState:
    """The state now: a function's answer is not taken for the one of the line before."""
    return procedure.state
