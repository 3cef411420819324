"""A small valid site folder, and what to do to it."""

from dataclasses import dataclass
from pathlib import Path

import pytest

from plant.errors import ConfigurationError, Problem
from plant.site_loader import load_site

TAG_HEADER = "id,tag,area,unit,description,kind,datatype,eu,lo,hi,normal,device,scan_ms,deadband,alarm_ll,alarm_l,alarm_h,alarm_hh,priority,writable"

SMALL_SITE = {
    "site.toml": 'name = "Small site"\n',
    "devices.toml": """\
[devices.MB-SEP-01]
protocol = "modbus"
area = "SEP"
host = "10.20.3.11"
port = 502
unit_id = 8
max_registers = 20

[devices.PLC-SEP-01]
protocol = "opcua"
area = "SEP"
url = "opc.tcp://10.20.3.21:4840"
""",
    "tags.csv": f"""\
{TAG_HEADER}
1,SEP.P101.SI101,SEP,P101,"Feed pump, speed",AI,Float,rpm,0,3600,2100,MB-SEP-01,500,3.6,200,900,3100,3400,low,0
2,SEP.P101.SIC101.SP,SEP,P101,Feed pump speed set-point,AO,Float,rpm,0,3600,2100,MB-SEP-01,1000,3.6,,,,,,1
3,SEP.P101.HS101,SEP,P101,Feed pump run command,DO,Boolean,bool,0,1,1,MB-SEP-01,500,0,,,,,,1
4,SEP.P101.YL101,SEP,P101,Feed pump running,DI,Boolean,bool,0,1,1,MB-SEP-01,500,0,,,,,,0
5,SEP.P101.XA101,SEP,P101,Feed pump fault,DI,Boolean,bool,0,1,0,MB-SEP-01,500,0,,,1,,medium,0
6,SEP.P101.KQ101,SEP,P101,Heartbeat counter,AI,UInt16,count,0,65535,0,MB-SEP-01,1000,0,,,,,,0
7,SEP.P101.UY101,SEP,P101,Lot id,calc,String,text,,,,MB-SEP-01,1000,,,,,,,1
8,SEP.COL101.PT101,SEP,COL101,Column inlet pressure,AI,Float,bar,0,16,5.1,PLC-SEP-01,250,0.02,0.3,1.0,8.0,10.0,medium,0
9,SEP.COL101.FIC101,SEP,COL101,Column feed flow,AI,Float,m3/h,0,20,9.12,PLC-SEP-01,250,,,,,,,0
10,SYS.PLC101.XA101,SYS,PLC101,Communication lost,calc,Boolean,bool,0,1,0,PLC-SEP-01,1000,0,,,1,,medium,0
11,SYS.PLC101.KT101,SYS,PLC101,Source clock minus ours,calc,Float,ms,-60000,60000,0,PLC-SEP-01,1000,5,,,,,,0
12,SEP.COL101.PY101,SEP,COL101,Pressure for flow,calc,Float,bar.h/m3,0,10,0.56,PLC-SEP-01,250,0.01,,,,,,0
""",
    "modbus.csv": """\
tag,table,address,encoding,order,length,bit,scale,offset
SEP.P101.SI101,input,0,float32,CDAB,,,,
SEP.P101.SIC101.SP,holding,0,uint16,,,,0.1,-5
SEP.P101.HS101,coil,0,bit,,,,,
SEP.P101.YL101,input,2,bit,,,0,,
SEP.P101.XA101,input,2,bit,,,1,,
SEP.P101.KQ101,input,3,uint16,,,,,
SEP.P101.UY101,holding,1,string,,16,,,
""",
    "opcua.csv": """\
tag,node
SEP.COL101.PT101,nsu=urn:test:plc;s=PT101
SEP.COL101.FIC101,nsu=urn:test:plc;i=42
""",
    "calculated.toml": """\
["SYS.PLC101.XA101"]
source = "link_lost"
device = "PLC-SEP-01"

["SYS.PLC101.KT101"]
source = "clock_offset"
device = "PLC-SEP-01"

["SEP.COL101.PY101"]
source = "expression"
expression = "where(Q > 1, P / Q, 0)"
inputs = { P = "SEP.COL101.PT101", Q = "SEP.COL101.FIC101" }
""",
}


def write_site(folder: Path) -> Path:
    for name, text in SMALL_SITE.items():
        (folder / name).write_text(text, encoding="utf-8")
    return folder


def problems_of(folder: Path) -> tuple[Problem, ...]:
    with pytest.raises(ConfigurationError) as raised:
        load_site(folder)
    return raised.value.problems


@dataclass(frozen=True)
class Mistake:
    """In ``file``, ``old`` becomes ``new``; the problem then stands at ``place`` (file:line)."""

    file: str
    old: str
    new: str
    place: str
    field: str | None
    message: str
    mend: str


def check_mistake(mistake: Mistake, folder: Path) -> None:
    """A folder with this one mistake has one problem, which names the place and the mend."""
    write_site(folder)
    text = SMALL_SITE[mistake.file]
    assert mistake.old in text
    (folder / mistake.file).write_text(text.replace(mistake.old, mistake.new, 1), encoding="utf-8")
    problems = problems_of(folder)
    assert len(problems) == 1, "\n".join(map(str, problems))
    problem = problems[0]
    assert (f"{problem.file}:{problem.line}", problem.field) == (mistake.place, mistake.field)
    assert mistake.message in problem.message
    assert mistake.mend in problem.mend


def with_column(file: str, column: str, cell: str, tag: str) -> str:
    """The table ``file`` with another column at its end, blank but for the row of ``tag``."""
    header, *rows = SMALL_SITE[file].splitlines()
    cells = [cell if row.startswith(f"{tag},") else "" for row in rows]
    assert any(cells), f"{file} has no row of {tag}"
    return "\n".join([f"{header},{column}", *(f"{row},{cell}" for row, cell in zip(rows, cells, strict=True)), ""])


def column_mistake(file: str, column: str, cell: str, tag: str, place: str, message: str, mend: str) -> Mistake:
    """A mistake in a column that the table may do without."""
    return Mistake(file, SMALL_SITE[file], with_column(file, column, cell, tag), place, column, message, mend)
