"""Changes of history after the fact: the historian makes them, since one process writes history.

Rules:

1. An edit is an event in the stream before it is made; where the event cannot be kept, nothing is written.
2. It is visible to every read when it is answered. Of one that failed part may be written (SQLite: a month is a transaction).
   Edits are made one after the other, in the order of the times that they bear.
3. A request that is read after its expiry is refused: its asker was told long ago that nobody knows what became of it. Made again, the same edit changes
   nothing more.
"""

import asyncio
import contextlib
import logging
import uuid
from collections.abc import Awaitable, Callable
from typing import Final, TypeVar

import numpy as np
from nats.aio.subscription import Subscription

from plant import times
from plant.errors import BusUnavailable, StoreUnavailable, Unstorable
from plant.event import Event, Scalar
from services.bus import Bus, subjects
from services.bus.edit_messages import (
    DeleteRequest,
    EditAnswer,
    EditRefused,
    EditRequest,
    RecalculateRequest,
    decode_delete,
    decode_edit,
    decode_recalculate,
    encode_edit_answer,
)
from services.bus.messages import MalformedMessage
from services.historian.delivery import Stopped
from services.historian.metrics import HistorianMetrics
from services.historian.recalculation import Recalculation
from services.historian.snapshot import Snapshot
from services.store import Authorship, Edit, Store

_log = logging.getLogger(__name__)

EDITED: Final = "history.edited"
DELETED: Final = "history.deleted"
RECALCULATED: Final = "history.recalculated"
"""Kinds of the events that tell what is about to be done."""

_DELETED_AT_ONCE: Final = 20_000

RequestT = TypeVar("RequestT", EditRequest, DeleteRequest, RecalculateRequest)


class Editing:
    """Serves ``history.edit``, ``history.delete`` and ``history.recalculate``. ``snapshot`` is told of samples that were written or removed,
    ``recalculation`` of each change."""

    def __init__(self, store: Store, bus: Bus, metrics: HistorianMetrics, snapshot: Snapshot, recalculation: Recalculation) -> None:
        self._store = store
        self._bus = bus
        self._metrics = metrics
        self._snapshot = snapshot
        self._recalculation = recalculation
        self._one_edits = asyncio.Lock()

    async def serve(self) -> list[Subscription]:
        return [
            await self._bus.serve(subjects.HISTORY_EDIT, self._handler(decode_edit, self._edit)),
            await self._bus.serve(subjects.HISTORY_DELETE, self._handler(decode_delete, self._delete)),
            await self._bus.serve(subjects.HISTORY_RECALCULATE, self._handler(decode_recalculate, self._recalculate)),
        ]

    def _handler(self, decode: Callable[[bytes], RequestT], perform: Callable[[RequestT], Awaitable[EditAnswer]]) -> Callable[[bytes], Awaitable[bytes]]:
        async def handle(data: bytes) -> bytes:
            answer = await self._answer(data, decode, perform)
            self._metrics.edits.labels("done" if answer.refused is None else answer.refused.value).inc()
            return encode_edit_answer(answer)

        return handle

    async def _answer(self, data: bytes, decode: Callable[[bytes], RequestT], perform: Callable[[RequestT], Awaitable[EditAnswer]]) -> EditAnswer:
        try:
            request = decode(data)
            if times.now() >= request.expires:
                return EditAnswer(refused=EditRefused.EXPIRED, detail="the historian read it too late; nothing was written")
            async with self._one_edits:
                return await perform(request)
        except MalformedMessage as error:
            return EditAnswer(refused=EditRefused.MALFORMED, detail=str(error))
        except Unstorable as error:
            return EditAnswer(refused=EditRefused.UNSTORABLE, detail=str(error))
        except (StoreUnavailable, Stopped) as error:
            _log.warning("an edit was not made, the store is away: %s", error)
            return EditAnswer(refused=EditRefused.STORE_AWAY, detail="the store is away; send the same again, what was written already changes nothing more")
        except BusUnavailable as error:
            _log.warning("an edit was not made, the audit trail cannot be kept: %s", error)
            return EditAnswer(refused=EditRefused.NO_AUDIT, detail="the audit trail cannot be kept; nothing was written")

    async def _edit(self, request: EditRequest) -> EditAnswer:
        author = Authorship(request.user, request.reason, times.now())
        count = len(request.samples) + len(request.texts)
        await self._tell(EDITED, author, {"samples": count, "mode": request.mode.value})
        async with contextlib.AsyncExitStack() as changes:
            for batch in (request.samples, request.texts):
                if len(batch):
                    span = int(batch.time.min()), int(batch.time.max()) + 1
                    await changes.enter_async_context(self._recalculation.changing(set(batch.tag_id.tolist()), *span))
            report = await asyncio.to_thread(self._store.edit, Edit(request.samples, request.texts, request.mode, author))
        for batch, rejected in ((request.samples, report.rejected), (request.texts, report.rejected_texts)):
            accepted = np.ones(len(batch), np.bool_)
            accepted[rejected] = False
            self._snapshot.update(batch.select(accepted))
        return EditAnswer(
            report.inserted,
            report.replaced,
            report.unchanged,
            rejected=tuple(report.rejected.tolist()),
            rejected_texts=tuple(report.rejected_texts.tolist()),
        )

    async def _delete(self, request: DeleteRequest) -> EditAnswer:
        author = Authorship(request.user, request.reason, times.now())
        await self._tell(DELETED, author, {"tag_id": request.tag_id, "start": request.start, "end": request.end})
        span = request.start, request.end
        async with self._recalculation.changing({request.tag_id}, *span), self._snapshot.removing(request.tag_id, *span):
            deleted = await self._delete_in_pieces(request, author)
        return EditAnswer(deleted=deleted)

    async def _recalculate(self, request: RecalculateRequest) -> EditAnswer:
        """Answers when it will be done, also after a kill."""
        if not self._recalculation.computes(request.tag_id):
            detail = "the historian computes no such tag: it reads the site when it starts, and what its devices send is not computed"
            return EditAnswer(refused=EditRefused.NOT_CALCULATED, detail=detail)
        author = Authorship(request.user, request.reason, times.now())
        await self._tell(RECALCULATED, author, {"tag_id": request.tag_id, "start": request.start, "end": request.end})
        await self._recalculation.asked(request.tag_id, request.start, request.end)
        return EditAnswer()

    async def _delete_in_pieces(self, request: DeleteRequest, author: Authorship) -> int:
        """Commits get their turn between two of them."""
        deleted, start = 0, request.start
        while start < request.end:
            until = await asyncio.to_thread(self._end_of_piece, request.tag_id, start, request.end)
            deleted += await asyncio.to_thread(self._store.delete, request.tag_id, start, until, author)
            start = until
        return deleted

    def _end_of_piece(self, tag_id: int, start: int, end: int) -> int:
        samples = self._store.samples(tag_id, start, end, _DELETED_AT_ONCE)
        times_there = samples.time if len(samples) else self._store.texts(tag_id, start, end, _DELETED_AT_ONCE).time
        return int(times_there[-1]) + 1 if len(times_there) == _DELETED_AT_ONCE else end

    async def _tell(self, kind: str, author: Authorship, detail: dict[str, Scalar]) -> None:
        event = Event(f"{kind}:{uuid.uuid4().hex}", author.time, kind, "history", author.user, {**detail, "reason": author.reason})
        await self._bus.publish_event(event)
