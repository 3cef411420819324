"""What may become of a chunk on its way, and of the chunks that open a session. Seeded by the generator that is passed in."""

import random
import struct
from collections.abc import Callable
from dataclasses import replace
from typing import Final

from tests.faults.body_faults import NASTY
from tests.faults.chunks import HEAD, READ_RESPONSE, Chunk

_MESSAGES: Final = (b"HEL", b"ACK", b"ERR", b"RHE", b"OPN", b"CLO")


def _renamed(chunk: Chunk, chance: random.Random) -> bytes:
    return chance.choice((*_MESSAGES, chance.randbytes(3))) + chunk.encoded()[3:]


def _of_another_kind(chunk: Chunk, chance: random.Random) -> bytes:
    return replace(chunk, kind=b"MSG" + chance.choice((b"C", chance.randbytes(1)))).encoded()


def _told_smaller(chunk: Chunk, chance: random.Random) -> bytes:
    size = len(chunk.encoded())
    return chunk.encoded(chance.choice((0, 1, 7, 8, 11, 12, 16, HEAD, size - 1, chance.randrange(size))))


def _told_larger(chunk: Chunk, chance: random.Random) -> bytes:
    """What follows is taken for a part of it."""
    sound = chunk.encoded()
    return chunk.encoded(len(sound) + chance.choice((1, 4, chance.randint(1, 2000), 2**31))) + sound


def _of_another_channel(chunk: Chunk, chance: random.Random) -> bytes:
    return replace(chunk, channel=chance.randrange(2**32)).encoded()


def _of_another_token(chunk: Chunk, chance: random.Random) -> bytes:
    return replace(chunk, token=chance.randrange(2**32)).encoded()


def _out_of_sequence(chunk: Chunk, chance: random.Random) -> bytes:
    return replace(chunk, number=chance.choice((0, chunk.number - 1, chunk.number + 1, chance.randrange(2**32)))).encoded()


def _to_another_request(chunk: Chunk, chance: random.Random) -> bytes:
    return replace(chunk, request=chance.choice((0, chunk.request + 1000, chance.randrange(2**32)))).encoded()


def _twice(chunk: Chunk, chance: random.Random) -> bytes:
    return chunk.encoded() * 2


def _swapped(chunk: Chunk, chance: random.Random) -> bytes:
    return replace(chunk, number=chunk.number + 1).encoded() + chunk.encoded()


def _cut_off(chunk: Chunk, chance: random.Random) -> bytes:
    sound = chunk.encoded()
    return sound[: chance.randrange(1, len(sound))] + sound


def _behind_noise(chunk: Chunk, chance: random.Random) -> bytes:
    return chance.randbytes(chance.randint(1, 200)) + chunk.encoded()


def _interleaved(chunk: Chunk, chance: random.Random) -> bytes:
    """With a message that is not over yet."""
    return replace(chunk, kind=b"MSGC", body=chunk.body[:40]).encoded() + replace(chunk, number=chunk.number + 1, request=chunk.request + 1).encoded()


def _error(chunk: Chunk, chance: random.Random) -> bytes:
    return b"ERRF" + struct.pack("<IIi", 16, 0x80800000 | chance.randrange(2**16), -1)


def _aborted_and_sent(chunk: Chunk, chance: random.Random) -> bytes:
    return aborted(chunk) + replace(chunk, number=chunk.number + 1).encoded()


def aborted(chunk: Chunk) -> bytes:
    """The driver is told that the answer will not come. Source: OPC UA Part 6, 6.7.3."""
    return replace(chunk, kind=b"MSGA", body=struct.pack("<Ii", 0x80010000, -1)).encoded()


FRAME_FAULTS: Final[tuple[Callable[[Chunk, random.Random], bytes], ...]] = (
    _renamed,
    _of_another_kind,
    _told_smaller,
    _told_larger,
    _of_another_channel,
    _of_another_token,
    _out_of_sequence,
    _to_another_request,
    _twice,
    _swapped,
    _cut_off,
    _behind_noise,
    _interleaved,
    _error,
    _aborted_and_sent,
)


def mangled_frame(chunk: Chunk, chance: random.Random) -> tuple[str, bytes]:
    """Name of the fault, and what leaves instead of ``chunk``, which may be more than one."""
    sound = chunk.encoded()
    while True:
        fault = chance.choice(FRAME_FAULTS)
        data = fault(chunk, chance)
        if data != sound:
            return fault.__name__, data


def mangled_answer(data: bytes, chance: random.Random) -> bytes:
    """One of the chunks that open a session, with bytes changed behind its size, or cut. What a read brings has no check either: its values stay."""
    body = bytearray(data)
    if chance.random() < 0.2 and len(body) > HEAD:
        del body[chance.randrange(HEAD, len(body)) :]
        struct.pack_into("<I", body, 4, len(body))
        return bytes(body)
    is_read = data[:3] == b"MSG" and Chunk.of(data).service == READ_RESPONSE
    last = min(len(body), HEAD + 32) if is_read else len(body)
    for _ in range(chance.randint(1, 3)):
        body[chance.randrange(8, last)] = chance.choice(NASTY) if chance.random() < 0.5 else chance.randrange(256)
    return bytes(body)
