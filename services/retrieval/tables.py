"""Tables of samples, one row a sample, made piece by piece: CSV, Arrow, Parquet and JSON, so that an answer of any length takes the memory of one piece.

The columns are tag, unit, time, value and quality. Numbers and texts are tables of their own: a column has one type.
"""

import io
from collections.abc import Generator, Iterable
from itertools import pairwise
from typing import Any, Final, Protocol

import numpy as np
import numpy.typing as npt
import orjson
import pyarrow as pa
import pyarrow.csv as pa_csv
import pyarrow.parquet as pq

from plant.batch import Batch, Int16Column, Int64Column, SampleBatch
from plant.quality import quality_name
from plant.tag import Tag

JSON: Final = "application/json"
CSV: Final = "text/csv"
ARROW: Final = "application/vnd.apache.arrow.stream"
PARQUET: Final = "application/vnd.apache.parquet"

_ROWS_A_PIECE: Final = 16_384
"""Rows gathered before they are written: a row group of Parquet, a batch of Arrow."""


def schema_of(*, is_text: bool) -> pa.Schema:
    return pa.schema(
        {
            "tag": pa.string(),
            "unit": pa.string(),
            "time": pa.timestamp("us", tz="UTC"),
            "value": pa.string() if is_text else pa.float64(),
            "quality": pa.string(),
        }
    )


def time_texts(time: Int64Column) -> npt.NDArray[np.str_]:
    """RFC 3339 with microseconds and ``Z``, as ``plant.times.format_time``, a column at once."""
    return np.datetime_as_string(time.view("datetime64[us]"), unit="us", timezone="UTC")


def quality_names(quality: Int16Column) -> list[str]:
    """Names of a column of stored qualities."""
    codes, place = np.unique(quality, return_inverse=True)
    names = np.array([quality_name(code) for code in codes.tolist()], np.object_)
    found: list[str] = names[place].tolist()
    return found


def record_of(tag: Tag, batch: Batch) -> pa.RecordBatch:
    """The rows of a batch of one tag."""
    count = len(batch)
    schema = schema_of(is_text=not isinstance(batch, SampleBatch))
    return pa.RecordBatch.from_arrays(
        [
            pa.repeat(tag.name, count),
            pa.repeat(tag.engineering_unit, count),
            pa.array(batch.time.view("datetime64[us]")).cast(pa.timestamp("us", tz="UTC")),
            pa.array(batch.value, schema.field("value").type),
            pa.array(quality_names(batch.quality), pa.string()),
        ],
        schema=schema,
    )


class _Writer(Protocol):
    """Turns pieces into bytes; what ``write`` and ``end`` return, joined, is the table."""

    def write(self, record: pa.RecordBatch) -> bytes: ...

    def end(self) -> bytes: ...


class _Sink(io.RawIOBase):
    """A file that gives away what was written to it."""

    def __init__(self) -> None:
        super().__init__()
        self._pieces: list[bytes] = []

    def write(self, data: Any) -> int:
        piece = bytes(data)
        self._pieces.append(piece)
        return len(piece)

    def writable(self) -> bool:
        return True

    def take(self) -> bytes:
        taken = b"".join(self._pieces)
        self._pieces.clear()
        return taken


class _Csv:
    def __init__(self, schema: pa.Schema) -> None:
        self._first = True

    def write(self, record: pa.RecordBatch) -> bytes:
        columns = dict(zip(record.schema.names, record.columns, strict=True))
        columns["time"] = pa.array(time_texts(record["time"].cast(pa.int64()).to_numpy()))
        if pa.types.is_floating(record["value"].type):
            value = record["value"].to_numpy(zero_copy_only=False)
            columns["value"] = pa.array(value, mask=~np.isfinite(value))
        sink = pa.BufferOutputStream()
        options = pa_csv.WriteOptions(include_header=self._first, quoting_style="needed")
        pa_csv.write_csv(pa.RecordBatch.from_pydict(columns), sink, options)
        self._first = False
        return sink.getvalue().to_pybytes()

    def end(self) -> bytes:
        return b""


class _Streamed:
    """What Arrow's own writers write into a file."""

    def __init__(self, schema: pa.Schema) -> None:
        self._sink = _Sink()
        self._writer = self._opened(pa.PythonFile(self._sink, "w"), schema)

    def _opened(self, file: pa.PythonFile, schema: pa.Schema) -> pa.ipc.RecordBatchStreamWriter | pq.ParquetWriter:
        return pa.ipc.new_stream(file, schema)

    def write(self, record: pa.RecordBatch) -> bytes:
        self._writer.write_batch(record)
        return self._sink.take()

    def end(self) -> bytes:
        self._writer.close()
        return self._sink.take()


class _Parquet(_Streamed):
    def _opened(self, file: pa.PythonFile, schema: pa.Schema) -> pa.ipc.RecordBatchStreamWriter | pq.ParquetWriter:
        return pq.ParquetWriter(file, schema)


class _Json:
    """``{"items": [{"tag", "unit", "time": […], "value": […], "quality": […]}, …]}``; a tag with many samples has several items, one after the other."""

    def __init__(self, schema: pa.Schema) -> None:
        self._next = b'{"items":['

    def write(self, record: pa.RecordBatch) -> bytes:
        pieces = []
        names = record["tag"].to_numpy(zero_copy_only=False)
        borders = [0, *(np.flatnonzero(names[1:] != names[:-1]) + 1).tolist(), len(names)]
        for first, last in pairwise(borders):
            if first == last:
                continue
            rows = record.slice(first, last - first)
            value = rows["value"]
            item = {
                "tag": names[first],
                "unit": rows["unit"][0].as_py(),
                "time": time_texts(rows["time"].cast(pa.int64()).to_numpy()).tolist(),
                "value": value.to_numpy(zero_copy_only=False) if pa.types.is_floating(value.type) else value.to_pylist(),
                "quality": rows["quality"].to_pylist(),
            }
            pieces.append(self._next + orjson.dumps(item, option=orjson.OPT_SERIALIZE_NUMPY))
            self._next = b","
        return b"".join(pieces)

    def end(self) -> bytes:
        return (self._next if self._next.startswith(b"{") else b"") + b"]}"


_WRITERS: Final[dict[str, type[_Csv] | type[_Streamed] | type[_Json]]] = {CSV: _Csv, ARROW: _Streamed, PARQUET: _Parquet, JSON: _Json}


def pieces(kind: str, rows: Iterable[tuple[Tag, Batch]], *, is_text: bool) -> Generator[bytes]:
    """A table as ``kind``, piece by piece; a failure of ``rows`` ends it where it is, and it is not whole."""
    schema = schema_of(is_text=is_text)
    writer: _Writer = _WRITERS[kind](schema)
    gathered = [_empty(schema)]
    count = 0
    for tag, batch in rows:
        gathered.append(record_of(tag, batch))
        count += len(batch)
        if count >= _ROWS_A_PIECE:
            yield writer.write(_joined(gathered))
            gathered, count = [], 0
    if gathered:
        yield writer.write(_joined(gathered))
    yield writer.end()


def _joined(records: list[pa.RecordBatch]) -> pa.RecordBatch:
    columns = [pa.concat_arrays([record.column(place) for record in records]) for place in range(records[0].num_columns)]
    return pa.RecordBatch.from_arrays(columns, schema=records[0].schema)


def _empty(schema: pa.Schema) -> pa.RecordBatch:
    return pa.RecordBatch.from_arrays([pa.array([], field.type) for field in schema], schema=schema)
