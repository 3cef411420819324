import math

import pytest

from plant.batch import SampleBatch
from plant.quality import Quality
from services.retrieval.interpolation import value_at
from tests.samples import batch_of

UNCERTAIN = int(Quality.UNCERTAIN_LAST_USABLE_VALUE)
BAD = int(Quality.BAD_NO_COMMUNICATION)


def sample(time: int, value: float, quality: int = Quality.GOOD) -> SampleBatch:
    return batch_of([(1, time, value, quality)])


@pytest.mark.parametrize("stepped", [True, False])
def test_a_sample_at_the_very_time_is_the_answer_as_it_is(stepped: bool) -> None:
    found = value_at(10, sample(10, 5.0, BAD), sample(20, 9.0), stepped=stepped)
    assert (found.value, found.quality) == (5.0, BAD)


@pytest.mark.parametrize("stepped", [True, False])
def test_before_the_first_sample_there_is_no_value(stepped: bool) -> None:
    found = value_at(10, SampleBatch.empty(), sample(20, 9.0), stepped=stepped)
    assert math.isnan(found.value)
    assert found.quality == Quality.BAD_NO_DATA


@pytest.mark.parametrize("stepped", [True, False])
def test_what_is_unknown_stays_unknown_until_the_next_sample(stepped: bool) -> None:
    found = value_at(15, sample(10, 5.0, BAD), sample(20, 9.0), stepped=stepped)
    assert math.isnan(found.value)
    assert found.quality == BAD


def test_a_stepped_tag_holds_the_value_before() -> None:
    found = value_at(19, sample(10, 5.0), sample(20, 9.0), stepped=True)
    assert (found.value, found.quality) == (5.0, Quality.GOOD)


def test_a_continuous_tag_lies_on_the_line_between_two_good_samples() -> None:
    found = value_at(15, sample(10, 5.0), sample(20, 9.0), stepped=False)
    assert (found.time, found.value, found.quality) == (15, 7.0, Quality.GOOD)


@pytest.mark.parametrize("after", [SampleBatch.empty(), sample(20, 9.0, BAD), sample(20, 9.0, UNCERTAIN)])
def test_without_a_good_sample_after_it_the_value_is_held_and_uncertain(after: SampleBatch) -> None:
    found = value_at(15, sample(10, 5.0), after, stepped=False)
    assert (found.value, found.quality) == (5.0, Quality.UNCERTAIN_DATA_SUB_NORMAL)


@pytest.mark.parametrize("stepped", [True, False])
def test_inside_a_loss_the_value_before_is_the_last_usable_one(stepped: bool) -> None:
    found = value_at(15, sample(10, 5.0), sample(20, 9.0), stepped=stepped, lost=True)
    assert (found.value, found.quality) == (5.0, Quality.UNCERTAIN_NO_COMMUNICATION_LAST_USABLE_VALUE)


def test_an_uncertain_value_stays_uncertain() -> None:
    found = value_at(15, sample(10, 5.0, UNCERTAIN), sample(20, 9.0), stepped=False)
    assert (found.value, found.quality) == (5.0, UNCERTAIN)
