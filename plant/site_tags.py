"""tags.csv of a site folder -> tags: what one row can be asked by itself."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Final

from plant.device import Source
from plant.site_devices import TOKEN
from plant.site_table import Row
from plant.tag import TAG_NAME, AlarmLimits, DataType, Kind, Priority, Tag

# fmt: off
TAG_COLUMNS: Final = (
    "id", "tag", "area", "unit", "description", "kind", "datatype", "eu", "lo", "hi", "normal", "device", "scan_ms", "deadband",
    "alarm_ll", "alarm_l", "alarm_h", "alarm_hh", "priority", "writable",
)
TAG_OPTIONAL: Final = ("compression",)
# fmt: on

REACH: Final[Mapping[DataType, tuple[float, float]]] = {
    DataType.BOOLEAN: (0, 1),
    DataType.INT16: (-(2**15), 2**15 - 1),
    DataType.UINT16: (0, 2**16 - 1),
    DataType.INT32: (-(2**31), 2**31 - 1),
    DataType.UINT32: (0, 2**32 - 1),
}
"""Values that a type which is not continuous can hold."""

_FASTEST_SCAN_MS: Final = 10
_SLOWEST_SCAN_MS: Final = 86_400_000
_ALARMS: Final = ("alarm_ll", "alarm_l", "alarm_h", "alarm_hh")


@dataclass(frozen=True, slots=True)
class TagRow:
    """A row that names a tag; ``tag`` is ``None`` where the row, or the tag's source, is of no use."""

    name: str
    device: str
    tag: Tag | None
    row: Row


def parse_tags(rows: Sequence[Row], sources: Mapping[str, Source | None]) -> list[TagRow]:
    found: list[TagRow] = []
    for row in rows:
        name = row.required("tag", "every tag has a name, as in SEP.COL101.PT101")
        if name is not None:
            found.append(_tag_row(row, name, sources.get(name)))
    _report_twice(found, "tag", "rename one of them")
    _report_twice(found, "id", "give this tag an id that no tag ever had: history is kept by id")
    return found


def _report_twice(found: Sequence[TagRow], field: str, mend: str) -> None:
    first: dict[str, Row] = {}
    for tag_row in found:
        text = tag_row.row.text(field)
        key = text.lstrip("0") if field == "id" else text
        earlier = first.setdefault(key, tag_row.row)
        if key and earlier is not tag_row.row:
            tag_row.row.report(field, f"{field} {text!r} stands in line {earlier.line} already", mend)


def _tag_row(row: Row, name: str, source: Source | None) -> TagRow:
    _check_names(row, name)
    tag_id = _required_integer(row, "id", 1, 2**31 - 1, "give it the next free number, and never change it")
    kind = row.choice("kind", Kind) if row.required("kind", f"write one of {', '.join(Kind)}") else None
    data_type = row.choice("datatype", DataType) if row.required("datatype", f"write one of {', '.join(DataType)}") else None
    device = row.required("device", "write the device that the tag belongs to") or ""
    scan_ms = _required_integer(row, "scan_ms", _FASTEST_SCAN_MS, _SLOWEST_SCAN_MS, "write the period in ms")
    deadband = row.number("deadband")
    if deadband is not None and deadband < 0:
        row.report("deadband", f"{deadband:g} is below 0", "write 0 for every change, blank for every sample")
    compression = row.number("compression")
    if compression is not None and compression < 0:
        row.report("compression", f"{compression:g} is below 0", "write 0 to leave out only repeats, blank to keep every sample")
    eu_range = _eu_range(row)
    normal = row.number("normal")
    limits = AlarmLimits(*(row.number(field) for field in _ALARMS))
    _check_order(row, eu_range, normal)
    priority = row.choice("priority", Priority)
    _check_priority(row)
    writable = row.flag("writable") or False
    if kind is None or data_type is None:
        return TagRow(name, device, None, row)
    _check_type(row, data_type, eu_range)
    _check_writable(row, writable, kind, data_type, eu_range)
    if source is None or tag_id is None or scan_ms is None:
        return TagRow(name, device, None, row)
    tag = Tag(
        id=tag_id,
        name=name,
        area=row.text("area"),
        unit=row.text("unit"),
        description=row.text("description"),
        kind=kind,
        data_type=data_type,
        engineering_unit=row.text("eu"),
        eu_range=eu_range,
        normal=normal,
        device=device,
        source=source,
        scan_ms=scan_ms,
        deadband=deadband,
        compression_deviation=compression,
        alarm_limits=limits,
        priority=priority,
        writable=writable,
    )
    return TagRow(name, device, tag, row)


