"""A site made of the variables that a server has: a proposal for people to review. Pure.

Rules:

1. Names are AREA.UNIT.POINT: the last step of the path is the point, the one before it the unit. Names that come out equal are numbered in order of path.
2. Tags are read-only unless writing was asked for, and then only where the server allows it and the range of a write is known.
3. What no tag can be made of is left out here; ``Variable.reason`` says why.
"""

import re
import unicodedata
from collections.abc import Sequence
from typing import Final

from plant import AlarmLimits, DataType, Kind, OpcuaAddress, OpcuaDevice, Site, Tag
from plant.site_tags import REACH
from services.gateway.browse import Variable

_NO_LETTER: Final = re.compile(r"[^A-Z0-9]+")
_SCAN_MS: Final = 1000
_UNNAMED: Final = "NODE"


def site_of(device: OpcuaDevice, variables: Sequence[Variable], *, first_id: int, writable: bool) -> Site:
    """``first_id`` is that of the first tag; the others follow."""
    taken: dict[str, int] = {}
    tags: list[Tag] = []
    for variable in variables:
        if variable.data_type is not None and variable.node is not None:
            name = _free_name(_name(device.area, variable.path), taken)
            tags.append(_tag(first_id + len(tags), name, device, variable, variable.data_type, variable.node, writable=writable))
    return Site(device.name, {device.name: device}, tuple(tags))


def _name(area: str, path: Sequence[str]) -> str:
    unit = _word(path[-2]) if len(path) > 1 else _UNNAMED
    return f"{area}.{unit}.{_word(path[-1]) if path else _UNNAMED}"


def _word(text: str) -> str:
    """Capitals and digits of ``text``, accents dropped, anything else an underscore."""
    plain = unicodedata.normalize("NFKD", text).encode("ascii", "ignore").decode().upper()
    return _NO_LETTER.sub("_", plain).strip("_") or _UNNAMED


def _free_name(name: str, taken: dict[str, int]) -> str:
    number = taken.get(name, 0) + 1
    taken[name] = number
    return name if number == 1 else _free_name(f"{name}_{number}", taken)


def _tag(number: int, name: str, device: OpcuaDevice, variable: Variable, data_type: DataType, node: str, *, writable: bool) -> Tag:
    eu_range = _fitting(variable.eu_range, data_type)
    is_writable = writable and variable.is_writable and (eu_range is not None or not data_type.is_continuous)
    return Tag(
        id=number,
        name=name,
        area=device.area,
        unit=name.split(".")[1],
        description=variable.description or "/".join(variable.path),
        kind=_kind(data_type, is_writable=is_writable),
        data_type=data_type,
        engineering_unit=variable.engineering_unit,
        eu_range=eu_range,
        normal=None,
        device=device.name,
        source=OpcuaAddress(node),
        scan_ms=_SCAN_MS,
        deadband=None if data_type.is_text else 0.0,
        compression_deviation=None,
        alarm_limits=AlarmLimits(),
        priority=None,
        writable=is_writable,
    )


def _fitting(eu_range: tuple[float, float] | None, data_type: DataType) -> tuple[float, float] | None:
    if eu_range is None or data_type.is_text:
        return None
    low, high = REACH.get(data_type, (-float("inf"), float("inf")))
    return eu_range if low <= eu_range[0] and eu_range[1] <= high else None


def _kind(data_type: DataType, *, is_writable: bool) -> Kind:
    if data_type.is_text:
        return Kind.CALCULATED
    if data_type is DataType.BOOLEAN:
        return Kind.DISCRETE_OUTPUT if is_writable else Kind.DISCRETE_INPUT
    return Kind.ANALOG_OUTPUT if is_writable else Kind.ANALOG_INPUT
