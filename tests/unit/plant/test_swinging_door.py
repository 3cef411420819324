from collections.abc import Sequence
from fractions import Fraction
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from plant.batch import Float64Column, SampleBatch
from plant.quality import Quality
from plant.swinging_door import LONGEST_LINE, Mask, SwingingDoor, distances, thin
from plant.tag import DataType
from tests.samples import batch_of, make_tag

SECOND = 1_000_000
BAD = int(Quality.BAD_NO_COMMUNICATION)
CLAMPED = int(Quality.GOOD_CLAMPED)
LARGEST = float(np.finfo(np.float64).max)


def stretch(values: Sequence[float] | Float64Column, *, quality: Sequence[int] | None = None, tag_id: int = 1) -> SampleBatch:
    """One tag, a sample a second."""
    count = len(values)
    time = np.arange(count, dtype=np.int64) * SECOND
    return SampleBatch(np.full(count, tag_id, np.int32), time, np.asarray(values, np.float64), np.asarray(quality or [0] * count, np.int16))


def kept_of(batch: SampleBatch, deviation: float) -> list[int]:
    """Places of the rows that are kept."""
    return np.flatnonzero(thin(batch, np.full(len(batch), deviation))).tolist()


def check_bound(batch: SampleBatch, kept: Mask, deviation: float) -> None:
    """One tag whose left-out samples are, in exact arithmetic, no further than ``deviation`` from the lines between those kept."""
    places = np.flatnonzero(kept).tolist()
    time, value = batch.time.tolist(), batch.value.tolist()
    assert kept[0]
    assert kept[-1]
    for start, end in pairwise(places):
        for row in range(start + 1, end):
            first, last = Fraction(value[start]), Fraction(value[end])
            line = first + (last - first) * Fraction(time[row] - time[start], time[end] - time[start])
            assert abs(line - Fraction(value[row])) <= Fraction(deviation), f"row {row} between {start} and {end}"
    assert (distances(batch, kept) <= deviation).all()


def test_a_ramp_keeps_its_two_ends() -> None:
    assert kept_of(stretch((0.25 * np.arange(1000)).tolist()), 0.1) == [0, 999]


def test_what_stands_still_keeps_its_two_ends() -> None:
    assert kept_of(stretch([5.1] * 1000), 0.1) == [0, 999]


def test_a_spike_survives_with_its_feet() -> None:
    assert kept_of(stretch([5.0] * 10 + [9.0] + [5.0] * 10), 0.5) == [0, 9, 10, 11, 20]


def test_a_step_keeps_both_corners() -> None:
    assert kept_of(stretch([1.0] * 10 + [2.0] * 10), 0.1) == [0, 9, 10, 19]


def test_a_bend_keeps_its_corner() -> None:
    assert kept_of(stretch([*range(50), *range(50, 0, -1)]), 0.01) == [0, 50, 99]


def test_a_sample_exactly_as_far_as_the_deviation_is_kept() -> None:
    assert kept_of(stretch([1.0, 2.0, 1.0]), 1.0) == [0, 1, 2]
    assert kept_of(stretch([1.0, 2.0, 1.0]), 1.0 + 1e-14) == [0, 2]


def test_the_line_that_is_drawn_counts_and_not_the_one_that_could_be() -> None:
    """Until the last sample some line passes within 1 of all; the one to the sample before it does not."""
    batch = stretch([0.0, 0.95, -0.95, -0.95, -0.95, 30.0])
    assert distances(batch, np.array([True, False, False, False, True, True])).max() == 1.1875
    assert kept_of(batch, 1.0) == [0, 1, 3, 4, 5]


def test_a_line_may_be_good_behind_samples_to_which_none_is() -> None:
    assert kept_of(stretch([0.0, 0.9, -0.9, 0.0, 0.0]), 1.0) == [0, 4]


def test_a_change_of_quality_keeps_both_sides() -> None:
    quality = [0] * 5 + [CLAMPED] * 5 + [0] * 5
    assert kept_of(stretch([5.0] * 15, quality=quality), 1.0) == [0, 4, 5, 9, 10, 14]


@pytest.mark.parametrize("quality", [BAD, int(Quality.UNCERTAIN_LAST_USABLE_VALUE)])
def test_a_sample_that_is_not_good_is_never_left_out(quality: int) -> None:
    assert kept_of(stretch([5.0] * 12, quality=[0] * 4 + [quality] * 4 + [0] * 4), 1.0) == [0, 3, 4, 5, 6, 7, 8, 11]


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_a_value_that_is_no_finite_number_is_kept_with_its_neighbours(value: float) -> None:
    assert kept_of(stretch([5.0] * 5 + [value] + [5.0] * 5), 1.0) == [0, 4, 5, 6, 10]


