"""One column, whatever is done to it."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from simulators.process.separation import WIDE, Chemistry, Column, ColumnParameters, Ion, Solution, copper, ligand, run, water
from simulators.process.separation.column import Effluent
from tests.unit.simulators.process.separation.injections import PRIMARY, feed

SMALL = ColumnParameters(bore_m=0.1, length_m=0.4, plate_height_m=0.02)
"""20 stages of 0.11 L of solution."""


def solutions() -> st.SearchStrategy[Solution]:
    amounts = st.one_of(st.just(0.0), st.floats(0.0, 1e-6), st.floats(1e-3, 1.0))
    return st.builds(
        lambda chemistry, concentration: Solution(chemistry, np.array(concentration)),
        st.sampled_from(Chemistry),
        st.lists(amounts, min_size=len(Ion), max_size=len(Ion)),
    )


def is_sound(column: Column) -> bool:
    return bool(
        column.fractions.min() >= 0.0
        and column.dissolved.min() >= 0.0
        and np.abs(column.fractions.sum(axis=0) - 1.0).max() < 1e-6
        and np.abs(column.imbalance()).max() < 1e-8
    )


@settings(max_examples=25, deadline=None)
@given(st.lists(st.tuples(st.floats(0.0, 60.0), st.floats(0.0, 0.2), solutions()), min_size=1, max_size=8), st.sampled_from(Ion))
def test_nothing_is_made_lost_or_negative(steps: list[tuple[float, float, Solution]], form: Ion) -> None:
    column = Column(SMALL, form=form)
    for dt, flow_m3_per_h, solution in steps:
        effluent = column.step(dt, flow_m3_per_h, solution)
        assert effluent.amounts.min() >= 0.0
        assert is_sound(column)


@settings(max_examples=20, deadline=None)
@given(st.integers(1, 9), solutions())
def test_a_step_in_parts_is_the_same_step(parts: int, solution: Solution) -> None:
    whole, cut = Column(SMALL), Column(SMALL)
    once = whole.step(60.0, 0.05, solution)
    pieces = [cut.step(60.0 / parts, 0.05, solution) for _ in range(parts)]
    np.testing.assert_allclose(sum(piece.amounts for piece in pieces), once.amounts, atol=1e-9)
    np.testing.assert_allclose(cut.held(), whole.held(), atol=1e-9)
    assert sum(piece.volume_l for piece in pieces) == pytest.approx(once.volume_l)


@pytest.mark.parametrize(("dt", "flow_m3_per_h"), [(0.0, 9.12), (60.0, 0.0)])
def test_no_time_and_no_flow_change_nothing(dt: float, flow_m3_per_h: float) -> None:
    column = Column(SMALL)
    run(column, 0.05, feed(PRIMARY), 0.05)
    before = (column.fractions.copy(), column.dissolved.copy(), column.fed.copy(), column.left.copy(), column.held())
    effluent = column.step(dt, flow_m3_per_h, ligand(0.09))
    assert effluent.volume_l == 0.0
    assert not effluent.amounts.any()
    assert not effluent.concentration.any()
    for was, now in zip(before, (column.fractions, column.dissolved, column.fed, column.left, column.held()), strict=True):
        np.testing.assert_array_equal(now, was)


@pytest.mark.parametrize("dt", [-1.0, float("nan"), float("inf"), 86_400.0])
def test_a_nonsense_step_is_refused_by_name_place_and_mend(dt: float) -> None:
    column = Column(SMALL, name="COL101")
    with pytest.raises(ValueError, match=r"COL101: dt is .* s; give 0 to 60 s"):
        column.step(dt, 0.05, water())
    assert is_sound(column)


@pytest.mark.parametrize("flow_m3_per_h", [-0.1, float("nan"), 1e6])
def test_a_nonsense_flow_is_refused(flow_m3_per_h: float) -> None:
    with pytest.raises(ValueError, match=r"COL101: flow_m3_per_h is .* m3/h; give 0 to 200 m3/h"):
        Column(SMALL, name="COL101").step(1.0, flow_m3_per_h, water())


@pytest.mark.parametrize(
    ("field", "value", "mend"),
    [
        ("bore_m", -1.0, "give 0.01 to 5 m"),
        ("length_m", float("nan"), "give 0.1 to 30 m"),
        ("plate_height_m", 0.0, "give 0.002 to 0.2 m"),
        ("capacity_mol_per_l", 60.0, "give 0.01 to 5 mol/L"),
        ("total_porosity", 1.5, "give 0.2 to 0.95 m3/m3"),
    ],
)
def test_a_nonsense_parameter_is_refused(field: str, value: float, mend: str) -> None:
    with pytest.raises(ValueError, match=f"ColumnParameters: {field} is .*; {mend}"):
        ColumnParameters(**{field: value})


def test_a_bed_of_one_plate_is_refused() -> None:
    with pytest.raises(ValueError, match="give a length of at least two"):
        ColumnParameters(length_m=0.2, plate_height_m=0.2)


def test_the_same_feed_is_the_same_history() -> None:
    histories = []
    for _ in range(2):
        column = Column(SMALL)
        histories.append(np.concatenate([run(column, 0.05, solution, 0.1).amounts for solution in (feed(PRIMARY), ligand(0.09))], axis=1))
    np.testing.assert_array_equal(histories[0], histories[1])


def test_a_cycle_leaves_the_column_as_it_was() -> None:
    """Presaturate, rinse, load, displace, rinse; the second cycle sees what the first saw."""
    column = Column(SMALL, form=Ion.DISPLACER, molar=0.0)
    seen = []
    for _ in range(2):
        amounts = [
            run(column, 0.05, solution, hours).amounts.sum(axis=1)
            for solution, hours in ((copper(0.35), 0.4), (water(), 0.1), (feed(PRIMARY), 0.1), (ligand(0.09), 0.9), (water(), 0.1))
        ]
        seen.append(np.array(amounts))
        assert is_sound(column)
    np.testing.assert_allclose(seen[1], seen[0], atol=2e-3)
    np.testing.assert_allclose(column.left[Ion.DY : Ion.DISPLACER], column.fed[Ion.DY : Ion.DISPLACER], atol=1e-3)


def test_rinse_carries_the_solution_out_and_leaves_the_resin() -> None:
    column = Column(SMALL, molar=0.05)
    before = column.fractions.copy()
    effluent = run(column, 0.05, water(), 0.1)
    assert effluent.amounts[Ion.CU].sum() == pytest.approx(0.05 * 21 * column.parcel_l, rel=1e-9), "20 stages, and one parcel on its way out"
    np.testing.assert_allclose(column.fractions, before, atol=1e-9)


def test_overload_breaks_through_during_loading() -> None:
    """The bed holds its capacity, and no more: rare earths leave when it is full of them."""
    column = Column(SMALL)
    flow_m3_per_h = 0.05
    hours = SMALL.bed_volume_l * SMALL.capacity_mol_per_l / 0.1 / (flow_m3_per_h * 1000.0)
    before = run(column, flow_m3_per_h, feed(PRIMARY), 0.9 * hours).amounts[Ion.DY : Ion.DISPLACER].sum()
    after = run(column, flow_m3_per_h, feed(PRIMARY), 0.4 * hours).amounts[Ion.DY : Ion.DISPLACER].sum()
    assert before < 1e-3 * column.fed.sum()
    assert after > 0.05 * column.fed.sum()


@pytest.mark.parametrize(("capacity_mol_per_l", "plate_height_m"), [(0.6, 0.04), (0.6, 0.01), (0.6, 0.015), (0.45, 0.02), (0.5, 0.04)])
def test_a_bed_changes_under_what_it_holds(capacity_mol_per_l: float, plate_height_m: float) -> None:
    column = Column(ColumnParameters(bore_m=0.1, length_m=0.6))
    run(column, 0.05, feed(PRIMARY), 0.1)
    run(column, 0.05, ligand(0.09), 0.1)
    held = column.held()
    column.rebed(capacity_mol_per_l, plate_height_m)
    np.testing.assert_allclose(column.held(), held, atol=1e-12)
    assert column.fractions.shape == (len(Ion), round(0.6 / plate_height_m))
    assert is_sound(column)
    run(column, 0.05, ligand(0.09), 0.5)
    assert is_sound(column)


def test_resin_does_not_grow_back() -> None:
    column = Column(SMALL, name="COL101")
    with pytest.raises(ValueError, match=r"COL101: capacity_mol_per_l is 0\.7 mol/L; give 0 to 0\.6 mol/L"):
        column.rebed(0.7, 0.02)
    assert is_sound(column)


def test_a_parcel_keeps_the_chemistry_it_came_with() -> None:
    """Ahead of the ligand, rare earths move at the speed of loading: none of them is parted from another there."""
    column = Column(WIDE)
    flow_m3_per_h = 5.0 * WIDE.area_m2
    run(column, flow_m3_per_h, feed(PRIMARY), 1.0)
    run(column, flow_m3_per_h, ligand(0.09), 0.05)
    shares = column.fractions[Ion.DY : Ion.DISPLACER]
    reached = round(5.0 * 0.05 / WIDE.total_porosity / WIDE.plate_height_m) + 2
    loaded = shares[:, reached:][:, shares[:, reached:].sum(axis=0) > 0.5]
    assert loaded.shape[1] > 5
    fed = feed(PRIMARY).concentration[Ion.DY : Ion.DISPLACER]
    np.testing.assert_allclose(loaded / loaded.sum(axis=0), np.repeat((fed / fed.sum())[:, None], loaded.shape[1], axis=1), rtol=1e-3)


def test_the_concentration_of_an_effluent_is_its_amounts_by_its_volume() -> None:
    assert Effluent(2.0, np.full(len(Ion), 0.5)).concentration == pytest.approx(np.full(len(Ion), 0.25))
