"""Calculated tags follow their inputs in a real store, behind a real nats-server: what came late, was corrected, was deleted or was recovered."""

import asyncio
import math
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path

import pytest
from prometheus_client import CollectorRegistry

from plant import times
from plant.batch import Batch, SampleBatch, TextBatch
from plant.device import Expression
from plant.edit import EditMode
from plant.envelope import Envelope, seal
from plant.errors import StoreUnavailable
from plant.ledger import Gap, GapCause, event_of_gap
from plant.quality import Quality
from plant.site import Site
from plant.tag import Tag
from services.bus import Bus, subjects
from services.historian import Historian
from services.historian.metrics import HistorianMetrics
from services.historian.recalculation import Recalculation
from services.historian.snapshot import Snapshot
from services.store import Authorship, Commit, Edit, InputChange, Store, open_store
from tests.nats_server import NatsServer
from tests.samples import batch_of, make_tag, rows_of

FORCE = make_tag(1, "SEP.COL101.PT101")
AREA = make_tag(2, "SEP.COL101.ZT101", device="MB-SEP-01")
PRESSURE = make_tag(3, "SEP.COL101.PY101", source=Expression("F / A", {"F": FORCE.name, "A": AREA.name}))
DOUBLE = make_tag(4, "SEP.COL101.PY102", source=Expression("2 * F", {"F": FORCE.name}))
TAGS: Sequence[Tag] = (FORCE, AREA, PRESSURE, DOUBLE)
SITE = Site("Test", {}, TAGS)
T0 = times.parse_time("2026-11-23T04:00:00Z", 0)
SECOND = times.MICROSECONDS
EVER = (T0 - 10**15, T0 + 10**15)
BAD = int(Quality.BAD_NO_COMMUNICATION)
DEVICE = "PLC-SEP-01"
EDITOR = Authorship("anna", "the sensor was read wrongly", T0 + 3600 * SECOND)


def at(second: float) -> int:
    return T0 + round(second * SECOND)


def samples(tag_id: int, *rows: tuple[float, float]) -> SampleBatch:
    return batch_of([(tag_id, at(second), value, 0) for second, value in rows])


async def until(condition: Callable[[], bool], deadline: float = 30.0) -> None:
    async with asyncio.timeout(deadline):
        while not condition():
            await asyncio.sleep(0.02)


class Plant:
    """A store, and what recalculates in it."""

    def __init__(self, store: Store, recalculation: Recalculation, registry: CollectorRegistry, written: list[SampleBatch]) -> None:
        self.store = store
        self.recalculation = recalculation
        self.written = written
        self._registry = registry

    def metric(self, name: str, **labels: str) -> float:
        return self._registry.get_sample_value(name, labels) or 0.0

    async def commit(self, *batches: SampleBatch) -> None:
        """As the historian does it."""
        both = SampleBatch.concatenate(batches)
        await asyncio.to_thread(self.store.commit, Commit(both, TextBatch.empty()))
        await self.recalculation.committed(both)

    async def correct(self, batch: SampleBatch) -> None:
        """As an editor does it: one tag, from its first to its last sample."""
        async with self.recalculation.changing({int(batch.tag_id[0])}, int(batch.time.min()), int(batch.time.max()) + 1):
            await asyncio.to_thread(self.store.edit, Edit(batch, TextBatch.empty(), EditMode.UPDATE, EDITOR))

    async def delete(self, tag_id: int, start: int, end: int) -> None:
        async with self.recalculation.changing({tag_id}, start, end):
            await asyncio.to_thread(self.store.delete, tag_id, start, end, EDITOR)

    async def settled(self) -> None:
        await until(lambda: self.metric("monazite_recalculation_ranges") == 0)
        await until(lambda: not self.store.input_changes())

    def results(self, tag_id: int = 3) -> list[tuple[float, float]]:
        """(second, value); a Bad one is NaN."""
        return [((time - T0) / SECOND, value) for _, time, value, _ in rows_of(self.store.samples(tag_id, *EVER, 100_000))]

    def revisions(self, tag_id: int = 3) -> list[tuple[float, float | None, float | None, str, str]]:
        """(second, value before, value now, user, reason)."""
        found = self.store.revisions(tag_id, *EVER, 0)
        rows = zip(found.time, found.was, found.old_value, found.is_now, found.new_value, found.user, found.reason, strict=True)
        return [
            ((int(time) - T0) / SECOND, float(old) if was else None, float(new) if is_now else None, str(user), str(reason))
            for time, was, old, is_now, new, user, reason in rows
        ]


class Written(Snapshot):
    """Keeps what it is told."""

    def __init__(self, store: Store, written: list[SampleBatch]) -> None:
        async def removed(tag_id: int, start: int, end: int) -> None:
            return

        super().__init__(store, SITE, removed)
        self._written = written

    def update(self, batch: Batch) -> None:
        super().update(batch)
        if isinstance(batch, SampleBatch):
            self._written.append(batch)


