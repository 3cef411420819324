"""A cause-and-effect table as a CSV file -> interlocks. The columns are described in docs/soft-plc.md.

Reading never stops at a mistake: one run names everything there is to mend, with file, line and field.
"""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from importlib import resources
from pathlib import Path
from typing import Final

from plant.errors import ConfigurationError, Problem
from plant.site_table import Row, read_table
from simulators.plc.condition import Comparison, Condition
from simulators.plc.interlocks.interlock import Action, Cause, Effect, Group, Interlock, Reset
from simulators.plc.on_delay import PRESET
from simulators.plc.signal import Direction, Signal

COLUMNS: Final = ("interlock", "row", "tag", "is", "value", "delay_s", "group", "vote", "for_s", "note")
_VOTE: Final = re.compile(r"([1-9])oo([1-9])", re.ASCII)


class RowKind(StrEnum):
    INTERLOCK = "interlock"
    CAUSE = "cause"
    WHILE = "while"
    UNTIL = "until"
    EFFECT = "effect"


_USED: Final[Mapping[RowKind, frozenset[str]]] = {
    RowKind.INTERLOCK: frozenset({"is", "delay_s"}),
    RowKind.CAUSE: frozenset({"tag", "is", "value", "delay_s", "group", "vote"}),
    RowKind.WHILE: frozenset({"tag", "is", "value", "group"}),
    RowKind.UNTIL: frozenset({"tag", "is", "value"}),
    RowKind.EFFECT: frozenset({"tag", "is", "value", "delay_s", "for_s"}),
}
"""Cells that a row has besides ``interlock``, ``row`` and ``note``; the others are blank."""


@dataclass(slots=True)
class _Draft:
    """What has been read of one interlock."""

    first: Row
    header: Row | None = None
    reset: Reset = Reset.MANUAL
    healthy_s: float = 0.0
    kinds: set[RowKind] = field(default_factory=set)
    """Kinds of row that it has, read or not."""
    causes: dict[str, list[tuple[Cause | None, Row]]] = field(default_factory=dict)
    """By group; causes without one are each a group of their own. ``None``: one that could not be read."""
    enabling: dict[str, list[Condition]] = field(default_factory=dict)
    until: list[Condition] = field(default_factory=list)
    effects: list[Effect] = field(default_factory=list)


def load_interlocks(path: Path, signals: Mapping[str, Signal]) -> tuple[Interlock, ...]:
    """The interlocks of a file; ``signals`` are what they may name, by name.

    Raises:
        ConfigurationError: with every mistake of the file, ordered by line.
    """
    try:
        text = path.read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigurationError([Problem(str(path), None, None, f"cannot be read: {error}", "name a CSV file in UTF-8")]) from None
    return parse_interlocks(str(path), text, signals)


def reference_interlocks(signals: Mapping[str, Signal]) -> tuple[Interlock, ...]:
    """The interlocks of the reference plant; ``signals`` as ``reference_signals`` gives them."""
    file = resources.files("simulators.plc") / "reference" / "interlocks.csv"
    return parse_interlocks("interlocks.csv", file.read_text(encoding="utf-8"), signals)


def parse_interlocks(file: str, text: str, signals: Mapping[str, Signal]) -> tuple[Interlock, ...]:
    """As ``load_interlocks``, of a text; ``file`` is its name in the mistakes."""
    problems: list[Problem] = []
    drafts: dict[str, _Draft] = {}
    for row in read_table(file, text, COLUMNS, problems).rows:
        interlock_id = row.required("interlock", "write the id, as in I-07")
        kind = row.choice("row", RowKind) if row.required("row", f"write one of {', '.join(RowKind)}") else None
        if interlock_id is None or kind is None:
            continue
        _blank_where_unused(row, kind)
        draft = drafts.setdefault(interlock_id, _Draft(row))
        draft.kinds.add(kind)
        _READERS[kind](row, draft, signals)
    interlocks = [_finished(interlock_id, draft) for interlock_id, draft in drafts.items()]
    if problems:
        raise ConfigurationError(sorted(set(problems), key=lambda problem: (problem.line or 0, problem.field or "", problem.message)))
    return tuple(interlock for interlock in interlocks if interlock is not None)


def _blank_where_unused(row: Row, kind: RowKind) -> None:
    for name in COLUMNS:
        if name not in {"interlock", "row", "note", *_USED[kind]} and row.text(name):
            row.report(name, f"{row.text(name)!r} means nothing in a row '{kind}'", "clear the cell")


def _header(row: Row, draft: _Draft, _: Mapping[str, Signal]) -> None:
    if draft.header is not None:
        row.report("row", f"there is another row 'interlock' of it in line {draft.header.line}", "remove one of the two, or give it another id")
    draft.header = row
    row.required("note", "write what it protects against")
    if row.required("is", f"write who resets it: one of {', '.join(Reset)}"):
        draft.reset = row.choice("is", Reset) or Reset.MANUAL
    draft.healthy_s = _seconds(row, "delay_s", 0.0) or 0.0


def _cause(row: Row, draft: _Draft, signals: Mapping[str, Signal]) -> None:
    condition = _condition(row, signals)
    delay = _seconds(row, "delay_s", None)
    group = row.text("group")
    if row.text("vote") and not group:
        row.report("vote", "is given to a cause that is in no group", "give all causes that vote together one group")
    cause = None if condition is None or delay is None else Cause(condition, delay)
    draft.causes.setdefault(group or f"\0{row.line}", []).append((cause, row))


