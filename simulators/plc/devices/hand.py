"""The switch between hand and program that every device has.

| signal | is |
|---|---|
| the command, as in ``HS101`` | output terminal, and in manual what the operator wants |
| ``HS101.MODE`` | 0 manual, 1 automatic |
| ``HS101.AUTO`` | what the program wants |

Rules (engineering practice):

- in automatic an operator's command is taken back; in manual the program's wish counts for nothing. A change to manual keeps the command;
- a command that an interlock or a force gives is taken over in manual as if the operator had given it: when it is released nothing moves, and what an
  interlock has shut off does not come back by itself.
"""

from typing import Final

from simulators.plc.signal import Direction, Signal
from simulators.plc.signal_image import SignalImage

_AUTOMATIC: Final = 1.0


def hand_signals(tag: str, low: float, high: float, safe: float, automatic: bool) -> tuple[Signal, ...]:
    """Starts at its safe state."""
    return (
        Signal(tag, Direction.OUTPUT, low, high, safe, safe),
        Signal(f"{tag}.MODE", Direction.MEMORY, initial=_AUTOMATIC if automatic else 0.0),
        Signal(f"{tag}.AUTO", Direction.MEMORY, low, high, safe),
    )


class Hand:
    def __init__(self, tag: str, image: SignalImage) -> None:
        self._image = image
        self.command_at = image.position(tag)
        self._mode_at = image.position(f"{tag}.MODE")
        self._auto_at = image.position(f"{tag}.AUTO")

    def wanted(self) -> float:
        """The command that operator, program, interlock or force wants in this scan."""
        image = self._image
        is_program = image.value(self._mode_at) == _AUTOMATIC and not image.is_overridden(self.command_at)
        return image.value(self._auto_at if is_program else self.command_at)

    def give(self, value: float) -> None:
        self._image.write(self.command_at, value)

    @property
    def given(self) -> float:
        """The command in force: a forced one is another than what was given."""
        return self._image.value(self.command_at)
