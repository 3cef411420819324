"""Calculated tags follow their inputs: what comes late, is corrected or is deleted is computed with again; and what somebody asks for, since an expression
is another one now.

Rules:

1. A change that results do not show yet is in the store before its message is acknowledged, or before it is made by hand: it survives a kill, and
   recomputing twice changes nothing.
2. It is taken off when all results that it affects are written. Until then it is pending, joined with others of the same input; none is dropped.
3. A change that comes while results are computed is pending anew: nothing is computed from inputs that changed meanwhile and left so.
"""

import asyncio
import contextlib
import logging
from collections.abc import AsyncIterator, Collection, Sequence
from typing import Final

from plant.batch import SampleBatch
from plant.errors import StoreUnavailable, Unstorable
from plant.ledger import Gap, GapCause
from plant.site import Site
from services.historian.delivery import Stopped, pause
from services.historian.input_changes import InputChanges
from services.historian.late_inputs import LateInputs
from services.historian.metrics import HistorianMetrics
from services.historian.recomputer import Affected, Recomputer
from services.historian.snapshot import Snapshot
from services.store import FIRST_TIME, LAST_TIME, InputChange, Store

_log = logging.getLogger(__name__)

_PERIOD: Final = 1.0
"""Seconds in which changes gather before they are recomputed together."""

_RETRY_STORE_AFTER: Final = 0.5


