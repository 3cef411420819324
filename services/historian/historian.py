"""The historian: from the stream into the store, committed before acknowledged.

Rules:

1. A message is acknowledged after the commit that holds it, never before; what is handed out twice is stored once.
2. While the store is away nothing is acknowledged: the stream keeps everything, and the messages in hand are tried again for ever.
3. A message that can never be stored goes to quarantine: bytes that are no batch at once, a batch that the store refuses after three tries of its own.
   The rest goes on. Either is a gap in the ledger: the hole that it leaves in the sequence, or one that is committed before the batch is put away.
4. At start, what was handed to a historian that died comes first, so that a device's batches stay in order: it waits until the bus hands them out again.
"""

import asyncio
import logging
import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from nats.aio.msg import Msg
from nats.js import JetStreamContext
from prometheus_client import CollectorRegistry

from plant import times
from plant.batch import Batch, SampleBatch, TextBatch
from plant.envelope import Envelope, unseal
from plant.errors import BusUnavailable, CorruptBatch, StoreUnavailable, Unstorable
from plant.ledger import Gap, Position
from plant.site import Site
from plant.tag_index import TagIndex
from services.bus import BUS_ERRORS, Bus, provision, subjects
from services.bus.edit_messages import Removal, encode_removal
from services.bus.streams import ACKNOWLEDGE_WITHIN
from services.historian.delivery import Stopped, acknowledge, fetch, keep_in_hand, pause
from services.historian.editing import Editing
from services.historian.journal import Journal
from services.historian.ledger import PositionLedger, refused
from services.historian.metrics import HistorianMetrics
from services.historian.quarantine import Quarantine
from services.historian.recalculation import Recalculation
from services.historian.retention import Retention
from services.historian.snapshot import Snapshot
from services.historian.store_outage import StoreOutage
from services.historian.upkeep import Upkeep
from services.store import Commit, CommitReport, Store, check_storable

_log = logging.getLogger(__name__)

_MESSAGES_A_COMMIT: Final = 256
_BEHIND: Final = 4 * _MESSAGES_A_COMMIT
"""Messages left in the stream from which commits are behind."""

_WATCH_PERIOD: Final = 10.0
_TRIES: Final = 3
_RETRY_STORE_AFTER: Final = 0.5
_SLOW_COMMIT: Final = 10.0


@dataclass(frozen=True, slots=True)
class _Received:
    message: Msg
    batch: Batch
    envelope: Envelope
    gaps: Sequence[Gap]


