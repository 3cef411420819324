"""``monazite recalculate`` from the shell over the bus to a historian: results as the site computes them now, and who wanted that."""

import asyncio
import getpass
import os
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest
from prometheus_client import CollectorRegistry

from plant import reference_site, times
from plant.batch import SampleBatch, TextBatch
from plant.device import Expression
from services.bus import Bus
from services.historian import Historian
from services.store import Commit, Store, open_store
from tests.nats_server import NatsServer
from tests.samples import batch_of

SITE = reference_site()
TAG = SITE.by_name["SIN.PRS101.DY101"]
T0 = times.parse_time("2026-11-23T04:00:00Z", 0)
SECOND = times.MICROSECONDS
EVER = (T0 - 10**12, T0 + 10**15)


async def recalculate(server: NatsServer, *arguments: str) -> tuple[int, str, str]:
    environment = {name: value for name, value in os.environ.items() if not name.startswith("MONAZITE_")} | server.environment
    command = [sys.executable, "-m", "monazite", "recalculate", *arguments]
    process = await asyncio.create_subprocess_exec(*command, env=environment, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE)
    out, err = await asyncio.wait_for(process.communicate(), 60)
    return process.returncode or 0, out.decode(), err.decode()


@asynccontextmanager
async def historian(server: NatsServer, store_url: str) -> AsyncIterator[Store]:
    """Over ten seconds of the inputs of ``TAG``, all 2, and of results that another expression gave, all -1."""
    assert isinstance(TAG.source, Expression)
    ids = [SITE.by_name[name].id for name in TAG.source.inputs.values()]
    store, registry, stop = open_store(store_url), CollectorRegistry(), asyncio.Event()
    try:
        store.prepare(SITE.tags)
        rows = [(tag_id, T0 + second * SECOND, -1.0 if tag_id == TAG.id else 2.0, 0) for tag_id in [*ids, TAG.id] for second in range(10)]
        store.commit(Commit(batch_of(rows), TextBatch.empty()))
        async with await server.connect("historian") as bus:
            task = asyncio.create_task(Historian(store, SITE, bus, registry).run(stop))
            async with asyncio.timeout(30):
                while not task.done() and registry.get_sample_value("monazite_storage_up") != 1:
                    await asyncio.sleep(0.02)
            yield store
            stop.set()
            await asyncio.wait_for(task, 30)
    finally:
        store.close()


def results(store: Store) -> SampleBatch:
    return store.samples(TAG.id, *EVER, 100)


async def test_results_of_the_span_follow_the_expression_and_the_audit_trail_says_who_asked(server: NatsServer, bus: Bus, sqlite_url: str) -> None:
    async with historian(server, sqlite_url) as store:
        span = ("--from", times.format_time(T0 + 2 * SECOND), "--to", times.format_time(T0 + 5 * SECOND))
        status, out, err = await recalculate(server, TAG.name, *span, "--reason", "it was another formula")
        assert (status, err) == (0, "")
        assert out.startswith(f"{TAG.name} is computed again from 2026-11-23T04:00:02")
        async with asyncio.timeout(30):
            while not len(store.revisions(TAG.id, *EVER, 0)):
                await asyncio.sleep(0.1)
        value = results(store).value
        assert value[[0, 1, 5, 9]].tolist() == [-1.0] * 4
        assert len(set(value[2:5].tolist()) - {-1.0}) == 1
        async with asyncio.timeout(30):
            while not (events := store.events(T0, times.now() + SECOND, 10)):
                await asyncio.sleep(0.1)
        (event,) = [event for event in events if event.kind == "history.recalculated"]
        assert (event.user, event.detail["tag_id"], event.detail["reason"]) == (getpass.getuser(), TAG.id, "it was another formula")


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (("SIN.PRS101.NOSUCH", "--from", "-1h"), "is no calculated tag"),
        ((SITE.tags[0].name, "--from", "-1h"), "is no calculated tag"),
        ((TAG.name, "--from", "yesterday"), "is no time"),
        ((TAG.name, "--from", "now", "--to", "-1h"), "does not lie before"),
        ((TAG.name, "--from", "-1h"), "it does not answer"),
    ],
)
async def test_what_cannot_be_done_is_said_in_a_line(server: NatsServer, bus: Bus, arguments: tuple[str, ...], says: str) -> None:
    status, _, err = await recalculate(server, *arguments)
    assert status == 2
    assert says in err
    assert "Traceback" not in err
