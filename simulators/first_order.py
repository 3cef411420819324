"""First-order process behaviour: every signal of a device lags behind where its loop, its command or its normal draws it. Pure: no clock, no I/O.

Two formulas, both exact for any step, so that the speed of the simulation does not change what is simulated:

- first-order lag, tau dx/dt + x = u with u constant over the step: ``x += (u - x) * (1 - exp(-dt / tau))`` (Seborg, Edgar, Mellichamp: Process
  Dynamics and Control, step response of a first-order process);
- Ornstein-Uhlenbeck noise of standard deviation sigma and correlation time tau: ``n = n * a + sigma * sqrt(1 - a**2) * N(0, 1)``, ``a = exp(-dt / tau)``
  (D. T. Gillespie: Exact numerical simulation of the Ornstein-Uhlenbeck process, Phys. Rev. E 54 (1996), 2084).

Rule: a tag gets a new value and source time once in its ``scan_ms`` of the device's own clock, not at every step: an analyser that answers once a minute
holds its value for a minute, whatever the process does and however fast it is simulated.
"""

from typing import Final

import numpy as np
import numpy.typing as npt

from plant.tag import DataType, Kind, Tag
from simulators.actuators import Actuators
from simulators.image import Positions, TagImage
from simulators.loops import Loops, followers_of

Column = npt.NDArray[np.float64]

_TAU: Final = {"T": 30.0, "L": 60.0, "A": 15.0, "W": 10.0, "F": 3.0, "P": 3.0, "S": 3.0, "I": 1.0}
"""Lag, seconds, by the measured variable (first letter of the ISA-5.1 function): short enough to watch a set-point arrive, longest where heat is stored."""
_OTHER_TAU: Final = 5.0
_NOISE: Final = 0.002
"""Standard deviation of the noise over the range of the signal."""
_NOISE_TAU: Final = 5.0
_LIMIT_MARGIN: Final = 6.0
"""Standard deviations between a signal at its normal and its nearest alarm limit: a healthy plant rests without alarms."""
_CYCLE_SECONDS: Final = 10.0
_FIRST_LOT: Final = 100


def lag_share(dt: float, tau: Column) -> Column:
    """Share of the way to its target that a first-order signal goes in ``dt`` seconds."""
    return -np.expm1(-dt / tau)


