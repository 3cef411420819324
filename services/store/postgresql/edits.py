"""Changing history after the fact, inside a transaction of the caller: each row that is inserted, replaced or deleted is a revision."""

from dataclasses import dataclass
from typing import Any, Final, LiteralString

import numpy as np
import numpy.typing as npt
from psycopg import Connection, sql

from plant import times
from plant.batch import SampleBatch, TextBatch
from plant.edit import EditMode
from services.store.interface import BEFORE_ALL, Authorship, Place, Revisions
from services.store.postgresql.due import MARK, kept_from
from services.store.postgresql.moments import moment_of
from services.store.postgresql.parameters import arrays_of
from services.store.postgresql.write import lock_revisions, text_columns

_INSERT: Final[LiteralString] = """
    WITH added AS (INSERT INTO {table} SELECT tag_id, ts, value, quality FROM edited ON CONFLICT (tag_id, ts) DO NOTHING RETURNING tag_id, ts)
    UPDATE edited e SET is_new = TRUE FROM added a WHERE e.tag_id = a.tag_id AND e.ts = a.ts
"""
_FIND: Final[LiteralString] = """
    UPDATE edited e SET is_there = TRUE, old_value = s.value, old_quality = s.quality FROM {table} s
    WHERE NOT e.is_new AND e.tag_id = s.tag_id AND e.ts = s.ts AND s.ts >= %s AND s.ts <= %s
"""
_CHANGED: Final[LiteralString] = "e.is_there AND (e.old_value, e.old_quality) IS DISTINCT FROM (e.value, e.quality)"
_REPLACE: Final[LiteralString] = (
    "UPDATE {table} s SET value = e.value, quality = e.quality FROM edited e "
    "WHERE e.tag_id = s.tag_id AND e.ts = s.ts AND s.ts >= %s AND s.ts <= %s AND " + _CHANGED
)
_KEEP: Final[LiteralString] = (
    'INSERT INTO sample_revision (tag_id, ts, revised_at, {old}, old_quality, {new}, new_quality, "user", reason) '
    "SELECT tag_id, ts, %s, old_value, old_quality, value, quality, %s, %s FROM edited e WHERE is_new OR (" + _CHANGED + ") ORDER BY number"
)
_COUNT: Final[LiteralString] = "SELECT number, is_new, is_there, " + _CHANGED + " FROM edited e ORDER BY number"

_DELETE: Final[LiteralString] = (
    """
    WITH gone AS (DELETE FROM {table} WHERE tag_id = %s AND ts >= %s AND ts < %s RETURNING tag_id, ts, value, quality),
    kept AS (
        INSERT INTO sample_revision (tag_id, ts, revised_at, {old}, old_quality, "user", reason)
        SELECT tag_id, ts, %s, value, quality, %s, %s FROM gone ORDER BY ts
    ),
    marked AS (INSERT INTO roll_up_due (tag_id, hour) SELECT DISTINCT tag_id, date_trunc('hour', ts, 'UTC') FROM gone WHERE ts >= %s ORDER BY 1, 2 """
    + MARK
    + """)
    SELECT count(*) FROM gone
"""
)
_REVISIONS: Final[LiteralString] = """
    SELECT id, ts, revised_at, old_value, old_text, old_quality, new_value, new_text, new_quality, "user", reason FROM sample_revision
    WHERE tag_id = %s AND ts >= %s AND ts < %s AND revised_at > %s AND id > %s ORDER BY id LIMIT %s
"""
_VALUE: Final[dict[str, LiteralString]] = {"sample": "double precision", "sample_text": "text"}
_OLD: Final[dict[str, LiteralString]] = {"sample": "old_value", "sample_text": "old_text"}
_NEW: Final[dict[str, LiteralString]] = {"sample": "new_value", "sample_text": "new_text"}


_BRING: Final[LiteralString] = """
    INSERT INTO edited SELECT number - 1, tag_id, ts, value, quality
    FROM unnest(%s::integer[], %s::timestamptz[], %s::{kind}[], %s::smallint[]) WITH ORDINALITY AS i (tag_id, ts, value, quality, number)
"""


@dataclass(frozen=True, slots=True)
class Edited:
    """What an edit did to the rows of one table; ``rejected`` are positions in its batch."""

    inserted: int
    replaced: int
    unchanged: int
    rejected: npt.NDArray[np.intp]

    @property
    def changed(self) -> int:
        return self.inserted + self.replaced


