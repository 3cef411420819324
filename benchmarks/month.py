"""A month of one tag, a sample each second: written and rolled up once, then asked in every way that people ask."""

import asyncio
import contextlib
import statistics
import tempfile
import time
from collections.abc import AsyncIterator, Iterator
from functools import partial
from pathlib import Path
from typing import Any, Final

import httpx
import numpy as np
import orjson
import pyarrow as pa
from prometheus_client import CollectorRegistry

from benchmarks.comparison import Comparison, in_turns, p95
from benchmarks.databases import Bare, Database, databases
from benchmarks.month_tag import DAY, DAYS, END, SITE, START, TAG
from plant import SampleBatch, TextBatch, times
from plant.aggregates import AggregateFunction
from plant.site import Site
from plant.site_writer import write_site
from plant.tag import Tag
from services.historian.metrics import HistorianMetrics
from services.historian.upkeep import Upkeep
from services.retrieval import ARROW, JSON, Intervals, Processed
from services.store import HOUR, Commit, Store
from tests.stack import api_client, running_stack

SECOND: Final = times.MICROSECONDS
PIXELS: Final = 2_000

_ROWS_A_COMMIT: Final = 200_000
_QUESTIONS: Final = 20
_DAYS_READ: Final = 5
_API_GOAL: Final = 1 / 3
_LIMITS: Final = {"SQLite": (400.0, 300.0), "TimescaleDB": (100.0, 75.0)}
"""Milliseconds of the trend and of the hourly means."""

_SAMPLES: Final = "SELECT ts, value, quality FROM sample WHERE tag_id = ? AND ts >= ? AND ts < ? ORDER BY ts"
_MINUTES: Final = "SELECT ts, first_value, minimum, maximum, last_value FROM roll_up_minute WHERE tag_id = ? AND ts >= ? AND ts < ? ORDER BY ts"
_PACKED_MINUTES: Final = "SELECT ts, summary FROM roll_up_minute WHERE tag_id = ? AND ts >= ? AND ts < ? ORDER BY ts"
_HOURS: Final = "SELECT ts, mean, good_duration FROM roll_up_hour WHERE tag_id = ? AND ts >= ? AND ts < ? ORDER BY ts"


def comparisons() -> Iterator[Comparison]:
    for database in databases():
        with database.store() as store:
            store.prepare(SITE.tags)
            load(store)
            if database.has_columnstore:
                compress(database, "sample")
            yield _rolled_up(database, store)
            if database.has_columnstore:
                compress(database, "roll_up_minute")
            if not database.is_sqlite:
                with database.bare() as bare:
                    bare.do("VACUUM ANALYZE")
            yield from _processed(database, store)
        yield from asyncio.run(_served(database))


def load(store: Store, tag: Tag = TAG) -> None:
    """The month of ``tag``: a slow wave with noise, in steps of a transmitter with 12 bits; a thousandth of it Bad."""
    chance = np.random.default_rng(1)
    for begin in range(START, END, _ROWS_A_COMMIT * SECOND):
        time = np.arange(begin, min(begin + _ROWS_A_COMMIT * SECOND, END), SECOND)
        value = 50 + 30 * np.sin(time / (2 * HOUR)) + chance.normal(size=len(time))
        quality = np.where(chance.random(len(time)) < 0.001, np.int16(-32768), np.int16(0))
        store.commit(Commit(SampleBatch(np.full(len(time), tag.id, np.int32), time, np.round(value * 40.95) / 40.95, quality), TextBatch.empty()))


def compress(database: Database, table: str) -> None:
    """Moves the chunks of a hypertable to the columnstore, as its policy does some days later."""
    with database.bare() as bare:
        bare.rows("SELECT compress_chunk(chunk, if_not_compressed => TRUE) FROM show_chunks(?::text::regclass) AS chunk", table)


def _rolled_up(database: Database, store: Store) -> Comparison:
    """In CPU time of this process, turn by turn: some hundred hours rolled up, and the rows of as many read."""
    upkeep = Upkeep(store, SITE, HistorianMetrics(CollectorRegistry()), lambda: False)
    ours = baseline = 0.0
    with database.bare(START) as bare:
        for begin in range(START, END, 256 * HOUR):
            begun = time.process_time()
            bare.rows(_SAMPLES, TAG.id, *_bounds(database, begin, min(begin + 256 * HOUR, END)))
            baseline += time.process_time() - begun
            begun = time.process_time()
            upkeep.keep_up(END + DAY)
            ours += time.process_time() - begun
    while upkeep.keep_up(END + DAY):
        pass
    assert len(store.due_hours(TAG.id, START, END)) == 0
    rows = DAYS * 86_400
    return Comparison(f"rolled up, {database.kind}", "bare driver reads the rows", "samples/s of CPU", rows / ours, rows / baseline, None)


