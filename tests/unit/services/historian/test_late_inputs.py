from collections.abc import Sequence

from hypothesis import given
from hypothesis import strategies as st

from plant.times import MICROSECONDS
from services.historian.late_inputs import LateInputs
from services.store import InputChange
from tests.samples import batch_of

MINUTE = 60 * MICROSECONDS


def late(start: int, end: int, tag_id: int = 1) -> InputChange:
    return InputChange(tag_id, start, end, by_hand=False)


def test_what_is_newer_than_all_before_is_not_late() -> None:
    inputs = LateInputs([1, 2])
    assert inputs.take(batch_of([(1, 10, 0.0, 0), (2, 5, 0.0, 0), (1, 20, 0.0, 0)])) == []
    assert inputs.take(batch_of([(2, 6, 0.0, 0), (1, 20, 1.0, 0)])) == [], "the newest said again is not late: it was computed with live"


def test_what_is_older_than_the_newest_of_the_same_input_is_late() -> None:
    inputs = LateInputs([1, 2])
    inputs.take(batch_of([(1, 100, 0.0, 0)]))
    assert inputs.take(batch_of([(2, 40, 0.0, 0), (1, 40, 0.0, 0), (1, 30, 0.0, 0), (1, 110, 0.0, 0)])) == [late(30, 41)]
    assert inputs.take(batch_of([(1, 109, 0.0, 0)])) == [late(109, 110)]


def test_the_order_of_arrival_within_a_batch_counts() -> None:
    assert LateInputs([1]).take(batch_of([(1, 10, 0.0, 0), (1, 50, 0.0, 0), (1, 20, 0.0, 0), (1, 60, 0.0, 0), (1, 55, 0.0, 0)])) == [late(20, 56)]


def test_late_samples_far_apart_are_ranges_of_their_own() -> None:
    inputs = LateInputs([1])
    inputs.take(batch_of([(1, 10 * MINUTE, 0.0, 0)]))
    assert inputs.take(batch_of([(1, MINUTE, 0.0, 0), (1, 5 * MINUTE, 0.0, 0), (1, 5 * MINUTE + 1, 0.0, 0)])) == [
        late(MINUTE, MINUTE + 1),
        late(5 * MINUTE, 5 * MINUTE + 2),
    ]


def test_what_lies_in_an_outage_is_late_until_the_input_is_past_it() -> None:
    inputs = LateInputs([1, 2])
    inputs.take(batch_of([(1, 10, 0.0, 0), (2, 10, 0.0, 0)]))
    inputs.watch([1, 44], 20, 50)
    assert inputs.take(batch_of([(1, 15, 0.0, 0), (2, 30, 0.0, 0)])) == [], "before the outage, and of an input without one"
    assert inputs.take(batch_of([(1, 20, 0.0, 0), (1, 49, 0.0, 0), (1, 50, 0.0, 0)])) == [late(20, 50)]
    inputs.watch([1], 70, 80)
    assert inputs.take(batch_of([(1, 60, 0.0, 0)])) == [], "the first outage is over"
    assert inputs.take(batch_of([(1, 75, 0.0, 0)])) == [late(75, 76)]


def test_outages_that_an_input_is_not_past_are_watched_together() -> None:
    inputs = LateInputs([1])
    assert inputs.oldest < -(10**18)
    inputs.take(batch_of([(1, 10, 0.0, 0)]))
    assert inputs.oldest == 10
    inputs.watch([1], 40, 50)
    inputs.watch([1], 20, 30)
    assert inputs.take(batch_of([(1, 25, 0.0, 0), (1, 45, 0.0, 0)])) == [late(25, 46)]


def test_other_tags_and_empty_batches_are_passed_over() -> None:
    inputs = LateInputs([7])
    assert inputs.take(batch_of([(1, 50, 0.0, 0), (1, 40, 0.0, 0)])) == []
    assert inputs.take(batch_of([])) == []
    assert LateInputs([]).take(batch_of([(1, 50, 0.0, 0), (1, 40, 0.0, 0)])) == []


@given(st.lists(st.lists(st.tuples(st.integers(1, 4), st.integers(0, 60)), max_size=12), max_size=6))
def test_it_finds_what_going_through_the_samples_one_by_one_finds(batches: Sequence[Sequence[tuple[int, int]]]) -> None:
    inputs, newest = LateInputs([1, 3]), {1: -1, 3: -1}
    for batch in batches:
        expected: dict[int, list[int]] = {}
        for tag_id, time in batch:
            if tag_id in newest:
                if time < newest[tag_id]:
                    expected.setdefault(tag_id, []).append(time)
                newest[tag_id] = max(newest[tag_id], time)
        found = inputs.take(batch_of([(tag_id, time, 0.0, 0) for tag_id, time in batch]))
        assert list(found) == [late(min(found_times), max(found_times) + 1, tag_id) for tag_id, found_times in sorted(expected.items())]
