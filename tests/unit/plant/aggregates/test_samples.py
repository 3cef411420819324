import numpy as np
import pytest

from plant.aggregates import AggregateFunction, TagSamples, aggregate
from plant.quality import Quality
from tests.unit.plant.aggregates.historians import BAD, GOOD, UNCERTAIN, tag_samples


def test_a_value_that_is_no_number_is_bad() -> None:
    samples = tag_samples([0, 1, 2, 3], [np.nan, np.inf, 5.0, 7.0], [GOOD, UNCERTAIN, GOOD, BAD], stepped=False)
    assert samples.quality.tolist() == [Quality.BAD_OUT_OF_RANGE, Quality.BAD_OUT_OF_RANGE, GOOD, BAD]
    assert np.isnan(samples.value).tolist() == [True, True, False, True]


def test_the_columns_of_the_caller_stay_as_they_are() -> None:
    time, value, quality = np.array([1], np.int64), np.array([np.nan]), np.zeros(1, np.int16)
    TagSamples(time, value, quality, stepped=True)
    assert quality.tolist() == [0]


def test_samples_out_of_order_are_refused() -> None:
    with pytest.raises(ValueError, match="sample 2 of a tag is not later"):
        tag_samples([1, 2, 2], [0.0] * 3, [GOOD] * 3, stepped=False)
    with pytest.raises(ValueError, match="differ in length"):
        TagSamples(np.zeros(1, np.int64), np.zeros(2), np.zeros(1, np.int16), stepped=False)


def test_without_samples_nothing_is_known() -> None:
    for function in AggregateFunction:
        values = aggregate(function, TagSamples.empty(stepped=False), np.array([0, 10, 20], np.int64))
        assert values.quality.tolist() == [Quality.BAD_NO_DATA] * 2, function
        assert np.isnan(values.value).all(), function
        assert values.percent_good.tolist() == [0.0, 0.0], function
        assert not values.partial.any(), function


def test_a_tag_reported_by_exception_holds_to_the_present() -> None:
    samples = tag_samples([0, 10], [1.0, 3.0], [GOOD, GOOD], stepped=True)
    edges = np.array([0, 20, 40, 60], np.int64) * 1_000_000
    values = aggregate(AggregateFunction.TIME_AVERAGE_2, samples, edges, known_until=50_000_000)
    assert values.value.tolist() == [2.0, 3.0, 3.0]
    assert values.quality.tolist() == [GOOD] * 3
    assert values.partial.tolist() == [False, False, True]
    assert values.percent_good.tolist() == [100.0] * 3
    unsaid = aggregate(AggregateFunction.TIME_AVERAGE_2, samples, edges)
    assert unsaid.quality.tolist() == [GOOD, Quality.BAD_NO_DATA, Quality.BAD_NO_DATA]
    # The curve through the samples goes on after the end of the data, as Uncertain.
    curve = aggregate(AggregateFunction.TIME_AVERAGE, samples, edges, known_until=50_000_000)
    assert curve.value.tolist() == [2.0, 3.0, 3.0]
    assert curve.quality.tolist() == [GOOD, GOOD, Quality.UNCERTAIN_DATA_SUB_NORMAL]
