"""Writing history to PostgreSQL, inside a transaction of the caller.

Rule: a plain COPY first, which is right nearly always. On a unique violation the batch goes through a temporary table: what differs from what is there
goes to ``sample_revision`` before it is replaced, what is new is inserted.
"""

from collections.abc import Sequence
from typing import Any, Final, LiteralString

from psycopg import Connection, sql
from psycopg.errors import UniqueViolation

from plant import times
from plant.batch import SampleBatch, TextBatch
from plant.ledger import Gap, Position
from services.store.interface import CommitReport
from services.store.postgresql.copying import to_copy

_COPY: Final[LiteralString] = "COPY sample (tag_id, ts, value, quality) FROM STDIN (FORMAT BINARY)"
_COPY_INCOMING: Final[LiteralString] = "COPY incoming (tag_id, ts, value, quality) FROM STDIN (FORMAT BINARY)"
_TEXT_ROWS: Final[LiteralString] = "SELECT * FROM unnest(%s::integer[], %s::timestamptz[], %s::text[], %s::smallint[]) AS i (tag_id, ts, value, quality)"

_REPLACE: Final[LiteralString] = "ON CONFLICT (tag_id) DO UPDATE SET ts = excluded.ts, value = excluded.value, quality = excluded.quality"
_CATCH_UP: Final[LiteralString] = """
INSERT INTO {snapshot} SELECT t.id, newest.ts, newest.value, newest.quality
    FROM tag t LEFT JOIN {snapshot} known ON known.tag_id = t.id
    CROSS JOIN LATERAL (
        SELECT ts, value, quality FROM {table} s WHERE s.tag_id = t.id AND s.ts >= COALESCE(known.ts, '-infinity') ORDER BY s.ts DESC LIMIT 1
    ) newest
"""

_DIFFERS: Final[LiteralString] = "(s.value, s.quality) IS DISTINCT FROM (i.value, i.quality)"

_MERGE: Final[dict[str, tuple[LiteralString, LiteralString, LiteralString]]] = {
    "sample": (
        "INSERT INTO sample_revision (tag_id, ts, old_value, old_quality, new_value, new_quality) "
        "SELECT s.tag_id, s.ts, s.value, s.quality, i.value, i.quality FROM incoming i JOIN sample s USING (tag_id, ts) WHERE " + _DIFFERS,
        "UPDATE sample s SET value = i.value, quality = i.quality FROM incoming i WHERE s.tag_id = i.tag_id AND s.ts = i.ts AND " + _DIFFERS,
        "INSERT INTO sample SELECT tag_id, ts, value, quality FROM incoming ON CONFLICT (tag_id, ts) DO NOTHING",
    ),
    "sample_text": (
        "INSERT INTO sample_revision (tag_id, ts, old_text, old_quality, new_text, new_quality) "
        "SELECT s.tag_id, s.ts, s.value, s.quality, i.value, i.quality FROM incoming_text i JOIN sample_text s USING (tag_id, ts) WHERE " + _DIFFERS,
        "UPDATE sample_text s SET value = i.value, quality = i.quality FROM incoming_text i WHERE s.tag_id = i.tag_id AND s.ts = i.ts AND " + _DIFFERS,
        "INSERT INTO sample_text SELECT tag_id, ts, value, quality FROM incoming_text ON CONFLICT (tag_id, ts) DO NOTHING",
    ),
}


def write_samples(connection: Connection, batch: SampleBatch) -> CommitReport:
    """Writes a batch in which each (tag, time) stands once."""
    if not len(batch):
        return CommitReport(0, 0, 0)
    data = to_copy(batch)
    try:
        with connection.transaction(), connection.cursor() as cursor, cursor.copy(_COPY) as copy:
            copy.write(data)
    except UniqueViolation:
        connection.execute("CREATE TEMPORARY TABLE incoming (tag_id integer, ts timestamptz, value double precision, quality smallint) ON COMMIT DROP")
        with connection.cursor() as cursor, cursor.copy(_COPY_INCOMING) as copy:
            copy.write(data)
        return _merge(connection, "sample", len(batch))
    return CommitReport(len(batch), 0, 0)


def write_texts(connection: Connection, batch: TextBatch) -> CommitReport:
    """As ``write_samples``, for text."""
    if not len(batch):
        return CommitReport(0, 0, 0)
    rows = text_columns(batch)
    try:
        with connection.transaction():
            connection.execute("INSERT INTO sample_text " + _TEXT_ROWS, rows)
    except UniqueViolation:
        connection.execute("CREATE TEMPORARY TABLE incoming_text (tag_id integer, ts timestamptz, value text, quality smallint) ON COMMIT DROP")
        connection.execute("INSERT INTO incoming_text " + _TEXT_ROWS, rows)
        return _merge(connection, "sample_text", len(batch))
    return CommitReport(len(batch), 0, 0)


def text_columns(batch: TextBatch) -> list[Any]:
    return [batch.tag_id.tolist(), [times.to_datetime(time) for time in batch.time.tolist()], batch.value.tolist(), batch.quality.tolist()]


def _merge(connection: Connection, table: str, count: int) -> CommitReport:
    keep_old, replace, insert = _MERGE[table]
    connection.execute(keep_old)
    revised = connection.execute(replace).rowcount
    inserted = connection.execute(insert).rowcount
    return CommitReport(inserted, count - inserted - revised, revised)


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
    numbers = [samples.tag_id.tolist(), [times.to_datetime(time) for time in samples.time.tolist()], samples.value.tolist(), samples.quality.tolist()]
    connection.execute(
        "INSERT INTO snapshot SELECT * FROM unnest(%s::integer[], %s::timestamptz[], %s::double precision[], %s::smallint[]) " + _REPLACE, numbers
    )
    connection.execute("INSERT INTO snapshot_text " + _TEXT_ROWS + " " + _REPLACE, text_columns(texts))


def catch_up_snapshot(connection: Connection) -> None:
    """Brings the snapshot to the newest sample of every tag: it is saved some time after the samples, and a kill may fall in between.

    Looks no further back than the snapshot's own sample, so that no old chunk or partition is opened.
    """
    for snapshot, table in (("snapshot", "sample"), ("snapshot_text", "sample_text")):
        connection.execute(sql.SQL(_CATCH_UP + _REPLACE).format(snapshot=sql.Identifier(snapshot), table=sql.Identifier(table)))
