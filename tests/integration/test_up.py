"""``monazite up`` as a user runs it: one command, one folder, the whole reference plant."""

import contextlib
import json
import os
import pty
import re
import select
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final, TypeVar

import httpx
import pytest

pytestmark = pytest.mark.timeout(400)

READY_WITHIN: Final = 90.0
TAGS: Final = 352
T = TypeVar("T")


class Run:
    """A running ``monazite up`` with its output so far."""

    def __init__(self, process: subprocess.Popen[str], folder: Path) -> None:
        self.process = process
        self.folder = folder
        self.lines: list[str] = []
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def _read(self) -> None:
        assert self.process.stdout is not None  # asked for below
        for line in self.process.stdout:
            self.lines.append(line.rstrip("\n"))

    @property
    def output(self) -> str:
        logs = [f"--- {file.name}\n{file.read_text()[-3000:]}" for file in sorted(self.folder.glob("log/*.log"))]
        return "\n".join([*self.lines, *logs])

    def url_when_ready(self) -> str:
        def ready() -> str | None:
            assert self.process.poll() is None, self.output
            return next((line.removeprefix("ready ") for line in self.lines if line.startswith("ready ")), None)

        return until(ready, READY_WITHIN, lambda: self.output)

    @property
    def endpoints(self) -> dict[str, Any]:
        return dict(json.loads((self.folder / "endpoints.json").read_text()))

    def stop(self, number: signal.Signals = signal.SIGINT) -> int:
        self.process.send_signal(number)
        code = self.process.wait(60)
        self._reader.join(10)
        return code


@contextmanager
def up(folder: Path, *arguments: str) -> Iterator[Run]:
    inherited = {name: value for name, value in os.environ.items() if not name.startswith("MONAZITE_")}
    command = [sys.executable, "-m", "monazite", "up", "--data", str(folder), "--port", "0", *arguments]
    with subprocess.Popen(command, env=inherited, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, start_new_session=True) as process:
        run = Run(process, folder)
        try:
            yield run
        finally:
            process.kill()


def until(condition: Callable[[], T | None], deadline: float, explain: Callable[[], str]) -> T:
    """The first thing found that is not ``None``."""
    pause, end = threading.Event(), time.monotonic() + deadline
    while True:
        found = condition()
        if found is not None:
            return found
        assert time.monotonic() < end, explain()
        pause.wait(0.25)


def true_or_none(answer: bool) -> bool | None:
    return answer or None


def descendants(folder: Path) -> list[str]:
    """Command lines of all processes that have the lock of ``folder`` open: the supervisor and everything under it."""
    lock = (folder / "lock").resolve()
    found = []
    for process in Path("/proc").glob("[0-9]*"):
        try:
            if any(link.resolve() == lock for link in (process / "fd").iterdir()):
                found.append((process / "cmdline").read_text().replace("\0", " "))
        except OSError:  # gone meanwhile, or somebody else's
            continue
    return found


def ports_of(endpoints: dict[str, Any]) -> list[int]:
    urls = [endpoints["api"], endpoints["nats"], *endpoints["metrics"].values()]
    return [int(re.search(r":(\d+)(/|$)", url)[1]) for url in urls] + [device["port"] for device in endpoints["devices"]]  # type: ignore[index]  # all carry ports


