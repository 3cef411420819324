"""``monazite browse`` over real servers: circles, limits, names that collide, types that no tag holds; and the folder it writes is one the driver reads."""

import asyncio
import csv
import io
import socket
import sys
from collections.abc import AsyncIterator
from contextlib import aclosing, asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from asyncua import Server, ua
from prometheus_client import CollectorRegistry

from drivers import DriverMetricFamilies
from drivers.opcua import OpcuaDriver
from plant.batch import SampleBatch
from plant.device import OpcuaDevice
from plant.quality import Quality
from plant.site_loader import load_site
from plant.tag import DataType, Kind
from tests.opcua_server import stock_server
from tests.portioned_browse import PortionedBrowse, answer_in_portions

URI, OTHER = "urn:test:plant", "urn:test:lab;50%"
VT = ua.VariantType


@asynccontextmanager
async def plant_server() -> AsyncIterator[tuple[Server, str]]:
    """Plant/Line 1/Pump (speed with unit and range, a bit, a text), twice a node "Pump" of equal names, an array, a date, and a circle; a laboratory in another
    namespace."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    server = await stock_server()
    server.set_endpoint(f"opc.tcp://127.0.0.1:{port}/plant")
    server.set_security_policy([ua.SecurityPolicyType.NoSecurity])
    plant, lab = await server.register_namespace(URI), await server.register_namespace(OTHER)
    root = await server.nodes.objects.add_object(plant, "Plant")
    line = await root.add_folder(plant, "Line 1")
    pump = await line.add_object(plant, "Pump")
    speed = await pump.add_variable(ua.NodeId(ua.String("speed"), ua.Int16(plant)), "Speed", 1450.0, VT.Float)
    await speed.set_writable()
    await speed.add_property(0, "EURange", ua.Range(Low=0.0, High=3000.0))
    await speed.add_property(0, "EngineeringUnits", ua.EUInformation(DisplayName=ua.LocalizedText("rpm")))
    await speed.write_attribute(ua.AttributeIds.Description, ua.DataValue(ua.Variant(ua.LocalizedText("Speed of\nthe pump"), VT.LocalizedText)))
    await pump.add_variable(ua.NodeId(ua.Int32(7), ua.Int16(plant)), "Läuft", True, VT.Boolean)
    await pump.add_variable(plant, "Lot", "LOT-1", VT.String)
    await pump.add_variable(plant, "Temperatures", [1.0, 2.0], VT.Double)
    await pump.add_variable(plant, "Since", ua.DateTime(2026, 11, 23), VT.DateTime)
    twin = await root.add_object(plant, "Pump")
    await twin.add_variable(plant, "Speed", 3, VT.Int16)
    await twin.add_reference(line, ua.ObjectIds.Organizes)
    await pump.add_reference(root, ua.ObjectIds.Organizes)
    laboratory = await server.nodes.objects.add_object(lab, "Lab")
    await laboratory.add_variable(lab, "pH", 7.0, VT.Double)
    async with server:
        yield server, f"opc.tcp://127.0.0.1:{port}/plant"


async def monazite(*arguments: str, cwd: Path) -> tuple[int, str, str]:
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "monazite", *arguments, cwd=cwd, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE
    )
    async with asyncio.timeout(60):
        out, error = await process.communicate()
    assert process.returncode is not None
    return process.returncode, out.decode(), error.decode()


def rows_of(text: str) -> dict[str, dict[str, str]]:
    return {row["path"]: row for row in csv.DictReader(io.StringIO(text))}


async def test_the_table_names_every_variable_once_with_what_the_server_says_of_it(tmp_path: Path) -> None:
    async with plant_server() as (_, url):
        code, out, error = await monazite("browse", url, "--security-policy", "None", cwd=tmp_path)
    assert code == 0, error
    rows = rows_of(out)
    assert len(out.splitlines()) == len(rows) + 1 == 8
    speed = rows["Plant/Line 1/Pump/Speed"]
    assert (speed["node"], speed["datatype"], speed["eu"], speed["lo"], speed["hi"], speed["writable"]) == (
        f"nsu={URI};s=speed",
        "Float",
        "rpm",
        "0.0",
        "3000.0",
        "1",
    )
    assert speed["description"] == "Speed of the pump"
    assert rows["Plant/Line 1/Pump/Läuft"]["node"] == f"nsu={URI};i=7"
    assert rows["Lab/pH"]["node"].startswith("nsu=urn:test:lab%3B50%25;")
    assert "column index" in rows["Plant/Line 1/Pump/Temperatures"]["skipped"]
    assert "DateTime" in rows["Plant/Line 1/Pump/Since"]["skipped"]
    assert "variables chosen" in error


async def test_the_folder_loads_and_the_driver_reads_what_it_says(tmp_path: Path) -> None:
    async with plant_server() as (_, url):
        arguments = ("--security-policy", "None", "--out", "site", "--area", "SEP", "--device", "PLC-SEP-01", "--first-id", "100", "--writable")
        code, out, error = await monazite("browse", url, *arguments, cwd=tmp_path)
        assert code == 0, error
        assert "5 tags in site, 2 variables in site/skipped.csv" in out
        site = load_site(tmp_path / "site")
        assert [tag.id for tag in site.tags] == [100, 101, 102, 103, 104]
        by_name = dict(site.by_name)
        assert by_name.keys() == {"SEP.LAB.PH", "SEP.PUMP.LAUFT", "SEP.PUMP.LOT", "SEP.PUMP.SPEED", "SEP.PUMP.SPEED_2"}
        speed = by_name["SEP.PUMP.SPEED"]
        assert (speed.writable, speed.kind, speed.eu_range, speed.engineering_unit) == (True, Kind.ANALOG_OUTPUT, (0.0, 3000.0), "rpm")
        assert by_name["SEP.PUMP.SPEED_2"].data_type is DataType.INT16
        assert not by_name["SEP.LAB.PH"].writable
        assert len(rows_of((tmp_path / "site" / "skipped.csv").read_text())) == 2
        device = site.devices["PLC-SEP-01"]
        assert isinstance(device, OpcuaDevice)
        session = await OpcuaDriver().open(device, site.tags, DriverMetricFamilies(CollectorRegistry()).of("opcua", device.name))
        good: set[int] = set()
        try:
            async with asyncio.timeout(20), aclosing(session.batches()) as batches:
                async for batch in batches:
                    good |= set(batch.tag_id[batch.quality == Quality.GOOD].tolist())
                    if isinstance(batch, SampleBatch) and (batch.tag_id == speed.id).any():
                        assert batch.value[batch.tag_id == speed.id][0] == 1450.0
                    if len(good) == 5:
                        break
        finally:
            await session.close()
        again = await monazite("browse", url, *arguments, cwd=tmp_path)
        assert again[0] == 2
        assert "is not empty" in again[2]


async def test_patterns_and_a_start_choose_and_the_site_is_read_only_unless_told(tmp_path: Path) -> None:
    async with plant_server() as (_, url):
        code, out, error = await monazite(
            "browse", url, "--security-policy", "None", "--include", "Plant/**", "--exclude", "**/Lot", "--exclude", "**/Since", cwd=tmp_path
        )
        assert code == 0, error
        assert rows_of(out).keys() == {"Plant/Line 1/Pump/Läuft", "Plant/Line 1/Pump/Speed", "Plant/Line 1/Pump/Temperatures", "Plant/Pump/Speed"}
        code, out, error = await monazite("browse", url, "--security-policy", "None", "--from", f"nsu={URI};s=speed", cwd=tmp_path)
        assert code == 0, error
        assert rows_of(out) == {}
        code, _, error = await monazite("browse", url, "--security-policy", "None", "--include", "**/Speed", "--out", "site", cwd=tmp_path)
        assert code == 0, error
        assert not any(tag.writable for tag in load_site(tmp_path / "site").tags)


async def lines_of(server: Server, lines: int, variables: int) -> list[str]:
    """Paths of the variables: Many/L00/V00 and so on."""
    top = await server.nodes.objects.add_folder(2, "Many")
    for number in range(lines):
        line = await top.add_folder(ua.NodeId(ua.String(f"L{number:02}"), ua.Int16(2)), f"L{number:02}")
        for variable in range(variables):
            await line.add_variable(2, f"V{variable:02}", float(variable))
    return [f"Many/L{number:02}/V{variable:02}" for number in range(lines) for variable in range(variables)]


async def limit(server: Server, name: str, value: int, variant_type: ua.VariantType = VT.UInt32) -> None:
    node = ua.NodeId(ua.Int32(getattr(ua.ObjectIds, f"Server_ServerCapabilities_{name}")))
    await server.get_node(node).write_value(ua.Variant(value, variant_type))


def portions_of(server: Server, monkeypatch: pytest.MonkeyPatch, **manners: Any) -> PortionedBrowse:
    view: Any = server.iserver.view_service
    portions = PortionedBrowse(view.browse, **manners)
    answer_in_portions(monkeypatch, server.iserver, portions)
    return portions


@pytest.mark.parametrize("is_told", [True, False])
async def test_a_server_that_answers_in_small_pieces_is_browsed_whole(is_told: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its limit is one of the nodes in a call and of the answers in a call for the rest."""
    async with plant_server() as (server, url):
        paths = await lines_of(server, 12, 20)
        if is_told:
            await limit(server, "OperationLimits_MaxNodesPerBrowse", 7)
            await limit(server, "OperationLimits_MaxNodesPerRead", 7)
        portions = portions_of(server, monkeypatch, references=5, most=7)
        code, out, error = await monazite("browse", url, "--security-policy", "None", "--include", "Many/**", cwd=tmp_path)
    assert code == 0, error
    assert list(rows_of(out)) == paths
    assert max(portions.rests) > 1
    if is_told:
        assert max(*portions.browses, *portions.rests) == 7
    assert portions.taken == 0


