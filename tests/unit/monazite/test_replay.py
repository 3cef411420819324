import asyncio
from collections.abc import Mapping
from pathlib import Path
from typing import Literal

import pytest
from prometheus_client import CollectorRegistry

from monazite.replay import body, read_recordings
from monazite.service import ServiceContext
from monazite.settings import load_settings
from plant import ConfigurationError, ModbusDevice, load_site

ROWS = "datetime;Pressure;Flow\n2026-01-01 00:00:00;1.5;2.5\n2026-01-01 00:00:01;1.6;2.6\n"


@pytest.mark.parametrize("protocol", ["modbus", "opcua"])
async def test_the_site_written_names_devices_that_listen(tmp_path: Path, protocol: Literal["modbus", "opcua"], capsys: pytest.CaptureFixture[str]) -> None:
    for name in ("valve", "pump"):
        (tmp_path / f"{name}.csv").write_text(ROWS)
    stop, ready = asyncio.Event(), asyncio.Event()
    told: list[Mapping[str, object]] = []

    def tell(details: Mapping[str, object]) -> None:
        told.append(details)
        ready.set()

    context = ServiceContext("replay", load_settings(), CollectorRegistry(), stop, tell)
    folder = tmp_path / "a site"
    running = asyncio.ensure_future(body([tmp_path / "valve.csv", tmp_path / "pump.csv"], protocol, folder)(context))
    await asyncio.wait_for(ready.wait(), 30)
    site = load_site(folder)
    assert [tag.name for tag in site.tags_on_wire("REPLAY-pump")] == ["RPL.PUMP.ROW", "RPL.PUMP.PRESSURE", "RPL.PUMP.FLOW"]
    endpoints = {
        name: device.line.endpoint.removeprefix("modbus://") if isinstance(device, ModbusDevice) else device.url for name, device in site.devices.items()
    }
    assert told == [{"devices": endpoints}]
    for endpoint in endpoints.values():
        host, _, port = endpoint.removeprefix("opc.tcp://").partition(":")
        _, writer = await asyncio.open_connection(host, int(port))
        writer.close()
        await writer.wait_closed()
    stop.set()
    await asyncio.wait_for(running, 30)
    assert f"monazite up --plant '{folder}' --no-simulators" in capsys.readouterr().out


def test_the_problems_of_all_files_are_reported(tmp_path: Path) -> None:
    (tmp_path / "other").mkdir()
    for file in ("a.csv", "other/a.csv"):
        (tmp_path / file).write_text(ROWS)
    (tmp_path / "b.csv").write_text("no header\n")
    with pytest.raises(ConfigurationError) as caught:
        read_recordings([tmp_path / "a.csv", tmp_path / "b.csv", tmp_path / "other" / "a.csv", tmp_path / "c.csv"])
    assert [Path(problem.file).relative_to(tmp_path).as_posix() for problem in caught.value.problems] == ["b.csv", "other/a.csv", "c.csv"]
