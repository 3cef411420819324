"""Comparison of a signal with a limit: what transitions, permissives and causes are made of."""

import math
import operator
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from plant.quality import UNCERTAIN_FLOOR
from simulators.plc.signal_image import SignalImage


class Comparison(StrEnum):
    """Operators of structured text (IEC 61131-3, expressions)."""

    LESS = "<"
    LESS_OR_EQUAL = "<="
    GREATER = ">"
    GREATER_OR_EQUAL = ">="
    EQUAL = "="
    NOT_EQUAL = "<>"


_OPERATORS: Final[Mapping[Comparison, Callable[[float, float], bool]]] = {
    Comparison.LESS: operator.lt,
    Comparison.LESS_OR_EQUAL: operator.le,
    Comparison.GREATER: operator.gt,
    Comparison.GREATER_OR_EQUAL: operator.ge,
    Comparison.EQUAL: operator.eq,
    Comparison.NOT_EQUAL: operator.ne,
}
_TEXT: Final = re.compile(r"\s*(?P<tag>[A-Z0-9_.]+)\s*(?P<operator><=|>=|<>|<|>|=)\s*(?P<value>\S+)\s*", re.ASCII)


@dataclass(frozen=True, slots=True)
class Condition:
    """``value`` in the unit of the signal."""

    tag: str
    comparison: Comparison
    value: float

    def __str__(self) -> str:
        return f"{self.tag} {self.comparison} {self.value:g}"

    def bind(self, image: SignalImage, when_bad: bool) -> Callable[[], bool]:
        """Does it hold in the image now? ``when_bad`` is the answer for a signal whose value is of no use: true where that is the safe side."""
        position, compare, limit = image.position(self.tag), _OPERATORS[self.comparison], self.value
        cells, qualities = image.cells, image.qualities

        def holds() -> bool:
            # ``image.is_good`` written out: a PLC asks this some hundred times in a scan
            value = cells[position]
            is_usable = 0 <= qualities[position] < UNCERTAIN_FLOOR and value == value  # noqa: PLR0124 - NaN is not equal to itself
            return compare(value, limit) if is_usable else when_bad

        return holds

    def can_change(self, low: float, high: float) -> bool:
        """Whether some values from ``low`` to ``high`` meet it and others do not: a condition that always or never holds is a mistake."""
        if self.comparison in {Comparison.EQUAL, Comparison.NOT_EQUAL}:
            return low <= self.value <= high
        return self.is_met_by(low) is not self.is_met_by(high)

    def is_met_by(self, value: float) -> bool:
        return _OPERATORS[self.comparison](value, self.value)


def when(*texts: str) -> tuple[Condition, ...]:
    """Conditions as structured text writes them: ``when("SIN.FUR101.PT101 < -1", "SIN.FUR101.ZSC101 = 1")``. ``ValueError`` for a text that is none."""
    return tuple(_parsed(text) for text in texts)


def _parsed(text: str) -> Condition:
    found = _TEXT.fullmatch(text)
    try:
        value = math.nan if found is None else float(found["value"])
    except ValueError:
        value = math.nan
    if found is None or not math.isfinite(value):
        raise ValueError(f"{text!r} is no condition; write tag, operator and number, as in 'SIN.FUR101.PT101 < -1'")
    return Condition(found["tag"], Comparison(found["operator"]), value)
