"""Hours in one number, and the turnstile between commits and who takes hours."""

import threading

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.store.interface import HOUR
from services.store.postgresql.continuous import windows_of
from services.store.postgresql.marks import DueMarks, begin_of, hours_of, tag_of
from services.store.rows import FIRST_TIME, LAST_TIME


@given(st.lists(st.tuples(st.integers(0, 2**31 - 1), st.integers(FIRST_TIME, LAST_TIME)), max_size=30))
def test_each_hour_of_each_tag_stands_once(rows: list[tuple[int, int]]) -> None:
    keys = hours_of(np.array([row[0] for row in rows], np.int32), np.array([row[1] for row in rows], np.int64))
    assert list(zip(tag_of(keys).tolist(), begin_of(keys).tolist(), strict=True)) == sorted({(tag_id, time // HOUR * HOUR) for tag_id, time in rows})


def test_hours_are_handed_out_only_while_no_commit_is_under_way() -> None:
    marks = DueMarks()
    order: list[str] = []
    began, taken = threading.Event(), threading.Event()

    def commit() -> None:
        with marks.writing():
            began.set()
            assert not taken.wait(0.2)
            order.append("commit")

    def take() -> None:
        with marks.taking():
            order.append("take")
            taken.set()

    writer = threading.Thread(target=commit)
    writer.start()
    began.wait(5)
    taker = threading.Thread(target=take)
    taker.start()
    writer.join(5)
    taker.join(5)
    assert order == ["commit", "take"]


def test_marks_are_forgotten_when_taking_fails() -> None:
    marks = DueMarks()
    keys = np.array([1, 2], np.int64)
    marks.add(keys)
    assert marks.missing(np.array([1, 2, 3], np.int64)).tolist() == [3]
    with pytest.raises(OSError, match="gone"), marks.taking():
        raise OSError("gone")
    assert marks.missing(keys).tolist() == [1, 2]
    with marks.writing():
        marks.add(keys)
    marks.discard(np.array([1], np.int64))
    assert marks.missing(keys).tolist() == [1]


def test_windows_to_refresh_are_runs_of_hours_of_a_day_at_most() -> None:
    day = 24 * HOUR
    hours = np.array([5, 3, 4, 23, 24, 25, 300], np.int64) * HOUR
    start, end = windows_of(hours, 100 * HOUR)
    assert (start // HOUR).tolist() == [3, 23, 24]
    assert (end // HOUR).tolist() == [6, 24, 26]
    assert len(windows_of(np.arange(day // HOUR, dtype=np.int64) * HOUR, 1000 * HOUR)[0]) == 1
    assert len(windows_of(hours[:0], 0)[0]) == 0
