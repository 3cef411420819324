import asyncio
import os
import signal
from pathlib import Path

import pytest
from prometheus_client import CollectorRegistry

from monazite.assembly import Assembly
from monazite.data_folder import DataFolder
from monazite.settings import Settings, environment_variables, load_settings, variable_of
from monazite.supervisor import ProcessSpec, State, Supervisor
from services.bus import Bus


@pytest.fixture
def folder(tmp_path: Path) -> DataFolder:
    return DataFolder.open(tmp_path)


def specs(settings: Settings, folder: DataFolder, *, simulators: bool = True) -> dict[str, ProcessSpec]:
    return {spec.name: spec for stage in Assembly(settings, folder, simulators).stages() for spec in stage}


def environment_of(spec: ProcessSpec, last: dict[str, object] | None = None) -> dict[str, str]:
    """Settings only."""
    return {name: value for name, value in spec.launch(last).environment.items() if name.startswith("MONAZITE_")}


def test_a_process_gets_the_settings_it_needs_and_no_other_secret(folder: DataFolder, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MONAZITE_ADMIN_PASSWORD", "canary")
    found = specs(load_settings(store="postgresql://u:p@db/plant"), folder)
    assert set(found) == {"nats", "simulate", "historian", "gateway", "control", "api"}
    environments = {name: environment_of(spec) for name, spec in found.items()}
    assert [name for name, variables in environments.items() if "canary" in variables.values()] == ["api"]
    assert [name for name, variables in environments.items() if "MONAZITE_STORE" in variables] == ["historian", "api"]
    assert environments["nats"] == {}
    assert set().union(*environments.values()) <= set(environment_variables())
    assert not any(folder.password_of_nats() in " ".join([*spec.launch(None).argv, *spec.launch(None).environment.values()]) for spec in found.values())


def test_without_simulators_devices_are_where_the_settings_say(folder: DataFolder, tmp_path: Path) -> None:
    found = specs(load_settings(device_endpoints=tmp_path / "mine.json"), folder, simulators=False)
    assert "simulate" not in found
    assert environment_of(found["gateway"])["MONAZITE_DEVICE_ENDPOINTS"] == str(tmp_path / "mine.json")


def test_a_restart_keeps_the_ports(folder: DataFolder) -> None:
    found = specs(load_settings(port=0), folder)
    assert environment_of(found["api"])["MONAZITE_PORT"] == "0"
    again = environment_of(found["api"], {"api": "http://127.0.0.1:8123", "metrics": "http://127.0.0.1:8123/metrics"})
    assert again["MONAZITE_PORT"] == "8123"
    assert environment_of(found["gateway"], {"metrics": "http://127.0.0.1:9123/metrics"})[variable_of("metrics_port")] == "9123"


async def test_nats_comes_back_on_its_port_and_clients_with_it(folder: DataFolder) -> None:
    settings = load_settings()
    assembly = Assembly(settings, folder, simulators=False)
    supervisor = Supervisor(assembly.stages()[:1], folder.log, CollectorRegistry(), assembly.learn)
    try:
        await supervisor.start()
        keeper, url = supervisor.keepers[0], assembly.address("nats", "url")
        assert url is not None
        async with await Bus.connect(url, name="test", user=settings.nats_user, password=folder.password_of_nats()) as bus:
            assert keeper.pid is not None
            os.kill(keeper.pid, signal.SIGKILL)
            async with asyncio.timeout(30.0):
                while not (keeper.restarts == 1 and keeper.state is State.UP and bus.connected):
                    await asyncio.sleep(0.05)
        assert assembly.address("nats", "url") == url
        assert (folder.nats / "nats-server.conf").stat().st_mode & 0o777 == 0o600
    finally:
        await supervisor.stop()
