"""Wildcards over the path of a node, as ``Plant/Pump1/Speed``. Pure.

``*`` stands for any characters within one step, ``?`` for one of them, ``**`` for any number of steps. Capitals and small letters are the same: people
type patterns, and servers differ.
"""

import re
from collections.abc import Sequence
from typing import Final

_WILDCARD: Final = re.compile(r"/\*\*/|\*\*/|/\*\*|\*\*|\*|\?")
_MEANING: Final = {"/**/": "/(?:.*/)?", "**/": "(?:.*/)?", "/**": "(?:/.*)?", "**": ".*", "*": "[^/]*", "?": "[^/]"}


class PathPatterns:
    """Chooses paths: those that some ``included`` pattern matches whole, all where there is none, without those that an ``excluded`` one matches."""

    def __init__(self, included: Sequence[str] = (), excluded: Sequence[str] = ()) -> None:
        self._included = [_regular_expression(pattern) for pattern in included]
        self._excluded = [_regular_expression(pattern) for pattern in excluded]

    def choose(self, path: str) -> bool:
        is_included = not self._included or any(pattern.fullmatch(path) for pattern in self._included)
        return is_included and not any(pattern.fullmatch(path) for pattern in self._excluded)


def _regular_expression(pattern: str) -> re.Pattern[str]:
    parts: list[str] = []
    end = 0
    for wildcard in _WILDCARD.finditer(pattern):
        parts += [re.escape(pattern[end : wildcard.start()]), _MEANING[wildcard[0]]]
        end = wildcard.end()
    return re.compile("".join([*parts, re.escape(pattern[end:])]), re.IGNORECASE | re.DOTALL)
