"""What shows only between tags, devices and sources: mistakes, and what is none."""

from pathlib import Path

import pytest

from plant.device import BitWrites, ByteOrder, Encoding, ModbusAddress, ModbusDevice, ModbusTable, OpcuaAddress
from plant.heartbeat import Heartbeat
from plant.site_loader import load_site
from tests.unit.plant.small_site import SMALL_SITE, Mistake, check_mistake, column_mistake, problems_of, with_column, write_site


def of_device(line: str, place: str, field: str, message: str, mend: str) -> Mistake:
    """``line`` comes to the Modbus device, and does not go with what is elsewhere."""
    return Mistake("devices.toml", "max_registers = 20\n", f"max_registers = 20\n{line}\n", place, field, message, mend)


def of_heartbeat(heartbeat: str, message: str, mend: str, key: str = "tag") -> Mistake:
    return of_device(f"heartbeat = {{ {heartbeat} }}", "devices.toml:8", f"devices.MB-SEP-01.heartbeat.{key}", message, mend)


MISTAKES = {
    "unknown device": Mistake("tags.csv", "0.56,PLC-SEP-01", "0.56,PLC-SEP-09", "tags.csv:13", "device", "unknown device 'PLC-SEP-09'", "add it to devices"),
    "string too long": Mistake("modbus.csv", ",16,", ",21,", "modbus.csv:8", "length", "21 registers, and MB-SEP-01 gives 20 at once", "read whole"),
    "source of no tag": Mistake(
        "modbus.csv",
        "UY101,holding,1,string,,16,,,\n",
        "UY101,holding,1,string,,16,,,\nSEP.P101.ZZ101,input,9,int16,,,,,\n",
        "modbus.csv:9",
        "tag",
        "SEP.P101.ZZ101 is no tag of tags.csv",
        "add the tag",
    ),
    "address twice": Mistake(
        "modbus.csv",
        "SEP.P101.KQ101,input,3,uint16,,,,,\n",
        "SEP.P101.KQ101,input,3,uint16,,,,,\nSEP.P101.KQ101,input,4,uint16,,,,,\n",
        "modbus.csv:8",
        "tag",
        "SEP.P101.KQ101 has a source in line 7 of modbus.csv already",
        "one source",
    ),
    "modbus address in a PLC": Mistake(
        "tags.csv", "2100,MB-SEP-01,500", "2100,PLC-SEP-01,500", "modbus.csv:2", "tag", "PLC-SEP-01, an OPC UA device", "opcua.csv"
    ),
    "overlap": Mistake(
        "modbus.csv", "KQ101,input,3", "KQ101,input,1", "modbus.csv:7", "address", "input 1 overlaps SEP.P101.SI101 at input 0 to 1", "correct one"
    ),
    "same register": Mistake("modbus.csv", "KQ101,input,3", "KQ101,input,2", "modbus.csv:7", "address", "input 2 overlaps SEP.P101.XA101", "correct one"),
    "same bit": Mistake("modbus.csv", "2,bit,,,1", "2,bit,,,0", "modbus.csv:6", "address", "input 2 bit 0 overlaps SEP.P101.YL101", "correct one"),
    "written input": Mistake(
        "modbus.csv", "SP,holding,0", "SP,input,8", "modbus.csv:3", "table", "SIC101.SP is writable, and the table input is not", "coil or holding"
    ),
    "string for a number": Mistake(
        "modbus.csv", "3,uint16,,,", "3,string,,1,", "modbus.csv:7", "encoding", "string does not fit the datatype UInt16", "write one of int16"
    ),
    "number for a string": Mistake(
        "modbus.csv", "string,,16", "uint16,,", "modbus.csv:8", "encoding", "uint16 does not fit the datatype String", "write string"
    ),
    "bit for a float": Mistake("modbus.csv", "0,uint16,,,,0.1,-5", "0,bit,,,3,,", "modbus.csv:3", "encoding", "bit does not fit the datatype Float", "float32"),
    "word for a boolean": Mistake(
        "modbus.csv", "2,bit,,,1", "5,uint16,,,", "modbus.csv:6", "encoding", "uint16 does not fit the datatype Boolean", "write bit"
    ),
    "float for a counter": Mistake("modbus.csv", "3,uint16", "3,float32", "modbus.csv:7", "encoding", "float32 does not fit the datatype UInt16", "int16"),
    "sign for a counter": Mistake("modbus.csv", "3,uint16", "3,int16", "modbus.csv:7", "encoding", "int16 does not fit the datatype UInt16", "-32768 to 32767"),
    "fraction for a counter": Mistake("modbus.csv", "3,uint16,,,,,", "3,uint16,,,,0.5,", "modbus.csv:7", "encoding", "does not fit", "make the tag a Float"),
    "node of two tags": Mistake("opcua.csv", "i=42", "s=PT101", "opcua.csv:3", "node", "is already that of SEP.COL101.PT101", "node of its own"),
    "node in a Modbus device": Mistake("tags.csv", "5.1,PLC-SEP-01", "5.1,MB-SEP-01", "opcua.csv:2", "tag", "MB-SEP-01, a Modbus device", "modbus.csv"),
    "bit of a word is written where it cannot be": Mistake(
        "modbus.csv",
        "coil,0,bit,,,,,",
        "input,20,bit,,,3,,",
        "modbus.csv:4",
        "table",
        "SEP.P101.HS101 is writable, and the table input is not",
        "coil or holding",
    ),
    "word of two bits and a number": Mistake(
        "modbus.csv", "coil,0,bit,,,,,", "holding,0,bit,,,3,,", "modbus.csv:3", "address", "holding 0 overlaps SEP.P101.HS101 at holding 0 bit 3", "correct one"
    ),
    "forbidden address": of_device(
        'forbidden = ["holding 100", "input 1"]',
        "modbus.csv:2",
        "address",
        "input 0 to 1 lies in input 1 to 1, which MB-SEP-01 forbids",
        "the device's forbidden",
    ),
    "forbidden bit": of_device('forbidden = ["coil 0"]', "modbus.csv:4", "address", "coil 0 lies in coil 0 to 0", "correct the address"),
    "heartbeat of nobody": of_heartbeat('tag = "SEP.P101.KQ999"', "SEP.P101.KQ999 is no tag of MB-SEP-01", "one of its tags that always moves"),
    "heartbeat of another device": of_heartbeat('tag = "SEP.COL101.PT101"', "SEP.COL101.PT101 is no tag of MB-SEP-01", "one of its tags that always moves"),
    "heartbeat of text": of_heartbeat('tag = "SEP.P101.UY101"', "SEP.P101.UY101 is no number that comes from MB-SEP-01", "one of its tags"),
    "heartbeat of the gateway": Mistake(
        "devices.toml",
        ':4840"\n',
        ':4840"\n[devices.PLC-SEP-01.heartbeat]\nwithin = 5\ntag = "SYS.PLC101.KT101"\n',
        "devices.toml:15",
        "devices.PLC-SEP-01.heartbeat.tag",
        "SYS.PLC101.KT101 is no number that comes from PLC-SEP-01",
        "one of its tags",
    ),
    "heartbeat faster than its reading": of_heartbeat('tag = "SEP.P101.KQ101", within = 1', "SEP.P101.KQ101 is read every 1 s", "the tag's scan_ms", "within"),
    "no value that no register holds": column_mistake(
        "modbus.csv",
        "no_value",
        "65536",
        "SEP.P101.KQ101",
        "modbus.csv:7",
        "65536 is no register value of uint16",
        "from 0 to 65535, as it stands in the register",
    ),
    "no value after the scale": column_mistake(
        "modbus.csv", "no_value", "-5.1", "SEP.P101.SIC101.SP", "modbus.csv:3", "-5.1 is no register value of uint16", "before scale and offset"
    ),
    "method that nobody calls": column_mistake(
        "opcua.csv", "method_of", "nsu=urn:test:plc;s=COL101", "SEP.COL101.PT101", "opcua.csv:2", "SEP.COL101.PT101 is not writable", "leave method_of blank"
    ),
    "BCD for too small a counter": Mistake(
        "modbus.csv", "KQ101,input,3,uint16", "KQ101,input,3,bcd32", "modbus.csv:7", "encoding", "bcd32 does not fit the datatype UInt16", "from 0 to 1e+08"
    ),
    "half a float for a counter": Mistake(
        "modbus.csv", "3,uint16", "3,float16", "modbus.csv:7", "encoding", "float16 does not fit the datatype UInt16", "int16"
    ),
    "two protocols": Mistake(
        "opcua.csv", "i=42\n", "i=42\nSEP.P101.SI101,nsu=urn:test:plc;i=43\n", "opcua.csv:4", "tag", "in line 2 of modbus.csv already", "keep one"
    ),
    "no source": Mistake(
        "opcua.csv", "SEP.COL101.FIC101,nsu=urn:test:plc;i=42\n", "", "tags.csv:10", "tag", "SEP.COL101.FIC101 has no source", "calculated.toml"
    ),
    "input of nobody": Mistake(
        "calculated.toml",
        'Q = "SEP.COL101.FIC101"',
        'Q = "SEP.COL101.FIC999"',
        "calculated.toml:12",
        "SEP.COL101.PY101.inputs",
        "unknown tag 'SEP.COL101.FIC999'",
        "tags.csv",
    ),
    "input is text": Mistake(
        "calculated.toml",
        'Q = "SEP.COL101.FIC101"',
        'Q = "SEP.P101.UY101"',
        "calculated.toml:12",
        "SEP.COL101.PY101.inputs",
        "SEP.P101.UY101 is a text",
        "numbers",
    ),
    "input is computed": Mistake(
        "calculated.toml", 'Q = "SEP.COL101.FIC101"', 'Q = "SEP.COL101.PY101"', "calculated.toml:12", "SEP.COL101.PY101.inputs", "itself computed", "write out"
    ),
}


