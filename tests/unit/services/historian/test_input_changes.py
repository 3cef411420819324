from collections.abc import Sequence
from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from services.historian.input_changes import MOST, InputChanges
from services.store import InputChange


def late(start: int, end: int, tag_id: int = 1) -> InputChange:
    return InputChange(tag_id, start, end, by_hand=False)


def by_hand(start: int, end: int, tag_id: int = 1) -> InputChange:
    return InputChange(tag_id, start, end, by_hand=True)


def kept(*changes: InputChange) -> Sequence[InputChange]:
    queue = InputChanges()
    for change in changes:
        queue.add(change)
    assert len(queue) == len(list(queue))
    return queue.take()


def test_ranges_of_one_input_that_touch_are_one_and_others_stay_apart() -> None:
    assert kept(late(10, 20), late(30, 40), late(20, 25)) == [late(10, 25), late(30, 40)]
    assert kept(late(10, 20), late(30, 40), late(15, 35)) == [late(10, 40)]
    assert kept(late(10, 20), late(10, 20, tag_id=2)) == [late(10, 20), late(10, 20, tag_id=2)]


def test_a_correction_makes_the_joined_range_one_by_hand() -> None:
    assert kept(late(10, 20), by_hand(15, 18)) == [by_hand(10, 20)]


def test_what_is_known_already_says_nothing_new() -> None:
    queue = InputChanges()
    assert queue.add(by_hand(10, 20))
    assert not queue.add(late(12, 15))
    assert not queue.add(by_hand(10, 20))
    assert queue.add(by_hand(9, 10))


def test_taken_is_gone() -> None:
    queue = InputChanges()
    queue.add(late(10, 20))
    assert queue.take() == [late(10, 20)]
    assert len(queue) == 0
    assert queue.add(late(10, 20))


def test_of_too_many_the_two_that_lie_closest_become_one() -> None:
    ranges = [late(100 * place, 100 * place + (99 if place == 3 else 10)) for place in range(MOST + 1)]
    changes = kept(*ranges)
    assert len(changes) == MOST
    assert late(300, 410) in changes


@given(st.lists(st.tuples(st.integers(1, 2), st.integers(0, 500), st.integers(1, 20), st.booleans()), max_size=120))
def test_nothing_is_dropped_and_ranges_stay_bounded_and_apart(added: Sequence[tuple[int, int, int, bool]]) -> None:
    changes = kept(*(InputChange(tag_id, start, start + length, hand) for tag_id, start, length, hand in added))
    for tag_id, start, length, hand in added:
        assert any(one.tag_id == tag_id and one.start <= start and start + length <= one.end and one.by_hand >= hand for one in changes)
    for tag_id in (1, 2):
        own = [one for one in changes if one.tag_id == tag_id]
        assert len(own) <= MOST
        assert all(one.end < other.start for one, other in pairwise(own))
