"""Requests to change history after the fact, and their answers (docs/formats/bus.md).

An edit is a head, the JSON of what is wanted, and two Arrow streams: numbers and texts. A deletion and the answers are JSON.

::

    0     4     8    12
    +-----+-----+-----+---------------+------------------+----------------+
    |  J  |  N  |  T  | JSON, J bytes | numbers, N bytes | texts, T bytes |   J, N, T: unsigned 32-bit lengths, big-endian
    +-----+-----+-----+---------------+------------------+----------------+
"""

import struct
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

import pyarrow as pa
from pydantic import TypeAdapter

from plant.batch import Batch, SampleBatch, TextBatch
from plant.edit import EditMode
from plant.envelope import from_arrow, to_arrow
from plant.errors import CorruptBatch
from services.bus.messages import MalformedMessage, validated

LONGEST: Final = 1_000_000
"""Bytes of a request that the bus carries; nats-server takes messages of 1 MiB."""

_HEAD: Final = struct.Struct(">III")


@dataclass(frozen=True, slots=True)
class EditRequest:
    """``expires`` (UTC microseconds): what is read later is refused, since its asker was told that nobody knows what became of it."""

    samples: SampleBatch
    texts: TextBatch
    mode: EditMode
    user: str
    reason: str
    expires: int


@dataclass(frozen=True, slots=True)
class DeleteRequest:
    """Samples of a tag with ``start <= time < end`` (UTC microseconds)."""

    tag_id: int
    start: int
    end: int
    user: str
    reason: str
    expires: int


@dataclass(frozen=True, slots=True)
class RecalculateRequest:
    """Results of a calculated tag with ``start <= time < end`` (UTC microseconds) are to be computed again."""

    tag_id: int
    start: int
    end: int
    user: str
    reason: str
    expires: int


@dataclass(frozen=True, slots=True)
class Removal:
    """A tag has no sample with ``start <= time < end`` (UTC microseconds) in history any more; its current value was one."""

    tag_id: int
    start: int
    end: int


class EditRefused(StrEnum):
    EXPIRED = "expired"
    UNSTORABLE = "unstorable"
    STORE_AWAY = "store away"
    NO_AUDIT = "no audit"
    NOT_CALCULATED = "not calculated"
    MALFORMED = "malformed"


@dataclass(frozen=True, slots=True)
class EditAnswer:
    """What was done, or ``refused`` with a ``detail`` for people: then nothing was written. ``rejected`` are positions in the request's numbers,
    ``rejected_texts`` in its texts, that the mode does not allow."""

    inserted: int = 0
    replaced: int = 0
    unchanged: int = 0
    deleted: int = 0
    rejected: tuple[int, ...] = ()
    rejected_texts: tuple[int, ...] = ()
    refused: EditRefused | None = None
    detail: str = ""


@dataclass(frozen=True, slots=True)
class _Wanted:
    mode: EditMode
    user: str
    reason: str
    expires: int


_WANTED: Final = TypeAdapter(_Wanted)
_DELETE: Final = TypeAdapter(DeleteRequest)
_RECALCULATE: Final = TypeAdapter(RecalculateRequest)
_REMOVAL: Final = TypeAdapter(Removal)
_ANSWER: Final = TypeAdapter(EditAnswer)


def encode_edit(request: EditRequest) -> bytes:
    wanted = _WANTED.dump_json(_Wanted(request.mode, request.user, request.reason, request.expires))
    numbers, texts = _stream(request.samples), _stream(request.texts)
    return _HEAD.pack(len(wanted), len(numbers), len(texts)) + wanted + numbers + texts


def decode_edit(data: bytes) -> EditRequest:
    """Raises ``MalformedMessage``."""
    if len(data) < _HEAD.size or sum(lengths := _HEAD.unpack_from(data)) != len(data) - _HEAD.size:
        raise MalformedMessage("the lengths in the head are not those of the message")
    to_numbers = _HEAD.size + lengths[0]
    to_texts = to_numbers + lengths[1]
    wanted = validated(_WANTED, data[_HEAD.size : to_numbers])
    samples, texts = _batch(data[to_numbers:to_texts]), _batch(data[to_texts:])
    if not isinstance(samples, SampleBatch) or not isinstance(texts, TextBatch):
        raise MalformedMessage("numbers and texts are exchanged")
    return EditRequest(samples, texts, wanted.mode, wanted.user, wanted.reason, wanted.expires)


def encode_delete(request: DeleteRequest) -> bytes:
    return _DELETE.dump_json(request)


def decode_delete(data: bytes) -> DeleteRequest:
    """Raises ``MalformedMessage``."""
    return validated(_DELETE, data)


def encode_recalculate(request: RecalculateRequest) -> bytes:
    return _RECALCULATE.dump_json(request)


def decode_recalculate(data: bytes) -> RecalculateRequest:
    """Raises ``MalformedMessage``."""
    return validated(_RECALCULATE, data)


def encode_removal(removal: Removal) -> bytes:
    return _REMOVAL.dump_json(removal)


def decode_removal(data: bytes) -> Removal:
    """Raises ``MalformedMessage``."""
    return validated(_REMOVAL, data)


def encode_edit_answer(answer: EditAnswer) -> bytes:
    return _ANSWER.dump_json(answer)


def decode_edit_answer(data: bytes) -> EditAnswer:
    """Raises ``MalformedMessage``."""
    return validated(_ANSWER, data)


def _stream(batch: Batch) -> bytes:
    record = to_arrow(batch)
    sink = pa.BufferOutputStream()
    with pa.ipc.new_stream(sink, record.schema) as writer:
        writer.write_batch(record)
    return sink.getvalue().to_pybytes()


def _batch(data: bytes) -> Batch:
    try:
        with pa.ipc.open_stream(data) as reader:
            record = reader.read_next_batch()
            record.validate(full=True)
            return from_arrow(record)
    except (pa.ArrowException, StopIteration, OSError, ValueError, CorruptBatch) as error:
        raise MalformedMessage(f"no Arrow stream of samples: {error}") from error
