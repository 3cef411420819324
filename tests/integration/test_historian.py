"""The historian between a real nats-server and real databases: nothing lost, nothing doubled, nothing that stops the rest."""

import asyncio
import zlib
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from nats.aio.msg import Msg
from prometheus_client import CollectorRegistry

from plant import times
from plant.batch import Batch, SampleBatch, TextBatch
from plant.edit import EditMode
from plant.envelope import Envelope, seal
from plant.event import Event
from plant.ledger import Gap, GapCause, event_of_gap
from plant.quality import Quality
from plant.site import Site
from plant.tag import DataType
from services.bus import Bus, subjects
from services.bus.messages import encode_event
from services.historian import Historian
from services.historian.quarantine import Quarantine
from services.retrieval import reconciled
from services.store import Authorship, Commit, CommitReport, Edit, Store, open_store
from tests.nats_server import NatsServer
from tests.postgres import PostgresServer
from tests.samples import batch_of, make_tag, rows_of

TAGS = (make_tag(1), make_tag(2, "SEP.COL101.PT102"), make_tag(3, "SEP.COL101.UY101", data_type=DataType.STRING, eu_range=None))
SITE = Site("Test", {}, TAGS)
T0 = times.parse_time("2026-11-23T04:00:00Z", 0)
SECOND = times.MICROSECONDS
EVER = (T0 - 10**15, T0 + 10**15)
DEVICE = "PLC-SEP-01"


class Running:
    """A historian at work, its store and its metrics."""

    def __init__(self, store: Store, registry: CollectorRegistry) -> None:
        self.store = store
        self._registry = registry

    def metric(self, name: str, **labels: str) -> float:
        return self._registry.get_sample_value(name, labels) or 0.0

    def rows(self, tag_id: int = 1) -> list[tuple[int, int, float, int]]:
        return rows_of(self.store.samples(tag_id, *EVER, 100_000))


@asynccontextmanager
async def historian(server: NatsServer, store_url: str) -> AsyncIterator[Running]:
    """Stopped cleanly at the end."""
    store, registry, stop = open_store(store_url), CollectorRegistry(), asyncio.Event()
    try:
        async with await server.connect("historian") as bus:
            task = asyncio.create_task(Historian(store, SITE, bus, registry).run(stop))
            try:
                await until(lambda: task.done() or registry.get_sample_value("monazite_storage_up") == 1)
                yield Running(store, registry)
            finally:
                stop.set()
                await asyncio.wait_for(task, 30)
    finally:
        store.close()


async def until(condition: Callable[[], bool], deadline: float = 30.0) -> None:
    async with asyncio.timeout(deadline):
        while not condition():
            await asyncio.sleep(0.02)


async def publish(bus: Bus, batch: Batch, sequence: int, epoch: int = 1, device: str = DEVICE) -> None:
    sealed = seal(batch, Envelope(device, epoch, sequence, times.now()))
    await publish_bytes(bus, sealed, f"{device}:{epoch}:{sequence}", device)


async def publish_bytes(bus: Bus, data: bytes, identity: str, device: str = DEVICE) -> None:
    await bus.publish_durably(subjects.SAMPLES_STREAM, subjects.samples("SEP", device), data, identity)


def one(second: int, value: float | None = None, tag_id: int = 1, quality: int = 0) -> SampleBatch:
    return batch_of([(tag_id, T0 + second * SECOND, float(second) if value is None else value, quality)])


async def unread(bus: Bus) -> int:
    """Messages that the stream of samples still keeps: a work queue drops what was acknowledged."""
    return (await bus.streams.stream_info(subjects.SAMPLES_STREAM)).state.messages


async def all_read(bus: Bus) -> None:
    async with asyncio.timeout(30):
        while await unread(bus):
            await asyncio.sleep(0.05)


async def in_quarantine(bus: Bus) -> Sequence[tuple[str, bytes, dict[str, str]]]:
    """(subject, bytes, headers) of what is kept there."""
    state = (await bus.streams.stream_info(subjects.QUARANTINE_STREAM)).state
    messages = [await bus.streams.get_msg(subjects.QUARANTINE_STREAM, number) for number in range(state.first_seq, state.last_seq + 1)]
    return [(message.subject or "", message.data or b"", dict(message.headers or {})) for message in messages]