@pytest.mark.parametrize("mistake", MISTAKES.values(), ids=MISTAKES.keys())
def test_a_mistake_is_told_once_with_its_place_and_mend(mistake: Mistake, tmp_path: Path) -> None:
    check_mistake(mistake, tmp_path)


def changed(folder: Path, *changes: tuple[str, str, str]) -> Path:
    """The small site with (file, old, new) changed."""
    write_site(folder)
    for file, old, new in changes:
        text = (folder / file).read_text(encoding="utf-8")
        assert old in text
        (folder / file).write_text(text.replace(old, new, 1), encoding="utf-8")
    return folder


@pytest.mark.parametrize("bit_writes", BitWrites)
def test_a_bit_of_a_word_may_be_written(bit_writes: BitWrites, tmp_path: Path) -> None:
    folder = changed(
        tmp_path,
        ("modbus.csv", "coil,0,bit,,,,,", "holding,40,bit,,,3,,"),
        ("devices.toml", "max_registers = 20\n", f'bit_writes = "{bit_writes}"\n'),
    )
    site = load_site(folder)
    assert site.by_name["SEP.P101.HS101"].writable
    assert site.by_name["SEP.P101.HS101"].source == ModbusAddress(ModbusTable.HOLDING, 40, Encoding.BIT, bit=3)
    device = site.devices["MB-SEP-01"]
    assert isinstance(device, ModbusDevice)
    assert device.bit_writes is bit_writes


