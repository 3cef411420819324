"""A signal of a PLC: an input terminal, an output terminal, or a word of its memory."""

import math
from dataclasses import dataclass
from enum import StrEnum

from plant.tag import Kind, Tag
from simulators.process.bounds import Within


class Direction(StrEnum):
    """Location prefix of IEC 61131-3 (directly represented variables): ``%I``, ``%Q``, ``%M``."""

    INPUT = "I"
    OUTPUT = "Q"
    MEMORY = "M"


@dataclass(frozen=True, slots=True)
class Signal:
    """``low`` to ``high`` bound what the program, an operator or a force can give it, in engineering units; a discrete signal is 0 or 1.

    ``initial`` is its value after a cold start; ``safe`` what an output terminal has while the PLC does not run (de-energised, unless the device fails the
    other way). ``ValueError`` for a range, an ``initial`` or a ``safe`` that no signal can have.
    """

    name: str
    direction: Direction
    low: float = 0.0
    high: float = 1.0
    initial: float = 0.0
    safe: float = 0.0

    def __post_init__(self) -> None:
        if not (math.isfinite(self.low) and math.isfinite(self.high) and self.low < self.high):
            raise ValueError(f"signal {self.name}: the range is {self.low:g} to {self.high:g}; give the low end first")
        self.check("initial", self.initial)
        if self.direction is Direction.OUTPUT:
            self.check("safe", self.safe)

    def check(self, what: str, value: float) -> float:
        """``value`` if the signal can have it, else ``ValueError`` that names the signal and ``what`` was tried."""
        return Within(self.low, self.high).check(f"signal {self.name}", f"{what} value", value)

    def clip(self, value: float) -> float:
        return min(max(value, self.low), self.high)


def signal_of(tag: Tag) -> Signal:
    """The signal behind a numeric tag of a device: ``AI`` and ``DI`` are inputs, ``DO`` and ``.OP`` outputs, all else memory. It starts at rest, not at the
    tag's normal: 0, or the end of the range next to 0, so that a cold start commands nothing.

    ``ValueError`` for a text, which no program works on.
    """
    if tag.data_type.is_text:
        raise ValueError(f"tag {tag.name} is a text, and a PLC program works on numbers; leave it to the protocol server")
    low, high = tag.eu_range or (-1e9, 1e9)
    rest = min(max(0.0, low), high)
    return Signal(tag.name, _direction(tag), low, high, rest, rest)


def _direction(tag: Tag) -> Direction:
    if tag.kind in {Kind.ANALOG_INPUT, Kind.DISCRETE_INPUT}:
        return Direction.INPUT
    is_output = tag.kind is Kind.DISCRETE_OUTPUT or (tag.kind is Kind.ANALOG_OUTPUT and not tag.name.endswith((".SP", ".MODE")))
    return Direction.OUTPUT if is_output else Direction.MEMORY