def _processed(database: Database, store: Store) -> Iterator[Comparison]:
    processed = Processed(store)
    trend_limit, mean_limit = _LIMITS.get(database.kind, (None, None))

    def span(number: int) -> tuple[int, int]:
        """Off every grid."""
        return START + (7 + 2 * number) * SECOND + 250_000, END - (11 + 3 * number) * SECOND

    def trend(number: int) -> None:
        assert len(processed.trend(TAG, *span(number), PIXELS)) > PIXELS

    def means(number: int) -> None:
        found = processed.aggregates(TAG, AggregateFunction.TIME_AVERAGE, Intervals(*span(number), HOUR))
        assert np.isfinite(found.value).all()

    with database.bare(START) as minutes, database.bare() as hours:
        bounds = _bounds(database, START, END)
        for name, ours, limit, bare, query in (
            (f"trend of {DAYS} days at {PIXELS} px", trend, trend_limit, minutes, _PACKED_MINUTES if database.is_sqlite else _MINUTES),
            (f"hourly TimeAverage of {DAYS} days", means, mean_limit, hours, _HOURS),
        ):
            took = in_turns(_QUESTIONS, ours, partial(_asked, bare, query, bounds))
            what = "hours" if query == _HOURS else "minutes"
            yield Comparison(
                f"{name}, {database.kind}, p95", f"bare driver reads the {what}", "ms", p95(took[0]), p95(took[1]), None, is_time=True, limit=limit
            )


def _asked(bare: Bare, query: str, bounds: tuple[Any, Any], _: int) -> None:
    bare.rows(query, TAG.id, *bounds)


async def _served(database: Database) -> list[Comparison]:
    """A day of samples from the API, a process of its own, and the same rows from the database by the bare driver; both into memory, as columns or rows."""
    found = []
    with tempfile.TemporaryDirectory(prefix="monazite-bench-") as name, database.bare(START) as bare:
        async with served(database, SITE, Path(name)) as client:
            for kind, label in ((ARROW, "Arrow"), (JSON, "JSON")):
                took: tuple[list[float], list[float]] = [], []
                for number in range(_DAYS_READ):
                    begin = START + number % DAYS * DAY
                    begun = time.perf_counter()
                    assert await _day(client, kind, begin) == 86_400
                    took[0].append(time.perf_counter() - begun)
                    begun = time.perf_counter()
                    assert _fetched(bare, database, begin) == 86_400
                    took[1].append(time.perf_counter() - begun)
                ours, baseline = (1000 * statistics.median(seconds) for seconds in took)
                found.append(
                    Comparison(f"a day raw as {label}, API on {database.kind}", "bare driver's fetchall", "ms", ours, baseline, _API_GOAL, is_time=True)
                )
    return found


async def _day(client: httpx.AsyncClient, kind: str, begin: int) -> int:
    query = {"tag": TAG.name, "from": times.format_time(begin), "to": times.format_time(begin + DAY)}
    answer = await client.get("/export", params=query, headers={"Accept": kind})
    answer.raise_for_status()
    if kind == ARROW:
        return int(pa.ipc.open_stream(answer.content).read_all().num_rows)
    return sum(len(item["value"]) for item in orjson.loads(answer.content)["items"])


def _fetched(bare: Bare, database: Database, begin: int) -> int:
    return len(bare.rows(_SAMPLES, TAG.id, *_bounds(database, begin, begin + DAY)))


def _bounds(database: Database, start: int, end: int) -> tuple[Any, Any]:
    """As the driver takes times."""
    return (start, end) if database.is_sqlite else (times.to_datetime(start), times.to_datetime(end))


@contextlib.asynccontextmanager
async def served(database: Database, site: Site, folder: Path) -> AsyncIterator[httpx.AsyncClient]:
    write_site(site, folder / "site")
    async with running_stack(folder / "stack", folder / "site", database.url) as stack:
        ready = await stack.start("api")
        async with api_client(ready["api"]) as client:
            yield client
