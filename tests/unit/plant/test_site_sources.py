"""What one address says, and mistakes that it or one calculated tag shows by itself."""

from pathlib import Path

import pytest

from plant.device import ByteOrder, Deadband, DeadbandKind, Encoding, ModbusAddress, ModbusTable, OpcuaAddress, Source
from plant.errors import Problem
from plant.site_loader import load_site
from plant.site_sources import MODBUS_COLUMNS, MODBUS_OPTIONAL, OPCUA_COLUMNS, OPCUA_OPTIONAL, parse_modbus, parse_opcua
from plant.site_table import read_table
from tests.unit.plant.small_site import Mistake, check_mistake, column_mistake, with_column, write_site

SPEED = "SEP.P101.SI101"
RUN = "SEP.P101.HS101"
LOT = "SEP.P101.UY101"
PRESSURE = "SEP.COL101.PT101"

MISTAKES = {
    "unknown table": Mistake("modbus.csv", "SI101,input", "SI101,inputs", "modbus.csv:2", "table", "unknown table 'inputs'", "coil, discrete, holding, input"),
    "unknown encoding": Mistake("modbus.csv", "float32", "real", "modbus.csv:2", "encoding", "unknown encoding 'real'", "one of bit, int16"),
    "unknown order": Mistake("modbus.csv", "CDAB", "swap", "modbus.csv:2", "order", "unknown order 'swap'", "ABCD, CDAB, BADC, DCBA"),
    "blank encoding": Mistake("modbus.csv", "0,float32", "0,", "modbus.csv:2", "encoding", "is blank", "every address has an encoding"),
    "address too large": Mistake(
        "modbus.csv", "input,0,", "input,65536,", "modbus.csv:2", "address", "'65536' is no whole number from 0 to 65535", "write one"
    ),
    "end too large": Mistake("modbus.csv", "input,0,", "input,65535,", "modbus.csv:2", "address", "ends at 65536, behind the last address", "correct"),
    "length of a float": Mistake("modbus.csv", "CDAB,,", "CDAB,4,", "modbus.csv:2", "length", "float32 has the length 2, not 4", "leave it blank"),
    "string, no length": Mistake("modbus.csv", ",16,", ",,", "modbus.csv:8", "length", "a string needs its length", "two characters"),
    "zero scale": Mistake("modbus.csv", "0.1", "0", "modbus.csv:3", "scale", "0 is not above 0", "positive factor"),
    "negative scale": Mistake("modbus.csv", "0.1", "-0.1", "modbus.csv:3", "scale", "-0.1 is not above 0", "positive factor"),
    "scaled bit": Mistake("modbus.csv", "coil,0,bit,,,,,", "coil,0,bit,,,,2,", "modbus.csv:4", "scale", "bit cannot be scaled", "blank"),
    "float in a coil": Mistake("modbus.csv", "HS101,coil,0,bit", "HS101,coil,0,uint16", "modbus.csv:4", "encoding", "the table coil holds bits", "write bit"),
    "bit of a coil": Mistake("modbus.csv", "coil,0,bit,,,,", "coil,0,bit,,,3,", "modbus.csv:4", "bit", "no bits within an address", "leave it blank"),
    "which bit": Mistake("modbus.csv", "2,bit,,,1", "2,bit,,,", "modbus.csv:6", "bit", "which bit of the word", "0 (the least) … 15"),
    "bit 16": Mistake("modbus.csv", "2,bit,,,1", "2,bit,,,16", "modbus.csv:6", "bit", "'16' is no whole number from 0 to 15", "write one"),
    "bit of a float": Mistake("modbus.csv", "CDAB,,,", "CDAB,,3,", "modbus.csv:2", "bit", "float32 has no bit", "leave it blank"),
    "address of nobody": Mistake(
        "modbus.csv",
        "SEP.P101.UY101,holding,1,string,,16,,,\n",
        "SEP.P101.UY101,holding,1,string,,16,,,\n,input,9,int16,,,,,\n",
        "modbus.csv:9",
        "tag",
        "is blank",
        "remove the row",
    ),
    "index of a namespace": Mistake(
        "opcua.csv", "nsu=urn:test:plc;i=42", "ns=2;i=42", "opcua.csv:3", "node", "names no node by namespace URI", "nsu=URI;s=NAME"
    ),
    "node blank": Mistake("opcua.csv", "nsu=urn:test:plc;i=42", "", "opcua.csv:3", "node", "is blank", "write its node"),
    "unknown source": Mistake("calculated.toml", '"link_lost"', '"lost"', "calculated.toml:2", "SYS.PLC101.XA101.source", "unknown source 'lost'", "link_lost"),
    "source missing": Mistake("calculated.toml", 'source = "link_lost"\n', "\n", "calculated.toml:1", "SYS.PLC101.XA101.source", "is missing", "write source"),
    "link of nobody": Mistake(
        "calculated.toml",
        '"link_lost"\ndevice = "PLC',
        '"link_lost"\ndevice = "QLC',
        "calculated.toml:3",
        "SYS.PLC101.XA101.device",
        "'QLC-SEP-01'",
        "devices.toml",
    ),
    "device missing": Mistake(
        "calculated.toml", 'device = "PLC-SEP-01"\n\n["SEP', '\n\n["SEP', "calculated.toml:5", "SYS.PLC101.KT101.device", "is missing", "write device"
    ),
    "calculated key": Mistake(
        "calculated.toml", 'source = "link_lost"', 'source = "link_lost"\nscale = 2', "calculated.toml:3", "SYS.PLC101.XA101.scale", "unknown", "source, device"
    ),
    "no TOML": Mistake("calculated.toml", "inputs = {", "inputs = [", "calculated.toml:12", None, "is no TOML", "mend this line"),
    "not Python": Mistake("calculated.toml", "P / Q", "P / / Q", "calculated.toml:11", "SEP.COL101.PY101.expression", "cannot be parsed", "write numbers"),
    "strange name": Mistake(
        "calculated.toml", "P / Q", "P / Q + R", "calculated.toml:11", "SEP.COL101.PY101.expression", "uses 'R', which is no input", "add it to inputs"
    ),
    "strange function": Mistake(
        "calculated.toml", "P / Q", "P / eval(Q)", "calculated.toml:11", "SEP.COL101.PY101.expression", "not of this language", "where"
    ),
    "unused input": Mistake(
        "calculated.toml", "P / Q", "1 / Q", "calculated.toml:11", "SEP.COL101.PY101.expression", "does not use its input 'P'", "remove it"
    ),
    "no inputs": Mistake(
        "calculated.toml",
        'inputs = { P = "SEP.COL101.PT101", Q = "SEP.COL101.FIC101" }\n',
        "",
        "calculated.toml:9",
        "SEP.COL101.PY101.inputs",
        "names no tags",
        "write inputs",
    ),
    "name of an input": Mistake(
        "calculated.toml",
        "{ P =",
        '{ abs = "SEP.COL101.PT101", P =',
        "calculated.toml:12",
        "SEP.COL101.PY101.inputs",
        "'abs' is no name",
        "no name of a function",
    ),
    "no value as a text": column_mistake("modbus.csv", "no_value", "none", SPEED, "modbus.csv:2", "'none' is no number", "a finite number"),
    "no value of a bit": column_mistake("modbus.csv", "no_value", "1", RUN, "modbus.csv:4", "every bit is a value", "leave it blank"),
    "no value of a string": column_mistake("modbus.csv", "no_value", "0", LOT, "modbus.csv:8", "every string is a value", "leave it blank"),
    "clamp as a word": column_mistake("modbus.csv", "clamp", "yes", SPEED, "modbus.csv:2", "'yes' is neither 0 nor 1", "write 1 for yes"),
    "clamp of a bit": column_mistake("modbus.csv", "clamp", "1", RUN, "modbus.csv:4", "a bit has no range", "leave it blank"),
    "index below 0": column_mistake("opcua.csv", "index", "-1", PRESSURE, "opcua.csv:2", "'-1' is no whole number from 0", "write one"),
    "sampling by fractions": column_mistake("opcua.csv", "sampling_ms", "0.5", PRESSURE, "opcua.csv:2", "'0.5' is no whole number", "write one"),
    "queue of nothing": column_mistake("opcua.csv", "queue_size", "0", PRESSURE, "opcua.csv:2", "'0' is no whole number from 1", "write one"),
    "deadband nonsense": column_mistake("opcua.csv", "deadband", "small", PRESSURE, "opcua.csv:2", "'small' is no deadband", "as in 2%"),
    "deadband of 0": column_mistake("opcua.csv", "deadband", "0", PRESSURE, "opcua.csv:2", "'0' is no deadband", "a number above 0"),
    "deadband below 0": column_mistake("opcua.csv", "deadband", "-1%", PRESSURE, "opcua.csv:2", "'-1%' is no deadband", "a number above 0"),
    "deadband without end": column_mistake("opcua.csv", "deadband", "1e999", PRESSURE, "opcua.csv:2", "'1e999' is no deadband", "a number above 0"),
    "percent above 100": column_mistake("opcua.csv", "deadband", "100.5%", PRESSURE, "opcua.csv:2", "'100.5%' is no deadband", "as in 2%"),
    "method of an index": column_mistake("opcua.csv", "method_of", "ns=2;s=PUMP", PRESSURE, "opcua.csv:2", "names no object by namespace URI", "nsu=URI"),
}
for field, cell in (("index", "0"), ("sampling_ms", "0"), ("queue_size", "5"), ("deadband", "1%")):
    MISTAKES[f"method with {field}"] = Mistake(
        "opcua.csv",
        "tag,node\nSEP.COL101.PT101,nsu=urn:test:plc;s=PT101\nSEP.COL101.FIC101,nsu=urn:test:plc;i=42\n",
        f"tag,node,method_of,{field}\nSEP.COL101.PT101,nsu=urn:test:plc;s=PT101,nsu=urn:test:plc;s=COL101,{cell}\nSEP.COL101.FIC101,nsu=urn:test:plc;i=42,,\n",
        "opcua.csv:2",
        "method_of",
        "a method is called, not watched",
        "leave index, sampling_ms, queue_size and deadband blank",
    )


