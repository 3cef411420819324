"""Mistakes that one row of tags.csv shows by itself."""

from pathlib import Path

import pytest

from plant.site_loader import load_site
from tests.unit.plant.small_site import SMALL_SITE, TAG_HEADER, Mistake, check_mistake, problems_of, with_column, write_site

SPEED = "SI101,SEP,P101,"
SPEED_REST = "AI,Float,rpm,0,3600,2100,MB-SEP-01,500,3.6,200,900,3100,3400,low,0"
PRESSURE_LIMITS = "0.3,1.0,8.0,10.0,medium"
LAST_TAG = SMALL_SITE["tags.csv"].splitlines(keepends=True)[-1]

MISTAKES = {
    "missing column": Mistake("tags.csv", "normal,device", "device", "tags.csv:1", "normal", "column 'normal' is missing", "the columns are id,tag"),
    "unknown column": Mistake("tags.csv", ",writable", ",writable,note", "tags.csv:1", "note", "unknown column 'note'", "the columns are id,tag"),
    "column twice": Mistake("tags.csv", ",writable", ",writable,unit", "tags.csv:1", "unit", "column 'unit' stands there twice", "the columns are id,tag"),
    "semicolons": Mistake("tags.csv", TAG_HEADER, TAG_HEADER.replace(",", ";"), "tags.csv:1", None, "not separated by commas", "comma-separated"),
    "too many cells": Mistake("tags.csv", '"Feed pump, speed"', "Feed pump, speed", "tags.csv:2", None, "has 21 cells, and the header 20", "quote a text"),
    "too few cells": Mistake("tags.csv", "medium,0\n9,", "medium\n9,", "tags.csv:9", None, "has 19 cells, and the header 20", "quote a text"),
    "open quote": Mistake("tags.csv", LAST_TAG, LAST_TAG.replace("Pressure", '"Pressure'), "tags.csv:13", None, "is no CSV", "close every quoted text"),
    "no tag name": Mistake("tags.csv", LAST_TAG, LAST_TAG + "13,,SEP" + "," * 17 + "\n", "tags.csv:14", "tag", "is blank", "SEP.COL101.PT101"),
    "tag twice": Mistake("tags.csv", LAST_TAG, LAST_TAG + LAST_TAG.replace("12,", "13,", 1), "tags.csv:14", "tag", "in line 13 already", "rename"),
    "id twice": Mistake("tags.csv", "\n9,", "\n08,", "tags.csv:10", "id", "id '08' stands in line 9 already", "no tag ever had"),
    "id blank": Mistake("tags.csv", "\n9,", "\n,", "tags.csv:10", "id", "is blank", "next free number"),
    "id zero": Mistake("tags.csv", "\n9,", "\n0,", "tags.csv:10", "id", "'0' is no whole number from 1 to 2147483647", "write one"),
    "id too large": Mistake("tags.csv", "\n9,", "\n2147483648,", "tags.csv:10", "id", "no whole number from 1 to 2147483647", "write one"),
    "id with a sign": Mistake("tags.csv", "\n9,", "\n+9,", "tags.csv:10", "id", "'+9' is no whole number", "write one"),
    "id no number": Mistake("tags.csv", "\n9,", "\nnine,", "tags.csv:10", "id", "'nine' is no whole number", "write one"),
    "area of another tag": Mistake("tags.csv", SPEED, "SI101,PPT,P101,", "tags.csv:2", "tag", "does not begin with its area and unit PPT.P101", "agree"),
    "unit of another tag": Mistake("tags.csv", SPEED, "SI101,SEP,P102,", "tags.csv:2", "tag", "does not begin with its area and unit SEP.P102", "agree"),
    "area with a dot": Mistake("tags.csv", SPEED, "SI101,S.P,P101,", "tags.csv:2", "area", "'S.P' is no area name", "bus subject"),
    "device blank": Mistake("tags.csv", "0.56,PLC-SEP-01", "0.56,", "tags.csv:13", "device", "is blank", "write the device"),
    "unknown kind": Mistake("tags.csv", 'speed",AI', 'speed",XI', "tags.csv:2", "kind", "unknown kind 'XI'", "AI, AO, DI, DO, calc"),
    "blank kind": Mistake("tags.csv", 'speed",AI', 'speed",', "tags.csv:2", "kind", "is blank", "AI, AO, DI, DO, calc"),
    "unknown datatype": Mistake("tags.csv", "AI,Float,rpm", "AI,Real,rpm", "tags.csv:2", "datatype", "unknown datatype 'Real'", "one of Float, Double"),
    "unknown priority": Mistake("tags.csv", "3400,low", "3400,urgent", "tags.csv:2", "priority", "unknown priority 'urgent'", "low, medium, high, critical"),
    "lo no number": Mistake(
        "tags.csv", "rpm,0,3600,2100,MB-SEP-01,500", "rpm,O,3600,2100,MB-SEP-01,500", "tags.csv:2", "lo", "'O' is no number", "decimal point"
    ),
    "decimal comma": Mistake("tags.csv", "500,3.6,200", '500,"3,6",200', "tags.csv:2", "deadband", "'3,6' is no number", "decimal point"),
    "infinite": Mistake("tags.csv", "0.56,PLC", "1e999,PLC", "tags.csv:13", "normal", "'1e999' is no number", "finite"),
    "not a number": Mistake("tags.csv", "0.56,PLC", "nan,PLC", "tags.csv:13", "normal", "'nan' is no number", "finite"),
    "lo above hi": Mistake("tags.csv", "bar.h/m3,0,10,0.56", "bar.h/m3,10,0,", "tags.csv:13", "lo", "10 is not below hi 0", "lower end"),
    "lo equals hi": Mistake("tags.csv", "bar.h/m3,0,10,0.56", "bar.h/m3,10,10,", "tags.csv:13", "lo", "10 is not below hi 10", "lower end"),
    "lo without hi": Mistake("tags.csv", "bar.h/m3,0,10,", "bar.h/m3,0,,", "tags.csv:13", "hi", "is blank, and lo is not", "both ends"),
    "normal outside": Mistake("tags.csv", "0,10,0.56", "0,10,11", "tags.csv:13", "normal", "11 lies outside 0 … 10", "widen"),
    "range beyond type": Mistake("tags.csv", "count,0,65535", "count,0,65536", "tags.csv:7", "hi", "outside 0 … 65535, all that UInt16 can hold", "narrow"),
    "scan too fast": Mistake("tags.csv", "0.56,PLC-SEP-01,250", "0.56,PLC-SEP-01,9", "tags.csv:13", "scan_ms", "'9' is no whole number from 10", "write one"),
    "scan blank": Mistake("tags.csv", "0.56,PLC-SEP-01,250", "0.56,PLC-SEP-01,", "tags.csv:13", "scan_ms", "is blank", "period in ms"),
    "negative deadband": Mistake("tags.csv", "500,3.6,200", "500,-3.6,200", "tags.csv:2", "deadband", "-3.6 is below 0", "0 for every change"),
    "text with a range": Mistake("tags.csv", "String,text,,,,", "String,text,,,5,", "tags.csv:8", "normal", "a String has no normal", "leave it blank"),
    "ll above l": Mistake("tags.csv", PRESSURE_LIMITS, "1.5,1.0,8.0,10.0,medium", "tags.csv:9", "alarm_l", "1 is not above alarm_ll 1.5", "ll < l < normal"),
    "l above normal": Mistake("tags.csv", PRESSURE_LIMITS, "0.3,6.0,8.0,10.0,medium", "tags.csv:9", "normal", "5.1 is not above alarm_l 6", "ll < l < normal"),
    "h at normal": Mistake("tags.csv", PRESSURE_LIMITS, "0.3,1.0,5.1,10.0,medium", "tags.csv:9", "alarm_h", "5.1 is not above normal 5.1", "ll < l < normal"),
    "hh below h": Mistake("tags.csv", PRESSURE_LIMITS, "0.3,1.0,8.0,7.0,medium", "tags.csv:9", "alarm_hh", "7 is not above alarm_h 8", "ll < l < normal"),
    "limit outside": Mistake("tags.csv", PRESSURE_LIMITS, "0.3,1.0,8.0,17.0,medium", "tags.csv:9", "alarm_hh", "17 lies outside 0 … 16", "widen"),
    "alarm, no priority": Mistake(
        "tags.csv", PRESSURE_LIMITS, "0.3,1.0,8.0,10.0,", "tags.csv:9", "priority", "is blank, and the tag has an alarm", "one of low"
    ),
    "priority, no alarm": Mistake("tags.csv", PRESSURE_LIMITS, ",,,,medium", "tags.csv:9", "priority", "the tag has no alarm limit", "leave it blank"),
    "writable is yes": Mistake("tags.csv", "3400,low,0", "3400,low,no", "tags.csv:2", "writable", "'no' is neither 0 nor 1", "1 for yes"),
    "writable input": Mistake(
        "tags.csv", "10.0,medium,0", "10.0,medium,1", "tags.csv:9", "writable", "kind AI and type Float cannot be written", "only AO, DO"
    ),
    "write without limits": Mistake(
        "tags.csv", "rpm,0,3600,2100,MB-SEP-01,1000", "rpm,,,2100,MB-SEP-01,1000", "tags.csv:3", "hi", "needs limits", "write lo and hi"
    ),
}


