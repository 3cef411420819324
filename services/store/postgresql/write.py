"""Writing history to PostgreSQL, inside a transaction of the caller.

Rule: a plain COPY first, which is right nearly always. On a unique violation the batch is compared with what is there: rows that differ go to
``sample_revision`` before they are replaced, what is new is inserted. While what comes is a replay, the comparison comes first.
"""

from collections.abc import Sequence
from typing import Any, Final, LiteralString

from psycopg import Connection, sql
from psycopg.errors import UniqueViolation

from plant import times
from plant.batch import SampleBatch, TextBatch
from plant.ledger import Gap, Position
from services.store.interface import CommitReport
from services.store.postgresql.copying import samples_to_copy
from services.store.postgresql.moments import moment_of
from services.store.postgresql.parameters import ArrayParameter, arrays_of

_REVISION_LOCK: Final = 0x4D6F6E62
"""Advisory lock of a transaction that replaces or thins rows: what it keeps as the old value is what it replaces, whoever else corrects history."""

_COPY: Final[LiteralString] = "COPY sample (tag_id, ts, value, quality) FROM STDIN (FORMAT BINARY)"
_ROWS: Final[LiteralString] = "unnest(%s::integer[], %s::timestamptz[], %s::double precision[], %s::smallint[]) AS i (tag_id, ts, value, quality)"
_TEXT_ROWS: Final[LiteralString] = "unnest(%s::integer[], %s::timestamptz[], %s::text[], %s::smallint[]) AS i (tag_id, ts, value, quality)"

_REPLACE: Final[LiteralString] = "ON CONFLICT (tag_id) DO UPDATE SET ts = excluded.ts, value = excluded.value, quality = excluded.quality"
_CATCH_UP: Final[LiteralString] = """
INSERT INTO {snapshot} SELECT t.id, newest.ts, newest.value, newest.quality
    FROM tag t LEFT JOIN {snapshot} known ON known.tag_id = t.id
    CROSS JOIN LATERAL (
        SELECT ts, value, quality FROM {table} s WHERE s.tag_id = t.id AND s.ts >= COALESCE(known.ts, '-infinity') ORDER BY s.ts DESC LIMIT 1
    ) newest
    WHERE t.id = COALESCE(%s::integer, t.id)
"""
_SNAPSHOTS: Final = (("snapshot", "sample"), ("snapshot_text", "sample_text"))

_DIFFERS: Final[LiteralString] = "(s.value, s.quality) IS DISTINCT FROM (i.value, i.quality)"
_THERE: Final[LiteralString] = "s.tag_id = i.tag_id AND s.ts = i.ts AND s.ts >= %s AND s.ts <= %s"
"""With the bounds no partition or chunk is looked at but those of the batch."""

_COMPARE: Final[LiteralString] = "SELECT count(*), count(*) FILTER (WHERE " + _DIFFERS + ") FROM {rows} JOIN {table} s ON " + _THERE
_KEEP_OLD: Final[LiteralString] = (
    "INSERT INTO sample_revision (tag_id, ts, {old}, old_quality, {new}, new_quality) "
    "SELECT s.tag_id, s.ts, s.value, s.quality, i.value, i.quality FROM {rows} JOIN {table} s ON " + _THERE + " WHERE " + _DIFFERS
)
_REVISE: Final[LiteralString] = "UPDATE {table} s SET value = i.value, quality = i.quality FROM {rows} WHERE " + _THERE + " AND " + _DIFFERS
_INSERT: Final[LiteralString] = "INSERT INTO {table} SELECT tag_id, ts, value, quality FROM {rows} ON CONFLICT (tag_id, ts) DO NOTHING"


def write_samples(connection: Connection, batch: SampleBatch, *, is_replay: bool) -> CommitReport:
    """Writes a batch in which each (tag, time) stands once. ``is_replay`` is a guess that some of it is there already: it costs time only."""
    if not len(batch):
        return CommitReport(0, 0, 0)
    if not is_replay:
        try:
            with connection.transaction(), connection.cursor() as cursor, cursor.copy(_COPY) as copy:
                copy.write(samples_to_copy(batch))
            return CommitReport(len(batch), 0, 0)
        except UniqueViolation:
            pass
    return _merge(connection, "sample", batch, arrays_of(batch))


def write_texts(connection: Connection, batch: TextBatch) -> CommitReport:
    """As ``write_samples``, for text."""
    if not len(batch):
        return CommitReport(0, 0, 0)
    rows = text_columns(batch)
    try:
        with connection.transaction():
            connection.execute("INSERT INTO sample_text SELECT * FROM " + _TEXT_ROWS, rows)
    except UniqueViolation:
        return _merge(connection, "sample_text", batch, rows)
    return CommitReport(len(batch), 0, 0)


