"""A folder becomes a site, or every problem in it is told."""

import zipfile
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from plant.device import ByteOrder, ClockOffset, Encoding, Expression, LinkLost, ModbusAddress, ModbusDevice, ModbusTable, OpcuaAddress, OpcuaDevice, TcpLine
from plant.errors import Problem
from plant.site_loader import load_site, parse_site
from plant.tag import AlarmLimits, DataType, Kind, Priority
from tests.unit.plant.small_site import SMALL_SITE, TAG_HEADER, Mistake, check_mistake, problems_of, with_column, write_site


def doubled(file: str, column: str) -> str:
    header, *rows = SMALL_SITE[file].splitlines()
    return "\n".join([f"{header},{column},{column}", *(f"{row},," for row in rows), ""])


MISTAKES = {
    "site without name": Mistake("site.toml", '"Small site"', '" "', "site.toml:1", "name", "' ' is no text", "write name ="),
    "site with a title": Mistake("site.toml", 'site"\n', 'site"\ntitle = 1\n', "site.toml:2", "title", "unknown key 'title'", "the keys here are name"),
    "optional column twice": Mistake(
        "modbus.csv",
        SMALL_SITE["modbus.csv"],
        doubled("modbus.csv", "clamp"),
        "modbus.csv:1",
        "clamp",
        "column 'clamp' stands there twice",
        "offset,no_value,clamp",
    ),
    "optional column of the other protocol": Mistake(
        "opcua.csv",
        SMALL_SITE["opcua.csv"],
        with_column("opcua.csv", "clamp", "1", "SEP.COL101.PT101"),
        "opcua.csv:1",
        "clamp",
        "unknown column",
        "tag,node,index",
    ),
    "site is no TOML": Mistake("site.toml", '"Small site"', "Small site", "site.toml:1", None, "is no TOML", "double quotes"),
}


def test_a_valid_folder_becomes_a_site(tmp_path: Path) -> None:
    site = load_site(write_site(tmp_path))
    assert site.name == "Small site"
    assert site.devices == {
        "MB-SEP-01": ModbusDevice("MB-SEP-01", "SEP", TcpLine("10.20.3.11", 502), 8, max_registers=20),
        "PLC-SEP-01": OpcuaDevice("PLC-SEP-01", "SEP", "opc.tcp://10.20.3.21:4840"),
    }
    assert [tag.id for tag in site.tags] == list(range(1, 13))
    speed = site.by_name["SEP.P101.SI101"]
    assert (speed.area, speed.unit, speed.description, speed.kind) == ("SEP", "P101", "Feed pump, speed", Kind.ANALOG_INPUT)
    assert (speed.data_type, speed.engineering_unit, speed.eu_range, speed.normal) == (DataType.FLOAT, "rpm", (0.0, 3600.0), 2100.0)
    assert (speed.device, speed.scan_ms, speed.deadband, speed.writable) == ("MB-SEP-01", 500, 3.6, False)
    assert (speed.alarm_limits, speed.priority) == (AlarmLimits(200, 900, 3100, 3400), Priority.LOW)
    assert site.by_name["SEP.COL101.FIC101"].deadband is None
    assert {name.rsplit(".", 1)[-1]: tag.source for name, tag in site.by_name.items()} == {
        "SI101": ModbusAddress(ModbusTable.INPUT, 0, Encoding.FLOAT32, ByteOrder.CDAB, 2),
        "SP": ModbusAddress(ModbusTable.HOLDING, 0, Encoding.UINT16, scale=0.1, offset=-5.0),
        "HS101": ModbusAddress(ModbusTable.COIL, 0, Encoding.BIT),
        "YL101": ModbusAddress(ModbusTable.INPUT, 2, Encoding.BIT, bit=0),
        "XA101": LinkLost("PLC-SEP-01"),
        "KQ101": ModbusAddress(ModbusTable.INPUT, 3, Encoding.UINT16),
        "UY101": ModbusAddress(ModbusTable.HOLDING, 1, Encoding.STRING, length=16),
        "PT101": OpcuaAddress("nsu=urn:test:plc;s=PT101"),
        "FIC101": OpcuaAddress("nsu=urn:test:plc;i=42"),
        "KT101": ClockOffset("PLC-SEP-01"),
        "PY101": Expression("where(Q > 1, P / Q, 0)", {"P": "SEP.COL101.PT101", "Q": "SEP.COL101.FIC101"}),
    }
    assert site.by_name["SEP.P101.XA101"].source == ModbusAddress(ModbusTable.INPUT, 2, Encoding.BIT, bit=1)


