"""Mistakes that one address or one calculated tag shows by itself."""

from pathlib import Path

import pytest

from tests.unit.plant.small_site import Mistake, check_mistake

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
}


@pytest.mark.parametrize("mistake", MISTAKES.values(), ids=MISTAKES.keys())
def test_a_mistake_is_told_once_with_its_place_and_mend(mistake: Mistake, tmp_path: Path) -> None:
    check_mistake(mistake, tmp_path)
