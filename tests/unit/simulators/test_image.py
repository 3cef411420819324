"""The tag image: values, change sets, refusals."""

import numpy as np
import pytest

from plant.quality import Quality
from plant.tag import DataType
from simulators.image import TagImage
from tests.samples import make_tag

NUMBER = make_tag(1, "SEP.COL101.FIC101.SP", writable=True, eu_range=(0.0, 0.3))
FIXED = make_tag(2, "SEP.COL101.PT101")
TEXT = make_tag(3, "SEP.COL101.UY101", data_type=DataType.STRING, writable=True, eu_range=None)


def at(*positions: int) -> np.ndarray[tuple[int], np.dtype[np.intp]]:
    return np.array(positions, np.intp)


def test_update_counts_only_what_differs() -> None:
    image = TagImage([NUMBER, FIXED], 100)
    changes = image.listen()
    assert changes.take().tolist() == [0, 1], "a new listener has seen nothing"
    image.update(at(0, 1), np.array([0.0, 2.5]), 200)
    assert changes.take().tolist() == [1]
    assert image.times.tolist() == [100, 200]
    assert changes.take().tolist() == []


def test_assign_counts_equal_values_too() -> None:
    image = TagImage([NUMBER, FIXED], 100)
    changes = image.listen()
    changes.take()
    image.assign(at(1), np.array([0.0]), 200)
    assert changes.take().tolist() == [1]


def test_update_makes_a_value_good_again() -> None:
    image = TagImage([FIXED], 100, Quality.BAD_WAITING_FOR_INITIAL_DATA)
    changes = image.listen()
    changes.take()
    image.update(at(0), np.array([0.0]), 200)
    assert changes.take().tolist() == [0]
    assert image.quality.tolist() == [Quality.GOOD]


def test_each_listener_has_its_own_changes() -> None:
    image = TagImage([NUMBER, TEXT], 100)
    one, other = image.listen(), image.listen()
    one.take()
    image.write(1, "LOT-000123", 300)
    assert one.take().tolist() == [1]
    assert other.take().tolist() == [0, 1]
    assert image.value(1) == "LOT-000123"
    assert image.written.take().tolist() == [1]


@pytest.mark.parametrize(
    ("position", "value", "expected"),
    [
        (0, 0.3, None),
        (0, float(np.float32(0.3)), None),
        (0, 0.31, Quality.BAD_OUT_OF_RANGE),
        (0, -0.01, Quality.BAD_OUT_OF_RANGE),
        (0, float("nan"), Quality.BAD_OUT_OF_RANGE),
        (0, "0.2", Quality.BAD_TYPE_MISMATCH),
        (1, 1.0, Quality.BAD_NOT_WRITABLE),
        (2, "LOT-000001", None),
        (2, 1.0, Quality.BAD_TYPE_MISMATCH),
    ],
)
def test_refusal(position: int, value: float | str, expected: Quality | None) -> None:
    assert TagImage([NUMBER, FIXED, TEXT], 100).refusal(position, value) is expected


def test_a_limit_rounded_on_the_wire_stays_in_range() -> None:
    image = TagImage([NUMBER], 100)
    image.write(0, float(np.float32(0.3)), 200)
    assert image.value(0) == 0.3
