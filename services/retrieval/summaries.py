"""Summaries of a tag's history between edges, from roll-ups where they give the same answer and from samples where not.

Memory stays flat: samples are summarised as they are read, piece by piece.
"""

from collections.abc import Callable, Collection, Iterator
from dataclasses import dataclass
from typing import Final

import numpy as np

from plant.aggregates import COLUMNS, Summaries, TagSamples, summarise
from plant.batch import Int64Column, SampleBatch
from plant.quality import ANY_QUALITY, GOOD_RANGE, USABLE_RANGE, QualityRange, good_mask
from plant.tag import Tag
from services.retrieval.cells import HourCells, Ranges, begin_of, begins_of_pieces, sort_hours, sort_minutes
from services.retrieval.kept_hours import KeptHours
from services.retrieval.losses import with_losses
from services.store import HOUR, MINUTE, RollUps, Store

_ONE_READ: Final = 5 * MINUTE
"""Spans of samples nearer than this are read in one go, and what lies between them is passed over."""

_ONE_READ_OF_MINUTES: Final = 2 * HOUR
"""Likewise spans of minutes."""

_EVER: Final = 2**62


@dataclass(frozen=True, slots=True, eq=False)
class Surroundings:
    """What the aggregate engine wants to know around ``data``: the nearest samples, the nearest Good and the nearest that are not Bad, and losses."""

    before: TagSamples
    after: TagSamples