def test_what_is_written_one_register_at_a_time_is_no_longer(tmp_path: Path) -> None:
    folder = changed(
        tmp_path,
        ("devices.toml", "max_registers = 20\n", 'max_registers = 20\nwrites = "single"\n'),
        ("modbus.csv", "holding,0,uint16,,,,0.1,-5", "holding,40,float32,,,,,"),
    )
    problems = problems_of(folder)
    assert [(problem.file, problem.line, problem.field) for problem in problems] == [("modbus.csv", 3, "encoding"), ("modbus.csv", 8, "encoding")]
    assert "SEP.P101.SIC101.SP is writable and 2 registers long" in problems[0].message
    assert "SEP.P101.UY101 is writable and 16 registers long" in problems[1].message
    assert all('write writes = "either"' in problem.mend for problem in problems)
    tags = SMALL_SITE["tags.csv"].replace("MB-SEP-01,1000,,,,,,,1", "MB-SEP-01,1000,,,,,,,0")
    (folder / "tags.csv").write_text(tags, encoding="utf-8")
    (folder / "modbus.csv").write_text(SMALL_SITE["modbus.csv"], encoding="utf-8")
    assert load_site(folder).by_name["SEP.P101.UY101"].source == ModbusAddress(ModbusTable.HOLDING, 1, Encoding.STRING, length=16)


