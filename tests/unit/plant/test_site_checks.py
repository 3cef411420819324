"""Mistakes that show only between tags, devices and sources."""

from pathlib import Path

import pytest

from tests.unit.plant.small_site import Mistake, check_mistake

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
    "bit of a word that is written": Mistake(
        "modbus.csv", "coil,0,bit,,,,,", "holding,20,bit,,,3,,", "modbus.csv:4", "encoding", "cannot be written alone", "a coil"
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
