"""Memory of a process that streams an export, in each format: however many rows there are, it holds one piece."""

import json
import subprocess
import sys
from collections.abc import Iterator
from typing import Final

from benchmarks.comparison import Comparison
from benchmarks.databases import Database, databases
from benchmarks.month import load
from benchmarks.month_tag import DAYS, SITE

FORMATS: Final = ("application/vnd.apache.arrow.stream", "application/vnd.apache.parquet", "text/csv", "application/json")
ROWS: Final = (1_000_000, 5_000_000)
_LIMIT: Final = 200.0
_FLAT: Final = 0.9
"""Of the memory with few rows to that with many."""

_DEADLINE: Final = 600


def comparisons() -> Iterator[Comparison]:
    for database in databases():
        if database.has_columnstore:
            continue  # it is read as PostgreSQL is
        with database.store() as store:
            store.prepare(SITE.tags)
            load(store)
        for kind in FORMATS if database.is_sqlite else FORMATS[:1]:
            few, many = (megabytes(database, kind, rows) for rows in ROWS)
            name = f"{ROWS[1] // 1_000_000} million rows as {kind.rpartition('/')[2]}, {database.kind}, resident memory"
            yield Comparison(name, f"{ROWS[0] // 1_000_000} million rows", "MB", many, few, _FLAT, is_time=True, limit=_LIMIT)


def megabytes(database: Database, kind: str, rows: int) -> float:
    """The most that a process held which reads the month of ``benchmarks.month`` over and over until it has sent so many rows."""
    command = [sys.executable, "-m", "benchmarks.streamed_export", database.url, kind, str(rows), str(DAYS)]
    done = subprocess.run(command, capture_output=True, text=True, check=True, timeout=_DEADLINE)  # noqa: S603 - our own program
    found = json.loads(done.stdout)
    assert found["rows"] >= rows
    return float(found["megabytes"])
