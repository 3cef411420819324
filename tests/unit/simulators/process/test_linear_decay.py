import math
from decimal import Decimal, localcontext

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from simulators.process.linear_decay import advance


def test_figures() -> None:
    assert advance(10.0, 0.0, 0.5, 2.0) == pytest.approx((10.0 / math.e, 10.0 * (1.0 - 1.0 / math.e)))
    assert advance(0.0, 3.0, 0.0, 4.0) == (12.0, 6.0)
    # long after, it rests at gain over decay
    assert advance(7.0, 3.0, 2.0, 1e3)[0] == pytest.approx(1.5)


@settings(max_examples=25, deadline=None)
@given(amount=st.floats(0.0, 1e6), gain=st.floats(0.0, 1e3), decay=st.floats(0.0, 1e3), dt=st.floats(0.0, 60.0))
def test_what_is_gained_is_there_or_lost(amount: float, gain: float, decay: float, dt: float) -> None:
    end, mean = advance(amount, gain, decay, dt)
    assert end >= -1e-9 * amount
    assert amount + gain * dt - decay * dt * mean == pytest.approx(end, rel=1e-8, abs=1e-8 * (amount + gain * dt) + 1e-300)


@settings(max_examples=25, deadline=None)
@given(amount=st.floats(0.0, 100.0), gain=st.floats(0.0, 10.0), exponent=st.floats(9e-5, 1.1e-4))
def test_both_ways_to_compute_it_agree_with_many_digits(amount: float, gain: float, exponent: float) -> None:
    end, mean = advance(amount, gain, exponent, 1.0)
    with localcontext() as context:
        context.prec = 40
        kept, resting = (-Decimal(exponent)).exp(), Decimal(gain) / Decimal(exponent)
        exact_end = resting + (Decimal(amount) - resting) * kept
        exact_mean = resting + (Decimal(amount) - resting) * (1 - kept) / Decimal(exponent)
    assert end == pytest.approx(float(exact_end), rel=1e-11, abs=1e-11)
    assert mean == pytest.approx(float(exact_mean), rel=1e-11, abs=1e-11)
