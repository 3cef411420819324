"""Months of UTC source time, and the names of their files. Pure.

A month is a number: 1 is January 1970, 1560 December 2099. What comes before is month 0, what comes after month 1561: a device whose clock is at random
makes so many files and no more.
"""

import re
from pathlib import Path
from typing import Final

import numpy as np

from plant.batch import Int64Column, SampleBatch, TextBatch
from services.store.rows import FIRST_TIME, LAST_TIME

_YEARS: Final = range(1970, 2100)
LAST_MONTH: Final = 12 * len(_YEARS) + 1

_BEFORE: Final = f"before-{_YEARS[0]}"
_AFTER: Final = f"from-{_YEARS[-1] + 1}"
_NAME: Final = re.compile(r"(\d{4})-(0[1-9]|1[0-2])", re.ASCII)


def months_of(time: Int64Column) -> Int64Column:
    """Month of each time (UTC microseconds)."""
    return np.clip(time.view("datetime64[us]").astype("datetime64[M]").astype(np.int64) + 1, 0, LAST_MONTH)


def month_of(time: int) -> int:
    """As ``months_of``, of one time; any whole number is one."""
    return int(months_of(np.array([min(max(time, FIRST_TIME), LAST_TIME)], np.int64))[0])


def start_of(month: int) -> int:
    """First microsecond of a month; the first month has begun for ever."""
    return FIRST_TIME if month <= 0 else int(np.datetime64(month - 1, "M").astype("datetime64[us]").astype(np.int64))


def end_of(month: int) -> int:
    """First microsecond after a month."""
    return LAST_TIME + 1 if month >= LAST_MONTH else start_of(month + 1)


def name_of(month: int) -> str:
    """``2026-11``, ``before-1970`` or ``from-2100``."""
    if month <= 0:
        return _BEFORE
    return _AFTER if month >= LAST_MONTH else str(np.datetime64(month - 1, "M"))


def month_named(name: str) -> int | None:
    """The month of a name that ``name_of`` gives, ``None`` of any other."""
    if name in {_BEFORE, _AFTER}:
        return 0 if name == _BEFORE else LAST_MONTH
    match = _NAME.fullmatch(name)
    if match is None or int(match[1]) not in _YEARS:
        return None
    return 12 * (int(match[1]) - _YEARS[0]) + int(match[2])


def file_of(main: Path, month: int) -> Path:
    """``history.2026-11.sqlite`` beside ``history.sqlite``."""
    return main.with_name(f"{main.stem}.{name_of(month)}{main.suffix}")


def month_of_file(main: Path, name: str) -> int | None:
    """The month of a file beside ``main``, ``None`` if it is no month's."""
    if not name.startswith(f"{main.stem}.") or not name.endswith(main.suffix):
        return None
    return month_named(name[len(main.stem) + 1 : len(name) - len(main.suffix)])


def by_month(batch: SampleBatch | TextBatch) -> dict[int, SampleBatch | TextBatch]:
    """The rows of each month, in the batch's order."""
    if not len(batch):
        return {}
    first = month_of(int(batch.time.min()))
    if first == month_of(int(batch.time.max())):
        return {first: batch}
    months = months_of(batch.time)
    return {month: batch.select(months == month) for month in np.unique(months).tolist()}
