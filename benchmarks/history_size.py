"""Bytes that a stored sample takes, beside a bare table of the same rows with the same key."""

import os
import sqlite3
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np
from prometheus_client import CollectorRegistry
from rich.console import Console

from benchmarks.comparison import Comparison
from benchmarks.databases import Database, databases
from plant import SampleBatch, TextBatch, times
from plant.site import Site
from plant.swinging_door import SwingingDoor, distances
from plant.tag import Tag
from services.historian.metrics import HistorianMetrics
from services.historian.upkeep import Upkeep
from services.store import HOUR, Commit
from services.store.sqlite.months import file_of, month_of
from simulators.replay.recording import Recording
from tests.samples import make_tag

SKAB: Final = Path(os.environ.get("MONAZITE_SKAB") or Path(__file__).parents[2] / "shared" / "recorded" / "skab")
_LIMITS: Final = {"SQLite": 30.0, "TimescaleDB": 9.5}
_THINNED_LIMIT: Final = 3.2
_TAGS: Final = 12
_HOURS: Final = 6
_SECOND: Final = times.MICROSECONDS
_START: Final = times.parse_time("2026-10-05T00:00:00Z", 0)
_SHARE: Final = 0.01
"""Deviation of the swinging door, of the observed range."""

_ROWS_A_COMMIT: Final = 2_000


@dataclass(frozen=True, slots=True)
class Series:
    """``batch`` in the order in which it came; ``tags`` with a deviation are thinned."""

    name: str
    tags: Sequence[Tag]
    batch: SampleBatch


def comparisons() -> Iterator[Comparison]:
    series = [_process("on the second", 0), _process("to the microsecond", 20_000)]
    if SKAB.is_dir():
        series += [_recorded(deviates=False), _recorded(deviates=True)]
    else:
        Console().print(f"SKAB is left out: the recorded data are not at {SKAB}; MONAZITE_SKAB names another folder")
    for one in series:
        for database in databases():
            yield _measure(database, one)


def _process(name: str, jitter: int) -> Series:
    """Process values at 1 Hz as 12-bit transmitters give them: slow, with noise of some steps. ``jitter`` of the times in microseconds."""
    chance = np.random.default_rng(1)
    count = _HOURS * 3600
    tags = [make_tag(number + 1, f"SEP.COL101.PT{101 + number}") for number in range(_TAGS)]
    time = _START + np.arange(count) * _SECOND + (chance.integers(0, jitter, count) if jitter else 0)
    slow = np.cumsum(chance.normal(scale=0.02, size=(count, _TAGS)), axis=0) + 50
    value = np.round((slow + chance.normal(scale=0.05, size=(count, _TAGS))) * 40.95) / 40.95
    tag_id = np.tile(np.arange(1, _TAGS + 1, dtype=np.int32), count)
    batch = SampleBatch(tag_id, np.repeat(time, _TAGS), value.astype(np.float32).astype(np.float64).ravel(), np.zeros(count * _TAGS, np.int16))
    return Series(f"1 Hz, times {name}", tags, batch)


def _recorded(*, deviates: bool) -> Series:
    """The eight runs one after the other, a tag for each of the eight sensors."""
    runs = sorted((Recording.read(file) for file in SKAB.glob("*.csv")), key=lambda run: int(run.times[0]))
    names = [name for name in runs[0].names if name not in {"anomaly", "changepoint"}]
    value = np.concatenate([run.values[:, [run.names.index(name) for name in names]] for run in runs])
    time, first = np.unique(np.concatenate([run.times for run in runs]), return_index=True)
    value = value[first]
    spans = np.nanmax(value, axis=0) - np.nanmin(value, axis=0)
    tags = [
        make_tag(number + 1, f"SEP.COL101.PT{101 + number}", compression_deviation=_SHARE * span if deviates else None)
        for number, span in enumerate(spans.tolist())
    ]
    tag_id = np.tile(np.arange(1, len(tags) + 1, dtype=np.int32), len(time))
    batch = SampleBatch(tag_id, np.repeat(time, len(tags)), value.ravel(), np.zeros(value.size, np.int16))
    return Series(_thinned_name(batch, tags) if deviates else "SKAB", tags, batch)


