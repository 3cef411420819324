"""Which hours this process has marked as due already, so that a commit that fills an hour pays for the mark once.

Rules:

1. Hours are handed out only while no commit is under way. A commit that relied on an hour's mark is then either seen by whoever reads the hour, or
   finds the mark gone and marks the hour again.
2. Commits that waited while hours were handed out go before hours are handed out again.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from threading import Condition
from typing import Final

import numpy as np

from plant.batch import Int32Column, Int64Column
from plant.errors import StoreUnavailable
from services.store.interface import HOUR

_DEADLINE: Final = 90
"""Seconds: longer than any statement may take."""

_MOST: Final = 1_000_000
"""Marks remembered; when there are more all are forgotten, and made again."""

_ZERO: Final = 1 << 31


def hours_of(tag_id: Int32Column, time: Int64Column) -> Int64Column:
    """The hours of samples, each once and ascending: tag and hour in one number."""
    keys = (tag_id.astype(np.int64) << 32) + (time // HOUR + _ZERO)
    if not np.all(keys[1:] >= keys[:-1]):
        keys.sort()
    return keys[np.append(keys[1:] != keys[:-1], True)] if len(keys) else keys


def tag_of(keys: Int64Column) -> Int32Column:
    return (keys >> 32).astype(np.int32)


def begin_of(keys: Int64Column) -> Int64Column:
    """Begins of the hours, UTC microseconds."""
    return ((keys & 0xFFFF_FFFF) - _ZERO) * HOUR


class DueMarks:
    """The marks, and the turnstile between commits, of which there may be several at once, and who takes hours."""

    def __init__(self) -> None:
        self._turn = Condition()
        self._writers = 0
        self._is_taking = False
        self._waiting = 0
        self._before_taking = 0
        self._keys: set[int] = set()

    @contextmanager
    def writing(self) -> Iterator[None]:
        """While a commit is under way."""
        with self._turn:
            self._waiting += 1
            try:
                self._wait(lambda: not self._is_taking)
            finally:
                self._waiting -= 1
                self._before_taking = max(0, self._before_taking - 1)
                self._turn.notify_all()
            self._writers += 1
        try:
            yield
        finally:
            with self._turn:
                self._writers -= 1
                self._turn.notify_all()

    @contextmanager
    def taking(self) -> Iterator[None]:
        """While hours are handed out, once no commit is under way. What was marked is forgotten when it fails: which hours it took is not known then."""
        with self._turn:
            self._wait(lambda: not self._is_taking and not self._before_taking)
            self._is_taking = True
        try:
            with self._turn:
                if not self._turn.wait_for(lambda: self._writers == 0, _DEADLINE):
                    raise StoreUnavailable("a commit does not end")
            yield
        except BaseException:
            self.forget_all()
            raise
        finally:
            with self._turn:
                self._is_taking = False
                self._before_taking = self._waiting
                self._turn.notify_all()

    def missing(self, keys: Int64Column) -> Int64Column:
        """Those that are not marked, ascending."""
        with self._turn:
            return np.array(sorted(set(keys.tolist()) - self._keys), np.int64)

    def add(self, keys: Int64Column) -> None:
        """Once they are committed, and within the same ``writing``."""
        with self._turn:
            if len(self._keys) + len(keys) > _MOST:
                self._keys.clear()
            self._keys.update(keys.tolist())

    def discard(self, keys: Int64Column) -> None:
        with self._turn:
            self._keys.difference_update(keys.tolist())

    def forget_all(self) -> None:
        with self._turn:
            self._keys.clear()

    def _wait(self, turn_has_come: Callable[[], bool]) -> None:
        if not self._turn.wait_for(turn_has_come, _DEADLINE):
            raise StoreUnavailable("hours are being handed out, and it does not end")
