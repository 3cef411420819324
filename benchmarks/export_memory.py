"""Memory of the API while it sends an export, in each format: however many rows there are, it holds one piece.

``MONAZITE_BENCH_EXPORT_TAGS`` tags with a month of 1 s data each are sent: 20 of them are 50 million rows.
"""

import asyncio
import os
import re
import tempfile
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Final

from benchmarks.comparison import Comparison
from benchmarks.databases import Database, databases
from benchmarks.month import load
from benchmarks.month_tag import DAY, DAYS, END, SITE, START, TAG
from plant import times
from plant.device import Encoding, ModbusAddress, ModbusTable
from plant.site import Site
from plant.site_writer import write_site
from tests.stack import api_client, running_stack

FORMATS: Final = ("application/vnd.apache.arrow.stream", "application/vnd.apache.parquet", "text/csv", "application/json")
_TAGS: Final = int(os.environ.get("MONAZITE_BENCH_EXPORT_TAGS", "2"))
_FEW: Final = 5
"""A part of the days."""
_LIMIT: Final = 200.0
_FLAT: Final = 0.9
"""Of the memory with few rows to that with many."""
_DEADLINE: Final = 3600.0


def comparisons() -> Iterator[Comparison]:
    site = _site()
    for database in databases():
        if database.has_columnstore:
            continue  # it is read as PostgreSQL is
        with database.store() as store:
            store.prepare(site.tags)
            for tag in site.tags:
                load(store, tag)
        for kind in FORMATS if database.is_sqlite else FORMATS[:1]:
            (few_rows, few), (rows, many) = (asyncio.run(_sent(database, site, kind, end)) for end in (START + DAYS // _FEW * DAY, END))
            name = f"export of {rows / 1e6:.1f} million rows as {kind.rpartition('/')[2]}, {database.kind}, memory of the API"
            yield Comparison(name, f"{few_rows / 1e6:.1f} million rows", "MB", many, few, _FLAT, is_time=True, limit=_LIMIT)


def _site() -> Site:
    sources = [ModbusAddress(ModbusTable.INPUT, 2 * number, Encoding.FLOAT32, length=2) for number in range(_TAGS)]
    tags = [replace(TAG, id=number + 1, name=f"{TAG.name}{number:02}", source=source) for number, source in enumerate(sources)]
    return Site(SITE.name, SITE.devices, tags)


async def _sent(database: Database, site: Site, kind: str, end: int) -> tuple[int, float]:
    """Rows sent from the beginning of the month until ``end``, and the most that an API process of its own held."""
    with tempfile.TemporaryDirectory(prefix="monazite-bench-") as folder:
        write_site(site, Path(folder) / "site")
        async with running_stack(Path(folder) / "stack", Path(folder) / "site", database.url) as stack, asyncio.timeout(_DEADLINE):
            ready = await stack.start("api")
            async with api_client(ready["api"]) as client:
                await asyncio.to_thread(_forget_most_held, ready["pid"])
                parameters = {"prefix": TAG.name, "from": times.format_time(START), "to": times.format_time(end)}
                async with client.stream("GET", "/export", params=parameters, headers={"Accept": kind}) as answer:
                    answer.raise_for_status()
                    sent = sum([len(piece) async for piece in answer.aiter_raw()])
            assert sent > 0
            return (end - START) // times.MICROSECONDS * _TAGS, _most_held(ready["pid"])


def _forget_most_held(process: int) -> None:
    """The hash of a password takes 64 MB while it is made, which is meant to cost something. Source: proc(5), clear_refs."""
    Path(f"/proc/{process}/clear_refs").write_text("5")


def _most_held(process: int) -> float:
    """Resident megabytes of a process at its most."""
    held = re.search(r"VmHWM:\s+(\d+) kB", Path(f"/proc/{process}/status").read_text())
    assert held is not None
    return int(held[1]) / 1024