@pytest.mark.parametrize("mistake", MISTAKES.values(), ids=MISTAKES.keys())
def test_a_mistake_is_told_once_with_its_place_and_mend(mistake: Mistake, tmp_path: Path) -> None:
    check_mistake(mistake, tmp_path)


def test_every_modbus_column_is_read() -> None:
    text = """\
clamp,no_value,offset,scale,bit,length,order,encoding,address,table,tag
1,-32768,-5,0.1,,,BADC,int16,7,holding,A.B.C
,,,,15,,,bit,8,holding,A.B.D
0,65504,,,,,,float16,9,input,A.B.E
,9999,,,,,,bcd16,10,input,A.B.F
,,,,,,CDAB,bcd32,11,input,A.B.G
,,,,,3,,string,13,input,A.B.H
"""
    assert sources_of("modbus.csv", text) == [
        ModbusAddress(ModbusTable.HOLDING, 7, Encoding.INT16, ByteOrder.BADC, 1, None, 0.1, -5.0, no_value=-32768.0, clamp=True),
        ModbusAddress(ModbusTable.HOLDING, 8, Encoding.BIT, bit=15),
        ModbusAddress(ModbusTable.INPUT, 9, Encoding.FLOAT16, no_value=65504.0),
        ModbusAddress(ModbusTable.INPUT, 10, Encoding.BCD16, no_value=9999.0),
        ModbusAddress(ModbusTable.INPUT, 11, Encoding.BCD32, ByteOrder.CDAB, length=2),
        ModbusAddress(ModbusTable.INPUT, 13, Encoding.STRING, length=3),
    ]


