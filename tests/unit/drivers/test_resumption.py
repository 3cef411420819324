"""A tag that was Bad while the link was lost is known again, even if its value is older than the loss."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from drivers.resumption import Resumption
from plant.batch import SampleBatch, TextBatch
from plant.quality import Quality
from tests.samples import batch_of, rows_of

LOST_AT = 1_000
OPENED_AT = 2_000


def samples(*rows: tuple[int, int, float]) -> SampleBatch:
    return batch_of([(*row, Quality.GOOD) for row in rows])


def test_a_value_older_than_the_loss_is_said_again_at_the_opening() -> None:
    resumption = Resumption([1, 2], LOST_AT)
    said = resumption.complete(samples((1, 900, 5.0), (2, 1_500, 6.0)), OPENED_AT)
    assert isinstance(said, SampleBatch)
    assert rows_of(said) == [(1, OPENED_AT, 5.0, 0), (1, 900, 5.0, 0), (2, 1_500, 6.0, 0)]


def test_after_a_loss_of_unknown_time_everything_older_than_the_session_is_said_again() -> None:
    said = Resumption([1, 2], None).complete(samples((1, 1_500, 5.0), (2, OPENED_AT + 1, 6.0)), OPENED_AT)
    assert isinstance(said, SampleBatch)
    assert rows_of(said) == [(1, OPENED_AT, 5.0, 0), (1, 1_500, 5.0, 0), (2, OPENED_AT + 1, 6.0, 0)]


def test_what_was_queued_and_comes_later_corrects_what_was_said_again() -> None:
    resumption = Resumption([1], LOST_AT)
    resumption.complete(samples((1, 900, 5.0)), OPENED_AT)
    for further, row in enumerate([(1, 950, 7.0), (1, 1_500, 8.0), (1, OPENED_AT - 1, 9.0)], 1):
        said = resumption.complete(samples(row), OPENED_AT)
        assert isinstance(said, SampleBatch)
        assert rows_of(said) == [(1, OPENED_AT + further, row[2], 0), (*row, 0)]


@pytest.mark.parametrize("row", [(1, 850, 4.0), (1, 900, 5.0), (1, OPENED_AT + 10, 7.0), (2, 1_500, 6.0), (9, 950, 1.0)], ids=str)
def test_what_was_said_again_stands_against_what_is_older_than_it_and_needs_no_help_against_what_is_newer(row: tuple[int, int, float]) -> None:
    resumption = Resumption([1, 2], LOST_AT)
    resumption.complete(samples((1, 900, 5.0), (2, 1_400, 6.0)), OPENED_AT)
    further = samples(row)
    assert resumption.complete(further, OPENED_AT) is further


@given(st.lists(st.dictionaries(st.integers(1, 3_000), st.floats(0, 9), min_size=1, max_size=4), min_size=1, max_size=6))
def test_the_newest_sample_of_a_tag_has_its_newest_value_in_whatever_order_they_come(batches: list[dict[int, float]]) -> None:
    resumption = Resumption([1], LOST_AT)
    said = {LOST_AT: math.nan}
    device: dict[int, float] = {}
    for came in batches:
        rows = [(1, time, value) for time, value in came.items() if time not in device and time not in said]
        if rows:
            device |= {time: value for _, time, value in rows}
            batch = resumption.complete(samples(*rows), OPENED_AT)
            assert isinstance(batch, SampleBatch)
            said |= {time: value for _, time, value, _ in rows_of(batch)}
            assert said[max(said)] == device[max(device)]


def test_of_several_samples_of_a_tag_the_newest_counts() -> None:
    resumption = Resumption([1, 2], LOST_AT)
    said = resumption.complete(samples((1, 900, 5.0), (2, 950, 1.0), (1, 1_100, 6.0), (2, 940, 2.0)), OPENED_AT)
    assert isinstance(said, SampleBatch)
    assert rows_of(said)[0] == (2, OPENED_AT, 1.0, 0)
    assert len(said) == 5


def test_text_is_known_again_too_and_what_came_is_not_altered() -> None:
    batch = TextBatch.of([3], [900], ["LOT-7"], [Quality.GOOD])
    said = Resumption([3], LOST_AT).complete(batch, OPENED_AT)
    assert said.time.tolist() == [OPENED_AT, 900]
    assert said.value.tolist() == ["LOT-7", "LOT-7"]
    assert batch.time.tolist() == [900]