async def test_what_is_published_is_stored_and_then_leaves_the_stream(server: NatsServer, bus: Bus, store_url: str) -> None:
    async with historian(server, store_url) as running:
        for second in range(50):
            await publish(bus, one(second), 2 * second)
            await publish(bus, TextBatch.of([3], [T0 + second * SECOND], [f"LOT-{second}"], [0]), 2 * second + 1)
        await all_read(bus)
        assert running.rows() == [(1, T0 + second * SECOND, float(second), 0) for second in range(50)]
        assert running.store.texts(3, *EVER, 100).value.tolist() == [f"LOT-{second}" for second in range(50)]
        assert running.metric("monazite_samples_stored_total") == 100
        assert running.store.gaps(*EVER) == []
        assert running.store.positions()[DEVICE].sequence == 99


async def test_samples_of_tags_that_the_site_does_not_have_are_kept_and_counted(server: NatsServer, bus: Bus, sqlite_url: str) -> None:
    async with historian(server, sqlite_url) as running:
        await publish(bus, batch_of([(1, T0, 1.0, 0), (98, T0, 2.0, 0)]), 0)
        await publish(bus, TextBatch.of([99], [T0], ["LOT-1"], [0]), 1)
        await all_read(bus)
        assert running.rows(98) == [(98, T0, 2.0, 0)]
        assert running.store.texts(99, *EVER, 10).value.tolist() == ["LOT-1"]
        assert running.metric("monazite_samples_of_unknown_tags_total") == 2


async def test_a_bad_sample_is_history_too(server: NatsServer, bus: Bus, store_url: str) -> None:
    async with historian(server, store_url) as running:
        await publish(bus, one(0, 5.0, quality=int(Quality.BAD_SENSOR_FAILURE)), 0)
        await all_read(bus)
        assert running.rows() == [(1, T0, 5.0, int(Quality.BAD_SENSOR_FAILURE))]


async def test_a_batch_that_comes_twice_is_stored_once(server: NatsServer, bus: Bus, store_url: str) -> None:
    async with historian(server, store_url) as running:
        sealed = seal(one(0), Envelope(DEVICE, 1, 0, times.now()))
        await publish_bytes(bus, sealed, "first")
        await all_read(bus)
        await publish_bytes(bus, sealed, "the same under another name, so that the bus does not notice")
        await all_read(bus)
        assert running.rows() == [(1, T0, 0.0, 0)]
        assert running.metric("monazite_samples_stored_total") == 1
        assert running.metric("monazite_samples_duplicate_total") == 1


async def test_what_was_handed_to_a_historian_that_died_comes_first_to_the_next(server: NatsServer, bus: Bus, sqlite_url: str) -> None:
    for second in range(20):
        await publish(bus, one(second), second)
    dead = await bus.streams.pull_subscribe_bind(subjects.HISTORIAN, subjects.SAMPLES_STREAM)
    assert len(await dead.fetch(10, timeout=5)) == 10  # handed out, never acknowledged
    async with historian(server, sqlite_url) as running:
        await all_read(bus)
        assert [row[2] for row in running.rows()] == [float(second) for second in range(20)]
        assert running.store.gaps(*EVER) == [], "out of order, the batches handed out late would have looked lost"


async def test_while_the_database_is_away_nothing_is_acknowledged_and_afterwards_nothing_is_missing(server: NatsServer, bus: Bus) -> None:
    database = PostgresServer()
    try:
        database.start()
        async with historian(server, database.dsn) as running:
            await publish(bus, one(0), 0)
            await all_read(bus)
            await asyncio.to_thread(database.kill)
            for second in range(1, 10):
                await publish(bus, one(second), second)
            await until(lambda: running.metric("monazite_storage_up") == 0)
            assert running.metric("monazite_commit_failures_total", reason="unavailable") > 0
            assert await unread(bus) == 9
            await asyncio.to_thread(database.start)
            await all_read(bus)
            assert running.metric("monazite_storage_up") == 1
            assert [row[2] for row in running.rows()] == [float(second) for second in range(10)]
            assert running.store.gaps(*EVER) == []
    finally:
        database.close()


