"""Interlocks and permissives as a cause-and-effect table has them: data.

An interlock drives its effects to a state as soon as its causes are met; a permissive keeps a signal in a state that it has, and does not take it there
(the difference and the words are engineering practice; IEC 62881 describes cause-and-effect tables).
"""

from dataclasses import dataclass, field
from enum import StrEnum
from typing import Annotated

from simulators.plc.condition import Condition
from simulators.plc.on_delay import PRESET
from simulators.process.bounds import check_parameters


class Reset(StrEnum):
    """Who puts an interlock back once its causes are gone: nobody, an operator, or somebody at the panel with a key."""

    AUTOMATIC = "auto"
    MANUAL = "manual"
    KEY = "key"


class Action(StrEnum):
    SET = ":="
    """Has the value while tripped."""
    STAY = "stay"
    """May not leave the value while tripped: a permissive."""


@dataclass(frozen=True, slots=True)
class Cause:
    """Present once its condition has held for ``delay_s``. A signal that is Bad counts as the condition met."""

    condition: Condition
    delay_s: Annotated[float, PRESET] = 0.0

    def __post_init__(self) -> None:
        """Raises ValueError: a value out of its range."""
        check_parameters(self)


@dataclass(frozen=True, slots=True)
class Group:
    """Causes that vote: ``needed`` of them must be present (``needed`` out of N: MooN), and every condition of ``enabling`` hold."""

    causes: tuple[Cause, ...]
    needed: int = 1
    enabling: tuple[Condition, ...] = ()

    def __post_init__(self) -> None:
        if not 1 <= self.needed <= len(self.causes):
            raise ValueError(f"{self.needed} of {len(self.causes)} causes can never vote for a trip; give 1 to the number of causes")


@dataclass(frozen=True, slots=True)
class Effect:
    """``value`` from ``delay_s`` after the trip on, for ``for_s`` seconds (``None``: while tripped)."""

    tag: str
    value: float
    action: Action = Action.SET
    delay_s: Annotated[float, PRESET] = 0.0
    for_s: Annotated[float | None, PRESET] = None

    def __post_init__(self) -> None:
        """Raises ValueError: a value out of its range."""
        check_parameters(self)


@dataclass(frozen=True, slots=True)
class Interlock:
    """Trips when any of ``groups`` votes for it while every condition of ``enabling`` holds.

    It goes back once no group votes for it, every condition of ``until`` holds, and both have been so for ``healthy_s``; then by itself, or when it is
    reset. ``until`` is what makes the reset limit another than the trip limit. Bad signals: an enabling condition counts as met, one of ``until`` as not.
    """

    id: str
    title: str
    groups: tuple[Group, ...]
    effects: tuple[Effect, ...]
    reset: Reset = Reset.MANUAL
    enabling: tuple[Condition, ...] = ()
    until: tuple[Condition, ...] = ()
    healthy_s: Annotated[float, PRESET] = 0.0
    uses: tuple[str, ...] = field(init=False)
    """Names of all its signals."""

    def __post_init__(self) -> None:
        """Raises ValueError: a value out of its range."""
        check_parameters(self)
        conditions = [*self.enabling, *self.until, *(cause.condition for group in self.groups for cause in group.causes)]
        conditions += [condition for group in self.groups for condition in group.enabling]
        names = dict.fromkeys([*(condition.tag for condition in conditions), *(effect.tag for effect in self.effects)])
        object.__setattr__(self, "uses", tuple(names))

    @property
    def is_permissive(self) -> bool:
        return all(effect.action is Action.STAY for effect in self.effects)