def compressed(cell: str, tag_id: int, place: str, message: str, mend: str) -> Mistake:
    """A mistake in the column of compression, which the table may do without."""
    return Mistake("tags.csv", SMALL_SITE["tags.csv"], with_column("tags.csv", "compression", cell, str(tag_id)), place, "compression", message, mend)


MISTAKES |= {
    "negative compression": compressed("-0.1", 1, "tags.csv:2", "-0.1 is below 0", "0 to leave out only repeats, blank to keep every sample"),
    "compression in percent": compressed("1%", 1, "tags.csv:2", "'1%' is no number", "finite number"),
    "endless compression": compressed("1e999", 1, "tags.csv:2", "'1e999' is no number", "finite number"),
    "compressed boolean": compressed("0.1", 4, "tags.csv:5", "a Boolean holds its value between samples", "leave it blank"),
    "compressed integer": compressed("0", 6, "tags.csv:7", "a UInt16 holds its value between samples", "leave it blank"),
    "compressed text": compressed("0.1", 7, "tags.csv:8", "a String holds its value between samples", "leave it blank"),
    "compression twice": Mistake(
        "tags.csv", ",writable", ",writable,compression,compression", "tags.csv:1", "compression", "stands there twice", "writable,compression"
    ),
}


@pytest.mark.parametrize("mistake", MISTAKES.values(), ids=MISTAKES.keys())
def test_a_mistake_is_told_once_with_its_place_and_mend(mistake: Mistake, tmp_path: Path) -> None:
    check_mistake(mistake, tmp_path)


