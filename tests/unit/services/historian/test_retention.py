from pathlib import Path

from prometheus_client import CollectorRegistry

from plant import times
from services.historian.metrics import HistorianMetrics
from services.historian.retention import STEADY_FOR, Retention
from services.store import open_store

DAY = 86_400 * times.MICROSECONDS
NOW = times.parse_time("2026-11-23T04:00:00Z", 0)


class Clocks:
    """A wall clock and one that only goes forward."""

    def __init__(self) -> None:
        self.wall = NOW
        self.monotonic = 0.0
        self.newest: int | None = NOW

    def go(self, seconds: float) -> None:
        self.wall += int(seconds * times.MICROSECONDS)
        self.monotonic += seconds


def retention(folder: Path, clocks: Clocks, keep: int | None = 10 * DAY) -> Retention:
    store = open_store(f"sqlite:///{folder}/history.sqlite")
    return Retention(store, keep, lambda: clocks.newest, HistorianMetrics(CollectorRegistry()), lambda: clocks.wall, lambda: clocks.monotonic)


def test_nothing_goes_before_the_clock_was_steady_for_ten_minutes(tmp_path: Path) -> None:
    clocks = Clocks()
    kept = retention(tmp_path, clocks)
    clocks.go(STEADY_FOR - 1)
    assert kept.horizon() is None
    clocks.go(1)
    clocks.newest = clocks.wall
    assert kept.horizon() == clocks.wall - 10 * DAY


def test_a_clock_that_jumps_begins_the_ten_minutes_anew(tmp_path: Path) -> None:
    clocks = Clocks()
    kept = retention(tmp_path, clocks)
    clocks.go(STEADY_FOR)
    clocks.wall += DAY
    assert kept.horizon() is None
    clocks.go(STEADY_FOR - 1)
    assert kept.horizon() is None
    clocks.go(1)
    assert kept.horizon() is not None


def test_a_clock_that_is_ahead_from_the_start_removes_no_more_than_the_newest_value_allows(tmp_path: Path) -> None:
    clocks = Clocks()
    clocks.wall += 400 * DAY
    kept = retention(tmp_path, clocks)
    clocks.go(STEADY_FOR)
    assert kept.horizon() == NOW - 10 * DAY


def test_nothing_goes_from_a_site_that_keeps_all_or_has_nothing(tmp_path: Path) -> None:
    clocks = Clocks()
    everything = retention(tmp_path, clocks, keep=None)
    empty = retention(tmp_path, clocks)
    clocks.go(STEADY_FOR)
    clocks.newest = None
    assert (everything.horizon(), empty.horizon()) == (None, None)
