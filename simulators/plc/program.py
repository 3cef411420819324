"""What a PLC runs."""

from collections.abc import Sequence
from dataclasses import dataclass

from simulators.plc.block import Description
from simulators.plc.interlocks.interlock import Interlock
from simulators.plc.sequences.step_sequence import StepSequence
from simulators.plc.signal import Direction, Signal
from simulators.plc.signal_image import SignalImage


@dataclass(frozen=True, slots=True)
class Program:
    """``signals`` are those that no block declares itself, and count before what a block declares under the same name.

    ``blocks`` (loops and devices) run in the order given: a master before its slave, a loop before the device that it drives. ``heartbeat`` is a word of
    memory that counts scans in 16 bits.
    """

    signals: Sequence[Signal] = ()
    blocks: Sequence[Description] = ()
    interlocks: Sequence[Interlock] = ()
    sequences: Sequence[StepSequence] = ()
    heartbeat: str | None = None

    def image(self) -> SignalImage:
        """A new image. ``ValueError`` that names every signal which is used and not declared."""
        declared = [*self.signals, *(signal for sequence in self.sequences for signal in sequence.declares)]
        declared += [signal for block in self.blocks for signal in block.declares]
        if self.heartbeat is not None:
            declared.append(Signal(self.heartbeat, Direction.MEMORY, 0.0, 65535.0))
        image = SignalImage(declared)
        used = {name for sequence in self.sequences for name in sequence.uses}
        used |= {name for block in self.blocks for name in block.uses} | {name for interlock in self.interlocks for name in interlock.uses}
        unknown = sorted(used - set(image.positions))
        if unknown:
            raise ValueError(f"the program uses signals that nothing declares: {', '.join(unknown)}; add them to its signals, or mend the names")
        return image
