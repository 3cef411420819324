"""``from`` and ``to`` of a request."""

from plant import times
from services.api.problems import ApiProblem


def parsed(text: str, field: str) -> int:
    """UTC microseconds. Raises ``ApiProblem`` 422 that names the field."""
    try:
        moment = times.parse_time(text.replace(" ", "+"), times.now())  # a '+' that was not escaped arrives as a space
        times.to_datetime(moment)
    except (ValueError, OverflowError) as error:
        detail = str(error) if isinstance(error, ValueError) else f"{text[:50]!r} lies outside the years 1 to 9999"
        raise ApiProblem(422, f"{field}: {detail}") from None
    return moment


def time_range(start: str, end: str) -> tuple[int, int]:
    """``from`` and ``to``, UTC microseconds. Raises ``ApiProblem`` 422 when one is no time, or they are the wrong way round."""
    first, last = parsed(start, "from"), parsed(end, "to")
    if first > last:
        raise ApiProblem(422, f"from ({times.format_time(first)}) lies after to ({times.format_time(last)}); exchange them")
    return first, last
