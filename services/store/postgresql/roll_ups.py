"""The tables ``roll_up_minute`` and ``roll_up_hour``, inside a transaction of the caller: summaries of the one aggregate engine, as columns."""

from collections.abc import Collection, Iterable, Sequence
from typing import Any, Final, LiteralString

import numpy as np
from psycopg import Connection, sql

from plant.aggregates import COLUMNS, IMPLIED, NOT_PLAIN, STORED_COLUMNS, from_stored, implied
from services.store.interface import HOUR, MINUTE, DueHours, RollUps
from services.store.postgresql.copying import moments, to_copy
from services.store.postgresql.due import HOURS, hour_parameters
from services.store.postgresql.gathering import gathered, take_columns
from services.store.postgresql.moments import moment_of

_NAMES: Final = sql.SQL(", ").join(map(sql.Identifier, ("tag_id", "ts", *STORED_COLUMNS)))
_READ: Final[LiteralString] = """
    SELECT * FROM
        (SELECT {whole} FROM (SELECT {whole_names} FROM {table} WHERE {bucket} ORDER BY ts) AS rows) AS every,
        (SELECT {odd} FROM (SELECT {odd_names} FROM {table} WHERE {bucket} AND ({is_odd}) ORDER BY ts) AS rows) AS odd
"""
_BUCKET: Final = sql.SQL("tag_id = %s AND ts >= %s AND ts < %s")
_IS_ODD: Final = sql.SQL(" OR ").join(sql.SQL("{} <> 0").format(sql.Identifier(name)) for name in NOT_PLAIN)

_ENDS: Final = ("first_time", "first_value", "last_time", "last_value")
_REMOVE: Final[LiteralString] = (
    "DELETE FROM {table} r USING {hours} "
    "WHERE r.tag_id = hours.tag_id AND r.ts >= hours.hour AND r.ts < hours.hour + INTERVAL '1 hour' AND r.ts >= %s AND r.ts < %s"
)
_STEPPED: Final[LiteralString] = "SELECT stepped FROM tag WHERE id = %s"
MINUTES: Final[LiteralString] = "roll_up_minute"
WHOLE_HOURS: Final[LiteralString] = "roll_up_hour"
_WIDTHS: Final = {MINUTES: MINUTE, WHOLE_HOURS: HOUR}


def read_roll_ups(connection: Connection, table: LiteralString, tag_id: int, start: int, end: int, columns: Collection[str] = COLUMNS) -> RollUps:
    """Every value that the server sends costs it more than to find it. So what follows from the first and last sample of a plain row is read of the other
    rows only, and the begin of a bucket not at all."""
    read = [name for name in columns if name in STORED_COLUMNS]
    whole = _kinds(_ENDS, *(name for name in read if name not in IMPLIED))
    odd = _kinds(_ENDS[:1], *(name for name in read if name in IMPLIED))
    query = sql.SQL(_READ).format(
        whole=gathered(whole),
        whole_names=_listed(whole),
        odd=gathered(odd),
        odd_names=_listed(odd),
        table=sql.Identifier(table),
        bucket=_BUCKET,
        is_odd=_IS_ODD,
    )
    bucket = (tag_id, moment_of(start), moment_of(end))
    with connection.cursor(binary=True) as cursor:
        cursor.execute(query, (*bucket, *bucket))
        kept = take_columns(cursor.pgresult, whole)
        of_odd = take_columns(cursor.pgresult, odd, behind=len(whole))
    place = np.searchsorted(kept["first_time"], of_odd.pop("first_time"))
    for name, column in of_odd.items():
        kept[name] = implied(name, kept)
        kept[name][place] = column
    tag = connection.execute(_STEPPED, (tag_id,)).fetchone()
    begin = kept["first_time"] // _WIDTHS[table] * _WIDTHS[table]
    return RollUps(np.full(len(begin), tag_id, np.int32), begin, from_stored(kept, stepped=tag == (True,), names=columns))


def _kinds(names: Sequence[str], *others: str) -> dict[str, np.dtype[Any]]:
    return {name: STORED_COLUMNS[name] for name in (*names, *others)}


def _listed(names: Iterable[str]) -> sql.Composed:
    return sql.SQL(", ").join(map(sql.Identifier, names))


def replace_roll_ups(connection: Connection, table: LiteralString, rows: RollUps, done: DueHours) -> None:
    """Writes the rows in place of all that there is of the hours ``done``."""
    if not len(done):
        return
    bounds = [moment_of(int(done.hour.min())), moment_of(int(done.hour.max()) + HOUR)]  # with these no other chunk is looked at
    remove = sql.SQL(_REMOVE).format(table=sql.Identifier(table), hours=sql.SQL(HOURS))
    connection.execute(remove, [*hour_parameters(done.tag_id, done.hour), *bounds])
    if len(rows):
        stored = [getattr(rows.summaries, name).astype(kind, copy=False) for name, kind in STORED_COLUMNS.items()]
        copy_in = sql.SQL("COPY {} ({}) FROM STDIN (FORMAT BINARY)").format(sql.Identifier(table), _NAMES)
        with connection.cursor() as cursor, cursor.copy(copy_in) as copy:
            copy.write(to_copy([rows.tag_id, moments(rows.start), *stored]))
