"""Native partitions of history, where there is no TimescaleDB: months, or days where a month would be too many rows. Names say what they cover.

``sample_2026_11`` is November, ``sample_2026_11_23`` a day of it. A month that has either keeps to it.
"""

from collections.abc import Iterable, Sequence
from datetime import UTC, date, datetime, timedelta
from typing import Final

import numpy as np
from psycopg import Connection, sql

from plant.batch import Int64Column

TABLES: Final = ("sample", "sample_text", "roll_up_minute")
_END_OF_YEAR_9999: Final = "MAXVALUE"


def days_of(time: Int64Column) -> set[str]:
    """The days of UTC times, as ``2026-11-23``."""
    return {str(day) for day in np.unique(time.view("datetime64[us]").astype("datetime64[D]"))}


def partitions_for(days: Iterable[str], present: Iterable[str], *, is_daily: bool) -> list[str]:
    """Partitions, as ``2026_11`` or ``2026_11_23``, that are to be made so that each of the days has one, given those that are ``present``."""
    there = set(present)
    cut = {name[:7] for name in there if len(name) > 7}
    needed = set()
    for day in days:
        name = day.replace("-", "_")
        if name[:7] not in there:
            needed.add(name if is_daily or name[:7] in cut else name[:7])
    return sorted(needed - there)


def present_partitions(connection: Connection) -> set[str]:
    rows = connection.execute("SELECT c.relname FROM pg_inherits i JOIN pg_class c ON c.oid = i.inhrelid WHERE i.inhparent = 'sample'::regclass")
    return {str(row[0]).removeprefix("sample_") for row in rows}


def make_partitions(connection: Connection, names: Iterable[str]) -> None:
    for name in names:
        lower, upper = _bounds(name)
        for table in TABLES:
            connection.execute(
                sql.SQL("CREATE TABLE IF NOT EXISTS {} PARTITION OF {} FOR VALUES FROM ({}) TO ({})").format(
                    sql.Identifier(f"{table}_{name}"),
                    sql.Identifier(table),
                    sql.Literal(f"{lower.isoformat()} 00:00:00+00"),
                    sql.SQL(_END_OF_YEAR_9999) if upper is None else sql.Literal(f"{upper.isoformat()} 00:00:00+00"),
                )
            )


def drop_partitions(connection: Connection, names: Iterable[str]) -> Sequence[str]:
    """The tables dropped."""
    tables = [f"{table}_{name}" for name in names for table in TABLES]
    for table in tables:
        connection.execute(sql.SQL("DROP TABLE IF EXISTS {}").format(sql.Identifier(table)))
    return tables


def end_of(name: str) -> datetime | None:
    """When a partition ends; ``None`` where that is the end of the calendar."""
    end = _bounds(name)[1]
    return None if end is None else datetime(end.year, end.month, end.day, tzinfo=UTC)


def ending_before(names: Iterable[str], moment: datetime) -> list[str]:
    """Those that end at or before a moment, oldest first."""
    ends = {name: end_of(name) for name in names}
    return sorted(name for name, end in ends.items() if end is not None and end <= moment)


def _bounds(name: str) -> tuple[date, date | None]:
    year, month, *day = map(int, name.split("_"))
    lower = date(year, month, day[0] if day else 1)
    try:
        upper = lower + timedelta(days=1) if day else date(year + month // 12, month % 12 + 1, 1)
    except (OverflowError, ValueError):
        return lower, None
    return lower, upper
