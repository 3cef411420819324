"""Recomputing what a change affects gives what computing from scratch over the changed history gives."""

import math
from collections.abc import Mapping, Sequence

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from plant.batch import SampleBatch
from plant.quality import Quality
from services.calculation import Formula, carried_forward, recomputed
from tests.samples import batch_of, rows_of

FORMULA = Formula(9, "F / A", {"F": 1, "A": 2})
BAD = int(Quality.BAD_SENSOR_FAILURE)
NOTHING = SampleBatch.empty()
LATEST = 40

Row = tuple[int, int, float, int]
History = Mapping[int, Mapping[int, tuple[float, int]]]
"""Tag id -> time -> (value, quality)."""


def stored(history: History, tag_id: int) -> SampleBatch:
    return batch_of([(tag_id, time, *sample) for time, sample in sorted(history.get(tag_id, {}).items())])


def from_scratch(history: History) -> list[Row]:
    inputs = {tag_id: stored(history, tag_id) for tag_id in (1, 2)}
    times = np.unique(np.concatenate([one.time for one in inputs.values()]))
    return rows_of(FORMULA.results(times, {tag_id: carried_forward(NOTHING, one, times) for tag_id, one in inputs.items()}))


def after(results: Sequence[Row], inputs: Mapping[int, SampleBatch], start: int, end: int, changed: set[int]) -> list[Row]:
    """The stored results as they are when what was recomputed is written."""
    outcome = recomputed(FORMULA, inputs, batch_of(results), start, end, changed)
    rows = {row[1]: row for row in results}
    for row in rows_of(outcome.inserted):
        assert row[1] not in rows, "inserted where there was none"
        rows[row[1]] = row
    for row in rows_of(outcome.revised):
        assert not same([rows[row[1]]], [row]), "what would be as it is stored is not written"
        rows[row[1]] = row
    for time in outcome.withdrawn.tolist():
        del rows[time]
    return [rows[time] for time in sorted(rows)]


def same(one: Sequence[Row], other: Sequence[Row]) -> bool:
    """NaN is equal to NaN."""
    return len(one) == len(other) and all(
        (a[0], a[1], a[3]) == (b[0], b[1], b[3]) and (a[2] == b[2] or (math.isnan(a[2]) and math.isnan(b[2]))) for a, b in zip(one, other, strict=True)
    )


def at(results: Sequence[Row], time: int) -> tuple[str, int] | None:
    """What a reader sees at a time: the newest result until then."""
    row = max((row for row in results if row[1] <= time), key=lambda row: row[1], default=None)
    return None if row is None else (repr(row[2]), row[3])


SAMPLES = st.dictionaries(st.integers(0, LATEST), st.tuples(st.sampled_from([0.0, 1.0, 2.0, 6.0]), st.sampled_from([0, BAD, 0x4000])), max_size=12)
HISTORIES = st.fixed_dictionaries({1: SAMPLES, 2: SAMPLES})


def next_after(history: History, tag_id: int, time: int) -> int:
    return min((one for one in history[tag_id] if one > time), default=LATEST + 1)


@given(
    HISTORIES, st.sampled_from([1, 2]), st.dictionaries(st.integers(0, LATEST), st.tuples(st.sampled_from([1.0, 3.0]), st.sampled_from([0, BAD])), min_size=1)
)
def test_after_late_and_corrected_samples_the_results_are_those_of_the_history_as_it_is_now(
    history: History, tag_id: int, written: Mapping[int, tuple[float, int]]
) -> None:
    now = {**history, tag_id: {**history[tag_id], **written}}
    start, end = min(written), next_after(now, tag_id, max(written))
    assert same(after(from_scratch(history), {one: stored(now, one) for one in (1, 2)}, start, end, {tag_id}), from_scratch(now))


@given(HISTORIES, st.sampled_from([1, 2]), st.integers(0, LATEST), st.integers(1, 20))
def test_after_a_deletion_a_reader_sees_at_every_time_what_the_history_says_now(history: History, tag_id: int, start: int, length: int) -> None:
    now = {**history, tag_id: {time: sample for time, sample in history[tag_id].items() if not start <= time < start + length}}
    end = next_after(now, tag_id, start + length - 1)
    results = after(from_scratch(history), {one: stored(now, one) for one in (1, 2)}, start, end, {tag_id})
    for time in range(LATEST + 2):
        assert at(results, time) == at(from_scratch(now), time)


@given(HISTORIES, HISTORIES, st.lists(st.integers(0, LATEST), min_size=3, max_size=3))
def test_in_pieces_it_is_the_same_as_at_once(before: History, now: History, borders: Sequence[int]) -> None:
    start, middle, end = sorted(borders)
    inputs = {one: stored(now, one) for one in (1, 2)}
    whole = after(from_scratch(before), inputs, start, end, {1, 2})
    first = after(from_scratch(before), inputs, start, middle, {1, 2})
    assert same(after(first, inputs, middle, end, {1, 2}), whole)


@given(HISTORIES, HISTORIES, st.integers(0, LATEST), st.integers(0, LATEST))
def test_outside_the_range_nothing_is_touched_and_twice_is_once(before: History, now: History, one: int, other: int) -> None:
    start, end = sorted((one, other))
    inputs = {tag_id: stored(now, tag_id) for tag_id in (1, 2)}
    results = from_scratch(before)
    written = after(results, inputs, start, end, {1, 2})
    assert same([row for row in written if not start <= row[1] < end], [row for row in results if not start <= row[1] < end])
    assert len(recomputed(FORMULA, inputs, batch_of(written), start, end, {1, 2})) == 0


def test_results_stay_at_the_times_of_samples_that_the_exception_report_kept_back() -> None:
    inputs = {1: batch_of([(1, 0, 6.0, 0), (1, 30, 9.0, 0)]), 2: batch_of([(2, 0, 2.0, 0)])}
    outcome = recomputed(FORMULA, inputs, batch_of([(9, 0, 3.0, 0), (9, 10, 3.01, 0), (9, 20, 3.02, 0), (9, 30, 4.5, 0)]), 15, 30, {1})
    assert rows_of(outcome.revised) == [(9, 20, 3.0, 0)], "at 10 the finer live result stays: nothing there changed"
    assert len(outcome) == 1


def test_what_depends_on_history_that_is_not_kept_any_more_stays() -> None:
    results = batch_of([(9, 10, 3.0, 0), (9, 20, 4.0, 0)])
    corrected = batch_of([(1, 10, 7.0, 0), (1, 20, 8.0, 0)])
    assert len(recomputed(FORMULA, {1: corrected, 2: NOTHING}, results, 10, 20, {1})) == 0
    assert recomputed(FORMULA, {1: corrected, 2: NOTHING}, results, 10, 20, {2}).withdrawn.tolist() == [10], "it was deleted: nothing is computed without it"
