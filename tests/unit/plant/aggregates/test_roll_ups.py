"""Roll-ups answer as samples do, however they were cut and merged; and parts of an interval as the whole."""

from dataclasses import replace

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from plant.aggregates import (
    COLUMNS,
    NO_TIME,
    STORED_COLUMNS,
    AggregateConfiguration,
    AggregateFunction,
    AggregateValues,
    Summaries,
    TagSamples,
    aggregate,
    from_stored,
    interval_edges,
    merge,
    served_by_summaries,
    summarise,
)
from plant.batch import Int64Column
from plant.times import MICROSECONDS
from tests.unit.plant.aggregates.historians import BAD, GOOD, UNCERTAIN, tag_samples
from tests.unit.plant.aggregates.histories import SPAN, History, configurations, edges_of, histories, tag_histories

F = AggregateFunction


def assert_equal(found: AggregateValues, wanted: AggregateValues, function: AggregateFunction) -> None:
    np.testing.assert_array_equal(found.quality, wanted.quality, err_msg=function)
    np.testing.assert_allclose(found.value, wanted.value, rtol=1e-9, atol=1e-9, err_msg=function)
    np.testing.assert_allclose(found.percent_good, wanted.percent_good, rtol=1e-12, err_msg=function)
    np.testing.assert_array_equal(found.actual_time, wanted.actual_time, err_msg=function)
    np.testing.assert_array_equal(found.partial, wanted.partial, err_msg=function)


def assert_same_rows(found: Summaries, wanted: Summaries) -> None:
    for name in COLUMNS:
        np.testing.assert_allclose(getattr(found, name), getattr(wanted, name), rtol=1e-9, atol=1e-9, err_msg=name)


def stored(rows: Summaries) -> Summaries:
    """As a store gives them back: without empty buckets, the columns it keeps."""
    kept = rows.select(rows.filled)
    return from_stored({name: getattr(kept, name) for name in STORED_COLUMNS}, rows.stepped)


def needed(samples: TagSamples, *, last: bool) -> TagSamples:
    """The fewest samples that a caller gives as neighbours: the nearest, the nearest Good one, and the nearest that is not Bad."""
    order = np.arange(len(samples))[::-1] if last else np.arange(len(samples))
    quality = np.where(np.isfinite(samples.value), samples.quality, BAD)[order]
    masks = (np.ones(len(samples), np.bool_), (quality >= 0) & (quality < UNCERTAIN), quality >= 0)
    nearest = {int(order[np.argmax(mask)]) for mask in masks if mask.any()}
    return samples.select(np.array(sorted(nearest), np.intp))


@given(history=histories(), configuration=configurations(), buckets=st.sets(st.integers(-5, SPAN + 8), max_size=20))
@settings(max_examples=50, deadline=None)
def test_summaries_of_any_buckets_answer_as_the_samples(history: History, configuration: AggregateConfiguration, buckets: set[int]) -> None:
    everywhere = np.array([-6, SPAN + 9], np.int64) * MICROSECONDS
    cuts = np.unique(np.concatenate([everywhere, history.edges, np.array(sorted(buckets), np.int64) * MICROSECONDS]))
    rows = stored(summarise(history.samples, cuts))
    for function in F:
        wanted = aggregate(function, history.samples, history.edges, configuration=configuration, known_until=history.known_until)
        if served_by_summaries(function, configuration):
            assert_equal(aggregate(function, rows, history.edges, configuration=configuration, known_until=history.known_until), wanted, function)


@given(history=histories(), configuration=configurations())
@settings(max_examples=30, deadline=None)
def test_a_few_neighbours_are_all_that_is_needed_of_what_lies_outside(history: History, configuration: AggregateConfiguration) -> None:
    configuration = replace(configuration, use_sloped_extrapolation=False)  # the slope is of the last two samples of all
    samples, edges = history.samples, history.edges
    first, behind = (int(at) for at in np.searchsorted(samples.time, edges[[0, -1]]))
    before, after = needed(samples.select(slice(0, first)), last=True), needed(samples.select(slice(behind, None)), last=False)
    inside, known_until = samples.select(slice(first, behind)), history.end_of_knowledge
    for function in F:
        wanted = aggregate(function, samples, edges, configuration=configuration, known_until=history.known_until)
        found = aggregate(function, inside, edges, before=before, after=after, configuration=configuration, known_until=known_until)
        assert_equal(found, wanted, function)
        if served_by_summaries(function, configuration):
            rows = stored(summarise(inside, edges))
            found = aggregate(function, rows, edges, before=before, after=after, configuration=configuration, known_until=known_until)
            assert_equal(found, wanted, function)