def _while(row: Row, draft: _Draft, signals: Mapping[str, Signal]) -> None:
    condition = _condition(row, signals)
    if condition is not None:
        draft.enabling.setdefault(row.text("group"), []).append(condition)


def _until(row: Row, draft: _Draft, signals: Mapping[str, Signal]) -> None:
    condition = _condition(row, signals)
    if condition is not None:
        draft.until.append(condition)


def _effect(row: Row, draft: _Draft, signals: Mapping[str, Signal]) -> None:
    signal = _signal(row, signals)
    action = row.choice("is", Action) if row.required("is", f"write {Action.SET} or {Action.STAY}") else None
    value = _number(row)
    delay, duration = _seconds(row, "delay_s", 0.0), _seconds(row, "for_s", 0.0)
    if signal is None or action is None or value is None or delay is None:
        return
    if signal.direction is Direction.INPUT:
        row.report("tag", f"{signal.name} is an input, and no interlock can drive it", "name an output, or a word of the PLC's memory")
    elif not signal.low <= value <= signal.high:
        row.report("value", f"{value:g} is out of the range of {signal.name}", f"write {signal.low:g} to {signal.high:g}")
    elif any(effect.tag == signal.name and not duration and effect.for_s is None for effect in draft.effects):
        row.report("tag", f"{signal.name} is already an effect of this interlock", "remove one of the two, or say with for_s how long the first lasts")
    else:
        draft.effects.append(Effect(signal.name, value, action, delay, duration or None))


_READERS: Final[Mapping[RowKind, Callable[[Row, _Draft, Mapping[str, Signal]], None]]] = {
    RowKind.INTERLOCK: _header,
    RowKind.CAUSE: _cause,
    RowKind.WHILE: _while,
    RowKind.UNTIL: _until,
    RowKind.EFFECT: _effect,
}


def _finished(interlock_id: str, draft: _Draft) -> Interlock | None:
    """``None`` where the file has mistakes, be they of this interlock or another: then nothing of it is used."""
    row = draft.first
    missing = {RowKind.INTERLOCK: "says what it is for and who resets it", RowKind.CAUSE: "says when it trips", RowKind.EFFECT: "says what it does"}
    for kind in missing.keys() - draft.kinds:
        row.report("row", f"{interlock_id} has no row '{kind}'", f"add one that {missing[kind]}")
    for group in sorted(set(draft.enabling) - {"", *draft.causes}):
        row.report("group", f"{interlock_id} has a row 'while' for group {group!r}, in which there is no cause", "mend the name of the group")
    needed = {name: _needed(causes) for name, causes in draft.causes.items()}
    if draft.header is None or row.problems:
        return None
    groups = tuple(
        Group(tuple(cause for cause, _ in causes if cause is not None), needed[name], tuple(draft.enabling.get(name, ())))
        for name, causes in draft.causes.items()
    )
    enabling = tuple(draft.enabling.get("", ()))
    return Interlock(interlock_id, draft.header.text("note"), groups, tuple(draft.effects), draft.reset, enabling, tuple(draft.until), draft.healthy_s)


def _needed(causes: list[tuple[Cause | None, Row]]) -> int:
    """How many of a group must be met; 1 where its votes are wrong, which is then told."""
    if not causes[-1][1].text("group"):
        return 1
    votes = {row.text("vote") or "1oo" + str(len(causes)) for _, row in causes}
    last = causes[-1][1]
    if len(votes) > 1:
        last.report("vote", f"group {last.text('group')!r} votes {' and '.join(sorted(votes))}", "give all its causes the same vote")
        return 1
    found = _VOTE.fullmatch(next(iter(votes)))
    if found is None or not int(found[1]) <= int(found[2]) == len(causes):
        last.report("vote", f"{next(iter(votes))!r} is no vote of {len(causes)} causes", f"write it as in 1oo{len(causes)}")
        return 1
    return int(found[1])


def _condition(row: Row, signals: Mapping[str, Signal]) -> Condition | None:
    signal = _signal(row, signals)
    comparison = row.choice("is", Comparison) if row.required("is", f"write one of {' '.join(Comparison)}") else None
    value = _number(row)
    if signal is None or comparison is None or value is None:
        return None
    condition = Condition(signal.name, comparison, value)
    if not condition.can_change(signal.low, signal.high):
        row.report("value", f"{condition} is the same for every value that it can have", f"write a limit within {signal.low:g} to {signal.high:g}")
    return condition


def _signal(row: Row, signals: Mapping[str, Signal]) -> Signal | None:
    name = row.required("tag", "write the tag")
    if name is not None and name not in signals:
        row.report("tag", f"there is no signal {name!r}", "mend the name, or declare the signal")
    return None if name is None else signals.get(name)


def _number(row: Row) -> float | None:
    return row.number("value") if row.required("value", "write a number") else None


def _seconds(row: Row, name: str, blank: float | None) -> float | None:
    """``blank`` where the cell is, unless that is no answer."""
    if not row.text(name):
        if blank is None:
            row.report(name, "is blank", "write seconds, 0 for at once")
        return blank
    seconds = row.number(name)
    if seconds is not None and not PRESET.low <= seconds <= PRESET.high:
        row.report(name, f"{row.text(name)} s cannot be", f"write {PRESET.low:g} to {PRESET.high:g} s")
        return None
    return seconds
