import struct
import zlib

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from plant.batch import Batch, SampleBatch, TextBatch
from plant.envelope import Envelope, from_arrow, seal, to_arrow, unseal
from plant.errors import CorruptBatch
from tests.samples import batch_of

ORIGIN = Envelope("MB-SEP-01", epoch=1_795_406_400_000_000, sequence=7, received=1_795_406_401_000_000)
SAMPLES = batch_of([(1, 10, 1.5, 0), (2, 11, float("nan"), -1)])
TEXTS = TextBatch.of([7, 8], [1, 2], ["LÖT-1", ""], [0, -1])

INT64 = st.integers(-(2**63) + 1, 2**63 - 1)
IDS = st.integers(-(2**31), 2**31 - 1)
QUALITIES = st.integers(-(2**15), 2**15 - 1)
ENVELOPES = st.builds(Envelope, st.text(st.characters(codec="utf-8", exclude_characters="\0"), max_size=200), *[st.integers(0, 2**63 - 1)] * 3)


def assert_equal(one: Batch, other: Batch) -> None:
    assert type(one) is type(other)
    np.testing.assert_array_equal(one.tag_id, other.tag_id)
    np.testing.assert_array_equal(one.time, other.time)
    np.testing.assert_array_equal(one.quality, other.quality)
    if isinstance(one, SampleBatch) and isinstance(other, SampleBatch):
        assert one.value.tobytes() == other.value.tobytes(), "to the bit, NaN and -0.0 included"
    else:
        assert one.value.tolist() == other.value.tolist()


def with_checksum(stream: bytes) -> bytes:
    return struct.pack("<4sI", b"MZB1", zlib.crc32(stream)) + stream


def stream_of(table: pa.RecordBatch, rows: bool = True) -> bytes:
    sink = pa.BufferOutputStream()
    with pa.ipc.new_stream(sink, table.schema) as writer:
        if rows:
            writer.write_batch(table)
    return sink.getvalue().to_pybytes()


@given(st.lists(st.tuples(IDS, INT64, st.floats(), QUALITIES), max_size=30), ENVELOPES)
def test_samples_come_back_as_they_went(rows: list[tuple[int, int, float, int]], envelope: Envelope) -> None:
    batch = batch_of(rows)
    back, origin = unseal(seal(batch, envelope))
    assert_equal(back, batch)
    assert origin == envelope


@given(st.lists(st.tuples(IDS, INT64, st.text(st.characters(codec="utf-8")), QUALITIES), max_size=30), ENVELOPES)
def test_texts_come_back_as_they_went(rows: list[tuple[int, int, str, int]], envelope: Envelope) -> None:
    batch = TextBatch.of([row[0] for row in rows], [row[1] for row in rows], [row[2] for row in rows], [row[3] for row in rows])
    back, origin = unseal(seal(batch, envelope))
    assert_equal(back, batch)
    assert origin == envelope


@pytest.mark.parametrize("batch", [SAMPLES, TEXTS], ids=["samples", "texts"])
def test_any_altered_byte_is_noticed(batch: Batch) -> None:
    sealed = bytearray(seal(batch, ORIGIN))
    for place in range(len(sealed)):
        for flip in (0x01, 0x80, 0xFF):
            sealed[place] ^= flip
            with pytest.raises(CorruptBatch):
                unseal(bytes(sealed))
            sealed[place] ^= flip
    assert unseal(bytes(sealed))[1] == ORIGIN


@pytest.mark.parametrize("batch", [SAMPLES, TEXTS], ids=["samples", "texts"])
def test_a_cut_or_a_longer_message_is_noticed(batch: Batch) -> None:
    sealed = seal(batch, ORIGIN)
    for length in range(len(sealed)):
        with pytest.raises(CorruptBatch):
            unseal(sealed[:length])
    with pytest.raises(CorruptBatch):
        unseal(sealed + b"\0")


def test_the_head_is_magic_and_checksum() -> None:
    sealed = seal(SAMPLES, ORIGIN)
    assert sealed[:4] == b"MZB1"
    assert struct.unpack("<I", sealed[4:8]) == (zlib.crc32(sealed[8:]),)
    assert sealed[8:12] == b"\xff\xff\xff\xff", "an Arrow IPC stream begins with the continuation marker"


def test_columns_of_another_kind_are_no_batch() -> None:
    record = to_arrow(SAMPLES)
    with pytest.raises(CorruptBatch, match="not a sample batch"):
        from_arrow(record.rename_columns(["tag_id", "time", "v", "quality"]))
    with pytest.raises(CorruptBatch, match="not a sample batch"):
        from_arrow(record.select(["tag_id", "time", "value"]))
    with pytest.raises(CorruptBatch, match="not a sample batch"):
        unseal(with_checksum(stream_of(record.rename_columns(["a", "b", "c", "d"]).replace_schema_metadata(_metadata()))))


def test_a_null_is_no_sample() -> None:
    record = to_arrow(SAMPLES)
    with_null = record.set_column(2, record.schema.field("value"), pa.array([1.0, None], pa.float64()))
    with pytest.raises(CorruptBatch, match="nulls"):
        from_arrow(with_null)


def _metadata(**changes: str) -> dict[str, str]:
    return {"device": "MB-SEP-01", "epoch": "1", "sequence": "2", "received": "3"} | changes


@pytest.mark.parametrize("key", ["device", "epoch", "sequence", "received"])
def test_an_envelope_that_misses_something_is_not_whole(key: str) -> None:
    metadata = _metadata()
    del metadata[key]
    with pytest.raises(CorruptBatch, match="not whole"):
        unseal(with_checksum(stream_of(to_arrow(SAMPLES).replace_schema_metadata(metadata))))


def test_an_envelope_names_a_device_that_a_database_can_index() -> None:
    with pytest.raises(CorruptBatch, match="12000 characters"):
        unseal(with_checksum(stream_of(to_arrow(SAMPLES).replace_schema_metadata(_metadata(device="D" * 12_000)))))


def test_an_envelope_with_a_word_for_a_number_is_not_whole() -> None:
    with pytest.raises(CorruptBatch, match="not whole"):
        unseal(with_checksum(stream_of(to_arrow(SAMPLES).replace_schema_metadata(_metadata(sequence="seven")))))


@pytest.mark.parametrize("key", ["epoch", "sequence", "received"])
@pytest.mark.parametrize("number", [-1, 2**63])
def test_an_envelope_counts_within_what_a_database_can_hold(key: str, number: int) -> None:
    with pytest.raises(CorruptBatch, match="out of range"):
        unseal(with_checksum(stream_of(to_arrow(SAMPLES).replace_schema_metadata(_metadata(**{key: str(number)})))))


@pytest.mark.parametrize("stream", [b"", b"no arrow", b"\xff\xff\xff\xff\x00\x00\x00\x00"], ids=["nothing", "text", "end of stream"])
def test_a_right_checksum_over_no_stream_is_noticed(stream: bytes) -> None:
    with pytest.raises(CorruptBatch):
        unseal(with_checksum(stream))


def test_a_stream_without_a_batch_is_noticed() -> None:
    with pytest.raises(CorruptBatch):
        unseal(with_checksum(stream_of(to_arrow(SAMPLES).replace_schema_metadata(_metadata()), rows=False)))
