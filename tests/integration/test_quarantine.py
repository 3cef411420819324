"""``monazite quarantine`` at a real bus: what is there, why, and as bytes; found by settings, or by the folder of ``monazite up``."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from services.bus import Bus, subjects
from tests.nats_server import NatsServer

SUBJECT = subjects.samples("SEP", "PLC-SEP-01")


def monazite(*arguments: str | Path, **environment: str) -> subprocess.CompletedProcess[str]:
    inherited = {name: value for name, value in os.environ.items() if not name.startswith("MONAZITE_")}
    command = [sys.executable, "-m", "monazite", "quarantine", *map(str, arguments)]
    return subprocess.run(command, env=inherited | environment, capture_output=True, text=True, timeout=60, check=False)


async def take(bus: Bus, data: bytes, reason: str, detail: str) -> None:
    headers = {"Monazite-Reason": reason, "Monazite-Detail": detail}
    await bus.publish_durably(subjects.QUARANTINE_STREAM, subjects.quarantine(SUBJECT), data, detail, headers)


@pytest.fixture
async def filled(bus: Bus) -> Bus:
    """Two messages, and one between them that is gone."""
    await take(bus, b"not a batch", "corrupt", "magic or checksum is wrong")
    await take(bus, b"gone", "corrupt", "gone")
    await take(bus, bytes(5_000), "unstorable", "time lies outside the years 1 to 9999")
    await bus.streams.delete_msg(subjects.QUARANTINE_STREAM, 2)
    return bus


async def test_what_is_in_quarantine_is_listed_with_its_reason(filled: Bus, server: NatsServer, tmp_path: Path) -> None:
    run = monazite("--data", tmp_path, **server.environment)
    assert run.returncode == 0, run.stderr
    first, second, total = run.stdout.splitlines()
    assert first.startswith("1  20")
    assert first.endswith(f"Z  {SUBJECT}  11 bytes  corrupt: magic or checksum is wrong")
    assert second.endswith(f"Z  {SUBJECT}  5000 bytes  unstorable: time lies outside the years 1 to 9999")
    assert total == "2 messages, 5011 bytes in quarantine"
    assert (await filled.streams.stream_info(subjects.QUARANTINE_STREAM)).state.messages == 2, "nothing is taken out"


async def test_messages_are_copied_as_they_came(filled: Bus, server: NatsServer, tmp_path: Path) -> None:
    run = monazite("--out", tmp_path / "out", **server.environment)
    assert run.returncode == 0, run.stderr
    assert sorted(file.name for file in (tmp_path / "out").iterdir()) == ["000001.bin", "000001.json", "000003.bin", "000003.json"]
    assert (tmp_path / "out" / "000001.bin").read_bytes() == b"not a batch"
    assert (tmp_path / "out" / "000003.bin").read_bytes() == bytes(5_000)
    why = json.loads((tmp_path / "out" / "000001.json").read_text())
    assert (why["subject"], why["reason"], why["detail"], why["size"]) == (SUBJECT, "corrupt", "magic or checksum is wrong", 11)


async def test_the_folder_of_a_running_system_leads_to_its_bus(filled: Bus, server: NatsServer, tmp_path: Path) -> None:
    folder = tmp_path / "data"
    (folder / "secrets").mkdir(parents=True)
    (folder / "endpoints.json").write_text(json.dumps({"nats": server.url}))
    (folder / "secrets" / "nats-password").write_text(server.environment["MONAZITE_NATS_PASSWORD"])
    run = monazite("--data", folder)
    assert run.returncode == 0, run.stderr
    assert "2 messages, 5011 bytes in quarantine" in run.stdout


async def test_an_empty_quarantine_is_said_to_be_empty(bus: Bus, server: NatsServer) -> None:
    run = monazite(**server.environment)
    assert (run.returncode, run.stdout) == (0, "0 messages, 0 bytes in quarantine\n"), run.stderr


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (None, ["no NATS server answers at nats://127.0.0.1:1", "--data DIR"]),
        ("{}", ["endpoints.json", "does not lead to the bus", "monazite up"]),
    ],
)
def test_a_bus_that_cannot_be_found_is_said_in_a_line(content: str | None, words: list[str], tmp_path: Path) -> None:
    environment = {"MONAZITE_NATS_URL": "nats://127.0.0.1:1"} if content is None else {}
    if content is not None:
        (tmp_path / "endpoints.json").write_text(content)
    run = monazite("--data", tmp_path, **environment)
    assert run.returncode == 2
    assert "Traceback" not in run.stderr
    assert [word for word in words if word not in run.stderr] == [], run.stderr
