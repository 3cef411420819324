"""``from`` and ``to`` of a request."""

from plant import times
from services.api.problems import ApiProblem


def parsed(text: str, field: str, now: int | None = None) -> int:
    """UTC microseconds; offsets are from ``now``, or from the present. Raises ``ApiProblem`` 422 that names the field."""
    try:
        moment = times.parse_time(text.replace(" ", "+"), times.now() if now is None else now)  # a '+' that was not escaped arrives as a space
        times.to_datetime(moment)
    except (ValueError, OverflowError) as error:
        detail = str(error) if isinstance(error, ValueError) else f"{text[:50]!r} lies outside the years 1 to 9999"
        raise ApiProblem(422, f"{field}: {detail}") from None
    return moment


def time_range(start: str, end: str) -> tuple[int, int]:
    """``from`` and ``to``, UTC microseconds. Raises ``ApiProblem`` 422 when one is no time, or they are the wrong way round."""
    now = times.now()  # of both: from=now&to=now is one time
    first, last = parsed(start, "from", now), parsed(end, "to", now)
    if first > last:
        raise ApiProblem(422, f"from ({times.format_time(first)}) lies after to ({times.format_time(last)}); exchange them")
    return first, last