def _required_integer(row: Row, field: str, low: int, high: int, mend: str) -> int | None:
    return row.integer(field, low, high) if row.required(field, mend) else None


def _check_names(row: Row, name: str) -> None:
    area, unit = row.text("area"), row.text("unit")
    if TOKEN.fullmatch(area) is None:
        row.report("area", f"{area!r} is no area name", "use letters, digits, _ and - only: it becomes part of a bus subject")
    elif TAG_NAME.fullmatch(name) is None:
        row.report("tag", f"{name!r} is no tag name", "write AREA.UNIT.POINT in capitals and digits, as in SEP.COL101.PT101")
    elif not name.startswith(f"{area}.{unit}."):
        row.report("tag", f"{name!r} does not begin with its area and unit {area}.{unit}", "make area, unit and tag agree")


def _eu_range(row: Row) -> tuple[float, float] | None:
    low, high = row.number("lo"), row.number("hi")
    for given, other in (("lo", "hi"), ("hi", "lo")):
        if row.text(given) and not row.text(other):
            row.report(other, f"is blank, and {given} is not", "write both ends of the range, or neither")
    if low is None or high is None:
        return None
    if low >= high:
        row.report("lo", f"{low:g} is not below hi {high:g}", "write the lower end in lo")
        return None
    return low, high


def _check_order(row: Row, eu_range: tuple[float, float] | None, normal: float | None) -> None:
    """ll < l < normal < h < hh, all within lo … hi; a limit at the normal value would stand for ever."""
    fields = ("alarm_ll", "alarm_l", "normal", "alarm_h", "alarm_hh")
    values = [(field, normal if field == "normal" else _quiet_number(row, field)) for field in fields]
    given = [(field, value) for field, value in values if value is not None]
    for (below, low), (above, high) in pairwise(given):
        if low >= high:
            row.report(above, f"{high:g} is not above {below} {low:g}", "order them ll < l < normal < h < hh")
    if eu_range is None:
        return
    for field, value in given:
        if not eu_range[0] <= value <= eu_range[1]:
            row.report(field, f"{value:g} lies outside {eu_range[0]:g} … {eu_range[1]:g}", "correct it, or widen lo … hi")


def _quiet_number(row: Row, field: str) -> float | None:
    """A cell whose mistakes were reported when it was first read."""
    return Row(row.file, row.line, row.cells, []).number(field)


def _check_priority(row: Row) -> None:
    has_alarm = any(row.text(field) for field in _ALARMS)
    if has_alarm and not row.text("priority"):
        row.report("priority", "is blank, and the tag has an alarm limit", f"write one of {', '.join(Priority)}")
    if row.text("priority") and not has_alarm:
        row.report("priority", f"is {row.text('priority')!r}, and the tag has no alarm limit", "leave it blank, or write a limit")


def _check_type(row: Row, data_type: DataType, eu_range: tuple[float, float] | None) -> None:
    if row.text("compression") and not data_type.is_continuous:
        row.report("compression", f"a {data_type} holds its value between samples, so that none can be left out", "leave it blank")
    if data_type.is_text:
        for field in ("lo", "hi", "normal", "deadband", *_ALARMS):
            if row.text(field):
                row.report(field, f"a {data_type} has no {field}", "leave it blank")
    elif data_type in REACH and eu_range is not None:
        low, high = REACH[data_type]
        if not low <= eu_range[0] < eu_range[1] <= high:
            row.report("lo" if eu_range[0] < low else "hi", f"the range reaches outside {low:g} … {high:g}, all that {data_type} can hold", "narrow it")


def _check_writable(row: Row, writable: bool, kind: Kind, data_type: DataType, eu_range: tuple[float, float] | None) -> None:
    if not writable:
        return
    is_output = kind in {Kind.ANALOG_OUTPUT, Kind.DISCRETE_OUTPUT} or (kind is Kind.CALCULATED and data_type.is_text)
    if not is_output:
        row.report("writable", f"a tag of kind {kind} and type {data_type} cannot be written", "write 0; only AO, DO and calc of type String may have 1")
    elif eu_range is None and data_type.is_continuous and not (row.text("lo") and row.text("hi")):
        row.report("hi", "a tag that can be written needs limits", "write lo and hi: no write goes beyond them")
