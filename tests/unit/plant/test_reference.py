"""The reference plant: what its own documents say of it, and that it differs from its source only where the decision record says so."""

import csv
import math
import re
from collections import Counter
from pathlib import Path

import numexpr
import numpy as np
import pytest

from plant.device import ClockOffset, Encoding, Expression, LinkLost, ModbusAddress, ModbusDevice, ModbusTable, OpcuaAddress
from plant.site import Site
from plant.site_loader import reference_site
from plant.tag import DataType

ROOT = Path(__file__).parents[3]
SHARED = ROOT.parent / "shared"
CORRECTIONS = ROOT / "docs/decisions/0002-reference-plant-corrections.md"
REFERENCE_TAGS = ROOT / "plant/reference/tags.csv"


@pytest.fixture(scope="module")
def site() -> Site:
    return reference_site()


def corrections() -> list[tuple[str, str, str, str]]:
    """(tag, field, was, is) of every row of the decision record's table."""
    lines = [line for line in CORRECTIONS.read_text(encoding="utf-8").splitlines() if line.startswith("| `")]
    rows = [[cell.strip() for cell in line.strip("|").split("|")] for line in lines]
    return [(name, row[1], row[2], row[3]) for row in rows if len(row) == 5 for name in re.findall(r"`([^`]+)`", row[0])]


def rows_of(file: Path) -> dict[str, dict[str, str]]:
    with file.open(newline="", encoding="utf-8") as lines:
        return {row["tag"]: row for row in csv.DictReader(lines)}


def test_its_size(site: Site) -> None:
    assert len(site.tags) == 352
    assert len(site.devices) == 23
    assert [tag.id for tag in site.tags] == list(range(1, 353))
    assert Counter(type(tag.source) for tag in site.tags) == {OpcuaAddress: 222, ModbusAddress: 123, LinkLost: 3, ClockOffset: 3, Expression: 1}
    assert Counter(tag.area for tag in site.tags) == {
        "RCV": 10,
        "PRP": 50,
        "SEP": 91,
        "PPT": 26,
        "MET": 18,
        "STC": 17,
        "HDM": 37,
        "SIN": 40,
        "FIN": 17,
        "RCY": 6,
        "UTL": 31,
        "SYS": 9,
    }
    assert sum(tag.writable for tag in site.tags) == 94


def test_every_device_serves_tags_and_bears_its_area(site: Site) -> None:
    for name, device in site.devices.items():
        assert site.tags_on_wire(name)
        assert device.area == name.split("-")[1]
    assert len({device.endpoint for device in site.devices.values()}) == 23


def test_nodes_and_registers_suit_their_tags(site: Site) -> None:
    for tag in site.tags:
        match tag.source:
            case OpcuaAddress(node=node):
                assert node == f"nsu=urn:monazite:plc:{tag.device.lower()};s={tag.name}"
            case ModbusAddress(table=table, encoding=encoding):
                by_type = {DataType.FLOAT: Encoding.FLOAT32, DataType.BOOLEAN: Encoding.BIT, DataType.STRING: Encoding.STRING}
                by_type |= {DataType.UINT16: Encoding.UINT16, DataType.INT32: Encoding.INT32}
                assert encoding is by_type[tag.data_type]
                assert table.is_writable == tag.writable
                assert table.is_bit == (tag.data_type is DataType.BOOLEAN)
            case _:
                assert not tag.writable


def test_what_the_gateway_knows_of_a_device_names_the_device_of_the_tag(site: Site) -> None:
    told = {tag.name: tag.source for tag in site.tags if isinstance(tag.source, (LinkLost, ClockOffset))}
    assert told == {
        f"SYS.PLC{number}.{point}": kind(device)
        for number, device in ((101, "PLC-SEP-01"), (102, "PLC-HDM-01"), (103, "MB-SIN-02"))
        for point, kind in (("XA101", LinkLost), ("KT101", ClockOffset))
    }
    assert all(tag.device == tag.source.device for tag in site.tags if isinstance(tag.source, (LinkLost, ClockOffset)))


@pytest.mark.parametrize(
    ("name", "encoding"),
    [("PPT.CAL101.KY101", "uint16"), ("SIN.FUR101.KY101", "uint16"), ("SIN.FUR101.DY101", "float32"), ("SIN.GBD101.DY101", "float32")],
)
def test_values_that_controllers_compute_lie_in_input_registers(site: Site, name: str, encoding: str) -> None:
    source = site.by_name[name].source
    assert isinstance(source, ModbusAddress)
    assert (source.table, source.encoding.value) == (ModbusTable.INPUT, encoding)


def test_green_density_follows_the_pressing_force(site: Site) -> None:
    tag = site.by_name["SIN.PRS101.DY101"]
    assert isinstance(tag.source, Expression)
    assert tag.source.inputs == {"F": "SIN.PRS101.WT101"}
    force = np.array([0.0, 600.0, 1000.0, 5000.0])
    density = numexpr.evaluate(tag.source.text, local_dict={"F": force}, global_dict={})
    area = 67.5e-4
    law = [min(max(3.2 + 0.62 * math.log(1 + kilonewtons * 1e3 / area / 15e6), 3.8), 4.8) for kilonewtons in force]
    np.testing.assert_allclose(density, law, rtol=1e-12)
    assert density[1] == pytest.approx(tag.normal, abs=0.001)


def test_the_decision_record_says_what_the_tags_hold() -> None:
    tags = rows_of(REFERENCE_TAGS)
    assert corrections()
    for name, field, was, now in corrections():
        assert tags[name][field] == now, (name, field)
        assert was != now


@pytest.mark.skipif(not (SHARED / "tags.csv").exists(), reason="the source of the reference plant is not at hand")
def test_tags_differ_from_their_source_only_where_the_decision_record_says_so() -> None:
    source, tags = rows_of(SHARED / "tags.csv"), rows_of(REFERENCE_TAGS)
    assert list(source) == list(tags)
    differences = {
        (name, field, source[name][field], value)
        for name, row in tags.items()
        for field, value in row.items()
        if field != "id" and source[name][field] != value
    }
    assert differences == set(corrections())


@pytest.mark.skipif(not (SHARED / "modbus_map.csv").exists(), reason="the source of the reference plant is not at hand")
def test_registers_are_those_of_their_source(site: Site) -> None:
    for name, row in rows_of(SHARED / "modbus_map.csv").items():
        source, device = site.by_name[name].source, site.devices[row["device"]]
        assert isinstance(source, ModbusAddress)
        assert isinstance(device, ModbusDevice)
        assert (source.table, source.address, source.length) == (row["table"], int(row["address"]), int(row["count"]))
        assert source.encoding == {"float32_be": "float32", "int32_be": "int32", "ascii32": "string"}.get(row["encoding"], row["encoding"])
        assert (site.by_name[name].device, device.unit_id) == (row["device"], int(row["unit_id"]))
