"""What a number may be: range and unit stand in the type of a parameter, and a value outside is refused by name, place and mend."""

from dataclasses import dataclass
from functools import lru_cache
from typing import Any, Final, get_type_hints


@dataclass(frozen=True, slots=True)
class Within:
    """A closed range, in ``unit``. Meant for ``Annotated[float, Within(...)]``."""

    low: float
    high: float
    unit: str

    def check(self, place: str, quantity: str, value: float) -> None:
        """Raises ValueError unless ``value`` lies in the range; NaN lies in none."""
        if not self.low <= value <= self.high:
            raise ValueError(f"{place}: {quantity} is {value:g} {self.unit}; give {self.low:g} to {self.high:g} {self.unit}")


STEP: Final = Within(0.0, 60.0, "s")
"""Length of one step. 0 changes nothing; anything longer hides what sequences, interlocks and alarms look at."""


def check_parameters(parameters: object) -> None:
    """Checks every field of a dataclass whose type carries a ``Within``. Raises ValueError."""
    kind: Any = type(parameters)
    for field, bounds in _bounds_of(kind):
        bounds.check(kind.__name__, field, getattr(parameters, field))


@lru_cache(maxsize=64)
def _bounds_of(kind: Any) -> tuple[tuple[str, Within], ...]:
    hints = get_type_hints(kind, include_extras=True)
    return tuple((field, part) for field, hint in hints.items() for part in getattr(hint, "__metadata__", ()) if isinstance(part, Within))
