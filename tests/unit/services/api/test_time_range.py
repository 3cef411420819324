import pytest

from plant import times
from services.api.problems import ApiProblem
from services.api.time_range import parsed, time_range

HOUR = 3_600 * times.MICROSECONDS


@pytest.mark.parametrize(
    "text",
    [
        "2026-11-23T04:00:00Z",
        "2026-11-23T04:00:00.000000Z",
        "2026-11-23T05:30:00+01:30",
        "2026-11-23T05:30:00 01:30",
        "2026-11-22T23:00:00-05:00",
    ],
)
def test_a_time_with_any_zone_is_one_moment_even_if_its_plus_arrived_as_a_space(text: str) -> None:
    assert times.format_time(parsed(text, "time")) == "2026-11-23T04:00:00.000000Z"


@pytest.mark.parametrize(
    ("text", "offset"),
    [("now", 0), ("-1h", -HOUR), ("+1h", HOUR), (" 1h", HOUR), ("-90m", -90 * 60_000_000), ("-2d", -48 * HOUR), ("-250ms", -250_000), ("-7us", -7)],
)
def test_an_offset_is_counted_from_now(text: str, offset: int) -> None:
    before = times.now()
    found = parsed(text, "from")
    assert before + offset <= found <= times.now() + offset


@pytest.mark.parametrize("text", ["0001-01-01T00:00:00Z", "9999-12-31T23:59:59.999999Z"])
def test_the_first_and_the_last_moment_of_the_calendar_are_times(text: str) -> None:
    assert times.format_time(parsed(text, "time")).startswith(text[:19])


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("", "is no time; write '"),
        ("yesterday", "is no time; write '2026-11-23T04:00:00Z', 'now' or an offset such as '-1h'"),
        ("2026-02-30T00:00:00Z", "is no time"),
        ("2026-11-23T04:00:00", "has no zone; end it with 'Z'"),
        ("-1", "is no duration; write a whole number and one of us, ms, s, m, h, d"),
        ("-1.5h", "is no duration"),
        ("-1fortnight", "is no duration"),
        ("-\u0661h", "is no duration"),
        ("--1h", "is no duration"),
        ("-999999999d", "lies outside the years 1 to 9999"),
        ("+999999999d", "lies outside the years 1 to 9999"),
        ("0001-01-01T00:00:00+23:59", "lies outside the years 1 to 9999"),
        ("9999-12-31T23:59:59-23:59", "lies outside the years 1 to 9999"),
        ("\0", "is no time"),
    ],
)
@pytest.mark.parametrize("field", ["from", "time"])
def test_what_is_no_time_is_refused_with_its_field_and_what_to_write(text: str, says: str, field: str) -> None:
    with pytest.raises(ApiProblem) as refused:
        parsed(text, field)
    assert refused.value.status == 422
    assert refused.value.detail.startswith(f"{field}: ")
    assert says in refused.value.detail


def test_the_field_that_is_no_time_is_the_one_that_is_named() -> None:
    with pytest.raises(ApiProblem, match=r"^from: 'x'"):
        time_range("x", "y")
    with pytest.raises(ApiProblem, match=r"^to: 'y'"):
        time_range("now", "y")


def test_a_range_that_ends_before_it_begins_is_refused_and_an_empty_one_is_not() -> None:
    with pytest.raises(ApiProblem, match=r"from \(2026-.*Z\) lies after to \(2025-.*Z\); exchange them"):
        time_range("2026-01-01T00:00:00Z", "2025-01-01T00:00:00Z")
    first, last = time_range("2026-01-01T00:00:00Z", "2026-01-01T01:00:00+01:00")
    assert first == last