class Recalculation:
    """What the inputs of calculated tags are told of. ``snapshot`` hears of results that were written or withdrawn."""

    def __init__(self, store: Store, site: Site, metrics: HistorianMetrics, snapshot: Snapshot) -> None:
        self._store = store
        self._site = site
        self._metrics = metrics
        self._snapshot = snapshot
        self._recomputer = Recomputer(store, site)
        self._late = LateInputs(list(self._recomputer.inputs))
        self._pending = InputChanges()
        self._in_hand: Sequence[InputChange] = []
        self._being_made: list[InputChange] = []
        self._version = 0
        self._saved_version = 0
        self._saving = asyncio.Lock()
        self._stop = asyncio.Event()

    def prepare(self, stop: asyncio.Event) -> None:
        """Before anything else: reads the newest sample of every tag, the outages behind them, and the changes that the historian before this one left.
        Blocks; the store is prepared.

        Raises:
            StoreUnavailable: it may be called again.
        """
        self._stop = stop
        kept = self._store.input_changes()
        self._late.take(self._store.snapshot()[0])
        for gap in self._store.gaps(max(self._late.oldest, FIRST_TIME), LAST_TIME):
            self._watch(gap)
        for change in kept:
            if change.tag_id in self._recomputer.inputs or self.computes(change.tag_id):
                self._pending.add(change)
        self._show()

    async def committed(self, samples: SampleBatch) -> None:
        """After a commit, and before its messages are acknowledged.

        Raises:
            Stopped: it was told to stop while the store did not take what is late: the messages are not to be acknowledged.
        """
        await self._due(self._late.take(samples))

    async def told_of(self, gap: Gap) -> None:
        """After a gap was saved, and before its message is acknowledged. Samples and gaps come in streams of their own, in either order.

        Raises:
            Stopped: as ``committed``.
        """
        self._watch(gap)
        if gap.recovered and gap.end is not None:
            await self._due(self._changes(self._tags_of(gap.device), gap.start, gap.end, by_hand=False))

    def computes(self, tag_id: int) -> bool:
        """Whether this is a calculated tag."""
        return tag_id in self._recomputer.results

    async def asked(self, tag_id: int, start: int, end: int) -> None:
        """Results of a calculated tag with ``start <= time < end`` are computed again, whatever became of its inputs. On return this survives a kill.

        Raises:
            Stopped: as ``committed``.
        """
        if start < end:
            await self._due([InputChange(tag_id, start, end, by_hand=True)])

    @contextlib.asynccontextmanager
    async def changing(self, tag_ids: Collection[int], start: int, end: int) -> AsyncIterator[None]:
        """Around an edit or a deletion by hand: what it changes is computed with again when it is over, also if that is after a kill.

        Raises:
            Stopped: it was told to stop while the store is away; the edit is not to be made.
        """
        changes = self._changes(tag_ids, start, end, by_hand=True)
        self._being_made += changes
        self._version += len(changes)
        try:
            await self._save()
            yield
        finally:
            for change in changes:
                self._being_made.remove(change)
                self._pending.add(change)
            self._show()

    async def run(self, stop: asyncio.Event) -> None:
        """Until ``stop`` is set; what is pending then is the next historian's."""
        try:
            while not stop.is_set():
                await pause(stop, _PERIOD)
                if len(self._pending) and not stop.is_set():
                    await self._recalculate()
        except Stopped:
            _log.debug("stopped while the store was away: what was recomputed will be looked at once more")

    def _tags_of(self, device: str) -> Sequence[int]:
        return [tag.id for tag in self._site.tags if tag.device == device]

    def _watch(self, gap: Gap) -> None:
        if gap.cause is GapCause.LINK_LOST and gap.end is not None:
            self._late.watch(self._tags_of(gap.device), gap.start, gap.end)

    def _changes(self, tag_ids: Collection[int], start: int, end: int, *, by_hand: bool) -> Sequence[InputChange]:
        return [InputChange(tag_id, start, end, by_hand) for tag_id in tag_ids if tag_id in self._recomputer.inputs] if start < end else []

    async def _due(self, changes: Sequence[InputChange]) -> None:
        if changes:
            for change in changes:
                self._version += self._pending.add(change)
            self._show()
            await self._save()

    async def _recalculate(self) -> None:
        self._in_hand = self._pending.take()
        try:
            for affected in await asyncio.to_thread(self._recomputer.affected, self._in_hand):
                await self._recompute(affected)
        except StoreUnavailable as error:
            _log.debug("recalculation waits for the store: %s", error)
            for change in self._in_hand:
                self._pending.add(change)
            self._in_hand = []
            await pause(self._stop, _RETRY_STORE_AFTER)
        else:
            if not self._stop.is_set():
                self._in_hand = []
                self._version += 1
                self._show()
                await self._save()

    async def _recompute(self, affected: Affected) -> None:
        left: Affected | None = affected
        while left is not None and not self._stop.is_set():
            try:
                async with self._snapshot.removing(left.formula.tag_id, left.start, left.end):
                    outcome, left = await asyncio.to_thread(self._recomputer.recompute, left)
            except Unstorable as error:
                _log.error("results of %s cannot be stored and stay as they are: %s", self._site.by_id[affected.formula.tag_id].name, error)
                return
            for change, count in (("inserted", len(outcome.inserted)), ("revised", len(outcome.revised)), ("withdrawn", len(outcome.withdrawn))):
                self._metrics.recalculated.labels(change).inc(count)
            self._snapshot.update(SampleBatch.concatenate([outcome.inserted, outcome.revised]))

    async def _save(self) -> None:
        """Brings what the store keeps to what is not recomputed now, trying for ever while it is away; returns when it is there, whoever saved it."""
        async with self._saving:
            while self._saved_version != self._version:
                version, kept = self._version, InputChanges()
                for change in (*self._pending, *self._in_hand, *self._being_made):
                    kept.add(change)
                try:
                    await asyncio.to_thread(self._store.save_input_changes, list(kept))
                except StoreUnavailable as error:
                    _log.debug("changes of inputs wait for the store: %s", error)
                    await pause(self._stop, _RETRY_STORE_AFTER)
                    if self._stop.is_set():
                        raise Stopped from error
                else:
                    self._saved_version = version

    def _show(self) -> None:
        self._metrics.recalculations_pending.set(len(self._pending) + len(self._in_hand))
