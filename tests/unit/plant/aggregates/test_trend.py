import math
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from plant.aggregates import TagSamples, interval_edges, points_of_summaries, summarise, trend
from plant.times import MICROSECONDS
from tests.unit.plant.aggregates.historians import BAD, GOOD, UNCERTAIN, tag_samples
from tests.unit.plant.aggregates.histories import SPAN, tag_histories

Point = tuple[int, float, int]


def points(samples: TagSamples) -> list[Point]:
    """Rows, with None's stand-in 0 for the value of a Bad sample so that they compare."""
    return [
        (time, 0.0 if quality < 0 else value, quality)
        for time, value, quality in zip(samples.time.tolist(), samples.value.tolist(), samples.quality.tolist(), strict=True)
    ]


def parts(rows: list[Point], start: int, end: int, pixels: int) -> list[list[Point]]:
    edges = [start + (end - start) * pixel // pixels for pixel in range(pixels + 1)]
    return [[row for row in rows if begin <= row[0] < stop] for begin, stop in pairwise(edges)]


@given(samples=tag_histories(), span=st.sets(st.integers(-3, SPAN + 3), min_size=2, max_size=2), pixels=st.integers(1, 12))
@settings(max_examples=150, deadline=None)
def test_no_extreme_and_no_gap_is_lost(samples: TagSamples, span: set[int], pixels: int) -> None:
    start, end = (edge * MICROSECONDS for edge in sorted(span))
    thinned = points(trend(samples.time, samples.value, samples.quality, start, end, pixels))
    assert thinned == sorted(set(thinned))
    assert set(thinned) <= set(points(samples))
    for kept, all_of_it in zip(parts(thinned, start, end, pixels), parts(points(samples), start, end, pixels), strict=True):
        assert len(kept) <= 4
        assert bool(kept) == bool(all_of_it)
        values = [value for _, value, quality in all_of_it if quality >= 0]
        shown = [value for _, value, quality in kept if quality >= 0]
        assert (min(values, default=math.nan), max(values, default=math.nan)) == pytest.approx(
            (min(shown, default=math.nan), max(shown, default=math.nan)), nan_ok=True
        )
        has_bad = any(quality < 0 for *_, quality in all_of_it)
        assert any(quality < 0 for *_, quality in kept) == has_bad
        if all_of_it:
            assert kept[-1] == all_of_it[-1]
            assert kept[0] == all_of_it[0] or (len(kept) == 4 and has_bad and all_of_it[-1][2] >= 0), "the first gives way only to a Bad one between"


def test_a_pixel_has_its_first_lowest_highest_and_last_sample() -> None:
    samples = tag_samples(list(range(8)), [5.0, 1, 7, 1, 7, 4, 6, 3], [GOOD] * 8, stepped=False)
    kept = trend(samples.time, samples.value, samples.quality, 0, 8 * MICROSECONDS, 1)
    assert (kept.time // MICROSECONDS).tolist() == [0, 1, 2, 7]


def test_a_bad_stretch_inside_a_pixel_shows() -> None:
    samples = tag_samples(list(range(7)), [5.0, 1, 9, 9, 8, 7, 3], [GOOD, GOOD, BAD, BAD, UNCERTAIN, GOOD, GOOD], stepped=False)
    kept = trend(samples.time, samples.value, samples.quality, 0, 7 * MICROSECONDS, 1)
    assert (kept.time // MICROSECONDS).tolist() == [1, 2, 4, 6], "the first sample gives way to the Bad one"
    assert np.isnan(kept.value[1])


def test_the_first_sample_stays_where_there_is_room() -> None:
    samples = tag_samples(list(range(4)), [5.0, 9, 1, 3], [GOOD, BAD, GOOD, GOOD], stepped=False)
    assert len(trend(samples.time, samples.value, samples.quality, 0, 4 * MICROSECONDS, 1)) == 4
    ends_bad = tag_samples(list(range(6)), [5.0, 1, 9, 9, 8, 7], [GOOD, GOOD, BAD, GOOD, GOOD, BAD], stepped=False)
    kept = trend(ends_bad.time, ends_bad.value, ends_bad.quality, 0, 6 * MICROSECONDS, 1)
    assert (kept.time // MICROSECONDS).tolist() == [0, 1, 3, 5], "one Bad sample is enough"


def test_samples_outside_the_span_are_left_out_and_none_is_none() -> None:
    samples = tag_samples([1, 5, 9], [1.0, 2, 3], [GOOD] * 3, stepped=False)
    assert trend(samples.time, samples.value, samples.quality, 5 * MICROSECONDS, 9 * MICROSECONDS, 100).value.tolist() == [2.0]
    assert len(trend(samples.time, samples.value, samples.quality, 20, 30, 5)) == 0
    with pytest.raises(ValueError, match="pixel"):
        trend(samples.time, samples.value, samples.quality, 0, 10, 0)
    with pytest.raises(ValueError, match="end after its start"):
        trend(samples.time, samples.value, samples.quality, 10, 10, 5)


@given(samples=tag_histories(), pixels=st.integers(1, 6), bucket=st.integers(1, 9))
@settings(max_examples=100, deadline=None)
def test_summaries_stand_for_their_samples(samples: TagSamples, pixels: int, bucket: int) -> None:
    """Where a pixel is a whole number of buckets the same extremes show, of Good samples, and the same gaps."""
    samples = samples.select(samples.quality < UNCERTAIN)
    end = pixels * 3 * bucket * MICROSECONDS
    rows = summarise(samples, interval_edges(0, end, bucket * MICROSECONDS))
    stand_in = points_of_summaries(rows)
    assert {(time, value, quality < 0) for time, value, quality in points(stand_in)} <= {(time, value, quality < 0) for time, value, quality in points(samples)}
    coarse = trend(stand_in.time, stand_in.value, stand_in.quality, 0, end, pixels)
    fine = trend(samples.time, samples.value, samples.quality, 0, end, pixels)
    for found, wanted in zip(parts(points(coarse), 0, end, pixels), parts(points(fine), 0, end, pixels), strict=True):
        shown, there = ([value for _, value, quality in part if quality >= 0] for part in (found, wanted))
        assert (min(shown, default=None), max(shown, default=None)) == (min(there, default=None), max(there, default=None))
        assert any(quality < 0 for *_, quality in found) == any(quality < 0 for *_, quality in wanted)
        assert found[-1:] == wanted[-1:], "the last sample comes with its own quality"
