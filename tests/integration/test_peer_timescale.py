"""The schema's scripts, policies, continuous aggregates, views and retention on TimescaleDB in WebAssembly: the same SQL on a server that npm has.

It has one session and no COPY, so samples come by INSERT, and policies run by ``run_job``.
"""

import asyncio
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import timedelta

import numpy as np
import psycopg
import pytest
from psycopg import Connection
from sqlalchemy import create_engine

from plant import times
from plant.batch import TextBatch
from plant.edit import EditMode
from plant.quality import Quality
from plant.tag import Tag
from services.store.interface import HOUR, MINUTE, Authorship
from services.store.postgresql.continuous import refresh, want_refresh
from services.store.postgresql.due import due_hours, give_back, mark_due, take_due
from services.store.postgresql.edits import delete_rows, edit_rows, read_revisions
from services.store.postgresql.gathering import read_samples
from services.store.postgresql.marks import hours_of
from services.store.postgresql.parameters import arrays_of
from services.store.postgresql.retention import bytes_of, drop_old
from services.store.postgresql.schema import Found, bring_up
from tests.peer import running
from tests.samples import batch_of, make_tag, rows_of

TAGS = [make_tag(1), make_tag(2, "SEP.COL101.PT102")]
BAD = int(Quality.BAD_NO_COMMUNICATION)
EVER = (-(2**60), 2**60)
DAY = 24 * HOUR
TODAY = times.now() // DAY * DAY
OLD = TODAY - 100 * DAY


@contextmanager
def session(port: int) -> Iterator[Connection]:
    with psycopg.connect(f"postgresql://postgres@127.0.0.1:{port}/postgres", autocommit=True, prepare_threshold=None) as connection:
        yield connection


def prepared(port: int, tags: list[Tag]) -> Found:
    engine = create_engine("postgresql+psycopg://", creator=lambda: psycopg.connect(f"postgresql://postgres@127.0.0.1:{port}/postgres", prepare_threshold=None))
    with engine.begin() as connection:
        driver = connection.connection.driver_connection
        assert isinstance(driver, Connection)
        found = bring_up(connection, driver, tags, "peer")
    engine.dispose()
    return found


def insert(connection: Connection, *rows: tuple[int, int, float, int]) -> None:
    connection.execute("INSERT INTO sample SELECT * FROM unnest(%s, %s, %s, %s)", arrays_of(batch_of(rows)))


def run_jobs(connection: Connection, kind: str) -> int:
    jobs = connection.execute("SELECT job_id FROM timescaledb_information.jobs WHERE proc_name = %s ORDER BY job_id", (kind,)).fetchall()
    for (job,) in jobs:
        connection.execute("CALL run_job(%s::integer)", (job,))
    return len(jobs)


def check_policies_and_views(port: int) -> None:
    found = prepared(port, TAGS)
    assert found.has_columnstore
    assert found.features["columnstore"] == "after 60 days, 0:00:00"
    assert prepared(port, TAGS) == found
    with session(port) as connection:
        connection.execute(
            "INSERT INTO tag SELECT n, 'SEP.COL101.PT10' || n, 'SEP', 'COL101', '', 'Float', 'bar', 0, 100, FALSE, '' FROM generate_series(1, 2) n"
        )
        insert(connection, *((1, OLD + second * 1_000_000, float(second), 0 if second % 10 else BAD) for second in range(3600)))
        insert(connection, (1, OLD + HOUR, np.nan, 0), (2, OLD, 7.0, BAD))
        assert run_jobs(connection, "policy_compression") == 5
        assert connection.execute("SELECT count(*) FROM timescaledb_information.chunks WHERE is_compressed AND hypertable_name = 'sample'").fetchone() == (1,)
        assert run_jobs(connection, "policy_refresh_continuous_aggregate") == 2
        want_refresh(connection, np.array([OLD, OLD + HOUR], np.int64))
        refresh(connection)
        assert connection.execute("SELECT count(*) FROM aggregate_due").fetchone() == (0,)
        query = "SELECT minimum, maximum, average, first, last, count, good, percent_good FROM sample_hour WHERE tag = %s ORDER BY time"
        first, second = connection.execute(query, ("SEP.COL101.PT101",)).fetchall()
        assert first == (1.0, 3599.0, 1800.0, 1.0, 3599.0, 3600, 3240, 90.0)
        assert second == (None, None, None, None, None, 1, 0, 0.0), "a value that is no number is not good"
        rows = connection.execute(
            "SELECT time, unit, minimum, maximum FROM sample_minute WHERE tag = %s ORDER BY time LIMIT 2", ("SEP.COL101.PT101",)
        ).fetchall()
        assert [(times.from_datetime(row[0]), *row[1:]) for row in rows] == [(OLD, "bar", 1.0, 59.0), (OLD + MINUTE, "bar", 61.0, 119.0)]
        insert(connection, (1, OLD + 1, 9999.0, 0))
        want_refresh(connection, np.array([OLD], np.int64))
        refresh(connection)
        assert connection.execute(query, ("SEP.COL101.PT101",)).fetchall()[0][1] == 9999.0, "late data reach the aggregates of a compressed chunk"
        assert connection.execute("SELECT quality_name FROM sample_view WHERE tag = 'SEP.COL101.PT102'").fetchall() == [("BadNoCommunication",)]
        assert bytes_of(connection) > 0


