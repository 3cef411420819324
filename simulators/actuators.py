"""Commands and what answers them: block valves, motors and rotary valves of a device, by their names. Pure.

| command | answer | after |
|---|---|---|
| ``XVnnn`` open | ``ZSOnnn`` open limit, ``ZSCnnn`` closed limit; neither while it travels | 1 s |
| ``HSnnn`` run | ``YLnnn`` running | 0.5 s |
| ``ZCnnn`` demanded port | ``ZInnn`` actual port | 1 s |

Rule: the answer follows a command that has stood still for its time; a command that changes on the way begins a new journey.
"""

from collections.abc import Iterator
from typing import Final

import numpy as np
import numpy.typing as npt

from simulators.image import Positions, TagImage

_ANSWERS: Final = {"XV": ("ZSO", "ZSC"), "HS": ("YL",), "ZC": ("ZI",)}
_SECONDS: Final = {"XV": 1.0, "HS": 0.5, "ZC": 1.0}


class Actuators:
    """All actuators of one device, at rest where the image has their commands. ``feedback`` (n,) are the answers, ``feedback_at`` their positions."""

    def __init__(self, image: TagImage) -> None:
        pairs = list(_pairs_of(image))
        self._image = image
        self._command: Positions = np.array([command for command, _, _ in pairs], np.intp)
        self.feedback_at: Positions = np.array([answer for _, answer, _ in pairs], np.intp)
        letters = [letters for _, _, letters in pairs]
        self._is_closed_limit: npt.NDArray[np.bool_] = np.array([name == "ZSC" for name in letters], np.bool_)
        self._is_limit: npt.NDArray[np.bool_] = np.array([name in _ANSWERS["XV"] for name in letters], np.bool_)
        seconds = {answer: _SECONDS[command] for command, answers in _ANSWERS.items() for answer in answers}
        self._seconds = np.array([seconds[name] for name in letters], np.float64)
        self._seen = image.values[self._command]
        self._still = self._seconds.copy()
        self.feedback = self._arrived(self._seen)

    def step(self, dt: float) -> None:
        command = self._image.values[self._command]
        self._still = np.where(command == self._seen, self._still + dt, 0.0)
        self._seen = command
        on_the_way = np.where(self._is_limit, 0.0, self.feedback)
        self.feedback = np.where(self._still >= self._seconds, self._arrived(command), on_the_way)

    def _arrived(self, command: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
        return np.where(self._is_closed_limit, 1.0 - command, command)


def _pairs_of(image: TagImage) -> Iterator[tuple[int, int, str]]:
    """(position of the command, position of the answer, letters of the answer)"""
    for name, position in image.positions.items():
        unit, _, point = name.rpartition(".")
        for answer in _ANSWERS.get(point[:2], ()):
            other = image.positions.get(f"{unit}.{answer}{point[2:]}")
            if other is not None:
                yield position, other, answer