@pytest.mark.parametrize(("places", "is_told"), [(5, False), (5, True), (1, False)])
async def test_branches_for_which_a_server_has_no_place_at_once_are_asked_for_again(
    places: int, is_told: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with plant_server() as (server, url):
        paths = await lines_of(server, 30, 20)
        if is_told:
            await limit(server, "MaxBrowseContinuationPoints", places, VT.UInt16)
        portions = portions_of(server, monkeypatch, references=10, places=places)
        code, out, error = await monazite("browse", url, "--security-policy", "None", "--include", "Many/**", cwd=tmp_path)
    assert code == 0, error
    assert list(rows_of(out)) == paths
    assert portions.without_place > 0
    assert portions.taken == 0
    if is_told:
        assert portions.without_place <= 30, "once each"


async def test_a_branch_whose_rest_a_server_has_forgotten_is_asked_for_from_its_beginning(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async with plant_server() as (server, url):
        paths = await lines_of(server, 3, 20)
        portions_of(server, monkeypatch, references=10, forgets=2)
        code, out, error = await monazite("browse", url, "--security-policy", "None", "--include", "Many/**", cwd=tmp_path)
    assert code == 0, error
    assert list(rows_of(out)) == paths


async def test_branches_that_a_server_does_not_show_are_told_and_never_left_out_without_a_word(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async with plant_server() as (server, url):
        paths = await lines_of(server, 3, 20)
        secret = ua.NodeId(ua.String("L01"), ua.Int16(2))
        portions = portions_of(server, monkeypatch, references=19, places=0, refusals={secret: ua.StatusCodes.BadUserAccessDenied})
        arguments = ("browse", url, "--security-policy", "None", "--include", "Many/L00/*")
        code, out, error = await monazite(*arguments, cwd=tmp_path)
        assert code == 0, error
        rows = rows_of(out)
        assert {path: row["skipped"] for path, row in rows.items()} == {
            "Many/L00": "the server refuses to show what is below it (BadNoContinuationPoints): variables may be missing",
            "Many/L01": "the server refuses to show what is below it (BadUserAccessDenied): variables may be missing",
            "Many/L02": "the server refuses to show what is below it (BadNoContinuationPoints): variables may be missing",
        }
        assert "3 branches are not shown by the server or not whole, Many/L00 for one" in error
        portions.places = 5
        code, out, error = await monazite(*arguments, "--out", "site", cwd=tmp_path)
        assert code == 0, error
        assert "20 tags in site, 0 variables and 1 branches in site/skipped.csv" in out
        assert len(load_site(tmp_path / "site").tags) == 20
        skipped = rows_of((tmp_path / "site" / "skipped.csv").read_text())
        assert skipped.keys() == {"Many/L01"}
        assert skipped["Many/L01"]["node"] == f"nsu={URI};s=L01"
    assert len(paths) == 60


@pytest.mark.parametrize("start", [f"nsu={URI};s=not-there", "nsu=urn:test:elsewhere;s=x", "ns=2;s=speed"])
async def test_a_start_that_the_server_does_not_have_is_an_error_and_no_empty_table(start: str, tmp_path: Path) -> None:
    async with plant_server() as (_, url):
        code, out, error = await monazite("browse", url, "--security-policy", "None", "--from", start, cwd=tmp_path)
    assert code == 2
    assert out == ""
    assert start in error
    assert "Bad" in error


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("opc.tcp://127.0.0.1:9/",), "no connection"),
        (("http://127.0.0.1:9/",), "is no address of an OPC UA server"),
        (("opc.tcp://127.0.0.1:9/", "--area", "sep"), "is no area of a tag's name"),
        (("opc.tcp://127.0.0.1:9/", "--user", "me"), "--password-file"),
    ],
)
async def test_what_cannot_be_browsed_is_said_in_a_line_with_the_mend(arguments: tuple[str, ...], said: str, tmp_path: Path) -> None:
    code, out, error = await monazite("browse", *arguments, "--security-policy", "None", "--out", "site", cwd=tmp_path)
    assert code == 2
    assert said in error
    assert len(error.strip().splitlines()) == 1
    assert out == ""
    assert not (tmp_path / "site").exists()
