"""Hours that are over: thinned where a tag asks for it, and rolled up.

Rules:

1. An hour is rolled up some minutes after its end, and again when something in it is changed; until then questions read its samples.
2. An hour is thinned once: what comes after that is kept whole, so that errors do not add up (docs/decisions/0015-swinging-door.md). One that changes
   while its lines are drawn waits for the next time.
3. What is rolled up is what is stored, so that a roll-up answers as the samples do.
4. Hours of tags that the site does not have stay due: nobody knows whether such a tag is stepped.
5. What was in hand when the store failed is due again before more is taken: a store that comes back finds no hour forgotten.
6. While commits are behind, upkeep waits: what is still in the stream belongs into the hours that it would roll up.
"""

import asyncio
import logging
import time
from collections.abc import Callable, Iterator, Sequence
from enum import Enum, auto
from typing import Final

import numpy as np
import numpy.typing as npt

from plant import times
from plant.aggregates import Summaries, TagSamples, merge, summarise
from plant.batch import Int64Column, SampleBatch
from plant.compression_report import CompressionReport, compression_reports
from plant.errors import StoreUnavailable
from plant.site import Site
from plant.swinging_door import SwingingDoor
from plant.tag import Tag
from services.historian.delivery import pause
from services.historian.metrics import HistorianMetrics
from services.store import HOUR, MINUTE, DueHours, RollUps, Store, rows_in

_log = logging.getLogger(__name__)

Mask = npt.NDArray[np.bool_]

LATENESS: Final = 5 * MINUTE
"""How long after its end an hour is left to what is late."""

MINUTES_FROM: Final = 600
"""Samples in an hour from which its minutes are kept: with fewer, reading the samples costs as little."""

_HOURS_A_PIECE: Final = 256
_PERIOD: Final = 5.0


class _Kind(Enum):
    CONTINUOUS = auto()
    STEPPED = auto()
    TEXT = auto()


class Upkeep:
    """Keeps the roll-ups of ``store`` up to its samples. ``is_behind`` says whether commits are."""

    def __init__(self, store: Store, site: Site, metrics: HistorianMetrics, is_behind: Callable[[], bool]) -> None:
        self._store = store
        self._tags = {tag.id: tag for tag in site.tags}
        self._kinds = {tag.id: _Kind.TEXT if tag.data_type.is_text else _Kind.STEPPED if tag.is_stepped else _Kind.CONTINUOUS for tag in site.tags}
        self._doors = SwingingDoor(site.tags)
        self._thinned_ids = np.array([tag.id for tag in site.tags if tag.compression_deviation is not None and not tag.is_stepped], np.int32)
        self._metrics = metrics
        self._is_behind = is_behind
        self._gave_up = False

    async def run(self, stop: asyncio.Event) -> None:
        while not stop.is_set():
            is_more = False
            if not self._is_behind():
                try:
                    is_more = await asyncio.to_thread(self.keep_up, times.now())
                except StoreUnavailable as error:
                    _log.debug("roll-ups wait for the store: %s", error)
            await pause(stop, 0.01 if is_more else _PERIOD)

    def keep_up(self, now: int) -> bool:
        """Rolls up some of the hours that were over at ``now`` (UTC microseconds); whether there may be more. Blocks."""
        if self._gave_up:
            self._store.take_back()
        self._gave_up = True  # until it is done
        is_more = self._keep_up(now)
        self._gave_up = False
        return is_more

    def _keep_up(self, now: int) -> bool:
        begun = time.monotonic()
        due = self._store.take_due(now - LATENESS, _HOURS_A_PIECE)
        self._metrics.roll_up_lag.set(max(0, now - int(due.hour.min()) - HOUR) / times.MICROSECONDS if len(due) else 0)
        if not len(due):
            return False
        self._thin(due)
        self._roll_up(self._of_kind(due, _Kind.CONTINUOUS))
        self._roll_up(self._of_kind(due, _Kind.STEPPED))
        texts = self._of_kind(due, _Kind.TEXT)
        if len(texts):
            self._store.save_roll_ups(RollUps.empty(), RollUps.empty(), texts)
        self._metrics.roll_up_duration.observe(time.monotonic() - begun)
        self._metrics.rolled_up.inc(len(due))
        return len(due) == _HOURS_A_PIECE

    def _of_kind(self, due: DueHours, kind: _Kind) -> DueHours:
        return due.select(np.array([self._kinds.get(tag_id) is kind for tag_id in due.tag_id.tolist()], np.bool_))

    def _roll_up(self, due: DueHours) -> None:
        minutes: list[RollUps] = []
        hours: list[RollUps] = []
        for tag_id, begins in _by_tag(due):
            for start, end in _spans(begins):
                of_minutes, of_hours = rolled_up(self._tags[tag_id], self._samples(tag_id, start, end), np.arange(start, end + 1, HOUR, dtype=np.int64))
                minutes.append(of_minutes)
                hours.append(of_hours)
        if len(due):
            self._store.save_roll_ups(RollUps.concatenate(minutes), RollUps.concatenate(hours), due)

    def _thin(self, due: DueHours) -> None:
        fresh = due.select(np.isin(due.tag_id, self._thinned_ids) & ~due.thinned)
        if not len(fresh):
            return
        parts = [self._samples(tag_id, start, end) for tag_id, begins in _by_tag(fresh) for start, end in _spans(begins)]
        batch = SampleBatch.concatenate(parts)
        kept = self._doors.thin(batch)
        thinned = fresh.select(self._store.thin(batch.select(~kept), fresh))
        told = rows_in(thinned, batch.tag_id, batch.time)
        reports: Sequence[CompressionReport] = compression_reports(batch.select(told), kept[told])
        self._store.add_compression(reports)
        self._metrics.thinned.inc(int((told & ~kept).sum()))

    def _samples(self, tag_id: int, start: int, end: int) -> SampleBatch:
        return SampleBatch.concatenate(list(self._store.scan(tag_id, start, end)))


def rolled_up(tag: Tag, batch: SampleBatch, hour_edges: Int64Column) -> tuple[RollUps, RollUps]:
    """Minutes and hours of a tag's samples, in order of time, between ``hour_edges`` (int64, each an hour later than the one before)."""
    samples = TagSamples(batch.time, batch.value, batch.quality, tag.is_stepped)
    minute_edges = np.arange(int(hour_edges[0]), int(hour_edges[-1]) + 1, MINUTE, dtype=np.int64)
    minutes = summarise(samples, minute_edges)
    hours = merge(minutes, hour_edges)
    counts = hours.good_count + hours.uncertain_count + hours.bad_count
    kept = minutes.filled & np.repeat(counts >= MINUTES_FROM, HOUR // MINUTE)
    return _of_tag(tag, minute_edges[:-1], minutes, kept), _of_tag(tag, hour_edges[:-1], hours, hours.filled)


def _of_tag(tag: Tag, starts: Int64Column, summaries: Summaries, kept: Mask) -> RollUps:
    return RollUps(np.full(int(kept.sum()), tag.id, np.int32), starts[kept], summaries.select(kept))


def _by_tag(due: DueHours) -> Iterator[tuple[int, Int64Column]]:
    """Begins of the hours of each tag, ascending."""
    for tag_id in np.unique(due.tag_id).tolist():
        yield tag_id, np.sort(due.hour[due.tag_id == tag_id])


def _spans(begins: Int64Column) -> Iterator[tuple[int, int]]:
    """Start and end of each run of hours that follow one another."""
    breaks = np.flatnonzero(np.diff(begins) != HOUR) + 1
    for run in np.split(begins, breaks):
        yield int(run[0]), int(run[-1]) + HOUR
