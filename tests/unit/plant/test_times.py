from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from plant.times import MICROSECONDS, format_time, from_datetime, now, parse_duration, parse_time, to_datetime

FIRST = from_datetime(datetime(1, 1, 1, tzinfo=UTC))
LAST = from_datetime(datetime(9999, 12, 31, 23, 59, 59, 999_999, tzinfo=UTC))
TIMES = st.integers(FIRST, LAST)


@given(TIMES)
def test_a_time_survives_both_ways_out(time: int) -> None:
    assert from_datetime(to_datetime(time)) == time
    assert parse_time(format_time(time), 0) == time
    assert len(format_time(time)) == len("2026-11-23T04:00:00.000000Z")


@given(TIMES, TIMES)
def test_written_times_sort_as_times_do(one: int, other: int) -> None:
    assert (format_time(one) < format_time(other)) == (one < other)


@given(st.integers(FIRST + 10**11, LAST - 10**11), st.integers(-14 * 60, 14 * 60))
def test_a_zone_changes_the_writing_and_not_the_time(time: int, minutes: int) -> None:
    there = to_datetime(time).astimezone(timezone(timedelta(minutes=minutes)))
    assert from_datetime(there) == time
    assert parse_time(there.isoformat(), 0) == time


def test_a_time_is_written_with_microseconds_and_z() -> None:
    assert format_time(0) == "1970-01-01T00:00:00.000000Z"
    assert format_time(1_795_406_400_000_001) == "2026-11-23T04:00:00.000001Z"
    assert format_time(FIRST) == "0001-01-01T00:00:00.000000Z"


def test_a_naive_datetime_is_utc() -> None:
    assert from_datetime(datetime(1970, 1, 2)) == 86_400 * MICROSECONDS  # noqa: DTZ001 - a naive one is what is tested


def test_years_beyond_the_calendar_overflow() -> None:
    with pytest.raises(OverflowError):
        to_datetime(LAST + 1)


@pytest.mark.parametrize(
    ("text", "microseconds"),
    [
        ("1us", 1),
        ("250ms", 250_000),
        ("10s", 10 * MICROSECONDS),
        ("1m", 60 * MICROSECONDS),
        ("1h", 3600 * MICROSECONDS),
        ("7d", 604_800 * MICROSECONDS),
        ("0s", 0),
    ],
)
def test_durations(text: str, microseconds: int) -> None:
    assert parse_duration(text) == microseconds
    assert parse_time(f"-{text}", 5) == 5 - microseconds
    assert parse_time(f"+{text}", 5) == 5 + microseconds


@pytest.mark.parametrize("text", ["", "s", "10", "1.5s", "-1s", "10 s", "1w", "1S", "9999999999s", "\N{ARABIC-INDIC DIGIT ONE}s"])
def test_what_is_no_duration_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="is no duration"):
        parse_duration(text)


@pytest.mark.parametrize("text", ["2026-11-23T04:00:00", "2026-11-23"])
def test_a_time_without_zone_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="has no zone"):
        parse_time(text, 0)


@pytest.mark.parametrize("text", ["", "yesterday", "2026-13-01T00:00:00Z", "2026-11-23T25:00:00Z", "1795406400"])
def test_what_is_no_time_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="is no time"):
        parse_time(text, 0)


def test_now_is_the_reference_it_is_given() -> None:
    assert parse_time("now", 42) == 42


def test_the_clock_counts_microseconds_since_1970() -> None:
    before = from_datetime(datetime.now(UTC))
    assert abs(now() - before) < 60 * MICROSECONDS
