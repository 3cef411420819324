"""Where the effluent goes, sign by sign."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from simulators.process.separation import CutParameters, CutState, Indication, Ion, Port, Product, next_cut

FLOW = 9.12
PARAMETERS = CutParameters()
AT_ONCE = CutParameters(dead_volume_l=0.0)
NOTHING = Indication(np.zeros(len(Ion)), is_faulty=False)
FAULT = Indication(np.zeros(len(Ion)), is_faulty=True)


def showing(neodymium: float, strength: float = 15.0) -> Indication:
    """Nd and Pr of ``strength`` g/L, so much of it Nd."""
    oxide_g_per_l = np.zeros(len(Ion))
    oxide_g_per_l[Ion.ND], oxide_g_per_l[Ion.PR] = neodymium * strength, (1.0 - neodymium) * strength
    return Indication(oxide_g_per_l, is_faulty=False)


def after(
    state: CutState, seconds: float, indication: Indication, parameters: CutParameters = AT_ONCE, dt: float = 1.0, full: frozenset[Port] = frozenset()
) -> CutState:
    for _ in range(round(seconds / dt)):
        state = next_cut(state, indication, dt, FLOW, parameters, full)
    return state


def test_before_the_band_copper_goes_back_and_behind_it_comes_displacer() -> None:
    state = after(CutState(), 100, NOTHING)
    assert state.port is Port.RECYCLE
    state = after(state, 30, showing(0.6))
    assert state.port is Port.MIXED
    assert after(state, 19, NOTHING).port is Port.MIXED
    assert after(state, 20, NOTHING).port is Port.DISPLACER


def test_a_flicker_is_no_band() -> None:
    state = after(CutState(), 5, showing(0.6, strength=1.0))
    assert state.port is Port.MIXED, "in doubt"
    assert after(state, 20, NOTHING).port is Port.RECYCLE


def test_a_product_starts_when_its_purity_has_stood_for_its_dwell() -> None:
    state = after(CutState(), 30, showing(0.9))
    assert after(state, 19, showing(0.995)).demand is Port.MIXED
    broken = after(after(state, 19, showing(0.995)), 1, showing(0.989))
    assert after(broken, 19, showing(0.995)).demand is Port.MIXED, "a break begins anew"
    assert after(state, 20, showing(0.995)).demand is Port.NEODYMIUM


def test_a_product_ends_below_its_end_purity_and_not_between_the_two() -> None:
    state = after(CutState(), 60, showing(0.999))
    assert after(state, 1, showing(0.987)).demand is Port.NEODYMIUM
    assert after(state, 1, showing(0.984)).demand is Port.MIXED


def test_one_product_never_gets_the_next_one() -> None:
    """Between sharp bands the new product waits for its dwell, and what comes meanwhile is mixed."""
    state = after(CutState(), 60, showing(0.999))
    seen = [after(state, seconds, showing(0.001)).demand for seconds in range(1, 25)]
    assert seen[:19] == [Port.MIXED] * 19
    assert seen[20:] == [Port.PRASEODYMIUM] * 4


def test_the_valve_follows_one_dead_volume_later() -> None:
    state = after(CutState(), 30, showing(0.999), PARAMETERS)
    assert (state.demand, state.port) == (Port.NEODYMIUM, Port.RECYCLE)
    seconds = PARAMETERS.dead_volume_l / (FLOW * 1000.0 / 3600.0)
    assert seconds == pytest.approx(47.0, abs=0.5)
    state = after(CutState(), 19, showing(0.999), PARAMETERS)
    ports = [after(state, further, showing(0.999), PARAMETERS).port for further in (47, 49)]
    assert ports == [Port.MIXED, Port.NEODYMIUM]


def test_a_stopped_flow_stops_everything() -> None:
    state = after(CutState(), 15, showing(0.999))
    for _ in range(100):
        assert next_cut(state, showing(0.999), 1.0, 0.0, AT_ONCE) == state
    assert next_cut(state, FAULT, 0.0, FLOW, AT_ONCE) == state, "nor does anything happen in no time"


@pytest.mark.parametrize("flow_m3_per_h", [FLOW, 0.0])
def test_a_fault_is_never_a_product(flow_m3_per_h: float) -> None:
    state = after(CutState(), 120, showing(0.999), PARAMETERS)
    assert state.port is Port.NEODYMIUM
    state = next_cut(state, FAULT, 1.0, flow_m3_per_h, PARAMETERS)
    assert (state.port, state.demand, state.on_its_way) == (Port.MIXED, Port.MIXED, ())
    pooled = state.pools[Port.NEODYMIUM]
    state = after(state, 60, FAULT, PARAMETERS)
    assert state.pools[Port.NEODYMIUM] == pooled
    assert after(state, 120, showing(0.999), PARAMETERS).port is Port.NEODYMIUM, "once it is over, signs count anew"


def test_a_pool_that_falls_through_its_guard_is_closed() -> None:
    state = after(CutState(), 60, showing(0.998))
    assert state.is_pure(Port.NEODYMIUM, AT_ONCE)
    state = after(state, 600, showing(0.986))
    assert state.demand is Port.MIXED
    pool = state.pools[Port.NEODYMIUM]
    assert pool.is_closed
    assert pool.purity >= 0.996, "the moment that would have taken it below went elsewhere"
    state = after(state, 600, showing(0.9999))
    assert state.demand is Port.MIXED, "closed for the rest of the run"
    assert state.pools[Port.NEODYMIUM] == pool


def test_a_pool_may_begin_below_its_guard_but_not_end_there() -> None:
    state = after(CutState(), 60, showing(0.992))
    assert state.demand is Port.NEODYMIUM
    assert not state.is_pure(Port.NEODYMIUM, AT_ONCE)
    state = after(state, 600, showing(0.9995))
    assert state.is_pure(Port.NEODYMIUM, AT_ONCE)


def test_a_full_tank_takes_no_more_and_its_pool_counts_no_more() -> None:
    state = after(CutState(), 60, showing(0.999))
    pooled = state.pools[Port.NEODYMIUM]
    state = after(state, 60, showing(0.999), full=frozenset({Port.NEODYMIUM}))
    assert (state.port, state.pools[Port.NEODYMIUM]) == (Port.MIXED, pooled)
    assert after(state, 1, showing(0.999)).port is Port.NEODYMIUM


def test_what_the_detector_cannot_see_goes_where_the_column_says() -> None:
    """The narrow column: Dy, then Tb that shows no band, then Nd."""
    narrow = CutParameters(dead_volume_l=0.0, unseen=Port.HEAVY)
    dysprosium = np.zeros(len(Ion))
    dysprosium[Ion.DY] = 16.0
    state = after(CutState(), 60, Indication(dysprosium, is_faulty=False), narrow)
    assert state.port is Port.HEAVY
    state = after(state, 300, NOTHING, narrow)
    assert state.port is Port.HEAVY
    assert after(state, 1, showing(0.8), narrow).port is Port.MIXED


def test_longer_steps_cut_at_the_same_volume() -> None:
    for dt in (0.5, 2.0, 5.0, 10.0):
        state = after(CutState(), 20, showing(0.999), dt=dt)
        assert state.demand is Port.NEODYMIUM
        assert state.volume_l == pytest.approx(20 * FLOW / 3.6)


@settings(max_examples=30, deadline=None)
@given(st.lists(st.tuples(st.floats(0.0, 1.0), st.floats(0.0, 20.0), st.floats(0.0, 60.0), st.booleans()), max_size=30))
def test_a_product_port_only_ever_gets_its_product(moments: list[tuple[float, float, float, bool]]) -> None:
    state = CutState()
    for neodymium, strength, dt, is_faulty in moments:
        indication = replace(showing(neodymium, strength), is_faulty=is_faulty)
        state = next_cut(state, indication, dt, FLOW, AT_ONCE)
        if dt > 0.0 and state.demand is Port.NEODYMIUM:
            assert not is_faulty
            assert indication.purity[Ion.ND] >= 0.985
        for pool in state.pools.values():
            assert 0.0 <= pool.product_g <= pool.whole_g


def test_nonsense_is_refused() -> None:
    with pytest.raises(ValueError, match=r"fraction cuts: dt is -1 s; give 0 to 60 s"):
        next_cut(CutState(), NOTHING, -1.0, FLOW, PARAMETERS)
    with pytest.raises(ValueError, match=r"fraction cuts: flow_m3_per_h is nan m3/h"):
        next_cut(CutState(), NOTHING, 1.0, float("nan"), PARAMETERS)
    with pytest.raises(ValueError, match=r"Product NEODYMIUM: end is 0\.99 kg/kg; give 0 to 0\.98 kg/kg"):
        Product(Port.NEODYMIUM, Ion.ND, 0.98, 0.99)
    with pytest.raises(ValueError, match="Product: port is MIXED; give HEAVY"):
        Product(Port.MIXED, Ion.ND, 0.99, 0.98)
    with pytest.raises(ValueError, match=r"CutParameters: dwell_s is -1 s; give 0 to 600 s"):
        CutParameters(dwell_s=-1.0)
    with pytest.raises(ValueError, match=r"CutParameters: guard of NEODYMIUM is 99\.6 kg/kg; give 0\.5 to 1"):
        CutParameters(guards={Port.NEODYMIUM: 99.6})