@given(samples=tag_histories(), edges=edges_of(), groups=st.data(), uncertain_as_bad=st.booleans())
@settings(max_examples=50, deadline=None)
def test_merging_is_associative(samples: TagSamples, edges: Int64Column, groups: st.DataObject, uncertain_as_bad: bool) -> None:
    whole = edges[[0, -1]]
    middle = np.array(sorted({int(edges[0]), int(edges[-1]), *groups.draw(st.sets(st.sampled_from(edges.tolist())))}), np.int64)
    fine = summarise(samples, edges, uncertain_as_bad=uncertain_as_bad)
    at_once = summarise(samples, whole, uncertain_as_bad=uncertain_as_bad)
    assert_same_rows(merge(fine, whole), at_once)
    assert_same_rows(merge(merge(fine, middle), whole), at_once)


def column(function: AggregateFunction, samples: TagSamples, edges: list[int], configuration: AggregateConfiguration) -> npt.NDArray[np.float64]:
    """Values of intervals, 0 where there is none."""
    known = SPAN * MICROSECONDS
    return np.nan_to_num(aggregate(function, samples, np.array(edges, np.int64), configuration=configuration, known_until=known).value)


SUMS = [F.COUNT, F.TOTAL, F.TOTAL_2, F.DURATION_GOOD, F.DURATION_BAD, F.DURATION_IN_STATE_ZERO, F.DURATION_IN_STATE_NON_ZERO]


@given(samples=tag_histories(), cuts=st.sets(st.integers(0, SPAN), min_size=3, max_size=3), tolerant=st.booleans())
@settings(max_examples=80, deadline=None)
def test_two_halves_agree_with_the_whole(samples: TagSamples, cuts: set[int], tolerant: bool) -> None:
    start, middle, end = (cut * MICROSECONDS for cut in sorted(cuts))
    if not len(samples) or samples.time[0] > start:
        start_sample = tag_samples([-1], [3.0], [GOOD], stepped=samples.stepped)
        samples = TagSamples.concatenate([start_sample, samples])
    configuration = AggregateConfiguration(treat_uncertain_as_bad=not tolerant)
    for function in SUMS:
        halves = column(function, samples, [start, middle, end], configuration)
        assert halves.sum() == pytest.approx(column(function, samples, [start, end], configuration)[0], rel=1e-9, abs=1e-9), function
    for function, best in ((F.MINIMUM, np.fmin), (F.MAXIMUM, np.fmax)):
        halves = aggregate(function, samples, np.array([start, middle, end], np.int64), configuration=configuration).value
        whole = aggregate(function, samples, np.array([start, end], np.int64), configuration=configuration).value
        np.testing.assert_array_equal(best(halves[0], halves[1]), whole[0], err_msg=function)
    total = column(F.TOTAL, samples, [start, end], configuration)[0]
    averages = column(F.TIME_AVERAGE, samples, [start, middle, end], configuration)
    usable = samples.quality >= 0 if tolerant else (samples.quality >= 0) & (samples.quality < UNCERTAIN)
    began = min(samples.time[usable].tolist(), default=end)
    lengths = [(middle - min(max(began, start), middle)) / MICROSECONDS, (end - min(max(began, middle), end)) / MICROSECONDS]
    assert float(averages @ np.array(lengths)) == pytest.approx(total, rel=1e-9, abs=1e-9)


def test_a_month_of_seconds_adds_up() -> None:
    rng = np.random.default_rng(7)
    count = 2_592_000
    time = np.arange(count, dtype=np.int64) * MICROSECONDS
    value = 1e9 + np.cumsum(rng.normal(size=count))
    samples = TagSamples(time, value, np.zeros(count, np.int16), stepped=False)
    whole = interval_edges(0, count * MICROSECONDS, 0)
    hours = stored(summarise(samples, interval_edges(0, count * MICROSECONDS, 3600 * MICROSECONDS)))
    exact = value.astype(np.longdouble)
    trapezoids = float(np.sum(0.5 * (exact[1:] + exact[:-1])) + exact[-1])
    spread = float(np.sqrt(np.sum((exact - exact.mean()) ** 2) / (count - 1)))
    for data in (samples, hours):
        assert aggregate(F.TOTAL_2, data, whole).value[0] == pytest.approx(trapezoids, rel=1e-12)
        assert aggregate(F.AVERAGE, data, whole).value[0] == pytest.approx(float(exact.mean()), rel=1e-14)
        assert aggregate(F.STANDARD_DEVIATION_SAMPLE, data, whole).value[0] == pytest.approx(spread, rel=1e-9)


