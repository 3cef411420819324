"""CSV tables of a site folder: text -> rows that know their line and read their own cells.

Rule: reading never stops at a mistake. A cell that cannot be read becomes a ``Problem`` and reads as ``None``; whoever asked goes on with the rest of
the row, so that one run names everything there is to mend.
"""

import csv
import io
import math
import re
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Final, TypeVar

from plant.errors import Problem

_INTEGER: Final = re.compile(r"-?\d{1,18}", re.ASCII)
_NUMBER: Final = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?", re.ASCII)
_Choice = TypeVar("_Choice", bound=StrEnum)


@dataclass(frozen=True, slots=True)
class Row:
    """One row: ``cells`` by column, without surrounding blanks. ``problems`` is the list of the whole site, which reading a cell may lengthen."""

    file: str
    line: int
    cells: dict[str, str]
    problems: list[Problem]

    def report(self, field: str | None, message: str, mend: str) -> None:
        self.problems.append(Problem(self.file, self.line, field, message, mend))

    def text(self, field: str) -> str:
        return self.cells[field]

    def required(self, field: str, mend: str) -> str | None:
        """Text that may not be blank."""
        if not self.cells[field]:
            self.report(field, "is blank", mend)
        return self.cells[field] or None

    def integer(self, field: str, low: int, high: int) -> int | None:
        """Whole number from ``low`` to ``high``; ``None`` if blank or bad."""
        text = self.cells[field]
        if not text:
            return None
        if _INTEGER.fullmatch(text) is None or not low <= int(text) <= high:
            self.report(field, f"{text!r} is no whole number from {low} to {high}", "write one, without separators")
            return None
        return int(text)

    def number(self, field: str) -> float | None:
        """Finite number; ``None`` if blank or bad."""
        text = self.cells[field]
        if not text:
            return None
        number = number_of(text)
        if number is None:
            self.report(field, f"{text!r} is no number", "write a finite number with a decimal point, as in 12.5")
        return number

    def choice(self, field: str, kind: type[_Choice]) -> _Choice | None:
        """Member of an enumeration by its value; ``None`` if blank or bad."""
        text = self.cells[field]
        if not text:
            return None
        try:
            return kind(text)
        except ValueError:
            self.report(field, f"unknown {field} {text!r}", f"write one of {', '.join(kind)}")
            return None

    def flag(self, field: str) -> bool | None:
        text = self.cells[field]
        if text not in {"0", "1"}:
            self.report(field, f"{text!r} is neither 0 nor 1", "write 1 for yes, 0 for no")
            return None
        return text == "1"


def number_of(text: str) -> float | None:
    """The finite number that ``text`` writes with a decimal point, or ``None``."""
    return float(text) if _NUMBER.fullmatch(text) is not None and math.isfinite(float(text)) else None


@dataclass(frozen=True, slots=True)
class Table:
    """Rows of a table; ``is_whole`` unless some of its text could not be read as rows, so that what seems to be missing may only be unread."""

    rows: Sequence[Row]
    is_whole: bool


def read_table(file: str, text: str, columns: Sequence[str], problems: list[Problem], *, optional: Sequence[str] = ()) -> Table:
    """A CSV table that has all of ``columns`` and any of ``optional``, in any order; an absent one is blank. Rows of blank cells are passed over."""
    before = len(problems)
    records = _records(file, text, problems)
    if not records:
        if len(problems) == before:
            problems.append(Problem(file, None, None, "is empty", f"write the header: {','.join(columns)}"))
        return Table([], is_whole=False)
    header_line, header = records[0]
    if not _header_is_whole(file, header_line, header, columns, optional, problems):
        return Table([], is_whole=False)
    rows: list[Row] = []
    for line, cells in records[1:]:
        if len(cells) != len(header):
            problems.append(Problem(file, line, None, f"has {len(cells)} cells, and the header {len(header)}", "quote a text that holds a comma"))
            continue
        rows.append(Row(file, line, dict.fromkeys(optional, "") | dict(zip(header, cells, strict=True)), problems))
    return Table(rows, is_whole=len(problems) == before)


def _records(file: str, text: str, problems: list[Problem]) -> list[tuple[int, list[str]]]:
    """(first line, stripped cells) of every record that is not blank."""
    records: list[tuple[int, list[str]]] = []
    reader = csv.reader(io.StringIO(text, newline=""), strict=True)
    line = 1
    try:
        for record in reader:
            cells = [cell.strip() for cell in record]
            if any(cells):
                records.append((line, cells))
            line = reader.line_num + 1
    except csv.Error as error:
        problems.append(Problem(file, line, None, f"is no CSV from here on: {error}", 'close every quoted text with "'))
    return records


def _header_is_whole(file: str, line: int, header: Sequence[str], columns: Sequence[str], optional: Sequence[str], problems: list[Problem]) -> bool:
    before = len(problems)
    known = ",".join((*columns, *optional))
    if len(header) == 1 and re.search(r"[;\t]", header[0]):
        problems.append(Problem(file, line, None, "the cells are not separated by commas", "save the sheet as comma-separated values"))
        return False
    for column in (*columns, *optional):
        if header.count(column) != 1 and not (column in optional and column not in header):
            how = "is missing" if column not in header else "stands there twice"
            problems.append(Problem(file, line, column, f"column {column!r} {how}", f"the columns are {known}"))
    unknown = sorted(set(header) - set(columns) - set(optional))
    problems += [Problem(file, line, column or None, f"unknown column {column!r}", f"the columns are {known}") for column in unknown]
    return len(problems) == before
