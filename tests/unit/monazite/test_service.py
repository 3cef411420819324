"""``run_service`` around small services, each in a process of its own: exit codes, signals, metrics and ready file are those of a process."""

import asyncio
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from monazite.assembly import read_when_ready
from monazite.http_get import http_get

PROGRAM = """
import asyncio, sys
from monazite.service import run_service
from monazite.settings import load_settings
from plant import BusUnavailable, ConfigurationError, Problem

async def until_told(context):
    context.ready({"devices": {"D": "127.0.0.1:502"}})
    await context.stop.wait()

async def misconfigured(context):
    raise ConfigurationError([Problem("tags.csv", 7, "unit", "is empty", "write a unit"), Problem("tags.csv", 9, None, "is short", "add columns")])

async def without_bus(context):
    async with asyncio.TaskGroup() as group:
        group.create_task(fail(BusUnavailable("no NATS server answers")))

async def defective(context):
    raise KeyError("defect")

async def fail(error):
    raise error

async def leaving(context):
    pass

sys.exit(run_service("gateway", load_settings(), lambda: globals()[sys.argv[1]]))
"""


def environment(**variables: str) -> dict[str, str]:
    inherited = {name: value for name, value in os.environ.items() if not name.startswith("MONAZITE_")}
    return inherited | {f"MONAZITE_{name.upper()}": value for name, value in variables.items()}


def run_to_the_end(body: str, **variables: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([sys.executable, "-c", PROGRAM, body], env=environment(**variables), capture_output=True, text=True, timeout=60, check=False)


@contextmanager
def running(folder: Path, *, kept: tuple[int, ...] = (), **variables: str) -> Iterator[subprocess.Popen[str]]:
    command = [sys.executable, "-c", PROGRAM, "until_told"]
    settings = environment(ready_file=str(folder / "gateway.json"), **variables)
    with subprocess.Popen(command, env=settings, stderr=subprocess.PIPE, text=True, pass_fds=kept) as process:
        try:
            yield process
        finally:
            process.kill()


def ready(folder: Path, process: subprocess.Popen[str]) -> dict[str, object]:
    return dict(asyncio.run(asyncio.wait_for(read_when_ready(folder / "gateway.json", process.pid), 30.0)))


def test_it_serves_its_metrics_and_says_where(tmp_path: Path) -> None:
    with running(tmp_path) as process:
        details = ready(tmp_path, process)
        assert details["service"] == "gateway"
        assert details["devices"] == {"D": "127.0.0.1:502"}
        status, text = asyncio.run(http_get(str(details["metrics"]), 10.0))
    assert status == 200
    for name in ("monazite_build_info{", "monazite_event_loop_lag_seconds ", "process_resident_memory_bytes "):
        assert f"\n{name}" in text


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_stops_it_cleanly(tmp_path: Path, number: signal.Signals) -> None:
    with running(tmp_path) as process:
        ready(tmp_path, process)
        process.send_signal(number)
        assert process.wait(30) == 0
    assert not (tmp_path / "gateway.json").exists()


def test_the_end_of_its_supervisor_stops_it_cleanly(tmp_path: Path) -> None:
    ours, theirs = socket.socketpair()
    with running(tmp_path, kept=(theirs.fileno(),), lifeline_fd=str(theirs.fileno())) as process:
        theirs.close()
        ready(tmp_path, process)
        ours.settimeout(30.0)
        assert set(ours.recv(100)) == set(b".")
        ours.close()
        assert process.wait(30) == 0


@pytest.mark.parametrize(
    ("body", "code", "lines"),
    [
        ("misconfigured", 2, ["tags.csv:7: unit: is empty; write a unit", "tags.csv:9: is short; add columns"]),
        ("without_bus", 1, ["gateway stops: no NATS server answers"]),
        ("leaving", 1, ["gateway stops: it ended without being told to"]),
    ],
)
def test_what_somebody_can_mend_is_said_without_a_traceback(body: str, code: int, lines: list[str]) -> None:
    run = run_to_the_end(body)
    assert run.returncode == code, run.stderr
    assert "Traceback" not in run.stderr
    assert all(line in run.stderr for line in lines), run.stderr


def test_a_defect_ends_the_process_with_a_traceback() -> None:
    run = run_to_the_end("defective")
    assert run.returncode == 1
    assert "KeyError: 'defect'" in run.stderr


def test_a_metrics_port_in_use_is_named() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        run = run_to_the_end("until_told", metrics_port=str(port))
    assert run.returncode == 2
    assert f"metrics cannot be served on 127.0.0.1:{port}" in run.stderr
    assert "Traceback" not in run.stderr