@asynccontextmanager
async def recalculating(store: Store, site: Site = SITE) -> AsyncIterator[Plant]:
    """At work over a store that is prepared; stopped at the end."""
    stop, registry, written = asyncio.Event(), CollectorRegistry(), list[SampleBatch]()
    recalculation = Recalculation(store, site, HistorianMetrics(registry), Written(store, written))
    recalculation.prepare(stop)
    task = asyncio.create_task(recalculation.run(stop))
    try:
        yield Plant(store, recalculation, registry, written)
    finally:
        stop.set()
        await asyncio.wait_for(task, 30)


@pytest.fixture
async def plant(sqlite_url: str) -> AsyncIterator[Plant]:
    """Two minutes of history: the force is 10, the area 2, and both results were computed live once a second."""
    store = open_store(sqlite_url)
    try:
        store.prepare(TAGS)
        async with recalculating(store) as running:
            await running.commit(
                samples(1, *((second, 10.0) for second in range(0, 120, 10))),
                samples(2, (0, 2.0), (60, 2.0)),
                samples(3, *((second, 5.0) for second in range(0, 120, 10))),
                samples(4, *((second, 20.0) for second in range(0, 120, 10))),
            )
            yield running
    finally:
        store.close()


async def test_in_order_nothing_is_recomputed(plant: Plant) -> None:
    await plant.commit(samples(1, (120, 12.0)), samples(2, (121, 2.0)))
    assert plant.metric("monazite_recalculation_ranges") == 0
    assert plant.store.input_changes() == []


async def test_for_a_late_input_a_result_appears_and_that_is_no_revision(plant: Plant) -> None:
    await plant.commit(samples(1, (33, 16.0), (35, 18.0)))
    await plant.settled()
    assert plant.results()[3:7] == [(30, 5.0), (33, 8.0), (35, 9.0), (40, 5.0)]
    assert plant.results(4)[3:7] == [(30, 20.0), (33, 32.0), (35, 36.0), (40, 20.0)], "every tag that has the input follows"
    assert plant.revisions() == []
    assert plant.metric("monazite_recalculated_samples_total", change="inserted") == 4
    assert [row for batch in plant.written for row in rows_of(batch) if row[0] == 3] == [(3, at(33), 8.0, 0), (3, at(35), 9.0, 0)]


async def test_a_late_input_of_one_result_leaves_the_others_alone(plant: Plant) -> None:
    await plant.commit(samples(2, (35, 4.0)))
    await plant.settled()
    assert plant.results()[3:8] == [(30, 5.0), (35, 2.5), (40, 2.5), (50, 2.5), (60, 5.0)], "the late sample holds until the next one of its tag"
    assert [row[1] for row in plant.results(4)] == [20.0] * 12
    assert plant.revisions() == [(second, 5.0, 2.5, "monazite", "recalculated: SEP.COL101.ZT101 was late") for second in (40, 50)], (
        "what was computed without it is replaced, and says why"
    )


async def test_a_corrected_input_revises_its_results_with_who_and_why(plant: Plant) -> None:
    await plant.correct(samples(1, (50, 11.0), (60, 13.0)))
    await plant.settled()
    assert plant.results()[4:8] == [(40, 5.0), (50, 5.5), (60, 6.5), (70, 5.0)]
    reason = "recalculated: SEP.COL101.PT101 was corrected"
    assert plant.revisions() == [(50, 5.0, 5.5, "monazite", reason), (60, 5.0, 6.5, "monazite", reason)]
    assert plant.revisions(4) == [(50, 20.0, 22.0, "monazite", reason), (60, 20.0, 26.0, "monazite", reason)]


async def test_a_result_that_a_correction_adds_is_a_revision_as_the_correction_is(plant: Plant) -> None:
    await plant.correct(samples(1, (55, 14.0)))
    await plant.settled()
    assert plant.results()[5:8] == [(50, 5.0), (55, 7.0), (60, 5.0)]
    assert plant.revisions() == [(55, None, 7.0, "monazite", "recalculated: SEP.COL101.PT101 was corrected")]


async def test_where_an_input_is_deleted_the_one_before_holds(plant: Plant) -> None:
    await plant.correct(samples(1, (50, 11.0)))
    await plant.delete(1, at(60), at(80))
    await plant.settled()
    assert plant.results()[5:9] == [(50, 5.5), (60, 5.5), (70, 5.5), (80, 5.0)]


