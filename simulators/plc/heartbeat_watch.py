"""One PLC watches the heartbeat of another."""

from dataclasses import dataclass
from typing import Annotated

from simulators.plc.block import Block
from simulators.plc.on_delay import PRESET, OnDelay
from simulators.plc.signal import Direction, Signal
from simulators.plc.signal_image import SignalImage
from simulators.process.bounds import check_parameters


@dataclass(frozen=True, slots=True)
class HeartbeatWatch:
    """``flag`` is 1 while ``counter`` has not changed for ``patience_s`` (3 scans of the other, and 3 s at least), or is Bad."""

    counter: str
    flag: str
    patience_s: Annotated[float, PRESET] = 3.0

    def __post_init__(self) -> None:
        """Raises ValueError: a value out of its range."""
        check_parameters(self)

    @property
    def declares(self) -> tuple[Signal, ...]:
        return Signal(self.counter, Direction.INPUT, 0.0, 65535.0), Signal(self.flag, Direction.MEMORY)

    @property
    def uses(self) -> tuple[str, ...]:
        return ()

    def bind(self, image: SignalImage) -> Block:
        return _RunningWatch(self, image)


class _RunningWatch:
    def __init__(self, watch: HeartbeatWatch, image: SignalImage) -> None:
        self._image = image
        self._counter_at, self._flag_at = image.position(watch.counter), image.position(watch.flag)
        self._still = OnDelay(watch.patience_s)
        self._last: float | None = None

    def scan(self, dt: float) -> None:
        image = self._image
        count = image.value(self._counter_at)
        is_still = self._still.step(dt, count == self._last)
        self._last = count
        image.write(self._flag_at, float(is_still or not image.is_good(self._counter_at)))
