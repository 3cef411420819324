"""Mistakes of the user, at the command line itself: a line that names thing, place and mend, exit code 2, no traceback."""

import os
import socket
import subprocess
import sys
from pathlib import Path

import pytest

COMMANDS = ["up", "simulate", "gateway", "historian", "control", "api", "replay", "check"]


def monazite(*arguments: str, folder: Path, **variables: str) -> subprocess.CompletedProcess[str]:
    inherited = {name: value for name, value in os.environ.items() if not name.startswith("MONAZITE_")}
    settings = {f"MONAZITE_{name.upper()}": value for name, value in variables.items()}
    command = [sys.executable, "-m", "monazite", *arguments]
    return subprocess.run(command, env=inherited | settings, cwd=folder, capture_output=True, text=True, timeout=90, check=False)


def test_the_commands_are_those_of_the_contract(tmp_path: Path) -> None:
    run = monazite("--help", folder=tmp_path)
    assert run.returncode == 0
    assert [command for command in COMMANDS if command not in run.stdout] == []


@pytest.mark.parametrize(
    ("arguments", "variables", "words"),
    [
        (["up", "--speed", "0"], {}, ["--speed", "greater than 0"]),
        (["up", "--data", "/proc/monazite"], {}, ["/proc/monazite", "data folder cannot be used", "--data DIR"]),
        (["up", "--plant", "nowhere"], {}, ["nowhere"]),
        (["gateway"], {"config": "nowhere.toml"}, ["MONAZITE_CONFIG", "nowhere.toml"]),
        (["gateway"], {"metrics_port": "http"}, ["MONAZITE_METRICS_PORT", "integer"]),
        (["historian", "--store", "mysql://db/plant"], {"nats_password_file": "nowhere"}, ["MONAZITE_NATS_PASSWORD_FILE", "nowhere"]),
        (["check", "nowhere"], {}, ["nowhere"]),
    ],
)
def test_a_mistake_is_said_in_a_line(arguments: list[str], variables: dict[str, str], words: list[str], tmp_path: Path) -> None:
    run = monazite(*arguments, folder=tmp_path, **variables)
    assert run.returncode == 2, run.stderr
    assert "Traceback" not in run.stderr
    assert [word for word in words if word not in run.stderr] == [], run.stderr
    assert list(tmp_path.iterdir()) == []


def test_a_port_in_use_is_found_before_anything_starts(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        run = monazite("up", "--data", "data", "--port", str(port), folder=tmp_path)
    assert run.returncode == 2
    assert f"127.0.0.1:{port} cannot be listened on: Address already in use; give another port with --port N" in run.stderr
    assert list((tmp_path / "data" / "log").iterdir()) == []


def test_endpoints_of_a_device_that_is_not_there_are_named(tmp_path: Path) -> None:
    (tmp_path / "endpoints.json").write_text('{"NO-SUCH-PLC": "127.0.0.1:502"}')
    run = monazite("gateway", folder=tmp_path, device_endpoints="endpoints.json")
    assert run.returncode == 2
    assert "endpoints.json: NO-SUCH-PLC: the site has no such device" in run.stderr
