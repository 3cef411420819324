import numpy as np
import pytest
from prometheus_client import CollectorRegistry

from drivers import DriverMetricFamilies
from drivers.source_clock import SourceClock
from plant import times
from plant.batch import SampleBatch, TextBatch
from plant.quality import Quality
from tests.samples import batch_of, rows_of

SECOND = times.MICROSECONDS
NOW = times.parse_time("2026-11-23T04:00:00Z", 0)
YEAR_1970 = 5 * SECOND
LAST_YEAR = NOW - 365 * 86_400 * SECOND
DOUBTFUL = int(Quality.UNCERTAIN_SUB_NORMAL)
REFUSED = int(Quality.BAD_NODE_ID_UNKNOWN)


class Clocked:
    """A source clock of the tags 1 to 3, and what it counted."""

    def __init__(self, queued_from: int | None = None) -> None:
        self._registry = CollectorRegistry()
        self.clock = SourceClock([1, 2, 3], DriverMetricFamilies(self._registry).of("opcua", "PLC"))
        self.clock.begin(NOW, queued_from)

    def uncertain(self, lag: int, seconds: range) -> list[int]:
        """The seconds after ``NOW`` whose sample of tag 1, ``lag`` seconds late and one a second, is not Good at its own time."""
        said = [(second, (1, NOW + (second - lag) * SECOND, float(second), 0)) for second in seconds]
        return [second for second, row in said if self.take(NOW + second * SECOND, row) != [row]]

    def take(self, received: int, *rows: tuple[int, int, float, int], offset: float | None = 0.0) -> list[tuple[int, int, float, int]]:
        right = self.clock.set_right(batch_of(rows), received, offset)
        assert isinstance(right, SampleBatch)
        return rows_of(right)

    def figure(self, name: str, **labels: str) -> float:
        return self._registry.get_sample_value(f"monazite_driver_samples_{name}_total", {"driver": "opcua", "device": "PLC", **labels}) or 0.0


def test_a_clock_that_goes_back_half_a_century_moves_no_current_value_back() -> None:
    clocked = Clocked()
    assert clocked.take(NOW, (1, LAST_YEAR, 1.0, 0), (2, NOW, 50.0, 0)) == [(1, LAST_YEAR, 1.0, 0), (2, NOW, 50.0, 0)]
    assert clocked.clock.trouble(0.0) is None
    later = NOW + SECOND
    assert clocked.take(later, (2, YEAR_1970, 90.0, 0), (2, YEAR_1970 + SECOND, 91.0, 0)) == [(2, later, 90.0, DOUBTFUL), (2, later + 1, 91.0, DOUBTFUL)]
    assert "1 of its tags have source times that went back" in str(clocked.clock.trouble(0.0))
    assert clocked.figure("set_right", fault="back") == 2
    set_again = NOW + 2 * SECOND
    assert clocked.take(set_again, (2, set_again, 92.0, 0)) == [(2, set_again, 92.0, 0)]
    assert clocked.clock.trouble(0.0) is None


def test_a_clock_that_goes_back_within_one_batch_is_noticed_in_it() -> None:
    clocked = Clocked()
    rows = [(2, NOW - SECOND, 1.0, 0), (1, YEAR_1970, 7.0, 0), (2, YEAR_1970, 2.0, 0), (2, NOW, 3.0, 0)]
    assert clocked.take(NOW, *rows) == [*rows[:2], (2, NOW, 2.0, DOUBTFUL), rows[3]]


def test_a_value_of_a_clock_that_was_a_little_ahead_does_not_hide_what_comes_after_it_was_set() -> None:
    clocked = Clocked()
    ahead = NOW + 200 * SECOND
    clocked.take(NOW, (1, ahead, 1.0, 0))
    assert clocked.take(NOW + SECOND, (1, NOW + SECOND, 2.0, 0)) == [(1, ahead + 1, 2.0, DOUBTFUL)]


def test_small_disorder_stands() -> None:
    clocked = Clocked()
    rows = [(1, NOW, 1.0, 0), (1, NOW - 4 * SECOND, 2.0, 0)]
    assert clocked.take(NOW, *rows) == rows
    assert clocked.figure("set_right", fault="back") == 0


def test_first_values_are_as_old_as_they_are_and_the_same_again_after_a_loss() -> None:
    clocked = Clocked()
    rows = [(1, LAST_YEAR, 1.0, 0), (2, NOW, 2.0, 0)]
    assert clocked.take(NOW, *rows) == rows
    clocked.clock.begin(NOW + 60 * SECOND, NOW + SECOND)
    assert clocked.take(NOW + 60 * SECOND, *rows) == rows
    assert clocked.figure("apart") == 0