@pytest.mark.parametrize(("cell", "deviation"), [("", None), ("0", 0.0), ("0.05", 0.05)])
def test_a_tag_may_be_compressed(cell: str, deviation: float | None, tmp_path: Path) -> None:
    write_site(tmp_path)
    assert {tag.compression_deviation for tag in load_site(tmp_path).tags} == {None}, "the column may be absent"
    rows = [row if row.startswith("id,") else f"{row}," for row in SMALL_SITE["tags.csv"].splitlines()]
    rows = [row + {"id": ",compression", "1": cell}.get(row.split(",")[0], "") for row in rows]
    (tmp_path / "tags.csv").write_text("\n".join(rows), encoding="utf-8")
    site = load_site(tmp_path)
    assert site.by_name["SEP.P101.SI101"].compression_deviation == deviation
    assert site.by_name["SEP.COL101.FIC101"].compression_deviation is None


def test_a_tag_in_small_letters_is_refused(tmp_path: Path) -> None:
    for name, text in SMALL_SITE.items():
        (tmp_path / name).write_text(text.replace("COL101", "Col101"), encoding="utf-8")
    problems = problems_of(tmp_path)
    assert [(problem.file, problem.line, problem.field) for problem in problems] == [("tags.csv", line, "tag") for line in (9, 10, 13)]
    assert "AREA.UNIT.POINT in capitals" in problems[0].mend
