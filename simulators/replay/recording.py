"""A recording: rows of numbers, each with the time at which it was measured."""

import csv
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Final

import numpy as np
import numpy.typing as npt

from plant.batch import Int64Column
from plant.errors import ConfigurationError, Problem
from plant.times import MICROSECONDS, from_datetime

Matrix = npt.NDArray[np.float64]

_TIME_COLUMN: Final = "datetime"
_SEPARATOR: Final = ";"


@dataclass(frozen=True, slots=True, eq=False)
class Recording:
    """``times`` int64 (n,), UTC microseconds, ascending, no two alike; ``values`` float64 (n, len(names)), NaN where the file has no number;
    n is at least 1. ``names`` are the columns as the file heads them."""

    names: tuple[str, ...]
    times: Int64Column
    values: Matrix

    def __len__(self) -> int:
        return len(self.times)

    @property
    def interval(self) -> float:
        """Usual time from one row to the next, seconds: the median; 1 for a single row."""
        return float(np.median(np.diff(self.times))) / MICROSECONDS if len(self) > 1 else 1.0

    @staticmethod
    def read(path: Path) -> "Recording":
        """Reads a CSV file: semicolons, a header with a column ``datetime`` (ISO 8601; without a zone it is taken as UTC), numbers in all the others.

        Raises:
            ConfigurationError: with every row that is no row of a recording.
        """
        try:
            with path.open(encoding="utf-8-sig", newline="") as file:
                lines = list(csv.reader(file, delimiter=_SEPARATOR))
        except (OSError, UnicodeDecodeError) as error:
            raise ConfigurationError([Problem(str(path), None, None, f"cannot be read: {error}", "name a CSV file in UTF-8")]) from None
        return _parsed(str(path), lines)


def _parsed(file: str, lines: list[list[str]]) -> Recording:
    problems: list[Problem] = []
    header = [cell.strip() for cell in lines[0]] if lines else []
    if _TIME_COLUMN not in header or len(header) < 2:
        mend = f"head it '{_TIME_COLUMN};NAME;…', separated by semicolons"
        raise ConfigurationError([Problem(file, 1, None, f"the header has no column {_TIME_COLUMN!r} beside others", mend)])
    time_at = header.index(_TIME_COLUMN)
    times: list[int] = []
    rows: list[list[float]] = []
    for line, cells in enumerate(lines[1:], 2):
        if not any(cell.strip() for cell in cells):
            continue
        if len(cells) != len(header):
            problems.append(Problem(file, line, None, f"has {len(cells)} cells, and the header {len(header)}", "mend or remove the row"))
            continue
        time = _time(file, line, cells[time_at], problems)
        if time is not None and times and time <= times[-1]:
            problems.append(Problem(file, line, _TIME_COLUMN, f"{cells[time_at]!r} is not after the row before", "order the rows by time, one row a time"))
        elif time is not None:
            times.append(time)
            rows.append([_number(file, line, name, cell, problems) for name, cell in zip(header, cells, strict=True) if name != _TIME_COLUMN])
    if not times and not problems:
        problems.append(Problem(file, None, None, "has no rows", "record something first"))
    if problems:
        raise ConfigurationError(problems)
    return Recording(tuple(name for name in header if name != _TIME_COLUMN), np.array(times, np.int64), np.array(rows, np.float64))


def _time(file: str, line: int, text: str, problems: list[Problem]) -> int | None:
    try:
        return from_datetime(datetime.fromisoformat(text.strip()))
    except ValueError:
        problems.append(Problem(file, line, _TIME_COLUMN, f"{text!r} is no time", "write it as in 2020-03-09 10:14:33"))
        return None


def _number(file: str, line: int, name: str, text: str, problems: list[Problem]) -> float:
    if not text.strip():
        return float("nan")
    try:
        return float(text)
    except ValueError:
        problems.append(Problem(file, line, name, f"{text!r} is no number", "write a number with a decimal point, or leave the cell blank"))
        return float("nan")