@pytest.mark.parametrize("mistake", MISTAKES.values(), ids=MISTAKES.keys())
def test_a_mistake_is_told_once_with_its_place_and_mend(mistake: Mistake, tmp_path: Path) -> None:
    check_mistake(mistake, tmp_path)


@pytest.mark.parametrize("name", ["site.toml", "tags.csv", "devices.toml", "modbus.csv", "opcua.csv"])
def test_a_missing_file_is_one_problem(name: str, tmp_path: Path) -> None:
    (write_site(tmp_path) / name).unlink()
    assert [(problem.file, problem.message) for problem in problems_of(tmp_path)] == [(name, "is missing")]


@pytest.mark.parametrize("name", ["tags.csv", "modbus.csv", "opcua.csv"])
def test_an_empty_table_is_one_problem_that_gives_the_header(name: str, tmp_path: Path) -> None:
    (write_site(tmp_path) / name).write_text("\n , ,\n")
    (problem,) = problems_of(tmp_path)
    assert (problem.file, problem.message) == (name, "is empty")
    assert SMALL_SITE[name].splitlines()[0] in problem.mend


def test_a_table_of_tags_without_rows_is_a_problem(tmp_path: Path) -> None:
    (write_site(tmp_path) / "tags.csv").write_text(TAG_HEADER)
    assert ("tags.csv", "holds no tags") in [(problem.file, problem.message) for problem in problems_of(tmp_path)]


def test_a_site_without_devices_is_a_problem(tmp_path: Path) -> None:
    (write_site(tmp_path) / "devices.toml").write_text("# none yet\n")
    assert "the site has no devices" in [problem.message for problem in problems_of(tmp_path)]


@pytest.mark.parametrize("name", SMALL_SITE)
def test_bytes_that_are_no_utf8_are_one_problem_at_their_line(name: str, tmp_path: Path) -> None:
    file = write_site(tmp_path) / name
    file.write_bytes(file.read_bytes() + b"\n# M\xfcller")
    (problem,) = problems_of(tmp_path)
    lines = SMALL_SITE[name].count("\n") + 2
    assert (problem.file, problem.line, problem.message) == (name, lines, "byte 0xFC is no UTF-8")
    assert "UTF-8" in problem.mend


@pytest.mark.parametrize("name", SMALL_SITE)
def test_a_folder_in_the_place_of_a_file_is_one_problem(name: str, tmp_path: Path) -> None:
    file = write_site(tmp_path) / name
    file.unlink()
    file.mkdir()
    (problem,) = problems_of(tmp_path)
    assert (problem.file, problem.line) == (name, None)
    assert "cannot be read" in problem.message


def test_a_folder_that_is_not_there_is_named(tmp_path: Path) -> None:
    (problem,) = problems_of(tmp_path / "nowhere")
    assert problem.file == str(tmp_path / "nowhere")
    assert "site.toml" in problem.mend


def test_every_problem_is_told_at_once_in_order_of_place(tmp_path: Path) -> None:
    write_site(tmp_path)
    changes = {
        "tags.csv": ("3600,2100,MB", "36OO,2100,MB"),
        "modbus.csv": ("float32", "float33"),
        "devices.toml": ("502", "-1"),
        "calculated.toml": ("P / Q", "P / R"),
    }
    for name, (old, new) in changes.items():
        (tmp_path / name).write_text(SMALL_SITE[name].replace(old, new), encoding="utf-8")
    assert [(problem.file, problem.line, problem.field) for problem in problems_of(tmp_path)] == [
        ("calculated.toml", 11, "SEP.COL101.PY101.expression"),
        ("devices.toml", 5, "devices.MB-SEP-01.port"),
        ("modbus.csv", 2, "encoding"),
        ("tags.csv", 2, "hi"),
        ("tags.csv", 3, "hi"),
    ]


