"""Writing history: a commit of the store against the fastest bare way into a table of the same shape.

What comes again and what comes late is measured against ordinary commits of the same store.
"""

import contextlib
import sqlite3
import struct
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from itertools import count
from typing import Final

import numpy as np
import psycopg

from benchmarks.comparison import ROUNDS, Comparison, compare
from benchmarks.databases import Database, databases
from plant import SampleBatch, TextBatch, reference_site
from plant.batch import Int64Column
from services.store import Commit, Store

ROWS: Final = (10_000, 1_000)
"""Of one commit."""

COMMITS: Final = 10
_GOALS: Final = {"SQLite": (0.7, 0.7), "PostgreSQL": (0.75, 0.6)}
_REPLAY: Final = 0.4
_LATE: Final = 0.7
_ONE_IN: Final = 5
_AGE: Final = 6 * 3600
"""How old late samples are, or may be; seconds."""

_START: Final = 1_790_000_000_000_000
_SECOND: Final = 1_000_000
_SPAN: Final = 1_000_000 * _SECOND
"""Between what one comparison writes and what the next one does."""

_POSTGRES_EPOCH: Final = 946_684_800_000_000
_TAGS: Final = np.array([tag.id for tag in reference_site().tags if not tag.data_type.is_text], np.int32)
_BARE: Final = "CREATE TABLE sample (tag_id integer, ts {}, value double precision, quality smallint, PRIMARY KEY (tag_id, ts))"

_BARE_NAMES: Final = {"SQLite": "bare executemany", "PostgreSQL": "raw binary COPY"}

Material = Sequence[SampleBatch]
Work = Callable[[Material], None]


