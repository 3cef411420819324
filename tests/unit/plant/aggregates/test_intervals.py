import pytest

from plant.aggregates import interval_edges


@pytest.mark.parametrize(
    ("start", "end", "interval", "edges"),
    [(0, 10, 5, [0, 5, 10]), (3, 14, 5, [3, 8, 13, 14]), (0, 10, 0, [0, 10]), (0, 10, 10, [0, 10]), (0, 10, 99, [0, 10]), (-7, -1, 3, [-7, -4, -1])],
)
def test_intervals_run_from_the_start_and_the_last_is_the_rest(start: int, end: int, interval: int, edges: list[int]) -> None:
    assert interval_edges(start, end, interval).tolist() == edges


def test_a_span_without_length_is_refused() -> None:
    with pytest.raises(ValueError, match="not after"):
        interval_edges(5, 5, 1)
    with pytest.raises(ValueError, match="0"):
        interval_edges(0, 5, -1)