def test_an_empty_bucket_is_an_empty_row() -> None:
    rows = summarise(tag_samples([5], [2.0], [GOOD], stepped=False), np.array([0, 2, 10, 20], np.int64) * MICROSECONDS)
    assert rows.filled.tolist() == [False, True, False]
    assert rows.first_time.tolist() == [NO_TIME, 5 * MICROSECONDS, NO_TIME]
    assert rows.good_count.tolist() == [0, 1, 0]
    assert np.isnan(rows.mean[[0, 2]]).all()
    assert not summarise(TagSamples.empty(stepped=False), np.array([0, 1], np.int64)).filled.any()


def test_the_columns_of_a_store_are_of_the_types_that_are_documented() -> None:
    rows = summarise(tag_samples([1, 2, 3], [1.0, 2, 3], [GOOD, BAD, UNCERTAIN], stepped=True), np.array([0, 10], np.int64) * MICROSECONDS)
    assert {name: getattr(rows, name).dtype for name in STORED_COLUMNS} == STORED_COLUMNS
    narrow = {name: getattr(rows, name).astype(np.int32) if name.endswith("_count") else getattr(rows, name) for name in STORED_COLUMNS}
    assert from_stored(narrow, stepped=True).good_count.dtype == np.int64
    del narrow["bad_time"]
    with pytest.raises(KeyError, match="bad_time"):
        from_stored(narrow, stepped=True)


def test_what_cannot_be_merged_is_refused() -> None:
    samples = tag_samples([1, 2, 3, 4], [1.0, 2, 3, 4], [GOOD] * 4, stepped=False)
    rows = summarise(samples, np.array([0, 3, 10], np.int64) * MICROSECONDS)
    with pytest.raises(ValueError, match="across an edge"):
        merge(rows, np.array([0, 2, 10], np.int64) * MICROSECONDS)
    with pytest.raises(ValueError, match="overlap"):
        merge(rows.select(np.array([1, 0], np.intp)), np.array([0, 10], np.int64) * MICROSECONDS)
    with pytest.raises(ValueError, match="two edges"):
        merge(rows, np.array([0, 0], np.int64))
    with pytest.raises(ValueError, match="cannot be joined"):
        Summaries.concatenate([rows, summarise(tag_samples([11], [1.0], [GOOD], stepped=True), np.array([11, 12], np.int64) * MICROSECONDS)])


def test_summaries_that_cannot_serve_are_refused() -> None:
    samples = tag_samples([1, 2, 3], [1.0, 9.0, 3.0], [GOOD, UNCERTAIN, GOOD], stepped=False)
    edges = np.array([0, 4], np.int64) * MICROSECONDS
    rows = summarise(samples, edges)
    tolerant, sloped = AggregateConfiguration(treat_uncertain_as_bad=False), AggregateConfiguration(use_sloped_extrapolation=True)
    assert not served_by_summaries(F.MAXIMUM_2, tolerant)
    with pytest.raises(ValueError, match="read samples"):
        aggregate(F.MAXIMUM_2, rows, edges, configuration=tolerant)
    assert not served_by_summaries(F.TIME_AVERAGE, sloped)
    with pytest.raises(ValueError, match="read samples"):
        aggregate(F.TIME_AVERAGE, rows, edges, configuration=sloped)
    assert served_by_summaries(F.AVERAGE, sloped)
    # Without Uncertain samples there is nothing to treat in two ways.
    firm = summarise(samples.select(np.array([True, False, True])), edges)
    assert aggregate(F.MAXIMUM_2, firm, edges, configuration=tolerant).value[0] == 3.0


def test_stored_rows_and_samples_at_the_ragged_ends_make_one_history() -> None:
    seconds = list(range(0, 300, 7))
    samples = tag_samples(seconds, [float(second % 50) for second in seconds], [GOOD] * len(seconds), stepped=False)
    minutes = np.array([60, 120, 180, 240], np.int64) * MICROSECONDS
    rows = stored(summarise(samples, minutes))
    head = summarise(samples, np.array([13, 60], np.int64) * MICROSECONDS)
    tail = summarise(samples, np.array([240, 271], np.int64) * MICROSECONDS)
    before = samples.select(samples.time < 13 * MICROSECONDS)
    after = samples.select(samples.time >= 271 * MICROSECONDS)
    edges = np.array([13, 120, 271], np.int64) * MICROSECONDS
    for function in F:
        found = aggregate(function, Summaries.concatenate([head, rows, tail]), edges, before=before, after=after)
        assert_equal(found, aggregate(function, samples, edges), function)
