"""What a number may be: range and unit stand in the type of a parameter, and a value outside is refused by place, name and mend.

Rules:

- every number among a model's parameters is ``Annotated[float, Within(...)]``, a tuple of them ``Annotated[tuple[float, ...], Within(...)]``, and the class
  calls ``check_parameters`` when it is made;
- a name ends with its unit (``length_m``, ``energy_j_per_mol``), and a number without one ends with none;
- an argument of ``step`` or of a constructor is checked with the same ``Within``, and the place is the ``name`` of the model.
"""

from dataclasses import dataclass
from functools import lru_cache
from typing import Any, Final, get_type_hints


@dataclass(frozen=True, slots=True)
class Within:
    """A closed range, in ``unit``; the unit of a number without one is empty. Meant for ``Annotated[float, Within(...)]``."""

    low: float
    high: float
    unit: str = ""

    def check(self, place: str, quantity: str, value: float) -> float:
        """``value``. Raises ValueError unless it lies in the range; NaN lies in none."""
        if not self.low <= value <= self.high:
            unit = f" {self.unit}" if self.unit else ""
            raise ValueError(f"{place}: {quantity} is {value:.9g}{unit}; give {self.low:g} to {self.high:g}{unit}")
        return value


PERCENT: Final = Within(0.0, 100.0, "%")
SHARE: Final = Within(0.0, 1.0)
KELVIN: Final = Within(1.0, 5000.0, "K")
CELSIUS_RANGE: Final = Within(-272.0, 3000.0, "degC")
FACTOR: Final = Within(0.0, 1e3)


def check_parameters(parameters: object) -> None:
    """Checks every field of a dataclass whose type carries a ``Within``; a tuple number by number, and ``None`` is left alone. Raises ValueError."""
    kind: Any = type(parameters)
    for field, bounds in _bounds_of(kind):
        value = getattr(parameters, field)
        for number in value if isinstance(value, tuple) else (value,):
            if number is not None:
                bounds.check(kind.__name__, field, number)


@lru_cache(maxsize=64)
def _bounds_of(kind: Any) -> tuple[tuple[str, Within], ...]:
    hints = get_type_hints(kind, include_extras=True)
    return tuple((field, part) for field, hint in hints.items() for part in getattr(hint, "__metadata__", ()) if isinstance(part, Within))
