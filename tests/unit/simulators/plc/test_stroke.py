import math
import pickle

import pytest

from simulators.plc.devices import Starter, Stroke

IMPOSSIBLE = pytest.mark.parametrize("dt", [-1.0, math.nan, math.inf, 86400.0])


def test_a_step_of_nothing_changes_nothing() -> None:
    stroke, starter = Stroke(8.0, stiction_percent=2.0), Starter()
    before = pickle.dumps((stroke, starter))
    assert stroke.step(0.0, 60.0) == 0.0
    assert not starter.step(0.0, command=True)
    assert pickle.dumps((stroke, starter)) == before
    starter.step(1.0, command=True)
    assert starter.step(0.0, command=False)


@IMPOSSIBLE
def test_an_impossible_step_is_refused_and_changes_nothing(dt: float) -> None:
    stroke, starter = Stroke(8.0, name="XV101"), Starter(name="P101")
    before = pickle.dumps((stroke, starter))
    with pytest.raises(ValueError, match=r"^XV101: dt is .* s; give 0 to 60 s$"):
        stroke.step(dt, 60.0)
    with pytest.raises(ValueError, match=r"^P101: dt is .* s; give 0 to 60 s$"):
        starter.step(dt, command=True)
    assert pickle.dumps((stroke, starter)) == before


def test_the_length_of_the_step_does_not_change_the_history() -> None:
    fine, coarse = Stroke(200.0, stiction_percent=2.0), Stroke(200.0, stiction_percent=2.0)
    for _ in range(60):
        fine.step(0.5, 90.0)
    coarse.step(30.0, 90.0)
    assert fine.position_percent == pytest.approx(coarse.position_percent)
    starters = Starter(4.0), Starter(4.0)
    assert [[starters[0].step(0.5, command=True) for _ in range(4)][-1] for _ in range(4)] == [starters[1].step(2.0, command=True) for _ in range(4)]


def test_an_actuator_that_cannot_be() -> None:
    with pytest.raises(ValueError, match=r"^stroke: travel_s is 0 s; give 0.001 to 86400 s$"):
        Stroke(0.0)
    with pytest.raises(ValueError, match=r"^XV101: demand_percent is 120 %; give 0 to 100 %$"):
        Stroke(1.0, name="XV101").step(0.1, 120.0)