async def test_told_to_stop_while_the_database_is_away_it_stops_and_leaves_everything_to_the_next(server: NatsServer, bus: Bus) -> None:
    database = PostgresServer()
    try:
        database.start()
        async with historian(server, database.dsn) as running:
            await publish(bus, one(0), 0)
            await all_read(bus)
            await asyncio.to_thread(database.kill)
            await publish(bus, one(1), 1)
            await bus.publish_event(Event("e1", T0, "login", "admin"))
            await until(lambda: running.metric("monazite_storage_up") == 0)
        await asyncio.to_thread(database.start)
        async with historian(server, database.dsn) as running:
            await all_read(bus)
            assert [row[2] for row in running.rows()] == [0.0, 1.0]
            await until(lambda: len(running.store.events(*EVER, 10)) == 1)
    finally:
        database.close()


async def test_a_bus_that_is_killed_and_started_again_loses_nothing(server: NatsServer, bus: Bus, sqlite_url: str) -> None:
    async with historian(server, sqlite_url) as running:
        for second in range(200):
            await publish(bus, one(second), second)
            if second == 100:
                await server.kill()
                await server.start()
                async with asyncio.timeout(20):
                    while not bus.connected:
                        await asyncio.sleep(0.05)
        await all_read(bus)
        assert [row[2] for row in running.rows()] == [float(second) for second in range(200)]
        assert running.store.gaps(*EVER) == []


@pytest.mark.parametrize("spoil", [lambda sealed: b"not a batch", lambda sealed: sealed[:-9], lambda sealed: sealed[:200] + b"\x01" + sealed[201:]])
async def test_bytes_that_are_no_batch_go_to_quarantine_and_the_rest_goes_on(
    server: NatsServer, bus: Bus, sqlite_url: str, spoil: Callable[[bytes], bytes]
) -> None:
    async with historian(server, sqlite_url) as running:
        spoiled = spoil(seal(one(1), Envelope(DEVICE, 1, 1, times.now())))
        await publish(bus, one(0), 0)
        await publish_bytes(bus, spoiled, "spoiled")
        await publish(bus, one(2), 2)
        await all_read(bus)
        assert [row[2] for row in running.rows()] == [0.0, 2.0]
        assert running.metric("monazite_batches_quarantined_total", reason="corrupt") == 1
        ((subject, data, headers),) = await in_quarantine(bus)
        assert subject == "quarantine." + subjects.samples("SEP", DEVICE)
        assert data == spoiled, "what cannot be stored is kept as it came"
        assert headers["Monazite-Reason"] == "corrupt"
        assert headers["Monazite-Detail"]
        (gap,) = running.store.gaps(*EVER)
        assert (gap.start, gap.end, gap.cause) == (T0, T0 + 2 * SECOND, GapCause.BATCH_LOST), "its samples are missing, and the ledger says so"


async def test_a_batch_that_no_database_can_hold_goes_to_quarantine_and_leaves_no_trace_in_the_ledger(server: NatsServer, bus: Bus, store_url: str) -> None:
    async with historian(server, store_url) as running:
        await publish(bus, one(0), 0)
        await publish(bus, batch_of([(1, 2**62, 1.0, 0)]), 1)
        await publish(bus, one(2), 2)
        await all_read(bus)
        assert [row[2] for row in running.rows()] == [0.0, 2.0]
        assert running.metric("monazite_batches_quarantined_total", reason="unstorable") == 1
        assert running.store.positions()[DEVICE].last_time == T0 + 2 * SECOND


