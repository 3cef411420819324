"""How history is cut, by the rate of the plant."""

from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.store.postgresql.sizing import rate_of, sizing_of
from tests.samples import make_tag

HOUR = timedelta(hours=1)
DAY = timedelta(days=1)


def test_the_rate_is_the_sum_of_the_scans() -> None:
    assert rate_of([make_tag(1, scan_ms=1000), make_tag(2, scan_ms=100), make_tag(3, scan_ms=10_000)]) == pytest.approx(11.1)
    assert rate_of([]) == 0


@pytest.mark.parametrize(
    ("rate", "chunk", "compress_after", "is_daily"),
    [
        (0, 30 * DAY, 60 * DAY, False),
        (10, 7 * DAY, 14 * DAY, False),
        (200, DAY, 7 * DAY, True),
        (1_000, 4 * HOUR, 138 * HOUR, True),
        (5_000, HOUR, 27 * HOUR, True),
        (100_000, HOUR, 2 * HOUR, True),
    ],
)
def test_a_fast_plant_has_short_chunks_and_compresses_soon(rate: float, chunk: timedelta, compress_after: timedelta, is_daily: bool) -> None:
    sizing = sizing_of(rate)
    assert (sizing.chunk, sizing.compress_after, sizing.is_daily) == (chunk, compress_after, is_daily)


@given(st.floats(0, 1e7))
def test_what_is_written_is_never_compressed_under_the_writer(rate: float) -> None:
    sizing = sizing_of(rate)
    assert sizing.compress_after >= 2 * sizing.chunk >= 2 * HOUR
    assert sizing.chunk == HOUR or rate * sizing.chunk.total_seconds() <= 20_000_000