def test_what_a_spreadsheet_writes_is_read(tmp_path: Path) -> None:
    plain = load_site(write_site(tmp_path))
    for name, text in SMALL_SITE.items():
        (tmp_path / name).write_bytes(b"\xef\xbb\xbf" + text.replace("\n", "\r\n").encode())
    header, *rows = SMALL_SITE["opcua.csv"].splitlines()
    (tmp_path / "opcua.csv").write_text("\r\n".join([header, *(row.replace(",", " , ") for row in rows), ",", ""]), newline="")
    assert load_site(tmp_path) == plain


def test_files_for_what_a_site_does_not_have_may_be_absent(tmp_path: Path) -> None:
    write_site(tmp_path)
    devices = SMALL_SITE["devices.toml"]
    (tmp_path / "devices.toml").write_text(devices[devices.index("[devices.PLC") :])
    header, *rows = SMALL_SITE["tags.csv"].splitlines()
    (tmp_path / "tags.csv").write_text("\n".join([header, *(row for row in rows if row.startswith(("8,", "9,")))]))
    for name in ("modbus.csv", "calculated.toml"):
        (tmp_path / name).unlink()
    assert [tag.id for tag in load_site(tmp_path).tags] == [8, 9]


def test_a_device_may_have_no_tags(tmp_path: Path) -> None:
    write_site(tmp_path)
    spare = '[devices.MB-SEP-02]\nprotocol = "modbus"\narea = "SEP"\nhost = "::1"\nport = 1502\nunit_id = 255\ntimeout = 2\n'
    (tmp_path / "devices.toml").write_text(SMALL_SITE["devices.toml"] + spare)
    site = load_site(tmp_path)
    assert site.devices["MB-SEP-02"] == ModbusDevice("MB-SEP-02", "SEP", TcpLine("::1", 1502), 255, timeout=2.0)
    assert site.tags_on_wire("MB-SEP-02") == ()


def test_a_tag_name_without_quotes_in_toml_is_explained(tmp_path: Path) -> None:
    write_site(tmp_path)
    (tmp_path / "calculated.toml").write_text(SMALL_SITE["calculated.toml"].replace('["SYS.PLC101.XA101"]', "[SYS.PLC101.XA101]"))
    (problem,) = [problem for problem in problems_of(tmp_path) if problem.file == "calculated.toml" and problem.field == "SYS.source"]
    assert problem.line == 1
    assert '["SYS.PLC101.XA101"]' in problem.mend


def test_a_site_may_lie_in_an_archive(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "site.zip", "w") as archive:
        for name, text in SMALL_SITE.items():
            archive.writestr(f"small/{name}", text)
    (tmp_path / "small").mkdir()
    with zipfile.ZipFile(tmp_path / "site.zip") as archive:
        assert load_site(zipfile.Path(archive, "small/")) == load_site(write_site(tmp_path / "small"))


PIECES = st.one_of(
    st.text(max_size=4),
    st.sampled_from([",", "\n", '"', "[", "]", "=", "-", "9" * 30, "1e999", "nan", "[[", "{}", "SEP.P101.SI101", "uint16", "\r", "\0", "true", "1979-05-27"]),
)


@given(st.sampled_from(sorted(SMALL_SITE)), st.integers(0, 2000), st.integers(0, 8), PIECES)
def test_whatever_the_files_hold_the_answer_is_a_site_or_its_problems(name: str, place: int, cut: int, piece: str) -> None:
    text = SMALL_SITE[name]
    place %= len(text) + 1
    problems: list[Problem] = []
    site = parse_site({**SMALL_SITE, name: text[:place] + piece + text[place + cut :]}, problems)
    assert (site is None) == bool(problems)
    assert all(problem.message and problem.mend and problem.file in SMALL_SITE for problem in problems)


@pytest.mark.parametrize("text", ["a = " + "[" * 5000, "a = " + "9" * 5000, "a = 1979-99-99"], ids=["deep", "long", "no day"])
def test_toml_that_the_parser_chokes_on_is_a_problem(text: str, tmp_path: Path) -> None:
    (write_site(tmp_path) / "site.toml").write_text(text)
    (problem,) = problems_of(tmp_path)
    assert (problem.file, problem.message[:11]) == ("site.toml", "is no TOML:")
