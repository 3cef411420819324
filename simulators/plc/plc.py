"""A soft PLC in virtual time: whoever owns it steps it, and nothing happens in between.

A scan, in this order:

1. inputs: terminals into the image, forced values over them;
2. interlocks look at their causes;
3. sequences command devices and set-points;
4. interlocks put their effects over that, and no later write of the scan changes them: loops and devices see them, and go on from them;
5. loops and devices;
6. outputs: the image to the terminals.

Between two scans the image stands still: whoever reads it sees the end of a scan.
"""

from collections.abc import Mapping
from enum import StrEnum
from typing import Final

import numpy as np

from plant.quality import Quality
from simulators.plc.block import Block
from simulators.plc.interlocks.protection import Protection
from simulators.plc.program import Program
from simulators.plc.scan_timing import ScanClock, ScanTiming
from simulators.plc.sequences.procedure import Procedure
from simulators.plc.signal import Direction
from simulators.plc.signal_image import SignalImage
from simulators.process.bounds import Within
from simulators.process.time_step import LONGEST_STEP_S, check_step

_HEARTBEAT_MODULUS: Final = 65536.0
_ROUNDING_S: Final = 1e-9
"""s; steps that add up to a tick but for this reach it."""
_BURDEN: Final = Within(0.0, LONGEST_STEP_S, "s")


class OperatingState(StrEnum):
    """``FAULT`` is a stop by the watchdog."""

    RUN = "run"
    STOP = "stop"
    FAULT = "fault"


class Plc:
    """Runs from the start. The same program, timing and generator state give the same history, bit for bit.

    ``timing`` may be a bare period in seconds. ``ValueError`` for a program that does not fit together.
    """

    image: SignalImage
    interlocks: Protection
    sequences: Mapping[str, Procedure]

    def __init__(self, name: str, program: Program, timing: ScanTiming | float, rng: np.random.Generator) -> None:
        self.name = name
        self.program = program
        self.timing = timing if isinstance(timing, ScanTiming) else ScanTiming(timing)
        self.state = OperatingState.RUN
        self.clock_s = 0.0
        """s of virtual time since it was made, stopped or not."""
        self.scans = 0
        self._rng = rng
        self._build()
        self._clock = ScanClock(self.timing, rng)
        self._last_scan_s: float | None = None

    @property
    def overruns(self) -> int:
        """Ticks lost since the last start, because a scan was still running."""
        return self._clock.overruns

    @property
    def scan_time_s(self) -> float:
        """s that the last scan took."""
        return self._clock.execution_s

    def step(self, dt: float) -> None:
        """``dt`` seconds of virtual time, 0 to 60, with every scan that falls due in them; the terminals keep what they have got.

        ``ValueError`` for a ``dt`` that nothing may be stepped by.
        """
        end = self.clock_s + check_step(self.name, dt)
        while self.state is OperatingState.RUN and self._clock.next_s <= end + _ROUNDING_S:
            self.clock_s = self._clock.next_s
            self._scan()
        self.clock_s = end

    def read(self, name: str) -> float:
        """Value in the image, as a protocol server shows it. ``ValueError`` for an unknown name."""
        return self.image.value(self.image.position(name))

    def write(self, name: str, value: float) -> bool:
        """An operator's or client's value; false if it is forced or held by an interlock, and then without effect.

        ``ValueError`` for an unknown name, an input, or a value out of range.
        """
        position = self.image.position(name)
        signal = self.image.signals[position]
        if signal.direction is Direction.INPUT:
            raise ValueError(f"signal {name} is an input of {self.name}, which its terminal gives; force it, or write another")
        return self.image.write(position, signal.check("written", value))

    def connect(self, name: str, value: float, quality: Quality = Quality.GOOD) -> None:
        """What the field gives an input terminal, any number; seen by the next scan. ``ValueError`` for an unknown name, or no input."""
        position = self.image.position(name)
        if self.image.signals[position].direction is not Direction.INPUT:
            raise ValueError(f"signal {name} is no input of {self.name}; write it, or connect another")
        self.image.terminals[position] = value
        self.image.terminal_quality[position] = quality

    def output(self, name: str) -> float:
        """What the field gets from an output terminal. ``ValueError`` for an unknown name, or no output."""
        position = self.image.position(name)
        if self.image.signals[position].direction is not Direction.OUTPUT:
            raise ValueError(f"signal {name} is no output of {self.name}; read it instead")
        return float(self.image.terminals[position])

    @property
    def forces(self) -> Mapping[str, float]:
        """Forced value by name."""
        return self.image.forces

    def force(self, name: str, value: float) -> None:
        """From the next scan on, whatever the program does. ``ValueError`` for an unknown name or a value out of range."""
        self.image.force(name, value)

    def release(self, name: str) -> bool:
        """False if it was not forced."""
        return self.image.release(name)

    def release_all(self) -> None:
        self.image.release_all()

    def burden(self, seconds: float) -> None:
        """Makes the next scan longer. ``ValueError`` for less than 0 or more than a minute."""
        self._clock.burden_s += _BURDEN.check(self.name, "burden", seconds)

    def stop(self) -> None:
        """To STOP: outputs go to their safe values at once, and the image, the heartbeat with it, stands still."""
        self.state = OperatingState.STOP
        self.image.make_safe()

    def start(self, cold: bool = False) -> None:
        """To RUN. Warm, the program goes on where it stood; cold, its memory is initial again and the forces are gone, the inputs are not."""
        if cold:
            before = self.image
            self._build()
            self.image.terminals[:] = before.terminals
            self.image.terminal_quality[:] = before.terminal_quality
            self.image.make_safe()
        self._clock = ScanClock(self.timing, self._rng, self.clock_s)
        self._last_scan_s = None
        self.state = OperatingState.RUN

    def _build(self) -> None:
        self.image = self.program.image()
        self.interlocks = Protection(self.program.interlocks, self.image)
        self.sequences = {sequence.tag: Procedure(sequence, self.image) for sequence in self.program.sequences}
        self._blocks: list[Block] = [description.bind(self.image) for description in self.program.blocks]
        self._heartbeat = None if self.program.heartbeat is None else self.image.position(self.program.heartbeat)

    def _scan(self) -> None:
        dt = self.timing.period_s if self._last_scan_s is None else self.clock_s - self._last_scan_s
        self._last_scan_s = self.clock_s
        image = self.image
        image.read_inputs()
        self.interlocks.look(dt)
        for procedure in self.sequences.values():
            procedure.scan(dt)
        self.interlocks.act()
        for block in self._blocks:
            block.scan(dt)
        self.scans += 1
        if self._heartbeat is not None:
            image.write(self._heartbeat, float(self.scans % _HEARTBEAT_MODULUS))
        image.write_outputs()
        if not self._clock.scanned():
            self.stop()
            self.state = OperatingState.FAULT
