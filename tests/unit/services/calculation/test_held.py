import numpy as np

from plant.batch import SampleBatch
from plant.quality import Quality
from services.calculation import carried_forward
from tests.samples import batch_of

NOTHING = SampleBatch.empty()
UNCERTAIN = int(Quality.UNCERTAIN_SENSOR_NOT_ACCURATE)


def times(*at: int) -> np.ndarray[tuple[int], np.dtype[np.int64]]:
    return np.array(at, np.int64)


def test_each_sample_holds_until_the_next_one() -> None:
    held = carried_forward(NOTHING, batch_of([(1, 10, 1.0, 0), (1, 20, 2.0, UNCERTAIN)]), times(9, 10, 19, 20, 99))
    assert held.known.tolist() == [False, True, True, True, True]
    assert held.value[1:].tolist() == [1.0, 1.0, 2.0, 2.0]
    assert held.quality.tolist() == [Quality.BAD_WAITING_FOR_INITIAL_DATA, 0, 0, UNCERTAIN, UNCERTAIN]
    assert np.isnan(held.value[0])


def test_the_order_of_arrival_decides_between_equal_times_only() -> None:
    held = carried_forward(NOTHING, batch_of([(1, 20, 2.0, 0), (1, 10, 1.0, 0), (1, 20, 3.0, 0)]), times(15, 20))
    assert held.value.tolist() == [1.0, 3.0]


def test_the_sample_before_holds_where_there_is_no_other_whatever_its_time() -> None:
    held = carried_forward(batch_of([(1, 50, 5.0, 0)]), batch_of([(1, 20, 2.0, 0)]), times(10, 20))
    assert held.value.tolist() == [5.0, 2.0]
    assert held.known.all()


def test_an_input_without_samples_is_known_at_no_time() -> None:
    assert not carried_forward(NOTHING, NOTHING, times(1, 2)).known.any()
    assert len(carried_forward(NOTHING, NOTHING, times()).value) == 0