class Historian:
    """Drains the stream of samples and the stream of events into ``store``, and keeps that in order. ``keep``: microseconds of history, ``None`` for all."""

    def __init__(self, store: Store, site: Site, bus: Bus, registry: CollectorRegistry, keep: int | None = None) -> None:
        self._store = store
        self._site = site
        self._bus = bus
        self._metrics = HistorianMetrics(registry)
        self._snapshot = Snapshot(store, site, self._removed)
        self._tags = TagIndex([tag.id for tag in site.tags])
        self._ledger = PositionLedger({})
        self._quarantine = Quarantine(bus, self._metrics)
        self._recalculation = Recalculation(store, site, self._metrics, self._snapshot)
        self._retention = Retention(store, keep, lambda: self._snapshot.newest, self._metrics)
        self._store_is_up = True
        self._is_behind = False
        self._committed_positions: dict[str, Position] = {}
        self._outage: StoreOutage | None = None
        self._stop = asyncio.Event()

    async def run(self, stop: asyncio.Event) -> None:
        """Until ``stop`` is set; what is in hand is committed first, if the store takes it, else it stays in the stream for the next historian.

        Raises:
            BusUnavailable: the streams could not be made.
            ConfigurationError: the site's tags contradict the store's.
        """
        self._stop = stop
        await provision(self._bus)
        await self._prepare(stop)
        if stop.is_set():
            return
        async with asyncio.TaskGroup() as group:
            group.create_task(Journal(self._store, self._bus, self._quarantine, self._recalculation.told_of).run(stop))
            group.create_task(self._recalculation.run(stop))
            group.create_task(self._snapshot.run(stop))
            group.create_task(self._watch_streams(stop))
            group.create_task(self._drain(stop))
            group.create_task(Upkeep(self._store, self._site, self._metrics, lambda: self._is_behind).run(stop))
            group.create_task(self._serve_edits(stop))
            group.create_task(self._retention.run(stop))

    async def _prepare(self, stop: asyncio.Event) -> None:
        while not stop.is_set():
            try:
                await asyncio.to_thread(self._store.prepare, self._site.tags)
                self._committed_positions = dict(await asyncio.to_thread(self._store.positions))
                self._ledger = PositionLedger(self._committed_positions)
                if self._outage is not None:
                    self._outage.before = dict(self._committed_positions)
                samples, texts = await asyncio.to_thread(self._store.snapshot)
                await asyncio.to_thread(self._recalculation.prepare, stop)
            except StoreUnavailable as error:
                self._store_failed(error)
                await pause(stop, _RETRY_STORE_AFTER)
            else:
                self._snapshot.update(samples)
                self._snapshot.update(texts)
                self._metrics.storage_up.set(1)
                _log.info("store: %s", ", ".join(f"{key} {value}" for key, value in self._store.features.items()))
                return

    async def _serve_edits(self, stop: asyncio.Event) -> None:
        subscriptions = await Editing(self._store, self._bus, self._metrics, self._snapshot, self._recalculation).serve()
        await stop.wait()
        for subscription in subscriptions:
            await subscription.unsubscribe()

    async def _drain(self, stop: asyncio.Event) -> None:
        subscription = await self._bus.streams.pull_subscribe_bind(subjects.HISTORIAN, subjects.SAMPLES_STREAM)
        await self._wait_for_orphans(subscription)
        while not stop.is_set():
            messages = await fetch(subscription, _MESSAGES_A_COMMIT)
            if messages:
                try:
                    await self._store_all(messages)
                except Stopped:
                    _log.warning("stopped while the store took no commits: %d batches stay in the stream for the next historian", len(messages))
                    return
                self._metrics.backlog.set(messages[-1].metadata.num_pending)
                self._is_behind = messages[-1].metadata.num_pending > _BEHIND
                if self._outage is not None and not messages[-1].metadata.num_pending:
                    _log.info("%s", self._outage.told(self._committed_positions, self._ledger.missing))
                    self._outage = None

    async def _wait_for_orphans(self, subscription: JetStreamContext.PullSubscription) -> None:
        try:
            orphans = (await subscription.consumer_info()).num_ack_pending or 0
        except BUS_ERRORS as error:
            _log.warning("the bus does not say whether messages are under way: %s", error)
            orphans = 1
        if orphans:
            _log.info("%d messages were handed out before and not committed; waiting %g s for them to come first", orphans, ACKNOWLEDGE_WITHIN)
            await asyncio.sleep(ACKNOWLEDGE_WITHIN)

    async def _store_all(self, messages: Sequence[Msg]) -> None:
        alive = asyncio.create_task(keep_in_hand(messages))
        try:
            for received in await self._received(messages):
                if received:
                    await self._commit_each_if_needed(received)
        finally:
            alive.cancel()

    async def _received(self, messages: Sequence[Msg]) -> tuple[Sequence[_Received], Sequence[_Received]]:
        """What is new, and what comes again: that is compared with what is stored, and in a commit of its own the new does not pay for it."""
        new: list[_Received] = []
        again: list[_Received] = []
        for message in messages:
            try:
                batch, envelope = unseal(message.data)
                check_storable(batch)  # before the ledger learns its times
            except CorruptBatch as error:
                await self._quarantine.take(message, "corrupt", str(error))
            except Unstorable as error:
                await self._quarantine.take(message, "unstorable", str(error))
            else:
                kind = again if self._ledger.has_passed(envelope) else new
                gaps = self._ledger.note(envelope, batch) if len(batch) else []
                kind.append(_Received(message, batch, envelope, gaps))
        return new, again

    async def _commit_each_if_needed(self, received: Sequence[_Received]) -> None:
        try:
            await self._commit(received)
        except Unstorable as error:
            _log.warning("a commit of %d batches can never be stored, trying each alone: %s", len(received), error)
            for one in received:
                await self._commit_alone(one)

    async def _commit_alone(self, one: _Received) -> None:
        for left in reversed(range(_TRIES)):
            try:
                await self._commit([one])
            except Unstorable as error:
                if not left:
                    await self._tell_of_loss(one)
                    await self._quarantine.take(one.message, "unstorable", str(error))
            else:
                return

    async def _tell_of_loss(self, one: _Received) -> None:
        """Commits the gap that a refused batch leaves, and what it said of others."""
        if not len(one.batch):
            return
        scans = [self._site.by_id[tag_id].scan_ms * 1000 for tag_id in np.unique(one.batch.tag_id).tolist() if tag_id in self._site.by_id]
        gaps = [*one.gaps, refused(one.envelope, one.batch, min(scans, default=1))]
        commit = Commit(SampleBatch.empty(), TextBatch.empty(), self._ledger.positions({one.envelope.device}), gaps)
        try:
            self._committed(commit, await self._commit_when_possible(commit), [])
        except Unstorable as error:
            _log.error("%s: the loss of a batch that goes to quarantine is not in the ledger: %s", one.envelope.device, error)

    async def _commit(self, received: Sequence[_Received]) -> None:
        """Commits, trying for ever while the store is away, then acknowledges.

        Raises:
            Unstorable: the store will never take it; nothing was written.
            Stopped: it was told to stop while the store was away; what was written comes again and changes nothing.
        """
        commit = _commit_of(received, self._ledger)
        with self._snapshot.committing():
            self._committed(commit, await self._commit_when_possible(commit), received)
        await self._recalculation.committed(commit.samples)
        await acknowledge([one.message for one in received])

    async def _commit_when_possible(self, commit: Commit) -> CommitReport:
        while True:
            begun = time.monotonic()
            committing = asyncio.create_task(asyncio.to_thread(self._store.commit, commit))
            try:
                if not (await asyncio.wait({committing}, timeout=_SLOW_COMMIT))[0]:
                    self._store_failed(StoreUnavailable(f"a commit takes longer than {_SLOW_COMMIT:g} s"))
                report = await committing
            except StoreUnavailable as error:
                self._store_failed(error)
                await pause(self._stop, _RETRY_STORE_AFTER)
                if self._stop.is_set():
                    raise Stopped from error
            else:
                self._metrics.commit_duration.observe(time.monotonic() - begun)
                return report

    def _committed(self, commit: Commit, report: CommitReport, received: Sequence[_Received]) -> None:
        if not self._store_is_up:
            _log.info("the store takes commits again")
        self._store_is_up = True
        self._metrics.storage_up.set(1)
        self._metrics.stored.inc(report.inserted)
        self._metrics.unchanged.inc(report.unchanged)
        self._metrics.revised.inc(report.revised)
        self._metrics.commit_samples.observe(len(commit.samples) + len(commit.texts))
        self._committed_positions.update({position.device: position for position in commit.positions})
        now = times.now()
        if self._outage is not None:
            self._outage.committed(len(commit.samples) + len(commit.texts), now)
        for batch in (commit.samples, commit.texts):
            self._metrics.unknown_tags.inc(int(np.count_nonzero(self._tags.positions(batch.tag_id) < 0)))
        for one in received:
            self._metrics.ingest_lag.observe(max(0, now - one.envelope.received) / times.MICROSECONDS)
        for gap in commit.gaps:
            self._metrics.gaps.labels(gap.cause.value).inc()
            _log.warning("%s: %s from %s to %s", gap.device, gap.cause, times.format_time(gap.start), "now" if gap.end is None else times.format_time(gap.end))
        self._snapshot.update(commit.samples)
        self._snapshot.update(commit.texts)

    def _store_failed(self, error: StoreUnavailable) -> None:
        if self._outage is None:
            self._outage = StoreOutage(times.now(), dict(self._committed_positions), self._ledger.missing)
        if self._store_is_up:
            _log.error("the store takes no commits, the stream keeps everything: %s", error)
        self._store_is_up = False
        self._metrics.storage_up.set(0)
        self._metrics.commit_failures.labels("unavailable").inc()

    async def _watch_streams(self, stop: asyncio.Event) -> None:
        while not stop.is_set():
            for name in (subjects.SAMPLES_STREAM, subjects.EVENTS_STREAM, subjects.QUARANTINE_STREAM):
                try:
                    info = await self._bus.streams.stream_info(name)
                except BUS_ERRORS as error:
                    _log.debug("the bus does not say how full %s is: %s", name, error)
                else:
                    self._metrics.stream_fill.labels(name).set(info.state.bytes / (info.config.max_bytes or 1))
            await pause(stop, _WATCH_PERIOD)

    async def _removed(self, tag_id: int, start: int, end: int) -> None:
        """Tells those who keep current values. One who does not hear it shows the old one until there is a newer."""
        try:
            await self._bus.publish_live(subjects.HISTORY_REMOVED, encode_removal(Removal(tag_id, start, end)))
        except BusUnavailable as error:
            _log.warning("nobody hears that a current value is removed: %s", error)


def _commit_of(received: Sequence[_Received], ledger: PositionLedger) -> Commit:
    return Commit(
        SampleBatch.concatenate([one.batch for one in received if isinstance(one.batch, SampleBatch)]),
        TextBatch.concatenate([one.batch for one in received if isinstance(one.batch, TextBatch)]),
        ledger.positions({one.envelope.device for one in received}),
        [gap for one in received for gap in one.gaps],
    )