def test_deviation_0_leaves_out_repeats_and_nothing_else() -> None:
    assert kept_of(stretch([1.0, 1.0, 1.0, 2.0, 3.0, 4.0, 4.0, 4.0]), 0.0) == [0, 2, 3, 4, 5, 7]


def test_a_tag_without_deviation_keeps_every_sample() -> None:
    assert kept_of(stretch([5.0] * 4), np.nan) == [0, 1, 2, 3]


def test_tags_do_not_disturb_each_other() -> None:
    parts = [stretch(values, tag_id=tag_id) for tag_id, values in ((1, [1.0] * 6), (2, [1.0, 9.0] * 3), (5, [3.0]), (9, np.arange(7.0)))]
    deviation = np.repeat([0.1, 0.2, 0.1, 20.0], [6, 6, 1, 7])
    assert np.flatnonzero(thin(SampleBatch.concatenate(parts), deviation)).tolist() == [0, 5, *range(6, 12), 12, 13, 19]


def test_no_line_is_longer_than_the_longest() -> None:
    assert kept_of(stretch([5.0] * (2 * LONGEST_LINE + 10)), 1.0) == [0, LONGEST_LINE, 2 * LONGEST_LINE, 2 * LONGEST_LINE + 9]


def test_a_value_out_of_all_reason_costs_only_its_neighbourhood() -> None:
    values = [*np.arange(50.0), 3.4e38, *np.arange(51.0, 100.0)]
    assert kept_of(stretch(values), 0.01) == [0, 49, 50, 51, 99]


def test_values_whose_difference_is_no_number_are_kept() -> None:
    values = [LARGEST, -LARGEST] * 4
    assert kept_of(stretch(values), 1.0) == list(range(8))


def test_times_further_apart_than_a_signed_number_counts() -> None:
    far = 2**63 - 1
    batch = batch_of([(1, -far, 0.0, 0), (1, 2**62, 0.75, 0), (1, far, 1.0, 0)])
    assert distances(batch, np.array([True, False, True])).tolist() == [0.0, 0.0, 0.0]
    check_bound(batch, thin(batch, np.full(3, 0.1)), 0.1)


def test_nothing_is_thinned_to_nothing() -> None:
    assert thin(SampleBatch.empty(), np.empty(0)).tolist() == []
    assert distances(SampleBatch.empty(), np.empty(0, np.bool_)).tolist() == []
    assert kept_of(stretch([5.0]), 1.0) == [0]


def test_a_sample_before_the_first_kept_one_is_infinitely_far() -> None:
    batch = SampleBatch.concatenate([stretch([1.0, 1.0, 1.0]), stretch([1.0, 1.0, np.inf, 1.0], tag_id=2)])
    kept = np.array([False, True, False, True, False, True, True])
    assert distances(batch, kept).tolist() == [np.inf, 0.0, np.inf, 0.0, np.inf, 0.0, 0.0]


@pytest.mark.parametrize("rows", [[(1, 5, 0.0, 0), (1, 5, 0.0, 0)], [(1, 5, 0.0, 0), (1, 4, 0.0, 0)], [(2, 5, 0.0, 0), (1, 6, 0.0, 0)]])
def test_rows_in_disorder_are_refused(rows: list[tuple[int, int, float, int]]) -> None:
    with pytest.raises(ValueError, match="sort them"):
        thin(batch_of(rows), np.ones(len(rows)))


@pytest.mark.parametrize("deviation", [[1.0], [1.0, -1.0], [1.0, np.inf]])
def test_a_deviation_of_no_use_is_refused(deviation: list[float]) -> None:
    with pytest.raises(ValueError, match="a batch of 2 rows"):
        thin(stretch([1.0, 1.0]), np.array(deviation))


def test_only_continuous_tags_with_a_deviation_are_thinned() -> None:
    tags = [
        make_tag(1, compression_deviation=1.0),
        make_tag(2, "SEP.COL101.PT102"),
        make_tag(3, "SEP.COL101.PT103", data_type=DataType.UINT16, compression_deviation=1.0),
    ]
    batch = SampleBatch.concatenate([stretch([5.0] * 3, tag_id=tag_id) for tag_id in (1, 2, 3, 4)])
    assert np.flatnonzero(~SwingingDoor(tags).thin(batch)).tolist() == [1]
    assert SwingingDoor([]).thin(batch).all()