class SummaryReader:
    """Reads one tag between ``edges`` (int64, ascending, UTC microseconds; the first and last bound what is read). The summaries have ``columns``, as
    ``plant.aggregates.with_companions`` gives them. Where retention removed the samples, hours are read that no edge cuts, and of one that is cut each piece
    is Bad as a loss is; where it reads no ``roll_ups``, history begins behind, around the edges too. What was written there since is not read."""

    def __init__(self, store: Store, tag: Tag, edges: Int64Column, columns: Collection[str] = COLUMNS, *, roll_ups: bool = True) -> None:
        self._store = store
        self._tag = tag
        self._edges = edges
        self._columns = columns
        self._start, self._end = int(edges[0]), int(edges[-1])
        self._kept = KeptHours(store, tag)
        self.surroundings = self._surroundings(by_hours=roll_ups)

    def _surroundings(self, *, by_hours: bool) -> Surroundings:
        before = self._nearest(self._store.sample_before, self._start - 1)
        before = before.select(before.time >= self._kept.end)
        after = self._nearest(self._store.sample_after, max(self._end, self._kept.end) - 1)
        if by_hours and not good_mask(before.quality).any():
            before = TagSamples.concatenate([self._kept.before(self._start), before])
        if by_hours:
            after = TagSamples.concatenate([self._kept.after(self._end), after])
        first = int(before.time[-1]) if len(before) else self._start - 1
        last = int(after.time[0]) if len(after) else _EVER
        begins = self._kept.losses(first, last)
        self._begins = begins[(begins >= self._start) & (begins < self._end)]
        return Surroundings(
            with_losses(before, begins[(begins > first) & (begins < self._start)]), with_losses(after, begins[(begins >= self._end) & (begins < last)])
        )

    def _nearest(self, find: Callable[[int, int, QualityRange], SampleBatch], time: int) -> TagSamples:
        found = find(self._tag.id, time, ANY_QUALITY)
        parts = [found]
        for wanted in (USABLE_RANGE, GOOD_RANGE):
            if len(found) and not wanted[0] <= int(found.quality[0]) <= wanted[1]:
                found = find(self._tag.id, time, wanted)
                parts.append(found)
        together = SampleBatch.concatenate(parts)
        _, first = np.unique(together.time, return_index=True)
        return self._samples_of(together.select(first))

    def samples(self) -> Iterator[TagSamples]:
        """All samples between the edges, losses among them, piece by piece."""
        yield from self._read(self._with_samples(Ranges(self._edges[:1], self._edges[-1:])))

    def from_samples(self, *, uncertain_as_bad: bool) -> Summaries:
        """Summaries of the samples, one for each interval and piece."""
        spans = self._with_samples(Ranges(self._edges[:1], self._edges[-1:]))
        return self._joined([self._summarised(part, spans, uncertain_as_bad=uncertain_as_bad) for part in self._read(spans)], uncertain_as_bad)

    def from_roll_ups(self, *, with_extremes: bool = False) -> Summaries:
        """Summaries with Uncertain as Bad; rows are hours, minutes and what lies between them, and Bad ones for what is lost. ``with_extremes``: where
        Uncertain samples may hide an extreme, the samples are read, so that they must be there; ``uncertain_count`` is one of the columns then."""
        raw_hours = np.union1d(self._store.due_hours(self._tag.id, self._start, self._end), begin_of(self._begins, HOUR))
        hours = self._store.hours(self._tag.id, int(begin_of(self._start, HOUR)), self._end, self._columns)
        cells = sort_hours(hours.start, raw_hours, self._edges, self._kept.end)
        if with_extremes:
            hiding = np.isin(cells.whole, hours.start[hours.summaries.uncertain_count > 0])
            cells = HourCells(cells.whole[~hiding], np.union1d(cells.split, cells.whole[hiding]), cells.raw, cells.lost)
        minutes = self._minutes(cells.split)
        uncut, from_split = sort_minutes(cells.split, minutes.start, self._edges)
        if with_extremes:
            hiding = uncut & (minutes.summaries.uncertain_count > 0)
            uncut &= ~hiding
            from_split = Ranges.union(from_split, Ranges.of_cells(minutes.start[hiding], MINUTE))
        raw = self._with_samples(Ranges.union(from_split, Ranges.of_cells(cells.raw, HOUR)))
        parts = [self._of_tag(hours.summaries.select(np.isin(hours.start, cells.whole))), self._of_tag(minutes.summaries.select(uncut))]
        parts += [self._summarised(part, raw, uncertain_as_bad=True) for part in self._read(raw)]
        parts += [self._lost(cells.lost)]
        return self._joined(parts, uncertain_as_bad=True)

    def _lost(self, hours: Int64Column) -> Summaries:
        """What is known where samples are removed and no whole hour answers: rows of one sample each, since whole hours may lie between any two. Bad where
        a piece of ``hours`` or a loss begins; and the last sample of all, and the last Good one, from which the samples that are kept go on."""
        is_behind = len(hours) > 0 and self._end > self._kept.end
        last = self._kept.before(self._kept.end) if is_behind else TagSamples.empty(self._tag.is_stepped)
        is_lost = np.isin(begin_of(last.time, HOUR), hours)
        last = last.select(is_lost & is_lost[-1:].all())
        pieces = begins_of_pieces(hours, HOUR, self._edges)
        pieces = pieces[pieces < (int(last.time[-1]) if len(last) else _EVER)]
        begins = np.concatenate([self._begins[self._begins < self._kept.end], pieces, last.time[:-1] + 1])
        samples = with_losses(last, np.unique(begins))
        samples = samples.select(samples.time >= self._start)
        return summarise(samples, np.append(samples.time, [_EVER, _EVER + 1]), columns=self._columns)

    def _with_samples(self, spans: Ranges) -> Ranges:
        """What of ``spans`` lies between the edges where samples are kept."""
        return spans.within(max(self._start, self._kept.end), self._end)

    def _minutes(self, hours: Int64Column) -> RollUps:
        spans = Ranges.of_cells(hours, HOUR).joined(_ONE_READ_OF_MINUTES)
        found = [self._store.minutes(self._tag.id, start, end, self._columns) for start, end in zip(spans.start.tolist(), spans.end.tolist(), strict=True)]
        if not found:
            return RollUps.empty(stepped=self._tag.is_stepped, columns=self._columns)
        together = RollUps.concatenate(found)
        return together.select(np.isin(begin_of(together.start, HOUR), hours))

    def _read(self, spans: Ranges) -> Iterator[TagSamples]:
        """Samples and losses of the spans, in order, in pieces."""
        if not len(spans):
            return
        reads = spans.joined(_ONE_READ)
        since, end = int(reads.start[0]), int(reads.end[-1])
        for batch in self._store.scan_spans(self._tag.id, reads.start, reads.end):
            until = int(batch.time[-1]) + 1
            yield self._piece(batch, spans, since, until)
            since = until
        if ((self._begins >= since) & (self._begins < end)).any():
            yield self._piece(SampleBatch.empty(), spans, since, end)

    def _piece(self, batch: SampleBatch, spans: Ranges, since: int, until: int) -> TagSamples:
        samples = with_losses(self._samples_of(batch), self._begins[(self._begins >= since) & (self._begins < until)])
        return samples.select(spans.contain(samples.time))

    def _summarised(self, samples: TagSamples, spans: Ranges, *, uncertain_as_bad: bool) -> Summaries:
        """One row for each interval, and none across a border of the spans: between two of them lies what was rolled up."""
        if not len(samples):
            return summarise(samples, np.array([0, 1]), uncertain_as_bad=uncertain_as_bad, columns=self._columns)
        first, behind = int(samples.time[0]), int(samples.time[-1]) + 1
        edges = np.unique(np.concatenate([self._edges, spans.start, spans.end, [first, behind]]))
        return summarise(samples, edges[(edges >= first) & (edges <= behind)], uncertain_as_bad=uncertain_as_bad, columns=self._columns)

    def _joined(self, parts: list[Summaries], uncertain_as_bad: bool) -> Summaries:
        nothing = self._summarised(TagSamples.empty(self._tag.is_stepped), Ranges(self._edges[:0], self._edges[:0]), uncertain_as_bad=uncertain_as_bad)
        rows = Summaries.concatenate([nothing, *parts])
        order = np.argsort(rows.first_time, kind="stable")
        return rows.select(order[rows.filled[order]])

    def _of_tag(self, rows: Summaries) -> Summaries:
        return rows.told_as(stepped=self._tag.is_stepped)

    def _samples_of(self, batch: SampleBatch) -> TagSamples:
        return TagSamples(batch.time, batch.value, batch.quality, self._tag.is_stepped)
