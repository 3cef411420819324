"""The seam between a PLC and what its program is made of.

A description is data: frozen, and the same one may serve many PLCs. The PLC binds it to its image at a cold start, and steps the block in every scan.
"""

from collections.abc import Sequence
from typing import Protocol

from simulators.plc.signal import Signal
from simulators.plc.signal_image import SignalImage


class Block(Protocol):
    """Part of a running program."""

    def scan(self, dt: float) -> None:
        """Reads and writes the image, ``dt`` seconds after the last scan."""
        ...


class Description(Protocol):
    """What a block is made from."""

    @property
    def declares(self) -> Sequence[Signal]:
        """Signals that are its own."""
        ...

    @property
    def uses(self) -> Sequence[str]:
        """Names of signals that others declare."""
        ...

    def bind(self, image: SignalImage) -> Block: ...
