"""An own interlock, tested as docs/soft-plc.md shows it."""

import numpy as np

from simulators.plc import Direction, Plc, Program, Signal, when
from simulators.plc.interlocks import Cause, Effect, Group, Interlock, ResetAnswer


def test_a_hot_bearing_stops_the_pump() -> None:
    hot, cool = when("UTL.P901.TT901 > 90", "UTL.P901.TT901 < 70")
    bearing = Interlock("X-01", "hot bearing", (Group((Cause(hot, delay_s=5.0),)),), (Effect("UTL.P901.HS901", 0.0),), until=(cool,))
    signals = [Signal("UTL.P901.TT901", Direction.INPUT, 0.0, 200.0, 40.0), Signal("UTL.P901.HS901", Direction.OUTPUT)]
    plc = Plc("PLC-OWN", Program(signals, interlocks=[bearing]), 0.1, np.random.default_rng(7))

    plc.write("UTL.P901.HS901", 1.0)
    plc.connect("UTL.P901.TT901", 95.0)
    plc.step(4.9)
    assert plc.output("UTL.P901.HS901") == 1.0
    plc.step(0.4)
    assert plc.output("UTL.P901.HS901") == 0.0
    assert plc.interlocks["X-01"].first_out == "UTL.P901.TT901 > 90"

    plc.connect("UTL.P901.TT901", 80.0)
    plc.step(1.0)
    assert plc.interlocks.reset("X-01") is ResetAnswer.NOT_HEALTHY
    plc.connect("UTL.P901.TT901", 60.0)
    plc.step(1.0)
    assert plc.interlocks.reset("X-01") is ResetAnswer.DONE
