"""Times of ours by a device's clock."""

from drivers.device_time import DeviceTime, is_far_off
from plant.batch import SampleBatch
from plant.quality import Quality

NOW = 1_700_000_000_000_000


def test_a_time_of_ours_is_told_by_the_devices_clock() -> None:
    time = DeviceTime()
    assert time.at(NOW) == NOW, "nothing is known of its clock"
    time.hear(-2.5)
    assert time.at(NOW) == NOW - 2_500_000
    time.hear(None)
    assert time.at(NOW) == NOW - 2_500_000, "no word is not a word for zero"


def test_what_is_said_of_a_device_is_later_than_all_it_said() -> None:
    time = DeviceTime()
    time.said(SampleBatch.of_one_time([1, 2], NOW + 7, 1.0, Quality.GOOD))
    time.said(SampleBatch.of_one_time([1], NOW + 3, 1.0, Quality.GOOD))
    assert time.at(NOW) == NOW + 8
    assert time.at(NOW + 100) == NOW + 100


def test_a_clock_that_is_far_off_shifts_nothing() -> None:
    time = DeviceTime()
    time.hear(301.0)
    assert (time.is_far_off, time.at(NOW)) == (True, NOW)
    time.hear(299.0)
    assert (time.is_far_off, time.at(NOW)) == (False, NOW + 299_000_000)
    assert is_far_off(-301.0)
    assert not is_far_off(None)
