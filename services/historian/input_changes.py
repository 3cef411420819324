"""Changes of inputs whose results are not computed anew yet: pure bookkeeping, bounded, and nothing is ever dropped."""

from collections.abc import Iterator, Sequence
from typing import Final

from services.store import InputChange

MOST: Final = 16
"""Ranges kept of one input. With more, the two that lie closest become one: more is recomputed than need be, and nothing too little."""


class InputChanges:
    """Ranges of changed inputs, apart from each other, at most ``MOST`` an input."""

    def __init__(self) -> None:
        self._of: dict[int, list[InputChange]] = {}

    def __len__(self) -> int:
        return sum(map(len, self._of.values()))

    def __iter__(self) -> Iterator[InputChange]:
        return (change for changes in self._of.values() for change in changes)

    def add(self, change: InputChange) -> bool:
        """Whether this says anything that was not known."""
        known = self._of.get(change.tag_id, [])
        if any(one.start <= change.start and change.end <= one.end and one.by_hand >= change.by_hand for one in known):
            return False
        apart = [one for one in known if one.end < change.start or change.end < one.start]
        apart.append(_spanning([change, *(one for one in known if change.start <= one.end and one.start <= change.end)]))
        apart.sort(key=lambda one: one.start)
        if len(apart) > MOST:
            closest = min(range(len(apart) - 1), key=lambda place: apart[place + 1].start - apart[place].end)
            apart[closest : closest + 2] = [_spanning(apart[closest : closest + 2])]
        self._of[change.tag_id] = apart
        return True

    def take(self) -> Sequence[InputChange]:
        """All of them; none is left."""
        taken = list(self)
        self._of = {}
        return taken


def _spanning(changes: Sequence[InputChange]) -> InputChange:
    return InputChange(changes[0].tag_id, min(one.start for one in changes), max(one.end for one in changes), any(one.by_hand for one in changes))
