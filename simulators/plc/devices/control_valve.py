"""Control valve with a positioner.

| signal | is |
|---|---|
| ``FV101`` | demanded position, %, with its ``.MODE`` and ``.AUTO`` (``Hand``) |
| ``ZT101`` | actual position, %, input |
| ``FV101.ALARM`` | 1: the position has been off by more than ``band_percent`` for ``travel_s`` |

``source`` is what it follows in automatic, usually the output of a loop; without one it follows ``.AUTO``. Rules (engineering practice): below
``tight_percent`` the demand is 0, so that the valve shuts and does not throttle at its seat; the alarm counts anew once the demand has moved by more than
``band_percent``, and goes by itself; a Bad position alarms too.
"""

from dataclasses import dataclass
from typing import Annotated

from simulators.plc.block import Block
from simulators.plc.devices.hand import Hand, hand_signals
from simulators.plc.on_delay import PRESET, OnDelay
from simulators.plc.signal import Direction, Signal
from simulators.plc.signal_image import SignalImage
from simulators.process.bounds import PERCENT, check_parameters


@dataclass(frozen=True, slots=True)
class ControlValve:
    """``tag`` is that of the demand, ``position`` that of the feedback; percentages of the stroke."""

    tag: str
    position: str
    source: str | None = None
    band_percent: Annotated[float, PERCENT] = 5.0
    travel_s: Annotated[float, PRESET] = 10.0
    tight_percent: Annotated[float, PERCENT] = 0.5
    fails_open: bool = False
    automatic: bool = True

    def __post_init__(self) -> None:
        """Raises ValueError: a value out of its range."""
        check_parameters(self)

    @property
    def declares(self) -> tuple[Signal, ...]:
        safe = 100.0 if self.fails_open else 0.0
        return (
            *hand_signals(self.tag, 0.0, 100.0, safe, self.automatic),
            Signal(self.position, Direction.INPUT, 0.0, 100.0, safe),
            Signal(f"{self.tag}.ALARM", Direction.MEMORY),
        )

    @property
    def uses(self) -> tuple[str, ...]:
        return () if self.source is None else (self.source,)

    def bind(self, image: SignalImage) -> Block:
        return _RunningControlValve(self, image)


class _RunningControlValve:
    def __init__(self, valve: ControlValve, image: SignalImage) -> None:
        self._valve = valve
        self._image = image
        self._hand = Hand(valve.tag, image)
        *_, self._auto_at, self._position_at, self._alarm_at = (image.position(signal.name) for signal in valve.declares)
        self._source = None if valve.source is None else image.position(valve.source)
        self._late = OnDelay(valve.travel_s)
        self._reference = self._hand.given

    def scan(self, dt: float) -> None:
        image, valve = self._image, self._valve
        if self._source is not None:
            image.write(self._auto_at, image.value(self._source))
        wanted = self._hand.wanted()
        self._hand.give(0.0 if wanted < valve.tight_percent else wanted)
        demand = self._hand.given
        if abs(demand - self._reference) > valve.band_percent:
            self._reference = demand
            self._late.reset()
        off = not image.is_good(self._position_at) or abs(image.value(self._position_at) - demand) > valve.band_percent
        image.write(self._alarm_at, float(self._late.step(dt, off)))