async def test_a_text_that_postgresql_cannot_hold_does_not_stop_the_batches_that_came_with_it(server: NatsServer, bus: Bus, postgres_url: str) -> None:
    for second in range(5):
        await publish(bus, one(second), 2 * second)
        await publish(bus, TextBatch.of([3], [T0 + second * SECOND], ["LOT\0" if second == 3 else "LOT"], [0]), 2 * second + 1)
    async with historian(server, postgres_url) as running:
        await all_read(bus)
        assert [row[2] for row in running.rows()] == [0.0, 1.0, 2.0, 3.0, 4.0]
        assert len(running.store.texts(3, *EVER, 10)) == 4
        assert running.store.gaps(*EVER) == [Gap(DEVICE, T0 + 3 * SECOND - 1, T0 + 4 * SECOND, GapCause.STORE_REFUSED)]
        assert running.metric("monazite_gaps_total", cause="store refused") == 1
        (text_tag,) = reconciled(running.store, Site("Test", {}, (TAGS[2],)), running.store.gaps(*EVER), times.now())
        assert (text_tag.expected, text_tag.recovered, text_tag.lost) == (1, 0, 1)
        entered = Edit(SampleBatch.empty(), TextBatch.of([3], [T0 + 3 * SECOND], ["LOT"], [0]), EditMode.INSERT, Authorship("anna", "from quarantine", T0))
        running.store.edit(entered)
        (text_tag,) = reconciled(running.store, Site("Test", {}, (TAGS[2],)), running.store.gaps(*EVER), times.now())
        assert text_tag.lost == 0
        assert running.metric("monazite_batches_quarantined_total", reason="unstorable") == 1


async def test_values_and_times_that_are_only_strange_are_history(server: NatsServer, bus: Bus, store_url: str) -> None:
    """NaN, infinities, a text of a megabyte, the years 1, 1969 and 2300: no mistake of the bytes, and no reason to keep them from anybody."""
    moments = [times.parse_time(text, 0) for text in ("0001-01-01T00:00:00Z", "1969-12-31T23:59:59Z", "2300-01-01T00:00:00Z")]
    long = "Nd" * 2**19
    async with historian(server, store_url) as running:
        await publish(bus, batch_of([(1, T0 + second, value, 0) for second, value in enumerate((np.nan, np.inf, -np.inf))]), 0)
        await publish(bus, batch_of([(2, moment, 1.0, 0) for moment in moments]), 1)
        await publish(bus, TextBatch.of([3], [T0], [long], [0]), 2)
        await all_read(bus)
        assert running.store.samples(1, *EVER, 10).value.tolist() == [pytest.approx(np.nan, nan_ok=True), np.inf, -np.inf]
        assert running.store.samples(2, moments[0], moments[2] + 1, 10).time.tolist() == moments
        assert running.store.texts(3, *EVER, 10).value.tolist() == [long]
        assert [running.metric("monazite_batches_quarantined_total", reason=reason) for reason in ("corrupt", "unstorable")] == [0, 0]
        assert running.store.positions()[DEVICE].sequence == 2


def resealed(stream: bytes) -> bytes:
    """An Arrow stream behind a head whose checksum is right."""
    return b"MZB1" + zlib.crc32(stream).to_bytes(4, "little") + stream


def arrow_of(metadata: dict[str, str], **columns: "pa.Array[Any]") -> bytes:
    record = pa.RecordBatch.from_arrays(list(columns.values()), names=list(columns)).replace_schema_metadata(metadata)
    sink = pa.BufferOutputStream()
    with pa.ipc.new_stream(sink, record.schema) as writer:
        writer.write_batch(record)
    return resealed(sink.getvalue().to_pybytes())


