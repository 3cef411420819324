"""Results of calculated tags in the store, computed anew piece by piece. Calls block and are made from worker threads."""

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np

from plant import times
from plant.batch import SampleBatch, TextBatch
from plant.edit import EditMode
from plant.site import Site
from services.calculation import Formula, Recomputed, formulas_of, recomputed
from services.store import LAST_TIME, Authorship, Commit, Edit, InputChange, Store

AUTHOR: Final = "monazite"
_ROWS_A_PIECE: Final = 10_000
"""Samples of one tag that a piece reads at most: an hour of a few scans a second, or years of a tag that hardly changes."""

_NAMES_IN_A_REASON: Final = 3


@dataclass(frozen=True, slots=True)
class Affected:
    """A range of one calculated tag, and why: the inputs that came ``late`` and those that were corrected ``by_hand``; the tag itself is among these where
    somebody asked for it."""

    formula: Formula
    start: int
    end: int
    late: frozenset[int]
    by_hand: frozenset[int]


class Recomputer:
    """Over the calculated tags of a site and what the store has of their inputs."""

    def __init__(self, store: Store, site: Site) -> None:
        self._store = store
        self._site = site
        self._of_input: dict[int, list[Formula]] = {}
        self._of_result = {formula.tag_id: formula for formula in formulas_of(site)}
        for formula in self._of_result.values():
            for tag_id in formula.input_ids:
                self._of_input.setdefault(tag_id, []).append(formula)

    @property
    def inputs(self) -> Collection[int]:
        """Ids of all tags that any result depends on."""
        return self._of_input.keys()

    @property
    def results(self) -> Collection[int]:
        """Ids of all calculated tags."""
        return self._of_result.keys()

    def affected(self, changes: Iterable[InputChange]) -> Sequence[Affected]:
        """Ranges of results that changes of inputs reach: from the first changed sample to the one behind the last; and results that are named themselves.
        Those that touch are one."""
        found: list[Affected] = []
        for change in changes:
            if change.tag_id in self._of_result:
                found.append(Affected(self._of_result[change.tag_id], change.start, change.end, frozenset(), frozenset({change.tag_id})))
                continue
            after = self._store.sample_after(change.tag_id, change.end - 1)
            end = int(after.time[0]) if len(after) else LAST_TIME
            tag, none = frozenset({change.tag_id}), frozenset[int]()
            late, by_hand = (none, tag) if change.by_hand else (tag, none)
            found += [Affected(formula, change.start, end, late, by_hand) for formula in self._of_input.get(change.tag_id, [])]
        joined: list[Affected] = []
        for one in sorted(found, key=lambda one: (one.formula.tag_id, one.start)):
            last = joined[-1] if joined else None
            if last is not None and last.formula is one.formula and one.start <= last.end:
                joined[-1] = Affected(one.formula, last.start, max(last.end, one.end), last.late | one.late, last.by_hand | one.by_hand)
            else:
                joined.append(one)
        return joined

    def recompute(self, affected: Affected) -> tuple[Recomputed, Affected | None]:
        """Recomputes a piece at the begin of what is affected and writes it; what it wrote, and what is left.

        The inputs may change meanwhile: whoever changes them says so afterwards, and then they are read again.
        """
        formula, start, end = affected.formula, affected.start, affected.end
        read = {tag_id: self._store.samples(tag_id, start, end, _ROWS_A_PIECE) for tag_id in [formula.tag_id, *formula.input_ids]}
        end = min([end, *(int(samples.time[-1]) + 1 for samples in read.values() if len(samples) == _ROWS_A_PIECE)])
        stored = read.pop(formula.tag_id)
        inputs = {tag_id: SampleBatch.concatenate([self._store.sample_before(tag_id, start - 1), samples]) for tag_id, samples in read.items()}
        outcome = recomputed(formula, inputs, stored, start, end, (affected.late | affected.by_hand) - {formula.tag_id})
        self._write(outcome, stored, affected)
        left = Affected(formula, end, affected.end, affected.late, affected.by_hand) if end < affected.end else None
        return outcome, left

    def _write(self, outcome: Recomputed, stored: SampleBatch, affected: Affected) -> None:
        """What comes late is simply stored, as its inputs were; what follows from a correction is a revision as that is."""
        author = Authorship(AUTHOR, self._reason(affected), times.now())
        for run in _runs(outcome, stored):
            self._store.delete(affected.formula.tag_id, int(run[0]), int(run[-1]) + 1, author)
        new, revised = outcome.inserted, outcome.revised
        if affected.by_hand:
            new, revised = SampleBatch.empty(), SampleBatch.concatenate([new, revised])
        if len(new):
            self._store.commit(Commit(new, TextBatch.empty()))
        if len(revised):
            self._store.edit(Edit(revised, TextBatch.empty(), EditMode.UPDATE, author))

    def _reason(self, affected: Affected) -> str:
        own = {affected.formula.tag_id}
        parts = [(affected.by_hand - own, "corrected"), (affected.late - affected.by_hand, "late")]
        asked = ["somebody asked for it"] if own & affected.by_hand else []
        return "recalculated: " + ", ".join(asked + [f"{self._names(ids)} {'was' if len(ids) == 1 else 'were'} {what}" for ids, what in parts if ids])

    def _names(self, ids: Collection[int]) -> str:
        names = [self._site.by_id[tag_id].name for tag_id in sorted(ids)]
        more = len(names) - _NAMES_IN_A_REASON
        return " and ".join(names) if more <= 0 else f"{', '.join(names[:_NAMES_IN_A_REASON])} and {more} more"


def _runs(outcome: Recomputed, stored: SampleBatch) -> Sequence[np.ndarray[tuple[int], np.dtype[np.int64]]]:
    """Times of results to withdraw, in runs that have no other result between."""
    if not len(outcome.withdrawn):
        return []
    place = np.searchsorted(stored.time, outcome.withdrawn)
    return np.split(outcome.withdrawn, np.flatnonzero(np.diff(place) > 1) + 1)