def check_edits_and_retention(port: int) -> None:
    found = prepared(port, TAGS)
    author = Authorship("anna", "calibration", times.now())
    samples = batch_of([(1, OLD + second, float(second), 0) for second in range(10)])
    with session(port) as connection, connection.transaction():
        assert edit_rows(connection, samples, EditMode.INSERT, author).inserted == 10
        assert edit_rows(connection, TextBatch.of([1], [OLD], ["x"], [0]), EditMode.UPDATE, author).inserted == 1
        mark_due(connection, hours_of(samples.tag_id, samples.time))
    with session(port) as connection:
        run_jobs(connection, "policy_compression")
        with connection.transaction():
            edited = edit_rows(connection, batch_of([(1, OLD + 3, 33.0, 0), (1, OLD + 99, 1.0, 0)]), EditMode.REPLACE, author)
            assert (edited.replaced, edited.rejected.tolist()) == (1, [1])
            assert delete_rows(connection, 1, OLD + 5, OLD + 10, author) == 5
        assert len(read_revisions(connection, 1, *EVER, 0)) == 17
        query = psycopg.sql.SQL("SELECT tag_id, ts, value, quality FROM sample ORDER BY ts")
        assert rows_of(read_samples(connection, query, ()))[3] == (1, OLD + 3, 33.0, 0)
        due = take_due(connection, times.now(), 10)
        assert due.hour.tolist() == [OLD]
        assert due_hours(connection, 1, *EVER).tolist() == [OLD]
        give_back(connection, due)
        assert due_hours(connection, 1, *EVER).tolist() == []
        insert(connection, (1, TODAY, 1.0, 0))
        assert len(drop_old(connection, found, TODAY - 10 * DAY)) >= 2
        assert connection.execute("SELECT count(*) FROM sample").fetchone() == (1,)


def check_chunks_follow_the_rate(port: int) -> None:
    prepared(port, TAGS)
    busy = [make_tag(number, f"SEP.COL101.TT{number}", scan_ms=1) for number in range(10, 110)]
    found = prepared(port, [*TAGS, *busy])
    assert found.sizing.chunk == timedelta(hours=1)
    with session(port) as connection:
        query = "SELECT time_interval FROM timescaledb_information.dimensions WHERE hypertable_name = 'sample'"
        assert connection.execute(query).fetchone() == (timedelta(hours=1),)
        jobs = "SELECT (config ->> 'compress_after')::interval FROM timescaledb_information.jobs WHERE proc_name = 'policy_compression' AND "
        assert connection.execute(jobs + "hypertable_name = 'sample'").fetchall() == [(found.sizing.compress_after,)]


@pytest.mark.timeout(300)  # WebAssembly on a busy machine
@pytest.mark.parametrize("check", [check_policies_and_views, check_edits_and_retention, check_chunks_follow_the_rate])
async def test_timescaledb_takes_our_sql(check: Callable[[int], None]) -> None:
    async with running("timescaledb", "node", "timescale_server.mjs", "0") as peer:
        await asyncio.to_thread(check, peer.port)