def _thinned_name(batch: SampleBatch, tags: Sequence[Tag]) -> str:
    """Says how many are left, and that the bound holds. Hour by hour, as upkeep thins."""
    ordered = batch.select(np.lexsort((batch.time, batch.tag_id)))
    hour, door, left = ordered.time // HOUR, SwingingDoor(tags), 0
    for one in np.unique(hour).tolist():
        part = ordered.select(hour == one)
        kept = door.thin(part)
        deviation = np.array([tags[tag_id - 1].compression_deviation for tag_id in part.tag_id.tolist()])
        assert (distances(part, kept) <= deviation).all(), "the swinging door lost a sample"
        left += int(kept.sum())
    return f"SKAB through the swinging door at {100 * _SHARE:g} % of range, one in {len(batch) / left:.1f} left, bound held"


def _measure(database: Database, series: Series) -> Comparison:
    rows = len(series.batch)
    with database.store() as store:
        store.prepare(series.tags)
        if database.has_columnstore:
            with database.bare() as bare:
                bare.do("CALL remove_columnstore_policy('sample')")  # what it compresses while rows come in is in smaller pieces
        for first in range(0, rows, _ROWS_A_COMMIT):
            store.commit(Commit(series.batch.select(slice(first, first + _ROWS_A_COMMIT)), TextBatch.empty()))
        thinned = any(tag.compression_deviation is not None for tag in series.tags)
        if thinned:
            upkeep = Upkeep(store, Site("Benchmark", {}, series.tags), HistorianMetrics(CollectorRegistry()), lambda: False)
            while upkeep.keep_up(int(series.batch.time[-1]) + 2 * HOUR):
                pass
    ours, baseline = (_of_sqlite if database.is_sqlite else _of_postgresql)(database, series)
    limit = _LIMITS.get(database.kind)
    if thinned:
        limit = _THINNED_LIMIT if database.has_columnstore else None
    name = f"bytes a sample, {database.kind}, {series.name}"
    return Comparison(name, "bare table, raw rows", "bytes", ours / rows, baseline / rows, None, is_time=True, limit=limit)


def _of_sqlite(database: Database, series: Series) -> tuple[int, int]:
    """The month's file without what it has beside samples, its free pages left as they are; and a file of a bare table that is filled in order."""
    month = file_of(database.file, month_of(int(series.batch.time[0])))
    with sqlite3.connect(month) as connection:
        ((pages,),) = connection.execute("SELECT sum(pgsize) FROM dbstat WHERE name = 'sample'").fetchall()
    return int(pages), _bare_sqlite(database.file.with_name("bare.sqlite"), series.batch)


def _bare_sqlite(file: Path, batch: SampleBatch) -> int:
    with sqlite3.connect(file) as connection:
        connection.execute("CREATE TABLE sample (tag_id INTEGER, ts INTEGER, value REAL, quality INTEGER, PRIMARY KEY (tag_id, ts)) WITHOUT ROWID")
        rows = zip(batch.tag_id.tolist(), batch.time.tolist(), batch.value.tolist(), batch.quality.tolist(), strict=True)
        connection.executemany("INSERT INTO sample VALUES (?, ?, ?, ?)", sorted(rows))
    return file.stat().st_size


def _of_postgresql(database: Database, series: Series) -> tuple[int, int]:
    with database.bare() as bare:
        bare.do("CREATE TABLE bare AS SELECT * FROM sample LIMIT 0")
        bare.do("ALTER TABLE bare ADD PRIMARY KEY (tag_id, ts)")
        batch = series.batch
        bare.copy("bare", zip(batch.tag_id.tolist(), map(times.to_datetime, batch.time.tolist()), batch.value.tolist(), batch.quality.tolist(), strict=True))
        ((baseline,),) = bare.rows("SELECT pg_total_relation_size('bare')")
        if database.has_columnstore:
            bare.rows("SELECT compress_chunk(chunk, if_not_compressed => TRUE) FROM show_chunks('sample') AS chunk")
            ((ours,),) = bare.rows("SELECT after_compression_total_bytes FROM hypertable_columnstore_stats('sample')")
        else:
            bare.do("VACUUM sample")
            ((ours,),) = bare.rows("SELECT sum(pg_total_relation_size(relid)) FROM pg_partition_tree('sample') WHERE isleaf")
    return int(ours), int(baseline)
