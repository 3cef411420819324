"""A tag that was Bad while the link was lost is known again, even if its value is older than the loss."""

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
    assert resumption.is_complete


def test_after_a_loss_of_unknown_time_everything_older_than_the_session_is_said_again() -> None:
    said = Resumption([1, 2], None).complete(samples((1, 1_500, 5.0), (2, OPENED_AT + 1, 6.0)), OPENED_AT)
    assert isinstance(said, SampleBatch)
    assert rows_of(said) == [(1, OPENED_AT, 5.0, 0), (1, 1_500, 5.0, 0), (2, OPENED_AT + 1, 6.0, 0)]


def test_it_is_said_again_once() -> None:
    resumption = Resumption([1, 2], LOST_AT)
    resumption.complete(samples((1, 900, 5.0)), OPENED_AT)
    assert not resumption.is_complete
    second = samples((1, 950, 7.0))
    assert resumption.complete(second, OPENED_AT) is second


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
