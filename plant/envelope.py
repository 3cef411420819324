"""A batch as it lies on the bus: eight bytes (magic and CRC-32), then one Arrow IPC stream whose schema metadata says where it came from.

Rule: bytes whose checksum is wrong never reach the Arrow reader; Arrow itself notices an altered length and not an altered value. The bytes are
drawn in docs/formats/batch.md.
"""

import struct
import zlib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

import numpy as np
import pyarrow as pa

from plant.batch import Batch, SampleBatch, TextBatch
from plant.errors import CorruptBatch

_HEAD: Final = struct.Struct("<4sI")
_MAGIC: Final = b"MZB1"
_LONGEST_NAME: Final = 200
_TIME: Final = pa.timestamp("us", tz="UTC")


def _schema(value: pa.DataType) -> pa.Schema:
    return pa.schema([pa.field("tag_id", pa.int32()), pa.field("time", _TIME), pa.field("value", value), pa.field("quality", pa.int16())])


_SAMPLES: Final = _schema(pa.float64())
_TEXTS: Final = _schema(pa.string())


@dataclass(frozen=True, slots=True)
class Envelope:
    """Origin of a batch.

    ``epoch`` names one run of one gateway (UTC microseconds of its start); ``sequence`` counts the batches of a device in that epoch from 0 without
    a hole, so that a missing batch is seen. ``received`` is the gateway's clock when the last sample arrived, UTC microseconds.
    """

    device: str
    epoch: int
    sequence: int
    received: int


def to_arrow(batch: Batch) -> pa.RecordBatch:
    """Columns as an Arrow record batch; numeric columns are not copied."""
    time = pa.array(batch.time.view("datetime64[us]")).cast(_TIME)
    schema = _SAMPLES if isinstance(batch, SampleBatch) else _TEXTS
    value = pa.array(batch.value, schema.field("value").type)
    return pa.RecordBatch.from_arrays([pa.array(batch.tag_id), time, value, pa.array(batch.quality)], schema=schema)


def from_arrow(record: pa.RecordBatch) -> Batch:
    """The batch of a record batch made by ``to_arrow``.

    Raises:
        CorruptBatch: the columns are others, or hold nulls.
    """
    schema = record.schema.remove_metadata()
    if schema not in (_SAMPLES, _TEXTS):
        raise CorruptBatch(f"columns are {schema.names} of {[str(kind) for kind in schema.types]}, not a sample batch")
    if any(column.null_count for column in record.columns):
        raise CorruptBatch("a column holds nulls")
    tag_id = record["tag_id"].to_numpy()
    time = record["time"].cast(pa.int64()).to_numpy()
    quality = record["quality"].to_numpy()
    if schema == _SAMPLES:
        return SampleBatch(tag_id, time, record["value"].to_numpy(), quality)
    return TextBatch(tag_id, time, record["value"].to_numpy(zero_copy_only=False).astype(np.object_), quality)


def seal(batch: Batch, envelope: Envelope) -> bytes:
    """Bytes of a batch for the bus."""
    metadata = {
        "device": envelope.device,
        "epoch": str(envelope.epoch),
        "sequence": str(envelope.sequence),
        "received": str(envelope.received),
    }
    record = to_arrow(batch).replace_schema_metadata(metadata)
    sink = pa.BufferOutputStream()
    with pa.ipc.new_stream(sink, record.schema) as writer:
        writer.write_batch(record)
    stream = sink.getvalue()
    return _HEAD.pack(_MAGIC, zlib.crc32(stream)) + stream.to_pybytes()


def unseal(data: bytes) -> tuple[Batch, Envelope]:
    """Batch and envelope of bytes made by ``seal``.

    Raises:
        CorruptBatch: the bytes are cut, altered, or were never a batch.
    """
    stream = data[_HEAD.size :]
    if len(data) < _HEAD.size or _HEAD.unpack_from(data) != (_MAGIC, zlib.crc32(stream)):
        raise CorruptBatch(f"{len(data)} bytes that are no batch: magic or checksum is wrong")
    try:
        with pa.ipc.open_stream(stream) as reader:
            record = reader.read_next_batch()
            record.validate(full=True)
            return from_arrow(record), _envelope(reader.schema.metadata or {})
    except (pa.ArrowException, StopIteration, OSError, ValueError) as error:
        raise CorruptBatch(f"no Arrow stream: {error}") from error


def _envelope(metadata: Mapping[bytes, bytes]) -> Envelope:
    try:
        device, *numbers = metadata[b"device"].decode(), int(metadata[b"epoch"]), int(metadata[b"sequence"]), int(metadata[b"received"])
    except (KeyError, ValueError) as error:
        raise CorruptBatch(f"the envelope is not whole: {error}") from error
    if len(device) > _LONGEST_NAME:
        raise CorruptBatch(f"the envelope names a device of {len(device)} characters")
    if not all(0 <= number < 2**63 for number in numbers):
        raise CorruptBatch(f"the envelope counts out of range: {numbers}")
    return Envelope(device, *numbers)
