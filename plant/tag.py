"""A tag: one measured, set or calculated value of the plant, with all that is known of it beside its history."""

import re
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from plant.device import OpcuaAddress, Source

TAG_NAME: Final = re.compile(r"[A-Z0-9]+(\.[A-Z0-9_]+){2,3}", re.ASCII)
"""AREA.UNIT.POINT in ISA-5.1 letters, with an optional .SP, .OP or .MODE; a bare point is the process value."""


class DataType(StrEnum):
    """Type of a tag's value. All but ``STRING`` travel and are stored as float64."""

    FLOAT = "Float"
    DOUBLE = "Double"
    BOOLEAN = "Boolean"
    INT16 = "Int16"
    UINT16 = "UInt16"
    INT32 = "Int32"
    UINT32 = "UInt32"
    STRING = "String"

    @property
    def is_text(self) -> bool:
        return self is DataType.STRING

    @property
    def is_continuous(self) -> bool:
        """Interpolated between samples; every other type holds its value until the next (stepped)."""
        return self in {DataType.FLOAT, DataType.DOUBLE}


class Kind(StrEnum):
    """Signal kind as the instrument index writes it."""

    ANALOG_INPUT = "AI"
    ANALOG_OUTPUT = "AO"
    DISCRETE_INPUT = "DI"
    DISCRETE_OUTPUT = "DO"
    CALCULATED = "calc"


class Priority(StrEnum):
    """Alarm priority (ISA-18.2), that of the outer limit of a tag."""

    LOW = "low"
    MEDIUM = "medium"
    HIGH = "high"
    CRITICAL = "critical"


@dataclass(frozen=True, slots=True)
class AlarmLimits:
    """Alarm limits in engineering units; ``None`` where the tag has no such alarm."""

    low_low: float | None = None
    low: float | None = None
    high: float | None = None
    high_high: float | None = None


@dataclass(frozen=True, slots=True)
class Tag:
    """One row of a site's tag database.

    ``id`` is what history is keyed by: it is never given to another tag. ``eu_range`` is (low, high) in ``engineering_unit`` and, for a writable
    tag, the limits of a write. ``scan_ms`` is the period of a polled tag and the sampling interval of a subscribed one.
    ``deadband``: ``None`` reports every sample that is received, 0 every change, d > 0 every change larger than d engineering units.
    ``compression_deviation``: how far, in engineering units, stored history may be from what was received once it is thinned; ``None`` keeps every sample.
    """

    id: int
    name: str
    area: str
    unit: str
    description: str
    kind: Kind
    data_type: DataType
    engineering_unit: str
    eu_range: tuple[float, float] | None
    normal: float | None
    device: str
    source: Source
    scan_ms: int
    deadband: float | None
    compression_deviation: float | None
    alarm_limits: AlarmLimits
    priority: Priority | None
    writable: bool

    @property
    def is_stepped(self) -> bool:
        return not self.data_type.is_continuous

    @property
    def has_value(self) -> bool:
        """False of a method, which is called and never read."""
        return not (isinstance(self.source, OpcuaAddress) and self.source.method_of is not None)
