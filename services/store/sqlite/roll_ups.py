"""Roll-ups: minutes in the month files, hours in the main file, which outlive the samples.

Hours have one column for each of ``STORED_COLUMNS``; NaN is NULL. Of minutes there are 1440 a day, which a trend reads by the ten thousand: each is one
BLOB, ``MINUTE_LAYOUT``, since making a Python object of every column costs ten times as much as reading the bytes.
"""

from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import suppress
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from plant.aggregates import STORED_COLUMNS, from_stored
from plant.batch import Int32Column, Int64Column, SampleBatch
from services.store.interface import HOUR, MINUTE, DueHours, RollUps
from services.store.rows import rows_in
from services.store.sqlite.connections import Connections
from services.store.sqlite.due import kept_from, still_taken, take_off
from services.store.sqlite.month_files import MonthFiles, MonthGone
from services.store.sqlite.months import end_of, months_of
from services.store.sqlite.write import thin_history

Mask = npt.NDArray[np.bool_]

_COLUMNS: Final = ", ".join(("tag_id", "ts", *STORED_COLUMNS))
_PLACES: Final = ", ".join("?" * (2 + len(STORED_COLUMNS)))
_WHERE: Final = "WHERE tag_id = ? AND ts >= ? AND ts < ? ORDER BY ts"
_MINUTES: Final = f"SELECT summary FROM roll_up_minute {_WHERE}"
MINUTE_LAYOUT: Final = np.dtype([(name, dtype.newbyteorder("<")) for name, dtype in STORED_COLUMNS.items()])
"""``STORED_COLUMNS`` in their order, little-endian, without gaps."""


def save_roll_ups(main: Connections, files: MonthFiles, minutes: RollUps, hours: RollUps, done: DueHours) -> None:
    """Minutes first: until the main file's transaction the hours are due, and nobody uses either.

    Hours of a month that retention dropped or that has no file any more stay as they are: they were made while it had one.
    """
    with main.reading() as connection:
        start = kept_from(connection)
    there = [month for month in files.existing() if end_of(month) > start]
    for month, (of_done, of_minutes) in _by_month(done.hour, minutes.start, there).items():
        with files.writing(month) as connection:
            ends = [(tag_id, hour, hour + HOUR) for tag_id, hour in _pairs(done.tag_id[of_done], done.hour[of_done])]
            connection.executemany("DELETE FROM roll_up_minute WHERE tag_id = ? AND ts >= ? AND ts < ?", ends)
            connection.executemany("INSERT OR REPLACE INTO roll_up_minute VALUES (?, ?, ?)", _packed(minutes, of_minutes))
    is_there = np.isin(months_of(done.hour), there)
    with main.writing() as connection:
        connection.executemany("DELETE FROM roll_up_hour WHERE tag_id = ? AND ts = ?", _pairs(done.tag_id[is_there], done.hour[is_there]))
        connection.executemany(f"INSERT OR REPLACE INTO roll_up_hour ({_COLUMNS}) VALUES ({_PLACES})", _rows(hours, np.isin(months_of(hours.start), there)))
        take_off(connection, done)


def read_minutes(main: Connections, files: MonthFiles, tag_id: int, start: int, end: int, columns: Collection[str]) -> RollUps:
    """Minutes with ``start <= begin < end``."""
    packed: list[bytes] = []
    for month in files.between(start, end):
        with suppress(MonthGone), files.reading(month) as connection:
            packed.append(b"".join([summary for (summary,) in connection.execute(_MINUTES, (tag_id, start, end))]))
    kept = np.frombuffer(b"".join(packed), MINUTE_LAYOUT)
    return _roll_ups(main, tag_id, MINUTE, {name: np.ascontiguousarray(kept[name]) for name in columns if name in STORED_COLUMNS}, columns)


