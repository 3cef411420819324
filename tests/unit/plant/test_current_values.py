from plant.batch import SampleBatch, TextBatch
from plant.current_values import CurrentValues
from plant.tag import DataType
from tests.samples import batch_of, make_tag, rows_of

TAGS = [make_tag(5), make_tag(2, "SEP.COL101.PT102"), make_tag(9, "SEP.COL101.UY101", data_type=DataType.STRING)]
EVERY = [tag.id for tag in TAGS]


def test_the_latest_source_time_wins_whatever_the_order_of_arrival() -> None:
    current = CurrentValues(TAGS)
    current.update(batch_of([(5, 10, 1.0, 0), (5, 30, 3.0, 0), (5, 20, 2.0, 0), (77, 99, 9.0, 0)]))
    current.update(batch_of([(5, 25, 2.5, 0), (2, 1, 7.0, 0)]))
    assert rows_of(current.of(EVERY)[0]) == [(2, 1, 7.0, 0), (5, 30, 3.0, 0)]


def test_of_equal_times_the_last_arrival_wins() -> None:
    current = CurrentValues(TAGS)
    current.update(batch_of([(5, 10, 1.0, 0), (5, 10, 2.0, 0)]))
    current.update(batch_of([(5, 10, 3.0, 0)]))
    assert rows_of(current.of(EVERY)[0]) == [(5, 10, 3.0, 0)]


def test_what_changed_is_taken_once() -> None:
    current = CurrentValues(TAGS)
    current.update(batch_of([(5, 10, 1.0, 0)]))
    current.update(TextBatch.of([9], [4], ["LOT-1"], [0]))
    samples, texts = current.take_changed()
    assert rows_of(samples) == [(5, 10, 1.0, 0)]
    assert texts.value.tolist() == ["LOT-1"]
    assert [len(part) for part in current.take_changed()] == [0, 0]
    current.update(batch_of([(5, 9, 0.5, 0)]))
    assert len(current.take_changed()[0]) == 0, "an older sample changes nothing"


def test_tags_that_never_had_a_sample_are_left_out() -> None:
    current = CurrentValues(TAGS)
    assert [len(part) for part in current.of(EVERY)] == [0, 0]
    current.update(batch_of([(2, 1, 7.0, 0)]))
    assert rows_of(current.of([2, 5, 9])[0]) == [(2, 1, 7.0, 0)]
    assert len(current.of([5])[0]) == 0


def test_newer_rows_of_a_batch_are_told_apart_and_unknown_tags_are_passed_over() -> None:
    current = CurrentValues(TAGS)
    current.update(batch_of([(5, 10, 1.0, 0)]))
    newer = current.newer(batch_of([(5, 10, 9.0, 0), (5, 11, 2.0, 0), (2, 1, 7.0, 0), (77, 99, 9.0, 0)]))
    assert isinstance(newer, SampleBatch)
    assert rows_of(newer) == [(5, 11, 2.0, 0), (2, 1, 7.0, 0)]
    assert len(CurrentValues([make_tag(5)]).newer(TextBatch.of([9], [4], ["LOT-1"], [0]))) == 0


def test_a_current_value_of_a_span_is_forgotten_until_there_is_another_one() -> None:
    current = CurrentValues(TAGS)
    current.update(batch_of([(5, 10, 1.0, 0), (2, 10, 2.0, 0)]))
    current.update(TextBatch.of([9], [4], ["LOT-1"], [0]))
    assert [current.forget(5, *span) for span in ((0, 10), (11, 20), (10, 11), (10, 11))] == [None, None, 10, None]
    assert (current.forget(9, 0, 5), current.forget(77, 0, 99)) == (4, None)
    assert rows_of(current.of(EVERY)[0]) == [(2, 10, 2.0, 0)]
    assert [len(part) for part in current.take_changed()] == [1, 0], "what is forgotten is saved no more"
    current.update(batch_of([(5, 3, 0.3, 0)]))
    assert rows_of(current.take_changed()[0]) == [(5, 3, 0.3, 0)]
