"""Control loops of a device: a process value, its set-point ``.SP``, its controller output ``.OP`` and, where there is one, its ``.MODE``. Pure.

Rules, those of a plain controller seen from outside:

- automatic: the process value is drawn to the set-point, and the output to where it holds that set-point (its normal at the normal set-point);
- manual, ``.MODE`` 0 or an ``.OP`` that was written: the output stays, and the process value is drawn to where that output leads;
- an ``.OP`` that was written gives way when ``.SP`` or ``.MODE`` is written.

Automatic and manual use one straight line between output and process value (100 % of output over the whole range), so that a change of mode is bumpless.
"""

from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt

from simulators.image import Positions, TagImage

Column = npt.NDArray[np.float64]

_OUTPUT_TAU: Final = 2.0
_MANUAL: Final = 0.0
_NONE: Final = -1


@dataclass(frozen=True, slots=True)
class _Loop:
    process_value: int
    set_point: int
    output: int
    mode: int


class Loops:
    """All loops of one device. ``outputs`` are the controller outputs (n,), and ``output_at`` their positions in the image."""

    def __init__(self, image: TagImage, normal: Column) -> None:
        found = _loops_of(image)
        self._image = image
        self._process_value: Positions = np.array([loop.process_value for loop in found], np.intp)
        self._set_point: Positions = np.array([loop.set_point for loop in found], np.intp)
        self._mode: Positions = np.array([loop.mode for loop in found], np.intp)
        self.output_at: Positions = np.array([loop.output for loop in found], np.intp)
        self._gain: Column = np.array([_span(image, loop.process_value) / 100.0 for loop in found], np.float64)
        self._normal_set_point = normal[self._set_point]
        self._normal_output = normal[self.output_at]
        self.outputs: Column = self._normal_output.copy()
        self._held: npt.NDArray[np.bool_] = np.zeros(len(found), np.bool_)

    def step(self, dt: float, written: npt.NDArray[np.bool_], target: Column) -> None:
        """Moves the outputs by ``dt`` seconds and puts the targets of the process values into ``target``; ``written`` says which tags clients wrote."""
        if not len(self.output_at):
            return
        values = self._image.values
        has_mode = self._mode != _NONE
        taken = written[self.output_at]
        released = written[self._set_point] | (has_mode & written[self._mode])
        self._held = (self._held & ~released) | taken
        manual = self._held | (has_mode & (values[self._mode] == _MANUAL))
        set_point = values[self._set_point]
        holding = np.clip(self._normal_output + (set_point - self._normal_set_point) / self._gain, 0.0, 100.0)
        moved = self.outputs + (holding - self.outputs) * -np.expm1(-dt / _OUTPUT_TAU)
        self.outputs = np.where(manual, np.where(taken, values[self.output_at], self.outputs), moved)
        led_to = self._normal_set_point + (self.outputs - self._normal_output) * self._gain
        target[self._process_value] = np.where(manual, led_to, set_point)


def _loops_of(image: TagImage) -> list[_Loop]:
    """Process values that have both a set-point and an output beside them."""
    return [
        _Loop(position, image.positions[f"{name}.SP"], image.positions[f"{name}.OP"], image.positions.get(f"{name}.MODE", _NONE))
        for name, position in image.positions.items()
        if f"{name}.SP" in image.positions and f"{name}.OP" in image.positions
    ]


def followers_of(image: TagImage) -> tuple[Positions, Positions]:
    """(process values, set-points) of the pairs that have no output."""
    pairs = [
        (position, image.positions[f"{name}.SP"])
        for name, position in image.positions.items()
        if f"{name}.SP" in image.positions and f"{name}.OP" not in image.positions
    ]
    return np.array([pv for pv, _ in pairs], np.intp), np.array([sp for _, sp in pairs], np.intp)


def _span(image: TagImage, position: int) -> float:
    eu_range = image.tags[position].eu_range
    return 100.0 if eu_range is None else eu_range[1] - eu_range[0]
