"""What an Arrow stream from outside may be, before any of it is unpacked.

Rules:

1. Buffers are not compressed: some thousand bytes may otherwise stand for gigabytes.
2. A record batch says its number of rows ahead of its columns; more than are taken are not looked at.

Source: Arrow columnar format, "Encapsulated message format", and its flatbuffers ``Message.fbs``: Message {version, header_type, header, …},
RecordBatch {length, nodes, buffers, compression}, DictionaryBatch {id, data}.
"""

import struct
from collections.abc import Iterator
from typing import Final

import pyarrow as pa

_DICTIONARY: Final = 2
_RECORD: Final = 3


class RefusedBody(ValueError):
    """Why a stream is not read."""


def record_batches(body: bytes, columns: tuple[str, ...], most: int) -> Iterator[pa.RecordBatch]:
    """The batches of a stream, with those of ``columns`` that it has.

    Raises:
        RefusedBody: it is compressed, or has more than ``most`` rows.
        pa.ArrowException, OSError, ValueError: it is no whole Arrow stream.
    """
    _check_messages(body, most)
    with pa.ipc.open_stream(body) as reader:
        wanted = [place for place, name in enumerate(reader.schema.names) if name in columns]
    with pa.ipc.open_stream(body, options=pa.ipc.IpcReadOptions(included_fields=wanted)) as reader:
        for record in reader:
            record.validate(full=True)
            yield record


def _check_messages(body: bytes, most: int) -> None:
    rows = 0
    reader = pa.ipc.MessageReader.open_stream(body)
    while True:
        try:
            message = reader.read_next_message()
        except StopIteration:
            return
        header = message.metadata.to_pybytes()
        kind, table = _header(header)
        if kind == _DICTIONARY:
            table = _linked(header, table, 1)
        elif kind != _RECORD:
            continue
        if table is None:
            raise RefusedBody("a message has no header")
        if _field(header, table, 3) is not None:
            raise RefusedBody("its buffers are compressed; send them as they are")
        length = _field(header, table, 0)
        rows += 0 if length is None or kind == _DICTIONARY else int(struct.unpack_from("<q", header, length)[0])
        if rows > most:
            raise RefusedBody(f"a request takes {most} samples; send the rest in another one")


def _header(data: bytes) -> tuple[int, int | None]:
    root = int(struct.unpack_from("<I", data)[0])
    kind = _field(data, root, 1)
    return (0 if kind is None else data[kind]), _linked(data, root, 2)


def _linked(data: bytes, table: int | None, number: int) -> int | None:
    place = None if table is None else _field(data, table, number)
    return None if place is None else place + int(struct.unpack_from("<I", data, place)[0])


def _field(data: bytes, table: int, number: int) -> int | None:
    """Where field ``number`` of a flatbuffers table stands; ``None`` where it has its default."""
    virtual = table - int(struct.unpack_from("<i", data, table)[0])
    size = int(struct.unpack_from("<H", data, virtual)[0])
    at = 4 + 2 * number
    offset = int(struct.unpack_from("<H", data, virtual + at)[0]) if at < size else 0
    return table + offset if offset else None
