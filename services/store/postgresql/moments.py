"""Times as parameters of a statement."""

from plant import times


def moment_of(time: int) -> object:
    """A time as a parameter; those outside the calendar stand for "ever"."""
    try:
        return times.to_datetime(time)
    except OverflowError:
        return "infinity" if time > 0 else "-infinity"
