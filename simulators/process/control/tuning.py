"""Tuning of a controller in the ideal (non-interacting) form, and the SIMC rule that gives one from a first-order-plus-dead-time process."""

import math
from dataclasses import dataclass
from typing import Annotated

from simulators.process.bounds import Within, check_parameters


@dataclass(frozen=True, slots=True)
class Tuning:
    """What makes a controller fit its process."""

    gain: Annotated[float, Within(-1e6, 1e6)]
    """% of output per unit of the process value; negative where more output lowers the process value (direct acting)."""
    integral_s: Annotated[float, Within(0.001, math.inf, "s")] = math.inf
    """s; infinite: no integral action."""
    derivative_s: Annotated[float, Within(0.0, 1e6, "s")] = 0.0
    """s; 0: no derivative action."""
    derivative_filter: Annotated[float, Within(0.1, 1000.0)] = 10.0
    """Derivative time over the lag of its filter, without unit (8 to 20 is usual: Astrom, Hagglund: Advanced PID Control, ISA 2006, chapter 3)."""
    tracking_s: Annotated[float | None, Within(0.001, math.inf, "s")] = None
    """s; time in which the integral lets go of an output at its limit. ``None``: sqrt(Ti Td), or Ti without derivative (same chapter)."""

    def __post_init__(self) -> None:
        """Raises ValueError: a value out of its range, or a gain of 0."""
        check_parameters(self)
        if self.gain == 0.0:
            raise ValueError("Tuning: gain is 0; give a number other than 0, negative for a direct-acting loop")

    @property
    def anti_windup_s(self) -> float:
        """Seconds of the back-calculation that this tuning uses."""
        if self.tracking_s is not None:
            return self.tracking_s
        return math.sqrt(self.integral_s * self.derivative_s) if self.derivative_s and math.isfinite(self.integral_s) else self.integral_s


def simc(gain: float, lag_s: float, dead_s: float, closed_loop_s: float) -> Tuning:
    """PI tuning of a process of ``gain`` (unit of the process value per % of output), time constant and dead time, for a closed loop of ``closed_loop_s``.

    Kc = tau / (K (lambda + theta)), Ti = min(tau, 4 (lambda + theta)): S. Skogestad, Simple analytic rules for model reduction and PID controller tuning,
    J. Process Control 13 (2003) 291-309.
    """
    slowest = closed_loop_s + dead_s
    return Tuning(lag_s / (gain * slowest), min(lag_s, 4.0 * slowest))
