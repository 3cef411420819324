import numpy as np

from plant import times
from plant.batch import SampleBatch
from plant.quality import Quality
from plant.source_time import FURTHEST_OFF, is_ahead, set_right
from tests.samples import batch_of, rows_of

NOW = times.parse_time("2026-11-23T04:00:00Z", 0)
YEAR_2106 = times.parse_time("2106-02-07T06:28:15Z", 0)
SUB_NORMAL = int(Quality.UNCERTAIN_SUB_NORMAL)
BAD = int(Quality.BAD_SENSOR_FAILURE)


def test_a_time_too_far_ahead_becomes_that_of_arrival_and_a_good_value_uncertain() -> None:
    batch = batch_of([(1, YEAR_2106, 5.0, 0), (2, NOW + FURTHEST_OFF + 1, 6.0, BAD), (3, NOW, 7.0, 0)])
    right = set_right(batch, is_ahead(batch, NOW), NOW)
    assert isinstance(right, SampleBatch)
    assert rows_of(right) == [(1, NOW, 5.0, SUB_NORMAL), (2, NOW + 1, 6.0, BAD), (3, NOW, 7.0, 0)]
    assert batch.time[0] == YEAR_2106, "what came is not altered"
    assert is_ahead(batch, NOW).tolist() == [True, True, False]


def test_what_is_not_doubted_keeps_its_quality() -> None:
    batch = batch_of([(1, 0, 5.0, 0), (2, 0, 6.0, 0), (3, NOW, 7.0, 0)])
    right = set_right(batch, np.array([True, True, False]), NOW, np.array([True, False, True]))
    assert isinstance(right, SampleBatch)
    assert rows_of(right) == [(1, NOW, 5.0, SUB_NORMAL), (2, NOW + 1, 6.0, 0), (3, NOW, 7.0, 0)]


def test_a_little_ahead_and_long_ago_stand() -> None:
    assert not is_ahead(batch_of([(1, NOW + FURTHEST_OFF, 5.0, 0), (1, 0, 5.0, 0)]), NOW).any()
