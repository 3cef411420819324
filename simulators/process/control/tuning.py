"""Tuning of a controller in the ideal (non-interacting) form, and the SIMC rule that gives one from a first-order-plus-dead-time process."""

import math
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Tuning:
    """``ValueError`` for a gain of 0, or a time that is negative or no number."""

    gain: float
    """% of output per unit of the process value; negative where more output lowers the process value (direct acting)."""
    integral_s: float = math.inf
    """s; infinite: no integral action."""
    derivative_s: float = 0.0
    """s; 0: no derivative action."""
    derivative_filter: float = 10.0
    """Derivative time over the lag of its filter, without unit (8 to 20 is usual: Astrom, Hagglund: Advanced PID Control, ISA 2006, chapter 3)."""
    tracking_s: float | None = None
    """s; time in which the integral lets go of an output at its limit. ``None``: sqrt(Ti Td), or Ti without derivative (same chapter)."""

    def __post_init__(self) -> None:
        if not math.isfinite(self.gain) or self.gain == 0.0:
            raise ValueError(f"a controller gain cannot be {self.gain!r}; give a number other than 0, negative for a direct-acting loop")
        times = {"integral_s": (self.integral_s, 0.0), "derivative_s": (self.derivative_s, -1.0), "derivative_filter": (self.derivative_filter, 0.0)}
        times["tracking_s"] = (1.0 if self.tracking_s is None else self.tracking_s, 0.0)
        for name, (value, above) in times.items():
            if math.isnan(value) or value <= above or (name == "derivative_s" and not 0.0 <= value < math.inf):
                raise ValueError(f"{name} of a controller cannot be {value!r}; give a positive number")

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