def batches(rows: int, offset: int, round_number: int) -> list[SampleBatch]:
    """What ``COMMITS`` commits of a round bring: all tags of the reference plant, second by second; no row of another round."""
    seconds = -(-rows // len(_TAGS))
    made = []
    for number in range(COMMITS):
        first = _START + offset + (round_number * COMMITS + number) * seconds * _SECOND
        time = np.repeat(first + np.arange(seconds) * _SECOND, len(_TAGS))[:rows]
        made.append(SampleBatch(np.tile(_TAGS, seconds)[:rows], time, np.sin(np.arange(rows) / 50.0), np.zeros(rows, np.int16)))
    return made


def comparisons() -> Iterator[Comparison]:
    for database in databases():
        if database.has_columnstore:
            continue  # it takes rows as PostgreSQL does
        with _bare(database) as bare, database.store() as store:
            store.prepare(reference_site().tags)
            for place, (rows, goal) in enumerate(zip(ROWS, _GOALS[database.kind], strict=True)):
                name = f"historian writer, {database.kind}, {rows:,} rows a commit"
                yield compare(name, _BARE_NAMES[database.kind], "rows/s", goal, rows * COMMITS, partial(batches, rows, place * _SPAN), _committing(store), bare)
            yield _replay(database.kind, store, bare)
            yield from _late(database.kind, store)


def _replay(kind: str, store: Store, bare: Work) -> Comparison:
    """What was committed is committed once more, as after a crash before the acknowledgement."""
    rows, commit = ROWS[0], _committing(store)
    fresh = partial(batches, rows, 2 * _SPAN)
    for number in range(ROUNDS):
        commit(fresh(number))
    return compare(f"the same committed once more, {kind}", _BARE_NAMES[kind], "rows/s", _REPLAY, rows * COMMITS, fresh, commit, bare)


def _late(kind: str, store: Store) -> Iterator[Comparison]:
    """One row in five is late, and lies between rows that are there: from a device that was away, or anywhere in the hours before."""
    rows, commit = ROWS[0], _committing(store)
    is_away = np.tile(np.arange(len(_TAGS)) % _ONE_IN == 0, -(-rows // len(_TAGS)))[:rows]
    chance = np.random.default_rng(1)

    def backlog(time: Int64Column) -> Int64Column:
        return np.where(is_away, time - _AGE * _SECOND + _SECOND // 2, time)

    def anywhere(time: Int64Column) -> Int64Column:
        return time - np.where(chance.random(rows) < 1 / _ONE_IN, chance.integers(1, _AGE, rows) * _SECOND - _SECOND // 4, 0)

    for place, (how, made_late) in enumerate({"as a backlog of": backlog, "anywhere in": anywhere}.items(), 3):
        store.commit(Commit(_past(_START + place * _SPAN), TextBatch.empty()))
        rounds = count()

        def given(_: int, place: int = place, rounds: "count[int]" = rounds) -> Material:
            return batches(rows, place * _SPAN, next(rounds))

        def late(material: Material, made_late: Callable[[Int64Column], Int64Column] = made_late) -> None:
            commit([SampleBatch(batch.tag_id, made_late(batch.time), batch.value, batch.quality) for batch in material])

        name = f"{100 // _ONE_IN} % late, {how} {_AGE // 3600} h, {kind}"
        yield compare(name, "all in order", "rows/s", _LATE, rows * COMMITS, given, late, commit)


def _past(start: int) -> SampleBatch:
    """Every tag every ten seconds for as long as what is late may be old."""
    time = np.arange(start - _AGE * _SECOND, start, 10 * _SECOND) + _SECOND // 2
    rows = len(time) * len(_TAGS)
    return SampleBatch(np.tile(_TAGS, len(time)), np.repeat(time, len(_TAGS)), np.zeros(rows), np.zeros(rows, np.int16))


def _committing(store: Store) -> Work:
    def commit(material: Material) -> None:
        for batch in material:
            store.commit(Commit(batch, TextBatch.empty()))

    return commit


@contextlib.contextmanager
def _bare(database: Database) -> Iterator[Work]:
    """Writes into a table of the same shape in a database of its own."""
    if database.is_sqlite:
        with contextlib.closing(sqlite3.connect(database.file.with_name("bare.sqlite"), isolation_level=None)) as connection:
            connection.executescript("PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL; " + _BARE.format("INTEGER") + " WITHOUT ROWID")
            yield lambda material: _insert(connection, material)
    else:
        with psycopg.connect(database.url, autocommit=True) as session:
            session.execute("CREATE SCHEMA bare")
            session.execute("SET search_path = bare")
            session.execute(_BARE.format("timestamptz").encode())
            yield lambda material: _copy(session, material)


def _insert(connection: sqlite3.Connection, material: Material) -> None:
    for batch in material:
        rows = zip(batch.tag_id.tolist(), batch.time.tolist(), batch.value.tolist(), batch.quality.tolist(), strict=True)
        connection.execute("BEGIN")
        connection.executemany("INSERT INTO sample VALUES (?, ?, ?, ?)", rows)
        connection.execute("COMMIT")


def _copy(session: "psycopg.Connection[tuple[object, ...]]", material: Material) -> None:
    for batch in material:
        with session.cursor().copy("COPY sample FROM STDIN (FORMAT BINARY)") as copy:
            copy.write(_binary(batch))


def _binary(batch: SampleBatch) -> bytes:
    """Rows of PostgreSQL's binary COPY format, from one structured array. Source: PostgreSQL manual, COPY, "Binary Format"."""
    fields = [("n", ">i2"), ("l1", ">i4"), ("id", ">i4"), ("l2", ">i4"), ("ts", ">i8"), ("l3", ">i4"), ("v", ">f8"), ("l4", ">i4"), ("q", ">i2")]
    rows = np.empty(len(batch), np.dtype(fields))
    rows["n"], rows["l1"], rows["l2"], rows["l3"], rows["l4"] = 4, 4, 8, 8, 2
    rows["id"], rows["ts"], rows["v"], rows["q"] = batch.tag_id, batch.time - _POSTGRES_EPOCH, batch.value, batch.quality
    return b"PGCOPY\n\xff\r\n\0" + struct.pack(">ii", 0, 0) + rows.tobytes() + struct.pack(">h", -1)
