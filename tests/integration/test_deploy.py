"""What deploy/ and docker-compose.yml name exists: commands, settings, ports, paths, hosts. There is no container engine in these tests."""

import json
import os
import re
import runpy
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml
from compose_spec import PyCompose
from typer.main import get_command

from monazite.cli import app
from monazite.settings import environment_variables
from services.bus import find_nats_server

ROOT = Path(__file__).parents[2]
COMPOSE_FILE = ROOT / "docker-compose.yml"
COMPOSE: dict[str, Any] = yaml.safe_load(COMPOSE_FILE.read_text())
OURS = {name: service for name, service in COMPOSE["services"].items() if service["image"].startswith("monazite:")}
SECRETS: tuple[str, ...] = runpy.run_path(str(ROOT / "deploy" / "make_secrets.py"))["NAMES"]
COMMANDS: dict[str, Any] = get_command(app).commands  # type: ignore[attr-defined]  # a Typer app with several commands is a group


def test_the_compose_file_follows_its_schema() -> None:
    assert set(PyCompose.from_json(json.dumps(COMPOSE)).service_names()) == set(COMPOSE["services"])


def test_the_schema_check_would_notice_a_mistake() -> None:
    with pytest.raises(ValueError, match="bogus"):
        PyCompose.from_json(json.dumps(COMPOSE).replace("shm_size", "bogus"))


def test_every_service_is_there() -> None:
    assert {service["command"][0] for service in OURS.values()} >= {"simulate", "gateway", "historian", "control", "api"}


@pytest.mark.parametrize("name", OURS)
def test_commands_and_their_options_exist(name: str) -> None:
    command, *options = OURS[name]["command"]
    known = {option for parameter in COMMANDS[command].params for option in (*parameter.opts, *parameter.secondary_opts)}
    assert set(options) <= known


@pytest.mark.parametrize("name", OURS)
def test_settings_exist(name: str) -> None:
    assert set(OURS[name]["environment"]) <= set(environment_variables())


def test_every_password_is_made_by_make_secrets() -> None:
    used = set(re.findall(r"\$\{(\w+)[:}]", COMPOSE_FILE.read_text()))
    assert used == set(SECRETS)


def test_mounted_files_exist() -> None:
    for name, service in COMPOSE["services"].items():
        for volume in service.get("volumes", []):
            source = volume.split(":")[0]
            assert (ROOT / source).exists() if source.startswith(".") else source in COMPOSE["volumes"], (name, volume)


def test_what_depends_on_what_exists_and_says_when_it_is_healthy() -> None:
    for name, service in COMPOSE["services"].items():
        for other in service.get("depends_on", {}):
            assert "healthcheck" in COMPOSE["services"][other], (name, other)
        if shared := service.get("network_mode"):
            assert shared.removeprefix("service:") in COMPOSE["services"]


def test_only_loopback_is_published() -> None:
    ports = [port for service in COMPOSE["services"].values() for port in service.get("ports", [])]
    assert ports
    assert all(port.startswith("127.0.0.1:") for port in ports)


def test_prometheus_scrapes_every_service_where_it_listens() -> None:
    scrapes = yaml.safe_load((ROOT / "deploy/prometheus/prometheus.yml").read_text())["scrape_configs"]
    targets = {target for scrape in scrapes for static in scrape["static_configs"] for target in static["targets"]}
    expected = set()
    for name, service in OURS.items():
        host = service.get("network_mode", f"service:{name}").removeprefix("service:")
        environment = service["environment"]
        expected.add(f"{host}:{environment['MONAZITE_PORT'] if name == 'api' else environment['MONAZITE_METRICS_PORT']}")
        assert name == "api" or environment["MONAZITE_METRICS_HOST"] == "0.0.0.0"
    assert targets == expected


def test_services_find_the_bus_and_the_store_by_their_names() -> None:
    for service in OURS.values():
        environment = service["environment"]
        assert environment.get("MONAZITE_NATS_URL", "nats://nats:4222") == "nats://nats:4222"
        assert "@timescaledb:5432/" in environment.get("MONAZITE_STORE", "@timescaledb:5432/")
    assert {"nats", "timescaledb"} <= set(COMPOSE["services"])


def test_nats_accepts_its_configuration_and_syncs_always() -> None:
    file = ROOT / "deploy/nats/nats.conf"
    environment = {**os.environ, "NATS_PASSWORD": "a-password"}
    checked = subprocess.run([find_nats_server(), "-c", file, "-t"], env=environment, capture_output=True, text=True, timeout=20, check=False)
    assert checked.returncode == 0, checked.stderr
    assert re.search(r"^\s*sync_interval: always$", file.read_text(), re.MULTILINE)
    assert "NATS_PASSWORD" in COMPOSE["services"]["nats"]["environment"]


def test_the_image_copies_what_exists_and_starts_our_command() -> None:
    text = (ROOT / "deploy/Dockerfile").read_text()
    copied = [source for line in re.findall(r"^COPY (?!--from)(.+)$", text, re.MULTILINE) for source in line.split()[:-1]]
    assert {"monazite", "plant", "drivers", "services", "simulators"} <= set(copied)
    assert all((ROOT / source).exists() for source in copied)
    assert 'ENTRYPOINT ["monazite"]' in text
    assert re.findall(r"\b(MONAZITE_\w+)=", text) == ["MONAZITE_DATA"]


def test_grafana_finds_its_data_sources_and_dashboards() -> None:
    folder = ROOT / "deploy/grafana/provisioning"
    sources = yaml.safe_load((folder / "datasources/monazite.yml").read_text())["datasources"]
    assert {source["type"] for source in sources} == {"grafana-postgresql-datasource", "prometheus"}
    for source in sources:
        host = source["url"].removeprefix("http://").split(":")[0]
        assert host in COMPOSE["services"]
    path = yaml.safe_load((folder / "dashboards/monazite.yml").read_text())["providers"][0]["options"]["path"]
    mounts = dict(volume.split(":")[:2] for volume in COMPOSE["services"]["grafana"]["volumes"])
    assert mounts["./deploy/grafana/dashboards"] == path


def test_the_systemd_unit_starts_our_command() -> None:
    text = (ROOT / "deploy/systemd/monazite@.service").read_text()
    assert re.search(r"^ExecStart=/\S+/monazite %i$", text, re.MULTILINE)
    assert set(re.findall(r"\b(MONAZITE_\w+)", text)) <= set(environment_variables())


def test_secrets_are_written_once_and_for_their_owner(tmp_path: Path) -> None:
    write_secrets = runpy.run_path(str(ROOT / "deploy" / "make_secrets.py"))["write_secrets"]
    file = tmp_path / ".env"
    assert write_secrets(file)
    first = file.read_text()
    assert [line.split("=")[0] for line in first.splitlines()] == list(SECRETS)
    assert file.stat().st_mode & 0o777 == 0o600
    assert not write_secrets(file)
    assert file.read_text() == first
