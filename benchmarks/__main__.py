"""Runs every benchmark; prints a table and writes ``benchmarks/results.json``."""

import json
from collections.abc import Callable, Iterator
from dataclasses import asdict
from pathlib import Path
from typing import Final

from rich.console import Console
from rich.table import Table

from benchmarks import (
    current_values,
    export_memory,
    gateway,
    history_size,
    modbus_reads,
    modbus_requests,
    month,
    opcua_notifications,
    recovery,
    scan_jitter,
    writer,
)
from benchmarks.comparison import Comparison

RESULTS: Final = Path(__file__).parent / "results.json"
_WIDTH: Final = 120
_WHOLE_FROM: Final = 100.0
_BENCHMARKS: Final[tuple[Callable[[], Iterator[Comparison]], ...]] = (
    writer.comparisons,
    month.comparisons,
    current_values.comparisons,
    history_size.comparisons,
    export_memory.comparisons,
    modbus_reads.comparisons,
    modbus_requests.comparisons,
    opcua_notifications.comparisons,
    scan_jitter.comparisons,
    recovery.comparisons,
    gateway.comparisons,
)


def main() -> None:
    console = Console(width=_WIDTH)
    table = Table("what", "ours", "baseline", "baseline is", "unit", "ratio", "goal")
    results = []
    for benchmark in _BENCHMARKS:
        for found in benchmark():
            console.print(f"{found.name}: {found.ratio:.2f} of {found.baseline_name}")
            results.append({**asdict(found), "ratio": found.ratio})
            rates = (_figure(found.ours), _figure(found.baseline))
            table.add_row(found.name, *rates, found.baseline_name, found.unit, f"{found.ratio:.2f}", _goal_of(found))
    RESULTS.write_text(json.dumps(results, indent=2) + "\n", encoding="utf-8")
    console.print(table)
    console.print(f"also in {RESULTS}")


def _goal_of(found: Comparison) -> str:
    goals = [] if found.goal is None else [f"{found.goal:.2f}"]
    if found.limit is not None:
        goals.append(f"{'at most' if found.is_time else 'at least'} {found.limit:g} {found.unit}")
    return ", ".join(goals)


def _figure(value: float) -> str:
    return f"{value:,.0f}" if value >= _WHOLE_FROM else f"{value:.2f}"


if __name__ == "__main__":
    main()