class FirstOrderDevice:
    """Behaviour of all tags of one device, over its image; which tag behaves how follows from its name, kind and type.

    ``rng`` alone decides the noise and the lot numbers: the same seed gives the same run. ``speed`` is process seconds per second of ``step``.
    """

    def __init__(self, image: TagImage, rng: np.random.Generator, speed: float = 1.0) -> None:
        tags = image.tags
        self._image = image
        self._rng = rng
        self._speed = speed
        self._clock = 0.0
        self._process_seconds = 0.0
        self._low, self._high = _ranges(tags)
        self._is_numeric = np.array([not tag.data_type.is_text for tag in tags], np.bool_)
        normal = np.clip(np.array([0.0 if tag.normal is None else tag.normal for tag in tags], np.float64), self._low, self._high)
        self._period = np.array([tag.scan_ms / 1000.0 for tag in tags], np.float64)
        self._due: Column = self._period * rng.random(len(tags))
        self._loops = Loops(image, normal)
        self._followers, self._followed = followers_of(image)
        # scans spread over their period, except of counters, which are read when their second begins
        self._due[[position for position, tag in enumerate(tags) if _is_counter(tag)]] = 0.0
        self._counters = [(position, _modulus(tag)) for position, tag in enumerate(tags) if _is_counter(tag)]
        self._analog: Positions = np.array([position for position, tag in enumerate(tags) if _is_analog(tag)], np.intp)
        self._target = normal.copy()
        self._true = normal.copy()
        self._tau = np.array([_tau(tag) for tag in tags], np.float64)[self._analog]
        self._sigma = np.array([_sigma(tag) for tag in tags], np.float64)[self._analog]
        self._noise: Column = np.zeros(len(self._analog))
        self._rest(normal)
        self._actuators = Actuators(image)

    def step(self, dt: float, time: int) -> None:
        """``dt`` seconds of the device's clock, which then stands at ``time`` (UTC microseconds, the source time of what is new)."""
        process_dt = dt * self._speed
        self._clock += dt
        self._process_seconds += process_dt
        image, analog = self._image, self._analog
        self._loops.step(process_dt, image.written.mask, self._target)
        image.written.take()
        self._target[self._followers] = image.values[self._followed]
        share = lag_share(process_dt, self._tau)
        self._true[analog] += (self._target[analog] - self._true[analog]) * share
        kept = np.exp(-process_dt / _NOISE_TAU)
        self._noise *= kept
        self._noise += self._sigma * np.sqrt(1.0 - kept * kept) * self._rng.standard_normal(len(analog))
        self._actuators.step(process_dt)
        due = np.flatnonzero((self._clock >= self._due) & self._is_numeric)
        if len(due):
            image.update(due, self._fresh()[due], time)
            # the next multiple of the period behind now: a late step leaves scans out, and does not make them up in a burst
            self._due[due] += self._period[due] * np.floor((self._clock - self._due[due]) / self._period[due] + 1.0)

    def _fresh(self) -> Column:
        """What every tag would read now; a tag that nothing moves reads what it holds."""
        image, analog = self._image, self._analog
        fresh = image.values.copy()
        fresh[analog] = self._true[analog] + self._noise
        fresh[self._loops.output_at] = self._loops.outputs
        fresh[self._actuators.feedback_at] = self._actuators.feedback
        for position, modulus in self._counters:
            fresh[position] = (self._process_seconds // modulus[0]) % modulus[1]
        return np.clip(fresh, self._low, self._high)

    def _rest(self, normal: Column) -> None:
        """Everything at its normal, and a lot in every unit."""
        time = int(self._image.times[0]) if len(self._image.times) else 0
        numeric = np.flatnonzero(self._is_numeric)
        self._image.assign(numeric, normal[numeric], time)
        for position, tag in enumerate(self._image.tags):
            if tag.data_type.is_text:
                self._image.write(position, f"LOT-{self._rng.integers(_FIRST_LOT, 10**6):06d}", time)
        self._image.written.take()


def _ranges(tags: tuple[Tag, ...]) -> tuple[Column, Column]:
    ranges = [(-np.inf, np.inf) if tag.eu_range is None else tag.eu_range for tag in tags]
    return np.array([low for low, _ in ranges], np.float64), np.array([high for _, high in ranges], np.float64)


def _is_analog(tag: Tag) -> bool:
    return tag.data_type.is_continuous and not tag.writable


def _is_counter(tag: Tag) -> bool:
    return not tag.writable and tag.kind is Kind.ANALOG_INPUT and tag.name.rpartition(".")[2].startswith("KQ")


def _modulus(tag: Tag) -> tuple[float, float]:
    """(seconds a count, counts before it begins again): a heartbeat counts seconds in 16 bits, a wider counter counts cycles of the machine."""
    high = 65535.0 if tag.eu_range is None else tag.eu_range[1]
    return (1.0 if tag.data_type is DataType.UINT16 else _CYCLE_SECONDS), high + 1.0


def _tau(tag: Tag) -> float:
    return _TAU.get(tag.name.split(".")[2][0], _OTHER_TAU)


def _sigma(tag: Tag) -> float:
    if tag.eu_range is None:
        return 0.0
    sigma = _NOISE * (tag.eu_range[1] - tag.eu_range[0])
    limits = tag.alarm_limits
    if tag.normal is not None:
        margins = [abs(tag.normal - limit) for limit in (limits.low_low, limits.low, limits.high, limits.high_high) if limit is not None]
        sigma = min([sigma, *(margin / _LIMIT_MARGIN for margin in margins)])
    return sigma
