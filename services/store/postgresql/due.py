"""The table ``roll_up_due``: hours whose roll-ups are to be made again, inside a transaction of the caller.

``due``: something changed since the hour was handed out. ``taken``: it is in somebody's hands, and not handed out a second time before it is saved. A row
that is neither says only that the hour was thinned. What retention has gone past is never due: the roll-ups of its hours are all that tells of it.
"""

from collections.abc import Sequence
from typing import Final, LiteralString

import numpy as np
import numpy.typing as npt
from psycopg import Connection, sql

from plant import times
from plant.batch import Int32Column, Int64Column
from plant.tag import Tag
from services.store.interface import HOUR, DueHours
from services.store.postgresql.gathering import MOMENT, read_columns
from services.store.postgresql.marks import begin_of, tag_of
from services.store.postgresql.moments import moment_of
from services.store.postgresql.parameters import ArrayParameter, array_of, moments_of

HOURS: Final[LiteralString] = "unnest(%s::integer[], %s::timestamptz[]) AS hours (tag_id, hour)"
"""A relation of hours, from ``hour_parameters``."""

MARK: Final[LiteralString] = "ON CONFLICT (tag_id, hour) DO UPDATE SET due = TRUE WHERE NOT roll_up_due.due"
_MARK: Final[LiteralString] = "INSERT INTO roll_up_due (tag_id, hour) SELECT tag_id, hour FROM " + HOURS + " " + MARK
_MARK_ALL: Final[LiteralString] = (
    "INSERT INTO roll_up_due (tag_id, hour) SELECT r.tag_id, r.ts FROM roll_up_hour r JOIN tag t ON t.id = r.tag_id "
    "JOIN unnest(%s::integer[], %s::boolean[]) AS now (tag_id, stepped) ON now.tag_id = r.tag_id AND now.stepped <> t.stepped "
    "WHERE r.ts >= %s ORDER BY 1, 2 " + MARK
)
_TAKE: Final[LiteralString] = """
    UPDATE roll_up_due d SET due = FALSE, taken = TRUE
    FROM (SELECT tag_id, hour FROM roll_up_due WHERE due AND NOT taken AND hour <= %s ORDER BY hour, tag_id LIMIT %s) next
    WHERE d.tag_id = next.tag_id AND d.hour = next.hour RETURNING d.hour, d.tag_id, d.thinned
"""
_NOT_TO_USE: Final[LiteralString] = "SELECT hour FROM roll_up_due WHERE tag_id = %s AND hour >= %s AND hour < %s AND (due OR taken) ORDER BY hour"
_FORGET: Final[LiteralString] = (
    "DELETE FROM roll_up_due d USING " + HOURS + " WHERE d.tag_id = hours.tag_id AND d.hour = hours.hour AND taken AND NOT due AND NOT thinned"
)
_GIVE_BACK: Final[LiteralString] = "UPDATE roll_up_due d SET taken = FALSE FROM " + HOURS + " WHERE d.tag_id = hours.tag_id AND d.hour = hours.hour AND taken"
_IN_HAND: Final[LiteralString] = (
    "SELECT d.tag_id, d.hour FROM roll_up_due d JOIN " + HOURS + " ON d.tag_id = hours.tag_id AND d.hour = hours.hour "
    "WHERE d.taken AND NOT d.due ORDER BY d.tag_id, d.hour FOR UPDATE OF d"
)
_THINNED: Final[LiteralString] = "UPDATE roll_up_due d SET thinned = TRUE FROM " + HOURS + " WHERE d.tag_id = hours.tag_id AND d.hour = hours.hour"


def mark_due(connection: Connection, keys: Int64Column) -> None:
    """Marks hours, given as ``marks.hours_of`` does."""
    if len(keys):
        keys = keys[begin_of(keys) >= kept_from(connection)]
        connection.execute(_MARK, hour_parameters(tag_of(keys), begin_of(keys)))


def mark_made_otherwise(connection: Connection, tags: Sequence[Tag]) -> None:
    """Marks the hours that were rolled up while a tag was continuous and is stepped now, or the other way; before the tags are registered."""
    parameters = ([tag.id for tag in tags], [tag.is_stepped for tag in tags], moment_of(kept_from(connection)))
    connection.execute(_MARK_ALL, parameters)


def kept_from(connection: Connection, *, holds: bool = False) -> int:
    """Where retention has gone to: the samples of hours before are gone. ``holds``: it goes no further until the transaction ends."""
    row = connection.execute("SELECT kept_from FROM retention FOR SHARE" if holds else "SELECT kept_from FROM retention").fetchone()
    assert row is not None, "a script puts it there"
    return int(row[0])


def take_due(connection: Connection, before: int, limit: int) -> DueHours:
    rows = sorted(connection.execute(_TAKE, (moment_of(before - HOUR), limit)).fetchall())
    return DueHours(
        np.array([row[1] for row in rows], np.int32),
        np.array([times.from_datetime(row[0]) for row in rows], np.int64),
        np.array([row[2] for row in rows], np.bool_),
    )


def due_hours(connection: Connection, tag_id: int, start: int, end: int) -> Int64Column:
    first = start // HOUR * HOUR
    hour: Int64Column = read_columns(connection, sql.SQL(_NOT_TO_USE), (tag_id, moment_of(first), moment_of(end)), {"hour": MOMENT})["hour"]
    return hour


def give_back(connection: Connection, done: DueHours) -> None:
    """Takes hours that are saved off the due ones, but for those that changed meanwhile."""
    hours = hour_parameters(done.tag_id, done.hour)
    connection.execute(_FORGET, hours)
    connection.execute(_GIVE_BACK, hours)


def still_taken(connection: Connection, hours: DueHours) -> npt.NDArray[np.bool_]:
    """Which hours are in hand and have not changed since they were taken; what changes one waits until the transaction ends."""
    rows = connection.execute(_IN_HAND, hour_parameters(hours.tag_id, hours.hour)).fetchall()
    found = {(tag_id, times.from_datetime(hour)) for tag_id, hour in rows}
    return np.array([pair in found for pair in zip(hours.tag_id.tolist(), hours.hour.tolist(), strict=True)], np.bool_)


def remember_thinned(connection: Connection, done: DueHours) -> None:
    connection.execute(_THINNED, hour_parameters(done.tag_id, done.hour))


def take_back(connection: Connection) -> None:
    """Makes due again what is in hand."""
    connection.execute("UPDATE roll_up_due SET due = TRUE, taken = FALSE WHERE taken")


def hour_parameters(tag_id: Int32Column, hour: Int64Column) -> list[ArrayParameter]:
    return [array_of(tag_id), moments_of(hour)]
