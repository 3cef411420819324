"""Months and days of native partitions."""

from datetime import UTC, datetime

import numpy as np
import pytest

from plant import times
from services.store.postgresql.partitions import days_of, end_of, ending_before, partitions_for


def moment(text: str) -> int:
    return times.parse_time(text, 0)


def test_days_of_any_year() -> None:
    time = np.array([moment(text) for text in ("0001-01-01T00:00:00Z", "1969-12-31T23:59:59.999999Z", "2026-11-23T04:00:00Z", "9999-12-31T23:59:59Z")])
    assert days_of(time) == {"0001-01-01", "1969-12-31", "2026-11-23", "9999-12-31"}


@pytest.mark.parametrize(
    ("present", "is_daily", "made"),
    [
        (set(), False, ["2026_11", "2026_12"]),
        (set(), True, ["2026_11_23", "2026_11_24", "2026_12_01"]),
        ({"2026_11"}, True, ["2026_12_01"]),
        ({"2026_11_24", "2026_12_05"}, False, ["2026_11_23", "2026_12_01"]),
        ({"2026_11", "2026_12"}, False, []),
    ],
)
def test_a_month_keeps_to_what_it_began_with(present: set[str], is_daily: bool, made: list[str]) -> None:
    assert partitions_for({"2026-11-23", "2026-11-24", "2026-12-01"}, present, is_daily=is_daily) == made


def test_what_ends_before_a_moment_is_old() -> None:
    names = {"2026_11", "2026_12_01", "2026_12_02", "9999_12", "9999_12_31"}
    assert ending_before(names, datetime(2026, 12, 2, tzinfo=UTC)) == ["2026_11", "2026_12_01"]
    assert ending_before(names, datetime(2026, 12, 1, 23, 59, tzinfo=UTC)) == ["2026_11"]
    assert end_of("9999_12") is None
    assert end_of("9999_12_31") is None