def test_a_recording_keeps_its_times() -> None:
    clocked = Clocked()
    for row in range(5):
        played = (1, LAST_YEAR + row * SECOND, float(row), 0)
        assert clocked.take(NOW + row * SECOND, played) == [played]
    assert clocked.figure("apart") == 4, "counted as far from their arrival, but for the first"


def test_what_was_queued_during_a_loss_comes_after_what_was_read_and_stands() -> None:
    lost_at, back_at = NOW - 60 * SECOND, NOW
    clocked = Clocked(queued_from=lost_at)
    clocked.take(back_at, (1, back_at, 9.0, 0))
    queued = [(1, lost_at + k * SECOND, float(k), 0) for k in range(3)]
    assert clocked.take(back_at + SECOND, *queued) == queued
    before = (1, lost_at - 60 * SECOND, 4.0, 0)
    assert clocked.take(back_at + SECOND, before)[0][3] == DOUBTFUL, "from before the loss nothing was queued"
    assert clocked.take(back_at + 900 * SECOND, *queued)[0][3] == DOUBTFUL, "nor does a queue last for ever"


def test_a_server_whose_clock_is_far_behind_dates_nothing() -> None:
    clocked = Clocked()
    offset = (YEAR_1970 - NOW) / SECOND
    rows = clocked.take(NOW, (1, YEAR_1970, 1.0, 0), (2, YEAR_1970, np.inf, REFUSED), (3, NOW, 3.0, 0), offset=offset)
    assert rows == [(1, NOW, 1.0, DOUBTFUL), (2, NOW + 1, np.inf, REFUSED), (3, NOW, 3.0, 0)]
    assert clocked.figure("set_right", fault="behind") == 2
    assert "s behind ours: set it" in str(clocked.clock.trouble(offset))


@pytest.mark.parametrize(("offset", "text"), [(None, None), (4.9, None), (-4.9, None), (12.0, "12 s ahead of ours"), (-12.0, "12 s behind ours")])
def test_a_clock_that_is_some_seconds_off_is_told_of(offset: float | None, text: str | None) -> None:
    trouble = Clocked().clock.trouble(offset)
    assert trouble is None if text is None else text in str(trouble)


def test_a_time_ahead_of_ours_is_counted_as_such() -> None:
    clocked = Clocked()
    assert clocked.take(NOW, (1, NOW + 301 * SECOND, 1.0, 0)) == [(1, NOW, 1.0, DOUBTFUL)]
    assert clocked.figure("set_right", fault="ahead") == 1


def test_an_old_value_of_a_tag_that_was_refused_until_now_is_current_and_no_less_good() -> None:
    clocked = Clocked()
    clocked.take(NOW, (1, NOW, np.nan, REFUSED))
    later = NOW + 30 * SECOND
    assert clocked.take(later, (1, LAST_YEAR, 5.0, 0)) == [(1, later, 5.0, 0)]
    assert clocked.clock.trouble(0.0) is None


def test_texts_are_set_right_as_well() -> None:
    clock = Clocked().clock
    clock.set_right(TextBatch.of([1], [NOW], ["LOT-1"], [0]), NOW, None)
    right = clock.set_right(TextBatch.of([1], [YEAR_1970], ["LOT-2"], [0]), NOW + SECOND, None)
    assert (right.time.tolist(), right.quality.tolist()) == ([NOW + SECOND], [DOUBTFUL])


def test_what_is_no_tag_of_the_device_is_passed_on() -> None:
    clocked = Clocked()
    assert clocked.take(NOW, (9, NOW, 1.0, 0)) == [(9, NOW, 1.0, 0)]


@pytest.mark.parametrize(("lag", "over_after"), [(10, 10), (60, 60), (299, 299), (600, 1200), (1800, 3600)])
@pytest.mark.parametrize("quality", [0, int(Quality.BAD_DEVICE_FAILURE)])
def test_one_sample_by_another_clock_is_felt_no_longer_than_a_source_lags(lag: int, over_after: int, quality: int) -> None:
    clocked = Clocked()
    assert clocked.uncertain(lag, range(3)) == []
    clocked.take(NOW + 3 * SECOND, (1, NOW + 3 * SECOND, 77.0, quality))
    assert len(clocked.uncertain(lag, range(4, 4 + over_after))) >= lag // 2
    assert clocked.uncertain(lag, range(4 + over_after, 64 + over_after)) == []
    assert clocked.clock.trouble(0.0) is None


