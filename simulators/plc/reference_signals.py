"""Signals of the reference plant's PLCs: the numeric tags of the site, and what its PLCs have besides, which no historian sees."""

from collections.abc import Mapping
from importlib import resources
from typing import Final

from plant.errors import ConfigurationError, Problem
from plant.site import Site
from plant.site_table import read_table
from simulators.plc.signal import Direction, Signal, signal_of

COLUMNS: Final = ("signal", "direction", "low", "high", "initial", "safe", "description")


def reference_signals(site: Site) -> Mapping[str, Signal]:
    """By name: tags first, then those of ``reference/signals.csv`` in this package.

    Raises:
        ConfigurationError: with every mistake of the file.
    """
    file = resources.files("simulators.plc") / "reference" / "signals.csv"
    signals = {tag.name: signal_of(tag) for tag in site.tags if not tag.data_type.is_text}
    return {**signals, **parse_signals("signals.csv", file.read_text(encoding="utf-8"), signals)}


def parse_signals(file: str, text: str, known: Mapping[str, Signal]) -> Mapping[str, Signal]:
    """Signals of a table, by name; none may have the name of one that is ``known``.

    Raises:
        ConfigurationError: with every mistake of the table.
    """
    problems: list[Problem] = []
    found: dict[str, Signal] = {}
    for row in read_table(file, text, COLUMNS, problems).rows:
        name = row.required("signal", "write AREA.UNIT.POINT")
        direction = row.choice("direction", Direction) if row.required("direction", "write I, Q or M") else None
        low, high, initial, safe = (row.number(column) for column in ("low", "high", "initial", "safe"))
        if name is not None and (name in known or name in found):
            row.report("signal", f"{name} is there already", "remove one of the two")
        if name is None or direction is None:
            continue
        try:
            found[name] = Signal(name, direction, low or 0.0, 1.0 if high is None else high, initial or 0.0, safe or 0.0)
        except ValueError as error:
            row.report(None, str(error), "mend the row")
    if problems:
        raise ConfigurationError(problems)
    return found
