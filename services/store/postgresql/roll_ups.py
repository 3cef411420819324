"""The tables ``roll_up_minute`` and ``roll_up_hour``, inside a transaction of the caller: summaries of the one aggregate engine, as columns."""

from collections.abc import Collection
from typing import Any, Final, LiteralString

import numpy as np
import numpy.typing as npt
from psycopg import Connection, sql

from plant.aggregates import COLUMNS, IMPLIED, NOT_PLAIN, STORED_COLUMNS, from_stored, implied
from services.store.interface import HOUR, MINUTE, DueHours, RollUps
from services.store.postgresql.arrays import take_columns
from services.store.postgresql.copying import moments, to_copy
from services.store.postgresql.due import HOURS, hour_parameters
from services.store.postgresql.moments import moment_of

_NAMES: Final = sql.SQL(", ").join(map(sql.Identifier, ("tag_id", "ts", *STORED_COLUMNS)))
_READ: Final[LiteralString] = (
    "SELECT {gathered} FROM (SELECT {names}, {odd} AS odd FROM {table} WHERE tag_id = %s AND ts >= %s AND ts < %s ORDER BY ts OFFSET 0) AS rows"
)
"""``OFFSET 0`` keeps the two apart: what a row is, is looked at once and not for each column."""

_ODD: Final = sql.SQL(" OR ").join(sql.SQL("{} <> 0").format(sql.Identifier(name)) for name in NOT_PLAIN)
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
    whole = [*_ENDS, *(name for name in read if name not in IMPLIED and name not in _ENDS)]
    of_odd = [name for name in read if name in IMPLIED]
    gathered = [sql.SQL("array_agg({})").format(sql.Identifier(name)) for name in whole]
    gathered += [sql.SQL("array_agg({}) FILTER (WHERE odd)").format(sql.Identifier(name)) for name in ("first_time", *of_odd)]
    query = sql.SQL(_READ).format(
        gathered=sql.SQL(", ").join(gathered), names=sql.SQL(", ").join(map(sql.Identifier, (*whole, *of_odd))), odd=_ODD, table=sql.Identifier(table)
    )
    kinds = {name: STORED_COLUMNS[name] for name in whole} | {f"odd {name}": STORED_COLUMNS[name] for name in ("first_time", *of_odd)}
    with connection.cursor(binary=True) as cursor:
        cursor.execute(query, (tag_id, moment_of(start), moment_of(end)))
        found: dict[str, npt.NDArray[Any]] = dict(zip(kinds, take_columns(cursor.pgresult, kinds), strict=True))
    odd = np.searchsorted(found["first_time"], found["odd first_time"])
    for name in of_odd:
        column = implied(name, found)
        column[odd] = found[f"odd {name}"]
        found[name] = column
    tag = connection.execute(_STEPPED, (tag_id,)).fetchone()
    width = _WIDTHS[table]
    return RollUps(
        np.full(len(found["first_time"]), tag_id, np.int32),
        found["first_time"] // width * width,
        from_stored(found, stepped=tag == (True,), names=columns),
    )


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