def read_hours(main: Connections, tag_id: int, start: int, end: int, columns: Collection[str]) -> RollUps:
    """Hours with ``start <= begin < end``."""
    kinds = {name: STORED_COLUMNS[name] for name in columns if name in STORED_COLUMNS}
    with main.reading() as connection:
        rows = connection.execute(f"SELECT {', '.join(kinds)} FROM roll_up_hour {_WHERE}", (tag_id, start, end)).fetchall()
    found = zip(*rows, strict=True) if rows else ((),) * len(kinds)
    return _roll_ups(main, tag_id, HOUR, {name: np.array(column, kind) for (name, kind), column in zip(kinds.items(), found, strict=True)}, columns)


def _roll_ups(main: Connections, tag_id: int, width: int, kept: Mapping[str, npt.NDArray[Any]], columns: Collection[str]) -> RollUps:
    with main.reading() as connection:
        is_stepped = bool(connection.execute("SELECT stepped FROM tag WHERE id = ?", (tag_id,)).fetchone() == (1,))
    first_time = kept["first_time"]
    return RollUps(np.full(len(first_time), tag_id, np.int32), first_time // width * width, from_stored(kept, is_stepped, columns))


def thinned_among(files: MonthFiles, tag_id: Int32Column, hour: Int64Column) -> DueHours:
    """The hours, with those that were thinned before marked so."""
    thinned = np.zeros(len(hour), np.bool_)
    months = months_of(hour)
    for month in np.unique(months).tolist():
        (asked,) = np.nonzero(months == month)
        span = int(hour[asked].min()), int(hour[asked].max())
        with suppress(MonthGone), files.reading(month) as connection:
            found = set(connection.execute("SELECT tag_id, hour FROM thinned WHERE hour BETWEEN ? AND ?", span).fetchall())
            thinned[asked] = [pair in found for pair in _pairs(tag_id[asked], hour[asked])]
    return DueHours(tag_id, hour, thinned)


def thin(main: Connections, files: MonthFiles, samples: SampleBatch, done: DueHours) -> Mask:
    """Removes samples of the hours that are still in hand and remembers that these were thinned, bool (done,); a month is one transaction."""
    with main.reading() as connection:
        in_hand = still_taken(connection, done)
    in_hand &= np.isin(months_of(done.hour), files.existing())
    thinned = done.select(in_hand)
    left_out = samples.select(rows_in(thinned, samples.tag_id, samples.time))
    for month, (of_done, of_samples) in _by_month(thinned.hour, left_out.time, files.existing()).items():
        with files.writing(month) as connection:
            thin_history(connection, left_out.select(of_samples))
            pairs = [(hour, tag_id) for tag_id, hour in _pairs(thinned.tag_id[of_done], thinned.hour[of_done])]
            connection.executemany("INSERT OR IGNORE INTO thinned VALUES (?, ?)", pairs)
    return in_hand


def _by_month(done: Int64Column, rows: Int64Column, there: Sequence[int]) -> dict[int, tuple[Mask, Mask]]:
    """Which hours and which rows lie in each month that has a file and any of them."""
    hours, others = months_of(done), months_of(rows)
    return {month: (hours == month, others == month) for month in np.union1d(hours, others).tolist() if month in there}


def _rows(roll_ups: RollUps, mask: Mask) -> Iterator[tuple[Any, ...]]:
    columns = [roll_ups.tag_id, roll_ups.start, *(getattr(roll_ups.summaries, name) for name in STORED_COLUMNS)]
    return zip(*(column[mask].tolist() for column in columns), strict=True)


def _packed(roll_ups: RollUps, mask: Mask) -> Iterator[tuple[int, int, bytes]]:
    kept = np.empty(int(mask.sum()), MINUTE_LAYOUT)
    for name in STORED_COLUMNS:
        kept[name] = getattr(roll_ups.summaries, name)[mask]
    whole, size = kept.tobytes(), MINUTE_LAYOUT.itemsize
    summaries = [whole[place : place + size] for place in range(0, len(whole), size)]
    return zip(roll_ups.tag_id[mask].tolist(), roll_ups.start[mask].tolist(), summaries, strict=True)


def _pairs(tag_id: Int32Column, hour: Int64Column) -> list[tuple[int, int]]:
    return list(zip(tag_id.tolist(), hour.tolist(), strict=True))