async def test_results_before_the_first_sample_of_an_input_are_withdrawn(plant: Plant) -> None:
    await plant.delete(2, at(0), at(30))
    await plant.settled()
    assert plant.results()[0] == (60, 5.0), "nothing is computed without the area"
    assert len(plant.results(4)) == 12
    reason = "recalculated: SEP.COL101.ZT101 was corrected"
    assert plant.revisions() == [(second, 5.0, None, "monazite", reason) for second in range(0, 60, 10)]
    assert plant.metric("monazite_recalculated_samples_total", change="withdrawn") == 6


async def test_a_correction_of_the_newest_sample_reaches_every_result_behind_it(plant: Plant) -> None:
    await plant.correct(samples(2, (60, 5.0)))
    await plant.settled()
    assert [value for second, value in plant.results() if second >= 60] == [2.0] * 6


async def test_a_correction_to_bad_takes_the_value_of_the_results(plant: Plant) -> None:
    await plant.correct(batch_of([(1, at(50), math.nan, BAD)]))
    await plant.settled()
    (row,) = rows_of(plant.store.samples(3, at(50), at(51), 10))
    assert math.isnan(row[2])
    assert row[3] == BAD


async def test_a_long_range_is_recomputed_in_pieces_that_fit_together(plant: Plant) -> None:
    await plant.commit(samples(1, *((200 + tenth / 10, float(tenth)) for tenth in range(25_000))), samples(3, (200, 0.0), (2700, 1.0)))
    await plant.correct(samples(2, (60, 4.0)))
    await plant.settled()
    results = plant.results()
    assert len(results) == 12 + 25_000 + 1
    assert [value for second, value in results if second >= 200][:25_000] == [tenth / 4 for tenth in range(25_000)]


async def test_a_result_that_is_withdrawn_is_not_current_any_more(plant: Plant) -> None:
    await asyncio.to_thread(plant.store.prepare, TAGS)  # brings the snapshot up
    assert [row[0] for row in rows_of(plant.store.snapshot()[0])] == [1, 2, 3, 4]
    await plant.delete(1, at(0), at(200))
    await plant.settled()
    assert rows_of(plant.store.snapshot()[0]) == [(2, at(60), 2.0, 0)]


async def test_what_was_pending_at_a_kill_is_recomputed_by_the_next_historian(sqlite_url: str) -> None:
    store = open_store(sqlite_url)
    store.prepare(TAGS)
    killed = Recalculation(store, SITE, HistorianMetrics(CollectorRegistry()), Written(store, []))
    killed.prepare(asyncio.Event())
    first = SampleBatch.concatenate([samples(1, (0, 10.0), (10, 10.0)), samples(2, (0, 2.0)), samples(3, (0, 5.0), (10, 5.0))])
    late = samples(1, (5, 12.0))
    for batch in (first, late):
        store.commit(Commit(batch, TextBatch.empty()))
        await killed.committed(batch)
    pending = [InputChange(1, at(5), at(5) + 1, by_hand=False)]
    async with killed.changing({2}, at(10), at(11)):
        store.edit(Edit(samples(2, (10, 4.0)), TextBatch.empty(), EditMode.UPDATE, EDITOR))
        assert store.input_changes() == [*pending, InputChange(2, at(10), at(11), by_hand=True)], "killed here, it would have been known"
    store.close()

    store = open_store(sqlite_url)
    store.prepare(TAGS)
    async with recalculating(store) as running:
        await running.settled()
        assert running.results() == [(0, 5.0), (5, 6.0), (10, 2.5)]
    store.close()


OTHERWISE = Site("Test", {}, (FORCE, AREA, replace(PRESSURE, source=Expression("F / A + 1", {"F": FORCE.name, "A": AREA.name})), DOUBLE))


async def test_a_changed_expression_holds_for_the_span_that_is_asked_for_also_after_a_kill(plant: Plant) -> None:
    killed = Recalculation(plant.store, OTHERWISE, HistorianMetrics(CollectorRegistry()), Written(plant.store, []))
    killed.prepare(asyncio.Event())
    assert (killed.computes(PRESSURE.id), killed.computes(FORCE.id)) == (True, False)
    await killed.asked(PRESSURE.id, at(30), at(60))
    async with recalculating(plant.store, OTHERWISE) as following:
        await following.settled()
    assert plant.results() == [(second, 6.0 if 30 <= second < 60 else 5.0) for second in range(0, 120, 10)]
    assert plant.revisions() == [(second, 5.0, 6.0, "monazite", "recalculated: somebody asked for it") for second in (30, 40, 50)]
    assert plant.revisions(4) == []


async def test_what_is_asked_for_where_an_input_is_not_stored_any_more_stays(plant: Plant) -> None:
    plant.store.delete(AREA.id, at(0), at(30), EDITOR)  # as retention does it: nobody is told
    async with recalculating(plant.store, OTHERWISE) as following:
        await following.recalculation.asked(PRESSURE.id, at(-100), at(1000))
        await following.correct(samples(1, (90, 20.0)))
        await following.settled()
    assert plant.results() == [(second, 5.0 if second < 60 else 11.0 if second == 90 else 6.0) for second in range(0, 120, 10)]
    reasons = {reason for *_, reason in plant.revisions()}
    assert reasons <= {"recalculated: somebody asked for it", "recalculated: somebody asked for it, SEP.COL101.PT101 was corrected"}