def text_columns(batch: TextBatch) -> list[Any]:
    return [batch.tag_id.tolist(), [times.to_datetime(time) for time in batch.time.tolist()], batch.value.tolist(), batch.quality.tolist()]


def _merge(connection: Connection, table: str, batch: SampleBatch | TextBatch, rows: Sequence[ArrayParameter | list[Any]]) -> CommitReport:
    is_text = isinstance(batch, TextBatch)
    names = {
        "table": sql.Identifier(table),
        "rows": sql.SQL(_TEXT_ROWS if is_text else _ROWS),
        "old": sql.Identifier("old_text" if is_text else "old_value"),
        "new": sql.Identifier("new_text" if is_text else "new_value"),
    }
    bounded = [*rows, moment_of(int(batch.time.min())), moment_of(int(batch.time.max()))]
    known, differing = connection.execute(sql.SQL(_COMPARE).format(**names), bounded).fetchone() or (0, 0)
    revised = inserted = 0
    if differing:
        lock_revisions(connection)
        connection.execute(sql.SQL(_KEEP_OLD).format(**names), bounded)
        revised = connection.execute(sql.SQL(_REVISE).format(**names), bounded).rowcount
    if known < len(batch):
        inserted = connection.execute(sql.SQL(_INSERT).format(**names), rows).rowcount
    return CommitReport(inserted, len(batch) - inserted - revised, revised)


def lock_revisions(connection: Connection) -> None:
    """Until the transaction ends."""
    connection.execute("SELECT pg_advisory_xact_lock(%s)", (_REVISION_LOCK,))


def write_positions(connection: Connection, positions: Sequence[Position]) -> None:
    with connection.cursor() as cursor:
        cursor.executemany(
            "INSERT INTO position VALUES (%s, %s, %s, %s) "
            "ON CONFLICT (device) DO UPDATE SET epoch = excluded.epoch, sequence = excluded.sequence, last_time = excluded.last_time",
            [(position.device, position.epoch, position.sequence, position.last_time) for position in positions],
        )


def write_gaps(connection: Connection, gaps: Sequence[Gap]) -> None:
    rows = [(gap.device, gap.cause.value, times.to_datetime(gap.start), None if gap.end is None else times.to_datetime(gap.end), gap.recovered) for gap in gaps]
    with connection.cursor() as cursor:
        cursor.executemany(
            "INSERT INTO gap VALUES (%s, %s, %s, %s, %s) ON CONFLICT (device, cause, start_ts) "
            "DO UPDATE SET end_ts = COALESCE(excluded.end_ts, gap.end_ts), recovered = gap.recovered OR excluded.recovered",
            rows,
        )


def write_snapshot(connection: Connection, samples: SampleBatch, texts: TextBatch) -> None:
    if len(samples):
        connection.execute("INSERT INTO snapshot SELECT * FROM " + _ROWS + " " + _REPLACE, arrays_of(samples))
    if len(texts):
        connection.execute("INSERT INTO snapshot_text SELECT * FROM " + _TEXT_ROWS + " " + _REPLACE, text_columns(texts))


def forget_in_snapshot(connection: Connection, tag_id: int, start: int, end: int) -> bool:
    """Takes the sample or text of a tag with ``start <= time < end`` out of the snapshot; whether it was there."""
    forget = sql.SQL("DELETE FROM {} WHERE tag_id = %s AND ts >= %s AND ts < %s")
    parameters = (tag_id, moment_of(start), moment_of(end))
    return sum(connection.execute(forget.format(sql.Identifier(snapshot)), parameters).rowcount for snapshot, _ in _SNAPSHOTS) > 0


def catch_up_snapshot(connection: Connection, tag_id: int | None = None) -> None:
    """Brings the snapshot to the newest sample of every tag, or of one: it is saved some time after the samples, and a kill may fall in between.

    Looks no further back than the snapshot's own sample, so that no old chunk or partition is opened.
    """
    for snapshot, table in _SNAPSHOTS:
        connection.execute(sql.SQL(_CATCH_UP + _REPLACE).format(snapshot=sql.Identifier(snapshot), table=sql.Identifier(table)), (tag_id,))


_THIN: Final[LiteralString] = "DELETE FROM sample s USING " + _ROWS + " WHERE " + _THERE + " AND NOT " + _DIFFERS


def remove_samples(connection: Connection, batch: SampleBatch) -> None:
    """Removes samples that are still as given: one that was corrected meanwhile stays."""
    if len(batch):
        connection.execute(_THIN, [*arrays_of(batch), moment_of(int(batch.time.min())), moment_of(int(batch.time.max()))])