def test_every_opcua_column_is_read() -> None:
    text = """\
tag,node,index,sampling_ms,queue_size,deadband,method_of
A.B.C,nsu=urn:a;s=C,0,0,1,0.5,
A.B.D,nsu=urn:a;i=42,2147483647,86400000,1000000,2 %,
A.B.E,nsu=urn:a;s=Start,,,,,nsu=urn:a;s=Pump
A.B.F,nsu=urn:a;s=F,,,,1e-3,
"""
    assert sources_of("opcua.csv", text) == [
        OpcuaAddress("nsu=urn:a;s=C", 0, 0.0, 1, Deadband(DeadbandKind.ABSOLUTE, 0.5)),
        OpcuaAddress("nsu=urn:a;i=42", 2147483647, 86_400_000.0, 1_000_000, Deadband(DeadbandKind.PERCENT, 2.0)),
        OpcuaAddress("nsu=urn:a;s=Start", method_of="nsu=urn:a;s=Pump"),
        OpcuaAddress("nsu=urn:a;s=F", deadband=Deadband(DeadbandKind.ABSOLUTE, 0.001)),
    ]


def test_every_column_and_encoding_stands_in_the_format() -> None:
    text = (Path(__file__).parents[3] / "docs" / "formats" / "site.md").read_text(encoding="utf-8")
    for file, columns, optional in (("modbus.csv", MODBUS_COLUMNS, MODBUS_OPTIONAL), ("opcua.csv", OPCUA_COLUMNS, OPCUA_OPTIONAL)):
        (chapter,) = [part for part in text.split("\n## ") if part.startswith(file)]
        rows = {cells[1].strip(): cells[2].strip() for line in chapter.splitlines() if len(cells := line.split("|")) > 3}
        named = {column: holds for names, holds in rows.items() for column in names.replace("`", "").split(", ")}
        assert set(named) - {"column", "---"} == {*columns, *optional}
        assert {column for column, holds in named.items() if holds.startswith("optional: ")} == set(optional)
        if file == "modbus.csv":
            assert [encoding for encoding in Encoding if f"`{encoding}`" not in named["encoding"]] == []


def test_a_column_that_a_table_may_do_without_is_read(tmp_path: Path) -> None:
    write_site(tmp_path)
    (tmp_path / "modbus.csv").write_text(with_column("modbus.csv", "no_value", "-1", SPEED))
    (tmp_path / "opcua.csv").write_text(with_column("opcua.csv", "index", "3", PRESSURE))
    by_name = load_site(tmp_path).by_name
    assert by_name[SPEED].source == ModbusAddress(ModbusTable.INPUT, 0, Encoding.FLOAT32, ByteOrder.CDAB, 2, no_value=-1.0)
    assert by_name[PRESSURE].source == OpcuaAddress("nsu=urn:test:plc;s=PT101", index=3)
    assert by_name["SEP.COL101.FIC101"].source == OpcuaAddress("nsu=urn:test:plc;i=42")


def sources_of(file: str, text: str) -> list[Source | None]:
    problems: list[Problem] = []
    if file == "modbus.csv":
        rows = parse_modbus(read_table(file, text, MODBUS_COLUMNS, problems, optional=MODBUS_OPTIONAL).rows)
    else:
        rows = parse_opcua(read_table(file, text, OPCUA_COLUMNS, problems, optional=OPCUA_OPTIONAL).rows)
    assert not problems
    return [row.source for row in rows]
