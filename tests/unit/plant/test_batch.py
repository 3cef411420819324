import numpy as np
import numpy.typing as npt
import pytest

from plant.batch import SampleBatch, TextBatch
from tests.samples import batch_of, rows_of

ROWS = [(1, 10, 1.5, 0), (2, 11, -2.0, -1), (1, 12, 3.0, 0x4000)]


def test_rows_are_chosen_by_mask_positions_or_slice() -> None:
    batch = batch_of(ROWS)
    assert len(batch) == 3
    assert rows_of(batch.select(np.array([True, False, True]))) == [ROWS[0], ROWS[2]]
    assert rows_of(batch.select(np.array([2, 0], np.intp))) == [ROWS[2], ROWS[0]]
    assert rows_of(batch.select(slice(1, None))) == ROWS[1:]


def test_batches_are_joined_in_order() -> None:
    assert rows_of(SampleBatch.concatenate([batch_of(ROWS[:1]), SampleBatch.empty(), batch_of(ROWS[1:])])) == ROWS
    assert len(SampleBatch.concatenate([])) == 0
    one = batch_of(ROWS)
    assert SampleBatch.concatenate([one]) is one


def test_samples_of_one_time_broadcast_value_and_quality() -> None:
    batch = SampleBatch.of_one_time([4, 5], 99, 1.0, [0, -1])
    assert rows_of(batch) == [(4, 99, 1.0, 0), (5, 99, 1.0, -1)]
    batch.value[0] = 7.0
    assert batch.value.tolist() == [7.0, 1.0], "each row has a value of its own"
    assert rows_of(SampleBatch.of_one_time(4, 99, 1.0, 0)) == [(4, 99, 1.0, 0)]


@pytest.mark.parametrize("column", range(4))
def test_a_column_of_another_type_is_refused(column: int) -> None:
    columns: list[npt.NDArray[np.generic]] = [np.zeros(1, np.int32), np.zeros(1, np.int64), np.zeros(1, np.float64), np.zeros(1, np.int16)]
    columns[column] = np.zeros(1, np.uint8)
    with pytest.raises(TypeError, match="columns are \\(int32, int64, int16, float64\\)"):
        SampleBatch(*columns)  # type: ignore[arg-type]  # the wrong type is what is tested


@pytest.mark.parametrize("column", range(4))
def test_columns_of_another_length_are_refused(column: int) -> None:
    lengths = [2, 2, 2, 2]
    lengths[column] = 3
    with pytest.raises(ValueError, match="differ in length"):
        SampleBatch(np.zeros(lengths[0], np.int32), np.zeros(lengths[1], np.int64), np.zeros(lengths[2], np.float64), np.zeros(lengths[3], np.int16))


def test_text_batches_do_as_sample_batches() -> None:
    batch = TextBatch.of([7, 8], [1, 2], ["LOT-1", ""], [0, -1])
    joined = TextBatch.concatenate([batch, TextBatch.empty(), TextBatch.without_value([9], 3, -2)])
    assert joined.tag_id.tolist() == [7, 8, 9]
    assert joined.time.tolist() == [1, 2, 3]
    assert joined.value.tolist() == ["LOT-1", "", ""]
    assert joined.quality.tolist() == [0, -1, -2]
    assert joined.select(slice(1)).value.tolist() == ["LOT-1"]
    assert len(TextBatch.concatenate([])) == 0
    assert TextBatch.concatenate([batch]) is batch


def test_texts_are_objects_and_nothing_else() -> None:
    with pytest.raises(TypeError, match="object"):
        TextBatch(np.zeros(1, np.int32), np.zeros(1, np.int64), np.array(["LOT-1"]), np.zeros(1, np.int16))