async def test_changes_wait_for_a_store_that_is_away(tmp_path: Path) -> None:
    file = tmp_path / "history.sqlite"
    store = open_store(f"sqlite:///{file}")
    store.prepare(TAGS)
    async with recalculating(store) as running:
        await running.commit(samples(1, (0, 10.0), (10, 10.0)), samples(2, (0, 2.0)))
        away = file.with_name("away")
        store.close()
        file.rename(away)
        file.mkdir()
        with pytest.raises(StoreUnavailable):
            store.input_changes()
        waiting = asyncio.create_task(running.recalculation.told_of(Gap(DEVICE, at(0), at(11), GapCause.LINK_LOST, recovered=True)))
        assert not (await asyncio.wait({waiting}, timeout=2))[0], "it is not said to be safe while it is not"
        file.rmdir()
        away.rename(file)
        await asyncio.wait_for(waiting, 30)
        await running.settled()
        assert running.results() == [(0, 5.0), (10, 5.0)]
    store.close()


@pytest.mark.parametrize("is_told_first", [True, False])
async def test_what_a_device_kept_is_computed_with_though_it_is_behind_no_live_value(plant: Plant, is_told_first: bool) -> None:
    outage = Gap(DEVICE, at(115), at(200), GapCause.LINK_LOST, recovered=not is_told_first)
    if is_told_first:  # by then it is not known whether the device kept anything
        await plant.recalculation.told_of(outage)
    await plant.commit(samples(1, (150, 12.0), (160, 14.0)))
    if not is_told_first:
        await plant.recalculation.told_of(outage)
    await plant.commit(samples(1, (201, 16.0)))
    await plant.settled()
    assert plant.results()[-3:] == [(110, 5.0), (150, 6.0), (160, 7.0)], "the live value is the gateway's to compute with"


async def test_an_outage_that_was_told_of_before_a_kill_is_watched_by_the_next_historian(plant: Plant) -> None:
    plant.store.save_gap(Gap(DEVICE, at(115), at(200), GapCause.LINK_LOST))
    async with recalculating(plant.store) as following:
        await following.commit(samples(1, (150, 12.0)))
        await following.settled()
        assert following.results()[-1] == (150, 6.0)


async def publish(bus: Bus, batch: SampleBatch, sequence: int) -> None:
    sealed = seal(batch, Envelope(DEVICE, 1, sequence, times.now()))
    await bus.publish_durably(subjects.SAMPLES_STREAM, subjects.samples("SEP", DEVICE), sealed, f"{DEVICE}:1:{sequence}")


async def test_from_the_stream_late_and_recovered_samples_reach_the_results(server: NatsServer, bus: Bus, store_url: str) -> None:
    store, registry, stop = open_store(store_url), CollectorRegistry(), asyncio.Event()
    try:
        async with await server.connect("historian") as own:
            task = asyncio.create_task(Historian(store, SITE, own, registry).run(stop))
            await until(lambda: task.done() or registry.get_sample_value("monazite_storage_up") == 1)
            live = [samples(1, (0, 10.0)), samples(2, (0, 2.0)), samples(3, (0, 5.0)), samples(4, (0, 20.0))]
            await publish(bus, SampleBatch.concatenate([*live, samples(1, (10, 12.0)), samples(3, (10, 6.0)), samples(4, (10, 24.0))]), 0)
            await publish(bus, samples(1, (5, 14.0)), 1)
            await until(lambda: len(store.samples(3, *EVER, 10)) == 3)
            assert store.samples(3, *EVER, 10).value.tolist() == [5.0, 7.0, 6.0]
            await publish(bus, samples(1, (20, 16.0)), 2)  # what the device kept, before the first live value: it is not behind any other
            await bus.publish_event(event_of_gap(Gap(DEVICE, at(10), at(30), GapCause.LINK_LOST, recovered=True), at(31)))
            await until(lambda: len(store.samples(3, *EVER, 10)) == 4 and len(store.samples(4, *EVER, 10)) == 4)
            assert store.samples(3, *EVER, 10).value.tolist() == [5.0, 7.0, 6.0, 8.0]
            assert store.samples(4, *EVER, 10).value.tolist() == [20.0, 28.0, 24.0, 32.0]
            await until(lambda: store.snapshot()[0].select(store.snapshot()[0].tag_id == 3).value.tolist() == [8.0])
            stop.set()
            await asyncio.wait_for(task, 30)
    finally:
        store.close()