def edit_rows(connection: Connection, batch: SampleBatch | TextBatch, mode: EditMode, author: Authorship) -> Edited:
    """Edits samples or texts; each (tag, time) stands once."""
    if not len(batch):
        return Edited(0, 0, 0, np.empty(0, np.intp))
    table = "sample" if isinstance(batch, SampleBatch) else "sample_text"
    names = {"table": sql.Identifier(table), "old": sql.Identifier(_OLD[table]), "new": sql.Identifier(_NEW[table])}
    bounds = [moment_of(int(batch.time.min())), moment_of(int(batch.time.max()))]  # with these no other chunk is looked at
    lock_revisions(connection)
    _bring(connection, batch, _VALUE[table])
    if mode is not EditMode.REPLACE:
        connection.execute(sql.SQL(_INSERT).format(**names))
    connection.execute(sql.SQL(_FIND).format(**names), bounds)
    if mode is not EditMode.INSERT:
        connection.execute(sql.SQL(_REPLACE).format(**names), bounds)
    else:
        connection.execute("UPDATE edited SET value = old_value, quality = old_quality WHERE is_there")  # what is rejected changes nothing
    connection.execute(sql.SQL(_KEEP).format(**names), (moment_of(author.time), author.user, author.reason))
    rows = np.array(connection.execute(_COUNT).fetchall(), np.intp).reshape(-1, 4)
    connection.execute("DROP TABLE edited")
    number, is_new, is_there, is_changed = rows[:, 0], rows[:, 1] != 0, rows[:, 2] != 0, rows[:, 3] != 0
    rejected = number[is_there if mode is EditMode.INSERT else ~is_there & ~is_new]
    replaced = int(is_changed.sum())
    return Edited(int(is_new.sum()), replaced, len(batch) - int(is_new.sum()) - replaced - len(rejected), rejected)


def delete_rows(connection: Connection, tag_id: int, start: int, end: int, author: Authorship) -> int:
    """Deletes samples and texts of a tag and marks their hours; how many."""
    lock_revisions(connection)
    parameters = [tag_id, moment_of(start), moment_of(end), moment_of(author.time), author.user, author.reason, moment_of(kept_from(connection))]
    count = 0
    for table, old in _OLD.items():
        row = connection.execute(sql.SQL(_DELETE).format(table=sql.Identifier(table), old=sql.Identifier(old)), parameters).fetchone()
        count += 0 if row is None else int(row[0])
    return count


def read_revisions(connection: Connection, tag_id: int, start: int, end: int, since: int, behind: Place = BEFORE_ALL, limit: int | None = None) -> Revisions:
    """A place is the row's id: whoever adds rows does it alone, so that they are seen in the order of their ids."""
    rows = connection.execute(_REVISIONS, (tag_id, moment_of(start), moment_of(end), moment_of(since), behind[-1], limit)).fetchall()
    columns: list[tuple[Any, ...]] = list(zip(*rows, strict=True)) or [()] * 11
    number, time, revised_at, old_value, old_text, old_quality, new_value, new_text, new_quality, user, reason = columns
    was = np.array([quality is not None for quality in old_quality], np.bool_)
    is_now = np.array([quality is not None for quality in new_quality], np.bool_)
    is_text = any(text is not None for text in (*old_text, *new_text))
    return Revisions(
        np.array([(0, 0, row) for row in number], np.int64).reshape(-1, 3),
        np.array([times.from_datetime(moment) for moment in time], np.int64),
        np.array([times.from_datetime(moment) for moment in revised_at], np.int64),
        was,
        _texts(old_text) if is_text else _numbers(old_value),
        np.array([quality or 0 for quality in old_quality], np.int16),
        is_now,
        _texts(new_text) if is_text else _numbers(new_value),
        np.array([quality or 0 for quality in new_quality], np.int16),
        _texts(user),
        _texts(reason),
    )


def _bring(connection: Connection, batch: SampleBatch | TextBatch, kind: LiteralString) -> None:
    connection.execute(
        sql.SQL(
            "CREATE TEMPORARY TABLE edited (number integer, tag_id integer, ts timestamptz, value {kind}, quality smallint, "
            "is_new boolean NOT NULL DEFAULT FALSE, is_there boolean NOT NULL DEFAULT FALSE, old_value {kind}, old_quality smallint) ON COMMIT DROP"
        ).format(kind=sql.SQL(kind))
    )
    rows = arrays_of(batch) if isinstance(batch, SampleBatch) else text_columns(batch)
    connection.execute(sql.SQL(_BRING).format(kind=sql.SQL(kind)), rows)


def _numbers(values: tuple[float | None, ...]) -> npt.NDArray[np.float64]:
    return np.array([np.nan if value is None else value for value in values], np.float64)


def _texts(values: tuple[str | None, ...]) -> npt.NDArray[np.object_]:
    texts = np.empty(len(values), np.object_)
    texts[:] = [value or "" for value in values]
    return texts
