"""Current values of many tags, from the store and from the API."""

import asyncio
import statistics
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import numpy as np
import orjson

from benchmarks.comparison import Comparison, in_turns
from benchmarks.databases import Database, databases
from benchmarks.month import served
from plant import SampleBatch, TextBatch, times
from plant.device import Encoding, ModbusAddress, ModbusDevice, ModbusTable, TcpLine
from plant.site import Site
from services.store import Commit
from tests.samples import make_tag

TAGS: Final = 5_000
_LIMIT: Final = 50.0
_ROUNDS: Final = 20
_DEVICE: Final = ModbusDevice("MB-TST-01", "SEP", TcpLine("127.0.0.1", 1), 1)
_TIME: Final = times.parse_time("2026-10-01T00:00:00Z", 0)
_QUERY: Final = "SELECT tag_id, ts, value, quality FROM snapshot ORDER BY tag_id"


def comparisons() -> Iterator[Comparison]:
    site = _site()
    for database in databases():
        with database.store() as store, database.bare() as bare:
            store.prepare(site.tags)
            batch = SampleBatch(np.arange(1, TAGS + 1, dtype=np.int32), np.full(TAGS, _TIME), np.linspace(0.0, 99.9, TAGS), np.zeros(TAGS, np.int16))
            store.commit(Commit(batch, TextBatch.empty()))
            store.save_snapshot(batch, TextBatch.empty())

            def ours(_: int) -> None:
                assert len(store.snapshot()[0]) == TAGS

            took = in_turns(_ROUNDS, ours, lambda _: bare.rows(_QUERY))
            from_store, baseline = (1000 * statistics.median(seconds) for seconds in took)
            yield Comparison(
                f"{TAGS:,} current values, {database.kind}", "bare driver's fetchall", "ms", from_store, baseline, None, is_time=True, limit=_LIMIT
            )
        if database.is_sqlite:
            yield asyncio.run(_from_api(database, site, baseline))


async def _from_api(database: Database, site: Site, baseline: float) -> Comparison:
    """Whatever the store is, the API has them in memory."""
    took: list[float] = []
    clock = asyncio.get_running_loop().time
    with tempfile.TemporaryDirectory(prefix="monazite-bench-") as folder:
        async with served(database, site, Path(folder)) as client, asyncio.timeout(60):
            known = 0
            while len(took) < _ROUNDS:
                begun = clock()
                answer = await client.get("/snapshot", params={"prefix": "SEP."})
                answer.raise_for_status()
                items = orjson.loads(answer.content)["items"]
                assert len(items) == TAGS
                known = sum(item["value"] is not None for item in items)
                if known == TAGS:  # the API has read the store's snapshot
                    took.append(1000 * (clock() - begun))
    return Comparison(
        f"{TAGS:,} current values, GET snapshot", "bare driver's fetchall", "ms", statistics.median(took), baseline, None, is_time=True, limit=_LIMIT
    )


def _site() -> Site:
    tags = [
        make_tag(number + 1, f"SEP.COL{number // 1000 + 100}.PT{number:04}", device=_DEVICE.name, source=_register(number), scan_ms=1000)
        for number in range(TAGS)
    ]
    return Site("Benchmark", {_DEVICE.name: _DEVICE}, tags)


def _register(number: int) -> ModbusAddress:
    return ModbusAddress(ModbusTable.INPUT, 2 * number, Encoding.FLOAT32, length=2)
