"""The site of recordings, and its folder."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from plant.device import Encoding, ModbusAddress, ModbusDevice, ModbusTable, OpcuaAddress, OpcuaDevice
from plant.errors import ConfigurationError
from plant.site import Site
from plant.site_loader import load_site, reference_site
from plant.site_writer import write_site
from plant.tag import TAG_NAME, DataType
from simulators.replay import Recording, replay_site
from simulators.replay.replay_site import Protocol

ENDPOINTS = {
    "modbus": {"REPLAY-valve1-0": "127.0.0.1:15020", "REPLAY-b_c": "127.0.0.1:15021"},
    "opcua": {"REPLAY-valve1-0": "opc.tcp://127.0.0.1:14840", "REPLAY-b_c": "opc.tcp://127.0.0.1:14841"},
}


def recording(*names: str, rows: int = 3) -> Recording:
    return Recording(names, np.arange(rows, dtype=np.int64) * 1_000_000, np.arange(float(rows * len(names))).reshape(rows, -1) / 3.0)


def site_of(protocol: Protocol) -> Site:
    return replay_site({"valve1-0": recording("Volume Flow RateRMS", "row", "ROW"), "b c": recording("A", "a")}, protocol, first_id=100)


@pytest.mark.parametrize("protocol", ["modbus", "opcua"])
def test_names_and_ids(protocol: Protocol) -> None:
    site = site_of(protocol)
    assert list(site.devices) == ["REPLAY-valve1-0", "REPLAY-b_c"]
    assert [tag.id for tag in site.tags] == list(range(100, 107))
    assert [tag.name for tag in site.tags] == [
        "RPL.VALVE1_0.ROW",
        "RPL.VALVE1_0.VOLUME_FLOW_RATERMS",
        "RPL.VALVE1_0.ROW_2",
        "RPL.VALVE1_0.ROW_3",
        "RPL.B_C.ROW",
        "RPL.B_C.A",
        "RPL.B_C.A_2",
    ]
    assert all(TAG_NAME.fullmatch(tag.name) for tag in site.tags)


def test_a_modbus_row_is_one_block() -> None:
    site = site_of("modbus")
    sources = [tag.source for tag in site.tags_on_wire("REPLAY-valve1-0")]
    assert [(source.address, source.end) for source in sources if isinstance(source, ModbusAddress)] == [(0, 2), (2, 4), (4, 6), (6, 8)]
    assert {tag.deadband for tag in site.tags} == {0.0}
    assert {tag.scan_ms for tag in site.tags} == {20}
    assert {tag.scan_ms for tag in replay_site({"a": recording("A")}, "modbus", speed=100.0).tags} == {10}
    assert isinstance(site.devices["REPLAY-b_c"], ModbusDevice)


def test_an_opcua_row_is_double_and_every_sample_counts() -> None:
    site = site_of("opcua")
    assert [tag.data_type for tag in site.tags_on_wire("REPLAY-b_c")] == [DataType.UINT32, DataType.DOUBLE, DataType.DOUBLE]
    assert {tag.deadband for tag in site.tags} == {None}
    assert site.tags[1].source == OpcuaAddress("nsu=urn:monazite:replay;s=RPL.VALVE1_0.VOLUME_FLOW_RATERMS")
    assert isinstance(site.devices["REPLAY-b_c"], OpcuaDevice)


def test_ranges_hold_all_values_as_float32() -> None:
    constant = Recording(("C",), np.arange(2, dtype=np.int64), np.array([[0.1], [0.1]]))
    for one in (constant, recording("A", "B", rows=50)):
        for tag, column in zip(replay_site({"a": one}, "modbus").tags[1:], one.values.T, strict=True):
            assert tag.eu_range is not None
            assert tag.eu_range[0] <= np.float32(column.min()) <= np.float32(column.max()) <= tag.eu_range[1]
            assert tag.eu_range[0] < tag.eu_range[1]


def test_more_columns_than_a_request_reads() -> None:
    names = tuple(f"C{number}" for number in range(62))
    assert len(replay_site({"a": recording(*names)}, "opcua").tags) == 63
    with pytest.raises(ConfigurationError, match="62 columns"):
        replay_site({"a": recording(*names)}, "modbus")
    assert replay_site({"a": recording(*names[:61])}, "modbus").tags[-1].source == ModbusAddress(ModbusTable.INPUT, 122, Encoding.FLOAT32, length=2)


def test_two_recordings_of_one_name() -> None:
    with pytest.raises(ConfigurationError, match="rename the file"):
        replay_site({"a-b": recording("A"), "A_B": recording("A")}, "modbus")


@pytest.mark.parametrize("protocol", ["modbus", "opcua"])
def test_the_folder_loads_as_the_same_site(tmp_path: Path, protocol: Protocol) -> None:
    site = site_of(protocol).at_endpoints(ENDPOINTS[protocol])
    write_site(site, tmp_path / "new" / "site")
    assert load_site(tmp_path / "new" / "site") == site
    write_site(site, tmp_path / "new" / "site")
    assert load_site(tmp_path / "new" / "site") == site, "written over itself"


def test_a_folder_of_every_kind_of_address_loads_as_the_same_site(tmp_path: Path) -> None:
    site = reference_site()
    on_the_wire = replace(site, tags=tuple(tag for tag in site.tags if isinstance(tag.source, (ModbusAddress, OpcuaAddress))))
    write_site(on_the_wire, tmp_path)
    assert load_site(tmp_path) == on_the_wire
