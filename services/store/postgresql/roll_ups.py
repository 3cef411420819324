"""The tables ``roll_up_minute`` and ``roll_up_hour``, inside a transaction of the caller: summaries of the one aggregate engine, as columns."""

from typing import Any, Final, LiteralString

import numpy as np
import numpy.typing as npt
from psycopg import Connection, sql

from plant.aggregates import STORED_COLUMNS, from_stored
from services.store.interface import HOUR, DueHours, RollUps
from services.store.postgresql.arrays import read_columns
from services.store.postgresql.copying import moments, times_of, to_copy
from services.store.postgresql.due import HOURS, hour_parameters
from services.store.postgresql.moments import moment_of

_COLUMNS: Final[dict[str, npt.DTypeLike]] = {"tag_id": np.int32, "ts": np.int64, **STORED_COLUMNS}
_NAMES: Final = sql.SQL(", ").join(map(sql.Identifier, _COLUMNS))
_READ: Final[LiteralString] = "SELECT {names} FROM {table} WHERE tag_id = %s AND ts >= %s AND ts < %s ORDER BY ts"
_REMOVE: Final[LiteralString] = (
    "DELETE FROM {table} r USING {hours} "
    "WHERE r.tag_id = hours.tag_id AND r.ts >= hours.hour AND r.ts < hours.hour + INTERVAL '1 hour' AND r.ts >= %s AND r.ts < %s"
)
_STEPPED: Final[LiteralString] = "SELECT stepped FROM tag WHERE id = %s"
MINUTES: Final[LiteralString] = "roll_up_minute"
WHOLE_HOURS: Final[LiteralString] = "roll_up_hour"


def read_roll_ups(connection: Connection, table: LiteralString, tag_id: int, start: int, end: int) -> RollUps:
    query = sql.SQL(_READ).format(names=_NAMES, table=sql.Identifier(table))
    columns: list[npt.NDArray[Any]] = read_columns(connection, query, (tag_id, moment_of(start), moment_of(end)), _COLUMNS)
    tag = connection.execute(_STEPPED, (tag_id,)).fetchone()
    summaries = from_stored(dict(zip(STORED_COLUMNS, columns[2:], strict=True)), stepped=tag == (True,))
    return RollUps(columns[0], times_of(columns[1]), summaries)


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
