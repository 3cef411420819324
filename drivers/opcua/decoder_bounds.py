"""Bounds on what the library takes from a server, and on what its decoder makes of an answer.

The library trusts two lengths that a server writes: by a negative one it moves backwards and reads the same bytes again and again, and of Nulls, which take no
bytes, it makes as many as an array of them announces. An answer of some forty bytes would hold the event loop, and every device of the gateway with it, for
minutes. Any answer of any service can bear either, in the additional header if nowhere else, and the library has no place to check it from outside: the two
functions that trust are replaced for the whole process. What they made of proper answers they make still.
"""

from typing import IO, Any

from asyncua import Client, ua
from asyncua.common.utils import Buffer, NotEnoughData
from asyncua.ua import ua_binary

_read = Buffer.read
_unpack_array = ua_binary.unpack_uatype_array


def bound_decoder() -> None:
    """From now on the library's decoder raises ``NotEnoughData``, a ``UaError``, over such lengths. May be called again."""
    Buffer.read = _read_forwards  # type: ignore[method-assign, assignment]  # the purpose of this module
    ua_binary.unpack_uatype_array = _unpack_bounded_array


def bound_answers(client: Client, *, chunks: int, size: int) -> None:
    """The most chunks and bytes of one answer over the connection of ``client``, after Hello and Acknowledge: the library takes the server's word for what it
    will take, and 0 for no limit. Beyond them it ends the connection."""
    protocol = client.uaclient.protocol
    if protocol is not None:
        limits = protocol._connection._limits
        limits.max_chunk_count = min(limits.max_chunk_count or chunks, chunks)
        limits.max_message_size = min(limits.max_message_size or size, size)


def _read_forwards(buffer: Buffer, size: int) -> bytes:
    if size < 0:
        raise NotEnoughData(f"a length of {size}")
    return _read(buffer, size)


def _unpack_bounded_array(vtype: ua.VariantType, data: Buffer | IO[Any]) -> list[Any] | None:
    if vtype is not ua.VariantType.Null:
        return _unpack_array(vtype, data)
    count = ua_binary.Primitives.Int32.unpack(data)
    if count > len(bytes(data)):
        raise NotEnoughData(f"{count} Nulls announced by fewer bytes")
    return None if count == -1 else [None] * count
