"""Current values beside commits and deletions that overlap."""

import asyncio
import threading
from pathlib import Path

from plant import times
from plant.batch import TextBatch
from plant.site import Site
from services.historian.snapshot import Snapshot
from services.store import Authorship, Commit, open_store
from tests.samples import batch_of, make_tag

TAG = make_tag(1)
BEGIN = times.parse_time("2026-11-01T00:00:00Z", 0)


async def test_what_is_deleted_while_the_commit_that_brought_it_is_under_way_is_not_current(tmp_path: Path) -> None:
    """The commit is made, and the deletion too, before the event loop has a turn to take note of either."""
    store = open_store(f"sqlite:///{tmp_path}/history.sqlite")
    store.prepare([TAG])
    told: list[int] = []

    async def removed(tag_id: int, start: int, end: int) -> None:
        told.append(tag_id)

    snapshot = Snapshot(store, Site("T", {}, (TAG,)), removed)
    first, second = batch_of([(1, BEGIN, 1.0, 0)]), batch_of([(1, BEGIN + 10, 2.0, 0)])
    is_committed = threading.Event()

    async def commit() -> None:
        with snapshot.committing():
            await asyncio.to_thread(store.commit, Commit(second, TextBatch.empty()))
            is_committed.set()
            await asyncio.sleep(0.3)
            snapshot.update(second)

    async def delete() -> None:
        async with snapshot.removing(1, BEGIN + 5, BEGIN + 20):
            assert await asyncio.to_thread(is_committed.wait, 10)
            assert await asyncio.to_thread(store.delete, 1, BEGIN + 5, BEGIN + 20, Authorship("a", "", times.now())) == 1

    store.commit(Commit(first, TextBatch.empty()))
    snapshot.update(first)
    await asyncio.gather(commit(), delete())
    stop = asyncio.Event()
    saving = asyncio.create_task(snapshot.run(stop))
    async with asyncio.timeout(10):
        while store.snapshot()[0].time.tolist() != [BEGIN]:
            await asyncio.sleep(0.05)
    stop.set()
    await saving
    assert snapshot.newest == BEGIN
    assert told == [1]
    store.close()