def listening(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


def log_in(url: str, folder: Path) -> httpx.Client:
    password = (folder / "initial-admin-password").read_text().strip()
    answer = httpx.post(f"{url}/api/v1/auth/token", data={"username": "admin", "password": password}, timeout=30.0)
    assert answer.status_code == 200, answer.text
    return httpx.Client(base_url=f"{url}/api/v1", headers={"Authorization": f"Bearer {answer.json()['access_token']}"}, timeout=30.0)


def get(client: httpx.Client, path: str, **query: str) -> dict[str, Any]:
    answer = client.get(path, params=query)
    assert answer.status_code == 200, answer.text
    return dict(answer.json())


def not_good(client: httpx.Client) -> dict[str, str]:
    items = get(client, "/snapshot", prefix="")["items"]
    assert len(items) == TAGS
    return {item["tag"]: item["quality"] for item in items if item["quality"] != "Good"}


def history(client: httpx.Client, tags: list[str]) -> set[tuple[str, str]]:
    """(tag, time) of every sample of the last hour."""
    return {(tag, time) for tag in tags for time in get(client, f"/tags/{tag}/samples", **{"from": "-1h", "to": "now", "limit": "10000"})["time"]}


def assert_nothing_left(run: Run, endpoints: dict[str, Any], deadline: float) -> None:
    until(lambda: true_or_none(not descendants(run.folder)), deadline, lambda: f"still running: {descendants(run.folder)}")
    assert [port for port in ports_of(endpoints) if listening(port)] == []


def test_the_whole_plant_runs_stops_cleanly_and_goes_on_where_it_was(tmp_path: Path) -> None:
    folder = tmp_path / "data"
    with up(folder) as run:
        url = run.url_when_ready()
        endpoints = run.endpoints
        assert endpoints["api"] == url
        assert set(endpoints["metrics"]) == {"simulate", "historian", "gateway", "control", "api", "supervisor"}
        password = folder / "initial-admin-password"
        assert password.stat().st_mode & 0o777 == 0o600
        assert any(password.read_text().strip() in line for line in run.lines), run.output
        assert len(descendants(folder)) == 7
        with log_in(url, folder) as client:
            until(lambda: true_or_none(not not_good(client)), 60.0, lambda: f"not Good: {not_good(client)}\n{run.output}")
            tags = [item["tag"] for item in get(client, "/snapshot", prefix="")["items"]][::18]
            first = history(client, tags)
            assert first
            until(lambda: true_or_none(history(client, tags) > first), 60.0, lambda: run.output)
        assert run.stop() == 0, run.output
        assert_nothing_left(run, endpoints, 5.0)

    with up(folder) as run:
        url = run.url_when_ready()
        with log_in(url, folder) as client:
            newest = max(time for _, time in first)
            until(lambda: true_or_none(max(time for _, time in history(client, tags)) > newest), 60.0, lambda: run.output)
            assert history(client, tags) >= first
        assert not any("password" in line for line in run.lines), "the password is shown once"
        assert run.stop(signal.SIGTERM) == 0, run.output
        assert_nothing_left(run, run.endpoints, 5.0)


def test_on_a_terminal_one_line_says_how_everything_stands(tmp_path: Path) -> None:
    inherited = {name: value for name, value in os.environ.items() if not name.startswith("MONAZITE_")}
    terminal, its_end = pty.openpty()
    command = [sys.executable, "-m", "monazite", "up", "--data", str(tmp_path / "data"), "--port", "0"]
    with subprocess.Popen(command, env={**inherited, "TERM": "xterm", "COLUMNS": "160"}, stdout=its_end, stderr=its_end, start_new_session=True) as process:
        os.close(its_end)
        shown = b""
        try:
            end = time.monotonic() + READY_WITHIN
            while not (b"ready http://" in shown and re.search(rb"services 6/6 .* devices 23/23 .* [1-9]\d* samples/s", shown)):
                assert time.monotonic() < end, shown.decode()
                if select.select([terminal], [], [], 1.0)[0]:
                    shown += os.read(terminal, 65536)
            process.send_signal(signal.SIGINT)
            with contextlib.suppress(OSError):  # the terminal's other end is closed
                while select.select([terminal], [], [], 60.0)[0]:
                    shown += os.read(terminal, 65536)
            assert process.wait(60) == 0, shown.decode()
        finally:
            process.kill()
            os.close(terminal)
    assert re.search(rb"services [0-5]/6 \(", shown), "while it starts, the line says what is not up yet"


def test_killed_services_come_back_where_they_were_and_nothing_outlives_a_killed_supervisor(tmp_path: Path) -> None:
    folder = tmp_path / "data"
    with up(folder) as run:
        url = run.url_when_ready()
        endpoints = run.endpoints
        with log_in(url, folder) as client:
            until(lambda: true_or_none(not not_good(client)), 60.0, lambda: f"not Good: {not_good(client)}\n{run.output}")
        children = {int(pid) for pid in Path(f"/proc/{run.process.pid}/task/{run.process.pid}/children").read_text().split()}
        assert len(children) == 6
        for pid in children:
            os.kill(pid, signal.SIGKILL)
        until(lambda: true_or_none(sum(" is up, process " in line for line in run.lines) == 12), 60.0, lambda: run.output)
        assert run.endpoints == endpoints
        with log_in(url, folder) as client:
            until(lambda: true_or_none(not not_good(client)), 60.0, lambda: f"not Good: {not_good(client)}\n{run.output}")
        run.process.kill()
        run.process.wait(10)
        assert_nothing_left(run, endpoints, 10.0)
