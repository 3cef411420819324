"""The process image of a PLC: every signal at its position, as plain columns.

Rules:

- the program never sees a terminal. Inputs are copied from the terminals before it runs and outputs to them after it, so that a scan works on one moment of
  the plant (IEC 61131-3 leaves this to the maker; it is how every PLC with a process image does it);
- a forced value wins over terminal, program, interlock and operator, until it is released. A force is refused out of range, never clipped;
- released, an input follows its terminal from the next scan on; an output or a word of memory keeps the forced value until somebody writes another. A block
  that finds its output ``overridden`` goes on from the value it finds: that is what makes the release bumpless;
- an interlock's value wins over program and operator, for the scan in which it is given.
"""

from collections.abc import Iterable, Mapping
from typing import cast

import numpy as np
import numpy.typing as npt

from plant.batch import Float64Column, Int16Column
from plant.quality import Quality, is_good
from simulators.plc.signal import Direction, Signal

Positions = npt.NDArray[np.intp]
BoolColumn = npt.NDArray[np.bool_]


class SignalImage:
    """Columns (n,) in the order of ``signals``, in engineering units:

    - ``terminals`` float64: what the field gives (inputs) and gets (outputs); of memory, what the last scan left; ``terminal_quality`` int16, stored form:
      of the inputs;
    - ``values`` float64, ``quality`` int16: what the program works on; ``GoodLocalOverride`` while forced;
    - ``overridden`` bool: forced, or held by an interlock in the present scan.

    ``cells`` and ``qualities`` are ``values`` and ``quality`` once more, for reading one element: three times as fast as from an array.

    ``ValueError`` for signals of one name and two directions; of two declarations of one direction, the first counts.
    """

    def __init__(self, signals: Iterable[Signal]) -> None:
        self.signals = _one_a_name(signals)
        count = len(self.signals)
        self.positions: dict[str, int] = {signal.name: position for position, signal in enumerate(self.signals)}
        self.values: Float64Column = np.array([signal.initial for signal in self.signals], np.float64)
        self.quality: Int16Column = np.full(count, Quality.GOOD, np.int16)
        self.terminals: Float64Column = np.array(
            [signal.safe if signal.direction is Direction.OUTPUT else signal.initial for signal in self.signals], np.float64
        )
        self.terminal_quality: Int16Column = np.full(count, Quality.GOOD, np.int16)
        self.overridden: BoolColumn = np.zeros(count, np.bool_)
        self._inputs = self._all(Direction.INPUT)
        self._outputs = self._all(Direction.OUTPUT)
        self._driven: Positions = np.setdiff1d(np.arange(count), self._inputs)
        self._safe: Float64Column = np.array([signal.safe for signal in self.signals], np.float64)[self._outputs]
        self._forces: dict[int, float] = {}
        self.cells = cast("memoryview[float]", self.values.data)
        self.qualities = self.quality.data
        self._held = cast("memoryview[bool]", self.overridden.data)

    def position(self, name: str) -> int:
        """``ValueError`` for a name that no signal has."""
        try:
            return self.positions[name]
        except KeyError:
            raise ValueError(f"there is no signal {name!r}; declare it in the program, or mend the name") from None

    def value(self, position: int) -> float:
        return self.cells[position]

    def is_good(self, position: int) -> bool:
        """The quality is Good, and the value a number."""
        value = self.cells[position]
        return is_good(self.qualities[position]) and value == value  # noqa: PLR0124 - NaN is not equal to itself

    def is_overridden(self, position: int) -> bool:
        return self._held[position]

    def write(self, position: int, value: float) -> bool:
        """A value by the program or an operator, clipped to the range; false where it is overridden, and then without effect."""
        if self._held[position]:
            return False
        self.cells[position] = self.signals[position].clip(value)
        return True

    def override(self, position: int, value: float) -> bool:
        """A value by an interlock; false where it is forced, and then without effect."""
        if position in self._forces:
            return False
        self.cells[position] = value
        self._held[position] = True
        return True

    @property
    def forces(self) -> Mapping[str, float]:
        """Forced value by name, in the order in which they were given."""
        return {self.signals[position].name: value for position, value in self._forces.items()}

    def is_forced(self, position: int) -> bool:
        return position in self._forces

    def force(self, name: str, value: float) -> None:
        """Takes effect with the next scan. ``ValueError`` for an unknown name or a value out of range."""
        position = self.position(name)
        self._forces[position] = self.signals[position].check("forced", value)

    def release(self, name: str) -> bool:
        """False if it was not forced. ``ValueError`` for an unknown name."""
        position = self.position(name)
        if self._forces.pop(position, None) is None:
            return False
        self.quality[position] = Quality.GOOD
        self.overridden[position] = False
        return True

    def release_all(self) -> None:
        for name in self.forces:
            self.release(name)

    def read_inputs(self) -> None:
        """Begin of a scan: terminals into the image, then the forced values over them."""
        self.values[self._inputs] = self.terminals[self._inputs]
        self.quality[self._inputs] = self.terminal_quality[self._inputs]
        self.overridden[:] = False
        for position, value in self._forces.items():
            self.values[position] = value
            self.quality[position] = Quality.GOOD_LOCAL_OVERRIDE
            self.overridden[position] = True

    def write_outputs(self) -> None:
        """End of a scan: image to the terminals."""
        self.terminals[self._driven] = self.values[self._driven]

    def make_safe(self) -> None:
        """What the terminals of a PLC that does not run have, forced or not."""
        self.terminals[self._outputs] = self._safe

    def _all(self, direction: Direction) -> Positions:
        return np.array([position for position, signal in enumerate(self.signals) if signal.direction is direction], np.intp)


def _one_a_name(signals: Iterable[Signal]) -> tuple[Signal, ...]:
    found: dict[str, Signal] = {}
    for signal in signals:
        first = found.setdefault(signal.name, signal)
        if first.direction is not signal.direction:
            raise ValueError(f"signal {signal.name} is declared as %{first.direction} and as %{signal.direction}; mend one of the two")
    return tuple(found.values())