def walk(seed: int, count: int, kind: str) -> Float64Column:
    random = np.random.default_rng(seed)
    noise = random.normal(0.0, 1.0, count)
    shapes = {
        "noise": noise,
        "walk": np.cumsum(noise),
        "spikes": np.where(random.random(count) < 0.05, 100.0 * noise, 0.01 * noise),
        "ramps": np.abs(np.arange(count) % 40.0 - 20.0) + 0.01 * noise,
        "quantised": np.round(np.cumsum(0.3 * noise)),
    }
    return np.asarray(shapes[kind], np.float64)


walks = st.builds(walk, st.integers(0, 2**32), st.integers(3, 300), st.sampled_from(["walk", "spikes", "ramps", "quantised", "noise"]))
any_values = st.lists(st.one_of(st.floats(allow_nan=False, allow_infinity=False), st.floats(-1.0, 1.0), st.integers(-3, 3)), min_size=3, max_size=40)
gaps = st.one_of(st.integers(1, 3), st.integers(1, 10 * SECOND), st.integers(1, 2**56))


@settings(deadline=None)
@given(
    walks, st.sampled_from([0.0, 0.001, 0.05, 1.0, 3.0]), st.sampled_from([1.0, 1e-310, 1e-160, 1e12, 1e160]), st.sampled_from([0.0, 273.15, 1e9]), st.data()
)
def test_no_sample_is_further_from_the_line_than_the_deviation(
    values: Float64Column, deviation: float, scale: float, level: float, data: st.DataObject
) -> None:
    deviation, values = deviation * scale, (values + level) * scale
    steps = data.draw(st.just(1) | st.integers(0, 2**32))
    pause = np.ones(len(values)) if steps == 1 else np.random.default_rng(steps).pareto(0.7, len(values)).clip(0, 1e9) + 1
    time = np.cumsum(pause.astype(np.int64)) * 1000
    batch = SampleBatch(np.ones(len(values), np.int32), time, values, np.zeros(len(values), np.int16))
    check_bound(batch, thin(batch, np.full(len(values), deviation)), deviation)


@settings(deadline=None)
@given(any_values, st.data())
@example([0.0, 5e-324, 0.0, 5e-324], None)
@example([LARGEST, 0.0, -LARGEST, 0.0], None)
def test_no_numbers_break_the_bound(values: list[float], data: st.DataObject | None) -> None:
    batch = stretch(values)
    deviation = 1e-323
    if data is not None:
        pause = data.draw(st.lists(gaps, min_size=len(values), max_size=len(values)))
        batch = SampleBatch(batch.tag_id, np.cumsum(np.array(pause, np.int64)), batch.value, batch.quality)
        deviation = data.draw(st.one_of(st.floats(0.0, LARGEST), st.floats(0.0, 2.0), st.sampled_from([1.0, 2.0])))
    check_bound(batch, thin(batch, np.full(len(values), deviation)), deviation)


samples = st.tuples(st.sampled_from([0.0, 0.1, 0.2, 5.0, np.nan, np.inf]), st.sampled_from([0, 0, 0, 0, CLAMPED, BAD]))


@given(st.lists(st.lists(samples, min_size=1, max_size=30), min_size=1, max_size=4))
def test_what_must_be_kept_is_kept_and_each_tag_as_if_alone(tags: list[list[tuple[float, int]]]) -> None:
    parts = [stretch([value for value, _ in rows], quality=[quality for _, quality in rows], tag_id=tag_id) for tag_id, rows in enumerate(tags, 1)]
    masks = [thin(part, np.full(len(part), 0.3)) for part in parts]
    whole = SampleBatch.concatenate(parts)
    assert np.array_equal(thin(whole, np.full(len(whole), 0.3)), np.concatenate(masks))
    for part, kept in zip(parts, masks, strict=True):
        value, quality = part.value.tolist(), part.quality.tolist()
        for row in np.flatnonzero(~kept).tolist():
            assert 0 < row < len(part) - 1
            assert quality[row - 1] == quality[row] == quality[row + 1]
            assert quality[row] in {0, CLAMPED}
            assert np.isfinite(value[row - 1 : row + 2]).all()


@settings(deadline=None)
@given(walks)
def test_at_deviation_0_only_repeats_are_left_out(values: Float64Column) -> None:
    values = np.round(values)
    out = np.flatnonzero(~thin(stretch(values), np.zeros(len(values))))
    assert (values[out] == values[out - 1]).all()
    assert (values[out] == values[out + 1]).all()
