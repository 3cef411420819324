"""The loss ledger and what was changed in history, page by page.

A cursor names the last row that was given out, and the next page is what stands behind it: rows that are added meanwhile move no other. As a cursor of
samples it does not name the range, which may be offsets from now.
"""

import base64
import binascii
import struct
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from plant import times
from plant.ledger import Gap, GapCause
from plant.tag import Tag
from services.retrieval.history import BadCursor
from services.store import BEFORE_ALL, GapKey, Revisions, Store

_GAP: Final = struct.Struct(">q")
"""When the gap began; behind it come its device and cause, apart by a line feed."""

_REVISION: Final = struct.Struct(">i3q")
"""The tag's id and the place of the revision."""


@dataclass(frozen=True, slots=True)
class GapPage:
    """Gaps, oldest first. ``next`` continues behind the last of them; ``None`` at the end."""

    gaps: Sequence[Gap]
    next: str | None


@dataclass(frozen=True, slots=True)
class RevisionPage:
    """Revisions in the order they were made; ``next`` as of ``GapPage``."""

    revisions: Revisions
    next: str | None


class Records:
    """Answers from a store. Calls block; ``StoreUnavailable`` as the store raises it. ``BadCursor``: a cursor that was not made here, or for another tag."""

    def __init__(self, store: Store) -> None:
        self._store = store

    def gaps(self, start: int, end: int, limit: int, cursor: str | None = None) -> GapPage:
        """Gaps that touch ``start <= time < end``, at most ``limit``. One that is told again between two pages, longer or recovered, stays where it is."""
        gaps = self._store.gaps(start, end, behind=None if cursor is None else _key_in(cursor), limit=limit)
        return GapPage(gaps, _cursor_of_gap(gaps[-1]) if len(gaps) == limit else None)

    def revisions(self, tag: Tag, start: int, end: int, since: int, limit: int, cursor: str | None = None) -> RevisionPage:
        """Revisions of samples with ``start <= time < end`` that were made after ``since``, at most ``limit``."""
        behind = BEFORE_ALL
        if cursor is not None:
            tag_id, *place = _unpacked(_REVISION, _bytes_in(cursor))
            if tag_id != tag.id:
                raise BadCursor(f"the cursor is of another tag than {tag.name}; begin again without it")
            behind = (place[0], place[1], place[2])
        found = self._store.revisions(tag.id, start, end, since, behind=behind, limit=limit)
        return RevisionPage(found, _text(_REVISION.pack(tag.id, *found.place[-1].tolist())) if len(found) == limit else None)


def _cursor_of_gap(gap: Gap) -> str:
    return _text(_GAP.pack(gap.start) + f"{gap.device}\n{gap.cause.value}".encode())


def _key_in(cursor: str) -> GapKey:
    data = _bytes_in(cursor)
    (start,) = _unpacked(_GAP, data[: _GAP.size])
    try:
        device, _, cause = data[_GAP.size :].decode().rpartition("\n")
        times.to_datetime(start)
        return start, device, GapCause(cause).value
    except (ValueError, OverflowError):
        raise _not_ours() from None


def _text(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).decode()


def _bytes_in(cursor: str) -> bytes:
    try:
        return base64.b64decode(cursor, altchars=b"-_", validate=True)
    except (binascii.Error, ValueError):
        raise _not_ours() from None


def _unpacked(form: struct.Struct, data: bytes) -> tuple[int, ...]:
    try:
        return form.unpack(data)
    except struct.error:
        raise _not_ours() from None


def _not_ours() -> BadCursor:
    return BadCursor("the cursor is not one that this service gave out; begin again without it")
