"""OPC UA chunks as bytes, and publish responses as the places in them that a fault may change. Source: OPC UA Part 6, 5.2 and 6.7.2."""

import struct
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Final, Self

HEAD: Final = 24
"""Bytes of a MSG chunk before its body: type, kind, size, channel, token, sequence number, request."""
PUBLISH_REQUEST, PUBLISH_RESPONSE = 826, 829
CREATE_SUBSCRIPTION_RESPONSE, READ_RESPONSE = 790, 634
"""Identifiers of the binary encodings. Source: OPC UA Part 6, Annex A (NodeIds.csv)."""

_CHANNEL_HEAD: Final = struct.Struct("<4sIII")
_SEQUENCE_HEAD: Final = struct.Struct("<II")
_RESPONSE_HEADER: Final = 28
"""Of a response whose header has neither diagnostics, texts nor anything additional, its type included."""
_SIZES: Final = {1: 1, 2: 1, 3: 1, 4: 2, 5: 2, 6: 4, 7: 4, 8: 8, 9: 8, 10: 4, 11: 8, 13: 8}
_TEXT: Final = 12
_INT32: Final = struct.Struct("<i")


def split(stream: bytearray) -> Iterator[bytes]:
    """Takes the whole chunks from the front of what was received of a sane peer."""
    while len(stream) >= 8 and len(stream) >= (size := int(struct.unpack_from("<I", stream, 4)[0])):
        yield bytes(stream[:size])
        del stream[:size]


@dataclass(frozen=True, slots=True)
class Chunk:
    """A MSG chunk of a channel that is not secured."""

    kind: bytes
    channel: int
    token: int
    number: int
    request: int
    body: bytes

    @classmethod
    def of(cls, data: bytes) -> Self:
        kind, _, channel, token = _CHANNEL_HEAD.unpack_from(data)
        number, request = _SEQUENCE_HEAD.unpack_from(data, _CHANNEL_HEAD.size)
        return cls(kind, channel, token, number, request, data[HEAD:])

    def encoded(self, size: int | None = None) -> bytes:
        """``size`` is what the header says if that is not to be the truth."""
        told = HEAD + len(self.body) if size is None else size
        return _CHANNEL_HEAD.pack(self.kind, told, self.channel, self.token) + _SEQUENCE_HEAD.pack(self.number, self.request) + self.body

    @property
    def service(self) -> int | None:
        """Identifier of the type of the body, which begins with a four-byte NodeId of namespace 0."""
        return int.from_bytes(self.body[2:4], "little") if self.body[:2] == b"\x01\x00" else None


def sequence_number(data: bytes) -> int:
    """Of an OPN chunk without security; 0 for what is no chunk of a channel. Source: OPC UA Part 6, 6.7.2.3: three strings, two of them null, precede it."""
    uri = int.from_bytes(data[12:16], "little")
    return int.from_bytes(data[24 + uri : 28 + uri], "little") if data[:3] == b"OPN" else 0


def subscription_of(body: bytes) -> int:
    """Of a CreateSubscriptionResponse."""
    return int.from_bytes(body[_RESPONSE_HEADER : _RESPONSE_HEADER + 4], "little")


@dataclass(frozen=True, slots=True)
class Response:
    """The body of a PublishResponse with the items of one data change, and what lies where in it.

    ``handles``, ``types``, ``statuses``, ``counts`` are positions of client handles, of first bytes of Variants, of status codes, of lengths; ``texts`` are
    those lengths that are a text's; ``values`` are the places of whole Variants. ``parts_at`` is where the notifications begin, with their number, and
    ``size_at`` where the bytes of the data change are counted. ``told`` are the positions of what no receiver can check, since nothing else in the message
    depends on it: the bytes of a value, of a time and of a handle.
    """

    body: bytes
    number_at: int
    handles: tuple[int, ...]
    types: tuple[int, ...]
    statuses: tuple[int, ...]
    counts: tuple[int, ...]
    values: tuple[slice, ...]
    parts_at: int
    size_at: int
    texts: frozenset[int]
    told: frozenset[int]

    @classmethod
    def of(cls, body: bytes) -> Self | None:
        """``None`` for a response that bears no data."""
        available_at = _RESPONSE_HEADER + 4
        number_at = available_at + 4 + 4 * _int32(body, available_at) + 1
        parts_at = number_at + 12
        if _int32(body, parts_at) != 1 or body[parts_at + 4 : parts_at + 9] != b"\x01\x00\x2b\x03\x01":
            return None
        size_at, items_at = parts_at + 9, parts_at + 13
        handles, types, statuses, counts = [], [], [], [available_at, parts_at, size_at, items_at]
        values, texts, told = [], set(), set(range(number_at + 4, parts_at))
        at = items_at + 4
        for _ in range(_int32(body, items_at)):
            handles.append(at)
            types.append(at + 5)
            mask, kind = body[at + 4], body[at + 5]
            assert mask & ~0x0E == 1, "the server sends values with a status and two times, or without them"
            told |= set(range(at, at + 4))
            if kind == _TEXT:
                counts.append(at + 6)
                texts.add(at + 6)
                value_at = at + 10
                at = value_at + _int32(body, at + 6)
            else:
                value_at = at + 6
                at = value_at + _SIZES[kind]
            told |= set(range(value_at, at))
            values.append(slice(types[-1], at))
            if mask & 0x02:
                statuses.append(at)
                at += 4
            times = 8 * (mask & 0x0C).bit_count()
            told |= set(range(at, at + times))
            at += times
        counts += [at, size_at + 4 + _int32(body, size_at), size_at + 8 + _int32(body, size_at)]
        return cls(
            body, number_at, tuple(handles), tuple(types), tuple(statuses), tuple(counts), tuple(values), parts_at, size_at, frozenset(texts), frozenset(told)
        )

    def addressed(self, subscription: int, number: int) -> Self:
        """The same notification, as ``number`` of ``subscription``."""
        body = bytearray(self.body)
        struct.pack_into("<I", body, _RESPONSE_HEADER, subscription)
        struct.pack_into("<I", body, self.number_at, number)
        return replace(self, body=bytes(body))


def grown(body: bytearray, at: int, by: int) -> bytearray:
    """The Int32 ``at`` that position is ``by`` more."""
    _INT32.pack_into(body, at, _int32(body, at) + by)
    return body


def _int32(body: bytes | bytearray, at: int) -> int:
    return int(_INT32.unpack_from(body, at)[0])
