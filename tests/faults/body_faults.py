"""What a server that is out of its mind may make of the body of a publish response. Seeded by the generator that is passed in.

Rule: only what a receiver could notice is a fault here. A byte of a value, a time or a handle that is turned into another such byte is a different message
that is as sound as the first; without message security nobody can tell. For the same reason no type of a number becomes another type of number of its
size, except a Double an integer, and no text becomes shorter.
"""

import random
import struct
from collections.abc import Callable, Sequence
from typing import Final

from tests.faults.chunks import Response, grown

NO_HANDLE: Final = 0x1_0000
"""No tag has this handle, nor one above."""
NASTY: Final = (0, 1, 2, 3, 0x0F, 0x1F, 0x3F, 0x40, 0x7F, 0x80, 0xC0, 0xFF)
_COUNTS: Final = (-(2**31), -2, -1, 0, 1, 2, 3, 5, 23, 25, 255, 65_536, 2**24, 2**31 - 1)
_FOUR_BYTES: Final = {6, 7, 10}
_FOREIGN_VALUES: Final = (
    b"\x00",
    b"\x80\xff\xff\xff\x7f",
    b"\xc0\xff\xff\xff\x7f\x02\x00\x00\x00\xff\xff\xff\x7f\xff\xff\xff\x7f",
    b"\x0d" + bytes(8),
    b"\x0e" + bytes(16),
    b"\x0f\x03\x00\x00\x00abc",
    b"\x11\x01\x02\x03\x00",
    b"\x13\x00\x00\x05\x80",
    b"\x14\x02\x00\x01\x00\x00\x00Q",
    b"\x16\x01\x00\x39\x30\x01\x02\x00\x00\x00ab",
    b"\x17\x01\x0b" + bytes(8),
    b"\x19\x00",
    b"\x0c\x02\x00\x00\x00\xff\xfe",
    b"\x15\x02\x02\x00\x00\x00\xff\xfe",
    b"\x8b\x02\x00\x00\x00" + bytes(16),
    b"\x8b\x01\x00\x00\x00" + bytes(8),
    b"\x8c\x02\x00\x00\x00\x01\x00\x00\x00a\xff\xff\xff\xff",
    b"\xcb\x04\x00\x00\x00" + bytes(32) + b"\x02\x00\x00\x00\x02\x00\x00\x00\x02\x00\x00\x00",
    b"\x98\x02\x00\x00\x00\x01\x01\x06\x05\x00\x00\x00",
)
"""Null, arrays of two thousand million Nulls, times, GUIDs, bytes, identifiers, structures, texts that are no UTF-8, arrays, a matrix."""
_INT32: Final = struct.Struct("<i")


def with_changed_bytes(response: Response, chance: random.Random) -> bytes:
    body = bytearray(response.body)
    for _ in range(chance.randint(1, 3)):
        at = chance.randrange(len(body))
        while at in response.told:
            at = chance.randrange(len(body))
        new = chance.choice(NASTY) if chance.random() < 0.5 else chance.randrange(256)
        if (at in response.types and {response.body[at], new} <= _FOUR_BYTES) or (at in response.texts and new < body[at]):
            continue
        body[at] = new
    return _unlike(body, response, chance)


def with_another_type(response: Response, chance: random.Random) -> bytes:
    """The first byte of a Variant, or the mask before it."""
    body = bytearray(response.body)
    at = chance.choice(response.types)
    new = chance.choice((chance.randrange(26), chance.randrange(26) | 0x80, chance.randrange(256)))
    if not {body[at], new} <= _FOUR_BYTES:
        body[at] = new
    if chance.random() < 0.3:
        body[at - 1] = chance.randrange(256)
    return _unlike(body, response, chance)


def with_another_count(response: Response, chance: random.Random) -> bytes:
    body = bytearray(response.body)
    at = chance.choice(response.counts)
    count: int = _INT32.unpack_from(body, at)[0]
    new = chance.choice((*_COUNTS, max(0, count - 1), chance.randrange(-(2**31), 2**31)))
    _INT32.pack_into(body, at, count + 1 if at in response.texts and 0 <= new < count else new)
    return _unlike(body, response, chance)


def with_a_stranger(response: Response, chance: random.Random) -> bytes:
    body = bytearray(response.body)
    for at in chance.sample(response.handles, chance.randint(1, min(3, len(response.handles)))):
        struct.pack_into("<I", body, at, chance.randrange(NO_HANDLE, 2**32))
    return bytes(body)


def with_another_status(response: Response, chance: random.Random) -> bytes:
    """Any bits of the status codes of some items."""
    body = bytearray(response.body)
    for at in chance.sample(response.statuses, min(len(response.statuses), 3)):
        body[at + chance.randrange(4)] = chance.randrange(256)
    return bytes(body)


