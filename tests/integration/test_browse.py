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
from asyncua.server.uaprocessor import UaProcessor
from asyncua.ua.ua_binary import struct_from_binary
from prometheus_client import CollectorRegistry

from drivers import DriverMetricFamilies
from drivers.opcua import OpcuaDriver
from plant.batch import SampleBatch
from plant.device import OpcuaDevice
from plant.quality import Quality
from plant.site_loader import load_site
from plant.tag import DataType, Kind

URI, OTHER = "urn:test:plant", "urn:test:lab;50%"
VT = ua.VariantType


@asynccontextmanager
async def plant_server() -> AsyncIterator[tuple[Server, str]]:
    """Plant/Line 1/Pump (speed with unit and range, a bit, a text), twice a node "Pump" of equal names, an array, a date, and a circle; a laboratory in another
    namespace."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    server = Server()
    await server.init()
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


async def test_a_server_that_answers_in_small_pieces_is_browsed_whole(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async with plant_server() as (server, url):
        folder = await server.nodes.objects.add_folder(2, "Many")
        for number in range(300):
            await folder.add_variable(2, f"V{number:03}", float(number))
        limits = (
            ua.NodeId(ua.Int32(ua.ObjectIds.Server_ServerCapabilities_OperationLimits_MaxNodesPerBrowse)),
            ua.NodeId(ua.Int32(ua.ObjectIds.Server_ServerCapabilities_OperationLimits_MaxNodesPerRead)),
        )
        for node in limits:
            await server.get_node(node).write_value(ua.Variant(7, VT.UInt32))
        calls: list[int] = []
        view: Any = server.iserver.view_service
        browse = view.browse
        kept: dict[bytes, list[Any]] = {}

        def cut(result: ua.BrowseResult) -> ua.BrowseResult:
            """Five references at a time."""
            references = list(result.References or [])
            result.References = references[:5]
            if references[5:]:
                result.ContinuationPoint = str(len(calls) * 1000 + len(kept)).encode()
                kept[result.ContinuationPoint] = references[5:]
            return result

        def browse_some(parameters: ua.BrowseParameters) -> list[ua.BrowseResult]:
            calls.append(len(parameters.NodesToBrowse))
            return [cut(result) for result in browse(parameters)]

        process: Any = UaProcessor._process_message

        async def with_browse_next(self: Any, kind: ua.NodeId, header: ua.RequestHeader, sequence: ua.SequenceHeader, body: Any) -> Any:
            """The stock server does not know the service."""
            if kind != ua.NodeId(ua.Int32(ua.ObjectIds.BrowseNextRequest_Encoding_DefaultBinary)):
                return await process(self, kind, header, sequence, body)
            calls.append(0)
            parameters = struct_from_binary(ua.BrowseNextParameters, body)
            response = ua.BrowseNextResponse()
            response.Parameters.Results = [cut(ua.BrowseResult(References=kept.pop(point))) for point in parameters.ContinuationPoints]
            self.send_response(header.RequestHandle, sequence, response)
            return True

        view.browse = browse_some
        monkeypatch.setattr(UaProcessor, "_process_message", with_browse_next)
        code, out, error = await monazite("browse", url, "--security-policy", "None", "--include", "Many/*", cwd=tmp_path)
    assert code == 0, error
    assert [row["path"] for row in csv.DictReader(io.StringIO(out))] == [f"Many/V{number:03}" for number in range(300)]
    assert max(calls) <= 7
    assert kept == {}


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
