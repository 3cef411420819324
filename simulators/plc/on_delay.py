"""On-delay timer: function block ``TON`` of IEC 61131-3 (standard function blocks, timers)."""

from typing import Final

from simulators.process.bounds import Within

PRESET: Final = Within(0.0, 86_400.0, "s")
"""What a timer may be set to."""
_ROUNDING_S: Final = 1e-9
"""s; a sum of scan times may miss the preset by less than this, and does not cost another scan."""


class OnDelay:
    """``step`` is true once its input has been true for ``preset_s`` without a break; the scan that first sees it true counts from 0."""

    def __init__(self, preset_s: float) -> None:
        self.preset_s = preset_s
        self.elapsed_s = 0.0
        self._was_true = False

    def step(self, dt: float, is_true: bool) -> bool:
        self.elapsed_s = self.elapsed_s + dt if is_true and self._was_true else 0.0
        self._was_true = is_true
        return is_true and self.elapsed_s >= self.preset_s - _ROUNDING_S

    def reset(self) -> None:
        self.elapsed_s, self._was_true = 0.0, False