def with_a_gap(response: Response, chance: random.Random) -> bytes:
    """Up to three notifications are missing before it."""
    return bytes(grown(bytearray(response.body), response.number_at, chance.randint(1, 3)))


def with_another_number(response: Response, chance: random.Random) -> bytes:
    """Notifications that are sent again, or never were."""
    body = bytearray(response.body)
    number = struct.unpack_from("<I", body, response.number_at)[0]
    chosen = chance.choice((number - 1, number - 2, 0, 2**32 - 1, chance.randrange(2**32)))
    struct.pack_into("<I", body, response.number_at, chosen % 2**32)
    return bytes(body)


def with_a_foreign_value(response: Response, chance: random.Random) -> bytes:
    """Sound in itself, and nothing that a tag can hold."""
    place = chance.choice(response.values)
    foreign = chance.choice(_FOREIGN_VALUES)
    body = bytearray(response.body)
    body[place] = foreign
    return bytes(grown(body, response.size_at, len(foreign) - (place.stop - place.start)))


def with_a_foreign_part(response: Response, chance: random.Random) -> bytes:
    """A notification of events, or of what nobody knows, before or after the data. No array of Nulls is in it: the library could not be asked about it."""
    part = chance.choice((b"\x01\x00\x94\x03", b"\x01\x00\x39\x30", b"\x03\x02\x00\x01\x00\x00\x00x"))
    content = chance.randbytes(chance.randint(0, 60)).translate(None, b"\x80\xc0")
    part += chance.choice((b"\x01", b"\x02")) + _INT32.pack(len(content)) + content
    at = chance.choice((response.parts_at + 4, response.size_at + 4 + _INT32.unpack_from(response.body, response.size_at)[0]))
    body = bytearray(response.body)
    body[at:at] = part
    return bytes(grown(body, response.parts_at, 1))


def with_more_available(response: Response, chance: random.Random) -> bytes:
    """Sequence numbers that the server says it keeps, and does not."""
    body, count = bytearray(response.body), chance.randint(1, 50)
    body[response.counts[0] + 4 : response.counts[0] + 4] = chance.randbytes(4 * count)
    return bytes(grown(body, response.counts[0], count))


def with_a_tail(response: Response, chance: random.Random) -> bytes:
    return response.body + chance.randbytes(chance.randint(1, 600))


def cut(response: Response, chance: random.Random) -> bytes:
    return response.body[: chance.randrange(len(response.body))]


def with_a_piece_missing(response: Response, chance: random.Random) -> bytes:
    begin = chance.randrange(len(response.body))
    return response.body[:begin] + response.body[begin + chance.randint(1, 40) :]


def with_a_piece_more(response: Response, chance: random.Random) -> bytes:
    at = chance.choice((chance.randrange(len(response.body)), len(response.body)))
    return response.body[:at] + chance.randbytes(chance.choice((1, 2, 4, 8, chance.randint(1, 600)))) + response.body[at:]


def with_a_piece_twice(response: Response, chance: random.Random) -> bytes:
    begin = chance.randrange(len(response.body))
    piece = response.body[begin : begin + chance.randint(1, 80)]
    return response.body[: begin + len(piece)] + piece + response.body[begin + len(piece) :]


def with_noise_for_a_body(response: Response, chance: random.Random) -> bytes:
    return response.body[: chance.choice((0, 4, 28))] + chance.randbytes(chance.randint(0, 400))


Mangler = Callable[[Response, random.Random], bytes]
HARMLESS: Final[tuple[Mangler, ...]] = (
    with_a_stranger,
    with_another_status,
    with_a_gap,
    with_a_foreign_value,
    with_a_foreign_part,
    with_more_available,
    with_a_tail,
)
"""Faults that a session should outlive."""
DEADLY: Final[tuple[Mangler, ...]] = (
    with_changed_bytes,
    with_another_type,
    with_another_count,
    with_another_number,
    cut,
    with_a_piece_missing,
    with_a_piece_more,
    with_a_piece_twice,
    with_noise_for_a_body,
)


def mangled_body(response: Response, chance: random.Random, faults: Sequence[Mangler]) -> tuple[str, bytes]:
    """Name of one of the ``faults``, and a body that is not that of ``response``."""
    while True:
        fault = chance.choice(faults)
        body = fault(response, chance)
        if body != response.body:
            return fault.__name__, body


def _unlike(body: bytearray, response: Response, chance: random.Random) -> bytes:
    """The body, or where nothing came of the change, one that is a byte longer."""
    return bytes(body) if body != response.body else bytes(body) + chance.randbytes(1)