@pytest.mark.parametrize("lag", [10, 60, 600])
def test_one_sample_out_of_order_puts_no_other_in_doubt(lag: int) -> None:
    clocked = Clocked()
    clocked.uncertain(lag, range(3))
    assert clocked.take(NOW + 3 * SECOND, (1, NOW + (3 - lag - 8) * SECOND, 1.0, 0)) == [(1, NOW + (2 - lag) * SECOND + 1, 1.0, DOUBTFUL)]
    assert clocked.uncertain(lag, range(4, 700)) == []


def test_every_value_after_such_a_sample_is_current_and_in_order() -> None:
    clocked = Clocked()
    clocked.take(NOW, (1, NOW - 600 * SECOND, 0.0, 0))
    newest = clocked.take(NOW + SECOND, (1, NOW + SECOND, 77.0, 0))[0][1]
    for second in range(2, 1300):
        rows = [(1, NOW + (second - 600) * SECOND + half * SECOND // 2, float(second), 0) for half in range(2)]
        for _, time, _, _ in clocked.take(NOW + second * SECOND, *rows):
            assert time > newest - 5 * SECOND
            newest = max(newest, time)
    assert newest == NOW + (1299 - 600) * SECOND + SECOND // 2


def test_a_clock_of_1970_is_wrong_until_it_is_set() -> None:
    clocked = Clocked()
    clocked.take(NOW, (1, NOW, 0.0, 0))
    back = NOW - YEAR_1970
    assert clocked.uncertain(back // SECOND, range(1, 500)) == list(range(1, 500))
    assert clocked.uncertain(0, range(500, 510)) == []


def test_a_new_session_begins_the_order_of_a_tag_anew_unless_its_clock_went_back() -> None:
    clocked = Clocked()
    clocked.take(NOW, (1, NOW - 3600 * SECOND, 0.0, 0), (2, NOW, 0.0, 0))
    clocked.take(NOW + SECOND, (1, NOW + SECOND, 77.0, 0))
    assert clocked.uncertain(3600, range(2, 10)) == list(range(2, 10))
    back_at = NOW + 20 * SECOND
    clocked.clock.begin(back_at, NOW + 15 * SECOND)
    assert clocked.take(back_at, (2, YEAR_1970, 1.0, 0)) == [(2, back_at, 1.0, DOUBTFUL)]
    assert clocked.uncertain(3600, range(21, 100)) == []
    clocked.clock.begin(back_at, NOW + 15 * SECOND)
    assert clocked.take(back_at, (2, YEAR_1970 + SECOND, 1.0, 0)) == [(2, back_at + 1, 1.0, DOUBTFUL)], "nor does it get right by another session"


def test_a_tag_is_not_dated_by_another_one_of_its_batch() -> None:
    clocked = Clocked()
    clocked.take(NOW, (1, NOW + 240 * SECOND, 1.0, 0), (2, NOW - 100 * SECOND, 2.0, 0))
    clocked.take(NOW + SECOND, (2, NOW + SECOND, np.nan, REFUSED))
    later = NOW + 2 * SECOND
    rows = clocked.take(later, (1, later, 3.0, 0), (2, NOW - 100 * SECOND, 4.0, 0))
    assert rows == [(1, NOW + 240 * SECOND + 1, 3.0, DOUBTFUL), (2, later + 1, 4.0, 0)]


def test_a_device_without_a_clock_is_not_doubted_when_ours_is_set_back() -> None:
    clock = SourceClock([1], DriverMetricFamilies(CollectorRegistry()).of("modbus", "PLC"), has_clock=False)
    for received in (NOW, NOW - 1800 * SECOND, NOW - 1799 * SECOND):
        batch = batch_of([(1, received, 1.0, 0)])
        assert clock.set_right(batch, received, None) is batch
    assert clock.trouble(None) is None


def test_a_fault_of_a_tag_that_does_not_change_is_over_when_the_device_is_right_again() -> None:
    clocked = Clocked()
    clocked.take(NOW, (1, NOW + 400 * SECOND, 1.0, 0))
    clocked.take(NOW + 30 * SECOND, (2, NOW + 30 * SECOND, 1.0, 0))
    assert clocked.clock.trouble(0.0) is not None
    clocked.take(NOW + 61 * SECOND, (3, LAST_YEAR, 1.0, 0))
    assert clocked.clock.trouble(0.0) is not None, "the first value of a tag, from last year, tells nothing of the clock"
    clocked.take(NOW + 62 * SECOND, (2, NOW + 62 * SECOND, 1.0, 0))
    assert clocked.clock.trouble(0.0) is None
