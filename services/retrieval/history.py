"""Reading history: raw samples page by page, and the value at a time.

Rule: pages hold what is stored, whenever it was written. Before the time from which samples are kept nobody knows what else was there, so that a sample that
was written there afterwards is the value at its own time and at no other.
"""

import base64
import binascii
import struct
from dataclasses import dataclass
from typing import Final

import numpy as np

from plant import times
from plant.batch import Batch, SampleBatch, TextBatch
from plant.quality import Quality, is_bad
from plant.tag import Tag
from services.retrieval.as_known import as_known
from services.retrieval.interpolation import value_at
from services.retrieval.losses import is_inside, losses_of
from services.store import Store

_CURSOR: Final = struct.Struct(">iq")
"""The tag's id and the time of the last sample given out. Not the range: ``from`` and ``to`` may be offsets from now and differ from page to page."""


class BadCursor(ValueError):
    """A cursor that was not made here, or for another tag."""


@dataclass(frozen=True, slots=True)
class Page:
    """Samples, oldest first. ``next`` continues behind the last of them; ``None`` at the end."""

    batch: Batch
    next: str | None


@dataclass(frozen=True, slots=True)
class PointValue:
    """A tag's value at ``time`` (UTC microseconds): a number (NaN: none), or text (``None``: none)."""

    time: int
    value: float | str | None
    quality: int


class History:
    """Answers from a store. Calls block: make them from a thread. Raises ``StoreUnavailable`` as the store does."""

    def __init__(self, store: Store) -> None:
        self._store = store

    def page(self, tag: Tag, start: int, end: int, limit: int, *, cursor: str | None = None, bounds: bool = False, known_at: int | None = None) -> Page:
        """Samples with ``start <= time < end``, at most ``limit``.

        With ``bounds`` the newest sample before ``start`` stands before the first page, and the oldest at or after ``end`` behind the last, if there
        are any. A (tag, time) is one sample, so that a page that begins behind the last time of the page before loses and doubles nothing.

        ``known_at`` (UTC microseconds): history as it was before what was changed by hand, or replaced by another value, since then. What came late
        by itself was no change, and is there.

        Raises:
            BadCursor: ``cursor`` is not one of ours, or one of another tag.
            ValueError: ``bounds`` of history as it was known: they are not known as they were then.
        """
        if bounds and known_at is not None:
            raise ValueError("bounds of history as it was known are not given; ask for a longer time instead")
        first = start if cursor is None else _time_behind(cursor, tag)
        batch = self._range(tag, max(first, start), end, limit) if known_at is None else self._as_known(tag, max(first, start), end, limit, known_at)
        following = _cursor(tag, int(batch.time[-1])) if len(batch) == limit else None
        if bounds and cursor is None:
            batch = _joined(self._before(tag, start - 1), batch)
        if bounds and following is None:
            batch = _joined(batch, self._after(tag, end - 1))
        return Page(batch, following)

    def at(self, tag: Tag, time: int) -> PointValue:
        """Interpolated or stepped, as the tag's type says; the rules stand in ``services.retrieval.interpolation``."""
        if tag.data_type.is_text:
            return self._text_at(tag, time)
        before = self._store.sample_before(tag.id, time)
        if self._is_among_removed(before, time):
            before = SampleBatch.empty()
        after = SampleBatch.empty() if tag.is_stepped or not len(before) else self._store.sample_after(tag.id, time)
        first = int(before.time[0]) if len(before) else time
        last = int(after.time[0]) if len(after) else time
        losses = losses_of(self._store, tag.device, first, last)
        if losses:
            after = SampleBatch.empty()
        found = value_at(time, before, after, stepped=tag.is_stepped, lost=is_inside(losses, time))
        return PointValue(time, found.value, found.quality)

    def _text_at(self, tag: Tag, time: int) -> PointValue:
        text = self._store.text_before(tag.id, time)
        if not len(text) or self._is_among_removed(text, time):
            return PointValue(time, None, Quality.BAD_NO_DATA)
        quality = int(text.quality[0])
        if is_bad(quality):
            return PointValue(time, None, quality)
        if int(text.time[0]) < time and is_inside(losses_of(self._store, tag.device, int(text.time[0]), time), time):
            quality = Quality.UNCERTAIN_NO_COMMUNICATION_LAST_USABLE_VALUE
        return PointValue(time, str(text.value[0]), quality)

    def _is_among_removed(self, before: Batch, time: int) -> bool:
        """Whether samples between the one ``before`` and ``time`` may have been removed by retention."""
        return len(before) > 0 and int(before.time[0]) < min(time, self._store.kept_from())

    def _as_known(self, tag: Tag, start: int, end: int, limit: int, known_at: int) -> Batch:
        revisions = self._store.revisions(tag.id, start, end, known_at)
        # Some of what is there now was not there then: as many more are read, so that a page is full.
        now = self._range(tag, start, end, limit + len(revisions))
        whole_until = end if len(now) < limit + len(revisions) else int(now.time[-1]) + 1
        then = as_known(now, revisions)
        return then.select(np.flatnonzero(then.time < whole_until)[:limit])

    def _range(self, tag: Tag, start: int, end: int, limit: int) -> Batch:
        return self._store.texts(tag.id, start, end, limit) if tag.data_type.is_text else self._store.samples(tag.id, start, end, limit)

    def _before(self, tag: Tag, time: int) -> Batch:
        return self._store.text_before(tag.id, time) if tag.data_type.is_text else self._store.sample_before(tag.id, time)

    def _after(self, tag: Tag, time: int) -> Batch:
        return self._store.text_after(tag.id, time) if tag.data_type.is_text else self._store.sample_after(tag.id, time)


def _joined(first: Batch, second: Batch) -> Batch:
    if isinstance(first, SampleBatch) and isinstance(second, SampleBatch):
        return SampleBatch.concatenate([first, second])
    assert isinstance(first, TextBatch)  # both are of one tag
    assert isinstance(second, TextBatch)
    return TextBatch.concatenate([first, second])


def _cursor(tag: Tag, last_time: int) -> str:
    return base64.urlsafe_b64encode(_CURSOR.pack(tag.id, last_time)).decode()


def _time_behind(cursor: str, tag: Tag) -> int:
    try:
        tag_id, last_time = _CURSOR.unpack(base64.b64decode(cursor, altchars=b"-_", validate=True))
        times.to_datetime(last_time)
    except (binascii.Error, ValueError, struct.error, OverflowError):
        raise BadCursor("the cursor is not one that this service gave out; begin again without it") from None
    if tag_id != tag.id:
        raise BadCursor(f"the cursor is of another tag than {tag.name}; begin again without it")
    return int(last_time) + 1
