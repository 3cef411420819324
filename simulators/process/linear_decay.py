"""An amount that gains at a constant rate and loses in proportion to itself: ``dx/dt = gain - decay x``, exactly, for any step and any decay."""

import math


def advance(amount: float, gain: float, decay: float, dt: float) -> tuple[float, float]:
    """(amount after ``dt``, its mean over ``dt``); ``gain`` per s, ``decay`` 1/s and not below 0.

    ``end = x + d phi1``, ``mean = x + d phi2`` with ``d = (gain - decay x) dt``, ``phi1 = (1 - e^-z) / z``, ``phi2 = (1 - phi1) / z`` and ``z = decay dt``: no
    difference of large numbers, so a balance that is closed with the mean closes to rounding.
    """
    exponent = decay * dt
    drift = gain * dt - exponent * amount
    if exponent < 1e-4:
        first, second = 1.0 - exponent * (0.5 - exponent / 6.0), 0.5 - exponent * (1.0 / 6.0 - exponent / 24.0)
    else:
        first = -math.expm1(-exponent) / exponent
        second = (1.0 - first) / exponent
    return amount + drift * first, amount + drift * second
