"""The gateway's cost: the reference plant, every tag once a second over both protocols, simulated in other processes, with the bus and the historian."""

import csv
import json
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Iterator
from importlib import resources
from pathlib import Path
from typing import Final

from prometheus_client.parser import text_string_to_metric_families

from benchmarks.comparison import Comparison

_SCAN_MS: Final = "1000"
_READY_WITHIN: Final = 90.0
_SETTLE: Final = 10.0
_MEASURED: Final = 30.0
_BUDGET: Final = 0.15
_POLL: Final = 0.2


def comparisons() -> Iterator[Comparison]:
    with tempfile.TemporaryDirectory(prefix="monazite-bench-") as name:
        folder = Path(name)
        _write_site(folder / "site")
        command = [sys.executable, "-m", "monazite", "up", "--plant", str(folder / "site"), "--data", str(folder / "data"), "--port", "0"]
        with (folder / "log").open("wb") as log, subprocess.Popen(command, stdout=log, stderr=log) as plant:  # noqa: S603 - our own program
            try:
                yield _measure(folder / "data" / "endpoints.json", folder / "log")
            finally:
                plant.send_signal(signal.SIGTERM)
                plant.wait(60)


def _write_site(folder: Path) -> None:
    """The reference plant with one scan class."""
    with resources.as_file(resources.files("plant") / "reference") as reference:
        shutil.copytree(reference, folder, ignore=shutil.ignore_patterns("__pycache__", "*.py"))
    file = folder / "tags.csv"
    with file.open(encoding="utf-8", newline="") as text:
        rows = list(csv.reader(text))
    column = rows[0].index("scan_ms")
    for row in rows[1:]:
        row[column] = _SCAN_MS
    with file.open("w", encoding="utf-8", newline="") as text:
        csv.writer(text, lineterminator="\n").writerows(rows)


def _measure(endpoints: Path, log: Path) -> Comparison:
    deadline = time.monotonic() + _READY_WITHIN
    while not endpoints.exists() or b"ready http" not in log.read_bytes():
        if time.monotonic() > deadline:
            raise TimeoutError(f"the plant was not ready within {_READY_WITHIN:g} s:\n{log.read_text()[-2000:]}")
        _wait(_POLL)
    url = json.loads(endpoints.read_text())["metrics"]["gateway"]
    _wait(_SETTLE)
    before, begun = _figures(url), time.monotonic()
    _wait(_MEASURED)
    after, took = _figures(url), time.monotonic() - begun
    share = (after["process_cpu_seconds_total"] - before["process_cpu_seconds_total"]) / took
    rate = (after["monazite_samples_ingested_total"] - before["monazite_samples_ingested_total"]) / took
    name = f"Reference plant at 1 s in the gateway ({rate:,.0f} samples/s, {100 * share:.1f} % of a core)"
    return Comparison(name, f"{100 * _BUDGET:.0f} % of a core", "plants a core", 1 / share, 1 / _BUDGET, 1.0)


def _figures(url: str) -> dict[str, float]:
    """Sum of the samples of each metric, by name."""
    with urllib.request.urlopen(url, timeout=5) as answer:  # noqa: S310 - the address that the gateway gave
        text = answer.read().decode()
    figures: dict[str, float] = {}
    for family in text_string_to_metric_families(text):
        for sample in family.samples:
            figures[sample.name] = figures.get(sample.name, 0.0) + sample.value
    return figures


def _wait(seconds: float) -> None:
    signal.sigtimedwait([], seconds)