ENVELOPE = {"device": DEVICE, "epoch": "1", "sequence": "1", "received": "1"}
SOUND = seal(one(1), Envelope(DEVICE, 1, 1, T0))
WRONG_BATCHES = {
    "half of an Arrow stream": resealed(SOUND[8 : len(SOUND) // 2]),
    "an Arrow stream without its rows": resealed(SOUND[8:-200]),
    "other columns": arrow_of(ENVELOPE, tag=pa.array([1]), value=pa.array([1.0])),
    "times in text": arrow_of(ENVELOPE, tag_id=pa.array([1], pa.int32()), time=pa.array(["noon"]), value=pa.array([1.0]), quality=pa.array([0], pa.int16())),
    "an envelope without a sequence": arrow_of(
        {"device": DEVICE, "epoch": "1"},
        tag_id=pa.array([1], pa.int32()),
        time=pa.array([T0], pa.timestamp("us", "UTC")),
        value=pa.array([1.0]),
        quality=pa.array([0], pa.int16()),
    ),
    "nothing": b"",
    "a time in the year 10000": seal(batch_of([(1, 253_402_300_800_000_000, 1.0, 0)]), Envelope(DEVICE, 1, 1, T0)),
    "a time before the year 1": seal(batch_of([(1, -62_135_596_800_000_001, 1.0, 0)]), Envelope(DEVICE, 1, 1, T0)),
}


async def test_every_wrong_batch_goes_to_quarantine_as_it_came_and_the_rest_drains(server: NatsServer, bus: Bus, sqlite_url: str) -> None:
    async with historian(server, sqlite_url) as running:
        for number, wrong in enumerate(WRONG_BATCHES.values()):
            await publish(bus, one(number), number, device="PLC-SEP-02")
            await publish_bytes(bus, wrong, f"wrong {number}")
        await all_read(bus)
        assert len(running.rows()) == len(WRONG_BATCHES)
        kept = await in_quarantine(bus)
        assert [data for _, data, _ in kept] == list(WRONG_BATCHES.values())
        assert [headers["Monazite-Reason"] for _, _, headers in kept] == ["corrupt"] * 6 + ["unstorable"] * 2
        counted = [running.metric("monazite_batches_quarantined_total", reason=reason) for reason in ("corrupt", "unstorable")]
        assert counted == [6, 2]


async def test_a_batch_that_the_database_refuses_is_tried_three_times_alone(
    server: NatsServer, bus: Bus, postgres_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Times at random, from a clock that is broken: more months than one commit may make partitions for."""
    broken = batch_of([(1, T0 + month * 31 * 86_400 * SECOND, 1.0, 0) for month in range(300)])
    async with historian(server, postgres_url) as running:
        tries: list[int] = []
        commit = running.store.commit

        def counting(what: Commit) -> CommitReport:
            tries.append(len(what.samples))
            return commit(what)

        monkeypatch.setattr(running.store, "commit", counting)
        await publish(bus, one(0), 0)
        before = times.now()
        await publish(bus, broken, 1)
        await publish(bus, one(2), 2)
        await all_read(bus)
        assert [row[2] for row in running.rows()] == [0.0, 2.0]
        assert 3 <= tries.count(len(broken)) <= 4, "three alone, after one with whatever it came with"
        (gap,) = running.store.gaps(*EVER)
        assert (gap.cause, gap.recovered) == (GapCause.STORE_REFUSED, False)
        assert before <= gap.start < (gap.end or 0) <= times.now() + SECOND, "its times say nothing, and it is missing where it came"
        assert running.metric("monazite_batches_quarantined_total", reason="unstorable") == 1


async def test_a_refused_batch_that_comes_again_is_the_same_gap_and_keeps_what_it_said_of_others(
    server: NatsServer, bus: Bus, postgres_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with historian(server, postgres_url) as running:
        take = Quarantine.take

        async def die_at_first(self: Quarantine, message: Msg, reason: str, detail: str) -> None:
            if message.metadata.num_delivered == 1:
                await message.nak()
            else:
                await take(self, message, reason, detail)

        monkeypatch.setattr(Quarantine, "take", die_at_first)
        await publish(bus, one(0), 0)
        await publish(bus, TextBatch.of([3], [T0 + 5 * SECOND], ["LOT\0"], [0]), 3)
        await publish(bus, one(6), 4)
        await all_read(bus)
        assert len(await in_quarantine(bus)) == 1
        assert running.store.gaps(*EVER) == [
            Gap(DEVICE, T0, T0 + 5 * SECOND, GapCause.BATCH_LOST),
            Gap(DEVICE, T0 + 5 * SECOND - 1, T0 + 6 * SECOND, GapCause.STORE_REFUSED),
        ]


async def test_a_lost_batch_is_a_gap_and_recovered_when_it_comes_after_all(server: NatsServer, bus: Bus, store_url: str) -> None:
    async with historian(server, store_url) as running:
        await publish(bus, one(0), 0)
        await publish(bus, one(3), 3)
        await all_read(bus)
        (gap,) = running.store.gaps(*EVER)
        assert gap == Gap(DEVICE, T0, T0 + 3 * SECOND, GapCause.BATCH_LOST)
        assert running.metric("monazite_gaps_total", cause="batch lost") == 1
        await publish(bus, one(1), 1)
        await publish(bus, one(2), 2)
        await all_read(bus)
        (gap,) = running.store.gaps(*EVER)
        assert gap.recovered


async def test_another_run_of_the_gateway_leaves_a_gap_between_what_is_known(server: NatsServer, bus: Bus, store_url: str) -> None:
    async with historian(server, store_url) as running:
        await publish(bus, one(0), 0, epoch=1)
        await all_read(bus)
    async with historian(server, store_url) as running:
        await publish(bus, one(60), 0, epoch=2)
        await all_read(bus)
        assert list(running.store.gaps(*EVER)) == [Gap(DEVICE, T0, T0 + 60 * SECOND, GapCause.GATEWAY_STOPPED)]


async def test_events_are_kept_once_and_gaps_that_gateways_tell_of_are_in_the_ledger(server: NatsServer, bus: Bus, store_url: str) -> None:
    gap = Gap("MB-SEP-01", T0, T0 + SECOND, GapCause.LINK_LOST)
    done = Event("e1", T0, "command.done", "SEP.COL101.FIC101.SP", "admin", {"value": 8.0})
    async with historian(server, store_url) as running:
        for event in (done, event_of_gap(gap, T0 + 2 * SECOND), done):
            await bus.publish_event(event)
        await until(lambda: len(running.store.events(*EVER, 10)) == 2)
        assert running.store.events(*EVER, 10)[0] == done
        assert list(running.store.gaps(*EVER)) == [gap]


POISON = {
    "no JSON": b"{",
    "a field of another type": b'{"id":"e","time":"noon","kind":"x","subject":"s"}',
    "a gap without a start": b'{"id":"e","time":1,"kind":"gap","subject":"s","detail":{"recovered":false}}',
    "a time that no database holds": b'{"id":"e","time":99999999999999999999,"kind":"x","subject":"s"}',
    "a gap in no calendar": encode_event(event_of_gap(Gap("s", 2**63 - 1, None, GapCause.LINK_LOST), T0)),
}


@pytest.mark.parametrize("poison", POISON.values(), ids=POISON.keys())
async def test_an_event_that_cannot_be_stored_goes_to_quarantine_and_the_rest_goes_on(server: NatsServer, bus: Bus, store_url: str, poison: bytes) -> None:
    before, after = Event("before", T0, "login", "admin"), Event("after", T0 + 1, "login", "admin")
    await bus.publish_event(before)
    await bus.publish_durably(subjects.EVENTS_STREAM, subjects.event("x"), poison, "poison")
    await bus.publish_event(after)
    async with historian(server, store_url) as running:
        await until(lambda: len(running.store.events(*EVER, 10)) == 2)
        assert list(running.store.events(*EVER, 10)) == [before, after]
        await until(
            lambda: (
                running.metric("monazite_batches_quarantined_total", reason="malformed")
                + running.metric("monazite_batches_quarantined_total", reason="unstorable")
                == 1
            )
        )
        ((_, data, _),) = await in_quarantine(bus)
        assert data == poison


async def test_current_values_are_saved_for_the_next_start(server: NatsServer, bus: Bus, store_url: str) -> None:
    async with historian(server, store_url) as running:
        await publish(bus, batch_of([(1, T0 + SECOND, 5.0, 0), (1, T0, 4.0, 0), (2, T0, 7.0, 0)]), 0)
        await until(lambda: rows_of(running.store.snapshot()[0]) == [(1, T0 + SECOND, 5.0, 0), (2, T0, 7.0, 0)])
        await publish(bus, batch_of([(1, T0 - SECOND, 3.0, 0), (2, T0 + SECOND, 8.0, 0)]), 1)
        await until(lambda: rows_of(running.store.snapshot()[0])[1][2] == 8.0)
        assert rows_of(running.store.snapshot()[0])[0] == (1, T0 + SECOND, 5.0, 0), "a late sample is history and no current value"
