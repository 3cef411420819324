"""TOML documents of a site folder: text -> tables that know the line of each key.

The standard parser keeps no lines. ``line_of`` finds them again by reading headers and keys off the text, which is exact for what people write by
hand; where a key cannot be found the line of its table stands for it.
"""

import re
import tomllib
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from itertools import takewhile
from pathlib import PurePath
from typing import Any, Final, TypeVar

from plant.errors import Problem

_PART: Final = r"""(?:"[^"]*"|'[^']*'|[A-Za-z0-9_-]+)"""
_KEY: Final = rf"{_PART}(?:\s*\.\s*{_PART})*"
_HEADER: Final = re.compile(rf"\s*\[\s*({_KEY})\s*\]")
_ASSIGNMENT: Final = re.compile(rf"\s*({_KEY})\s*=")
_LONGEST_WAIT: Final = 3600
_Choice = TypeVar("_Choice", bound=StrEnum)
_WHERE: Final = re.compile(r"\(at line (\d+), column \d+\)")


@dataclass(frozen=True, slots=True)
class TomlTable:
    """One table: ``path`` from the root, ``values`` as parsed. Getters report what they cannot use, and then give ``None`` or the default."""

    file: str
    text: str
    path: tuple[str, ...]
    values: dict[str, Any]
    problems: list[Problem]

    def report(self, field: str | None, message: str, mend: str) -> None:
        path = self.path if field is None else (*self.path, field)
        self.problems.append(Problem(self.file, line_of(self.text, path), ".".join(path) or None, message, mend))

    def tables(self, mend: str) -> list[tuple[str, "TomlTable"]]:
        """The tables in this table, by key; other values are reported."""
        found: list[tuple[str, TomlTable]] = []
        for key, value in self.values.items():
            if isinstance(value, dict):
                found.append((key, TomlTable(self.file, self.text, (*self.path, key), value, self.problems)))
            else:
                self.report(key, f"unknown key {key!r}", mend)
        return found

    def only(self, keys: Sequence[str]) -> None:
        """Reports every key but these."""
        for key in self.values.keys() - set(keys):
            self.report(key, f"unknown key {key!r}", f"the keys here are {', '.join(keys)}")

    def string(self, key: str, example: str) -> str | None:
        """Text that is there and not blank."""
        value = self.values.get(key)
        if isinstance(value, str) and value.strip():
            return value.strip()
        self.report(key, "is missing" if value is None else f"{value!r} is no text", f"write {key} = {example}")
        return None

    def integer(self, key: str, low: int, high: int) -> int | None:
        """Whole number from ``low`` to ``high`` that is there."""
        value = self.values.get(key)
        if isinstance(value, int) and not isinstance(value, bool) and low <= value <= high:
            return value
        self.report(key, "is missing" if value is None else f"{value!r} is no whole number from {low} to {high}", f"write {key} = {low} … {high}")
        return None

    def integer_or(self, key: str, low: int, high: int, default: int) -> int:
        """Whole number from ``low`` to ``high``; ``default`` where it is absent or bad."""
        found = self.integer(key, low, high) if key in self.values else None
        return default if found is None else found

    def choice_or(self, key: str, kind: type[_Choice], default: _Choice) -> _Choice:
        """Member of an enumeration by its value; ``default`` where it is absent or bad."""
        value = self.values.get(key, default.value)
        try:
            return kind(value)
        except ValueError:
            self.report(key, f"unknown {key} {value!r}", f"write one of {', '.join(kind)}")
            return default

    def flag_or(self, key: str, default: bool) -> bool:
        value = self.values.get(key, default)
        if isinstance(value, bool):
            return value
        self.report(key, f"{value!r} is neither true nor false", f"write {key} = {str(default).lower()}")
        return default

    def absolute_path(self, key: str, example: str = "/etc/monazite/FILE") -> str | None:
        """An absolute path: a service may be started in any folder."""
        text = self.string(key, f'"{example}"')
        if text is not None and not PurePath(text).is_absolute():
            self.report(key, f"{text!r} is no absolute path", f"write it from the root, as in {example}")
            return None
        return text

    def table(self, key: str, example: str) -> "TomlTable | None":
        """The table at ``key``, or ``None`` where there is none."""
        value = self.values.get(key)
        if isinstance(value, dict):
            return TomlTable(self.file, self.text, (*self.path, key), value, self.problems)
        if value is not None:
            self.report(key, f"{value!r} is no table", f"write {key} = {example}")
        return None

    def seconds(self, key: str, default: float, longest: float = _LONGEST_WAIT) -> float:
        """Number above 0."""
        value = self.values.get(key, default)
        if isinstance(value, (int, float)) and not isinstance(value, bool) and 0 < value <= longest:
            return float(value)
        self.report(key, f"{value!r} is no number of seconds above 0, up to {longest:g}", f"write {key} = {default:g}")
        return default


def read_document(file: str, text: str, problems: list[Problem]) -> TomlTable | None:
    """Root table, or ``None`` where the text is no TOML."""
    try:
        return TomlTable(file, text, (), tomllib.loads(text), problems)
    except (ValueError, RecursionError) as error:
        where = _WHERE.search(str(error))
        line = int(where[1]) if where else len(text.splitlines())
        message = _WHERE.sub("", str(error)).strip()
        problems.append(Problem(file, line, None, f"is no TOML: {message}", "mend this line; texts stand in double quotes"))
        return None


def line_of(text: str, path: Sequence[str]) -> int | None:
    """Line (from 1) of the key at ``path``, else of the innermost table around it that the text names, else ``None``."""
    table: tuple[str, ...] = ()
    best: tuple[int, int | None] = (0, None)
    for number, line in enumerate(text.splitlines(), 1):
        if header := _HEADER.match(line):
            table = here = _parts(header[1])
        elif assignment := _ASSIGNMENT.match(line):
            here = (*table, *_parts(assignment[1]))
        else:
            continue
        shared = sum(1 for _ in takewhile(lambda pair: pair[0] == pair[1], zip(path, here, strict=False)))
        if shared > best[0]:
            best = (shared, number)
    return best[1]


def _parts(key: str) -> tuple[str, ...]:
    return tuple(part.strip("\"'") for part in re.findall(_PART, key))