def test_a_value_is_held_in_a_range_that_there_is(tmp_path: Path) -> None:
    folder = changed(
        tmp_path,
        ("modbus.csv", SMALL_SITE["modbus.csv"], with_column("modbus.csv", "clamp", "1", "SEP.P101.SI101")),
        ("tags.csv", "rpm,0,3600,2100,MB-SEP-01,500", "rpm,,,2100,MB-SEP-01,500"),
    )
    (problem,) = problems_of(folder)
    assert (problem.file, problem.line, problem.field) == ("modbus.csv", 2, "clamp")
    assert problem.message == "SEP.P101.SI101 has no range to hold its value in"
    assert "write lo and hi in tags.csv" in problem.mend
    (folder / "tags.csv").write_text(SMALL_SITE["tags.csv"], encoding="utf-8")
    assert load_site(folder).by_name["SEP.P101.SI101"].source == ModbusAddress(ModbusTable.INPUT, 0, Encoding.FLOAT32, ByteOrder.CDAB, length=2, clamp=True)


def test_a_text_has_no_deadband_in_the_server(tmp_path: Path) -> None:
    folder = changed(
        tmp_path,
        ("opcua.csv", SMALL_SITE["opcua.csv"], with_column("opcua.csv", "deadband", "2%", "SEP.COL101.FIC101")),
        ("tags.csv", "AI,Float,m3/h,0,20,9.12,PLC", "calc,String,,,,,PLC"),
        ("calculated.toml", 'Q = "SEP.COL101.FIC101"', 'Q = "SEP.P101.SI101"'),
    )
    (problem,) = problems_of(folder)
    assert (problem.file, problem.line, problem.field) == ("opcua.csv", 3, "deadband")
    assert problem.message == "SEP.COL101.FIC101 is a String, which has none"


def test_an_input_of_a_calculated_tag_is_not_thinned(tmp_path: Path) -> None:
    folder = changed(tmp_path, ("tags.csv", SMALL_SITE["tags.csv"], with_column("tags.csv", "compression", "0.1", "9,SEP.COL101.FIC101")))
    (problem,) = problems_of(folder)
    assert (problem.file, problem.line) == ("calculated.toml", 12)
    assert "SEP.COL101.FIC101 is thinned (compression)" in problem.message
    assert "blank in tags.csv" in problem.mend


def test_elements_of_one_array_are_tags_of_their_own(tmp_path: Path) -> None:
    rows = "tag,node,index\nSEP.COL101.PT101,nsu=urn:a;i=42,{}\nSEP.COL101.FIC101,nsu=urn:a;i=42,{}\n"
    assert len(load_site(changed(tmp_path, ("opcua.csv", SMALL_SITE["opcua.csv"], rows.format(0, 1)))).tags) == 12
    (tmp_path / "opcua.csv").write_text(rows.format(1, 1), encoding="utf-8")
    (problem,) = problems_of(tmp_path)
    assert (problem.line, problem.field, problem.message) == (3, "node", "is already that of SEP.COL101.PT101")


def test_a_method_is_a_tag_to_write_and_no_heartbeat(tmp_path: Path) -> None:
    folder = changed(
        tmp_path,
        ("opcua.csv", SMALL_SITE["opcua.csv"], with_column("opcua.csv", "method_of", "nsu=urn:test:plc;s=COL101", "SEP.COL101.FIC101")),
        ("tags.csv", "AI,Float,m3/h,0,20,9.12,PLC-SEP-01,250,,,,,,,0", "AO,Float,m3/h,0,20,9.12,PLC-SEP-01,250,,,,,,,1"),
    )
    assert load_site(folder).by_name["SEP.COL101.FIC101"].source == OpcuaAddress("nsu=urn:test:plc;i=42", method_of="nsu=urn:test:plc;s=COL101")
    devices = SMALL_SITE["devices.toml"] + 'heartbeat = { tag = "SEP.COL101.FIC101" }\n'
    (folder / "devices.toml").write_text(devices, encoding="utf-8")
    (problem,) = problems_of(folder)
    assert (problem.line, problem.field) == (13, "devices.PLC-SEP-01.heartbeat.tag")


def test_a_heartbeat_is_a_number_of_its_device(tmp_path: Path) -> None:
    line = 'heartbeat = { tag = "SEP.P101.KQ101", within = 1.5 }\n'
    folder = changed(tmp_path, ("devices.toml", "max_registers = 20\n", f"max_registers = 20\n{line}"))
    assert load_site(folder).devices["MB-SEP-01"].heartbeat == Heartbeat("SEP.P101.KQ101", 1.5)
