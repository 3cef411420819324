"""One interlock at work: its timers, its latch, and what came first."""

from collections.abc import Callable
from enum import StrEnum

from simulators.plc.interlocks.interlock import Action, Group, Interlock, Reset
from simulators.plc.on_delay import OnDelay
from simulators.plc.signal_image import SignalImage


class ResetAnswer(StrEnum):
    """What became of a reset."""

    DONE = "done"
    NOT_TRIPPED = "not tripped"
    CAUSE_PRESENT = "a cause is still present"
    NOT_HEALTHY = "not healthy for long enough, or not far enough from the limit"
    KEY_NEEDED = "needs the key"


class Latch:
    """``is_tripped`` holds from the scan in which a vote was met until the reset.

    ``first_out`` is the cause that was met first of those that tripped it, as ``TAG > limit``; of causes met in one scan, the one that stands first in the
    table. It is kept until the next trip (first-out as annunciators have it, ISA-18.1; here of interlocks). ``present`` are all causes met now.
    """

    def __init__(self, interlock: Interlock, image: SignalImage) -> None:
        self.interlock = interlock
        self.is_tripped = False
        self.first_out: str | None = None
        self.trips = 0
        self.tripped_for_s = 0.0
        self._image = image
        self._groups = [_Vote(group, image) for group in interlock.groups]
        self._enabling = [condition.bind(image, when_bad=True) for condition in interlock.enabling]
        self._until = [condition.bind(image, when_bad=False) for condition in interlock.until]
        self._healthy = OnDelay(interlock.healthy_s)
        self._effects = [(effect, image.position(effect.tag)) for effect in interlock.effects]
        for effect, position in self._effects:
            image.signals[position].check(f"{interlock.id} effect", effect.value)
        self._is_wanted = False
        self._may_go_back = False

    @property
    def present(self) -> list[str]:
        return [name for vote in self._groups for name in vote.present]

    @property
    def beaten(self) -> list[str]:
        """Effects that a force keeps from their state now: a reason to worry."""
        return [effect.tag for effect, position in self._effects if self._acts(effect.delay_s, effect.for_s) and self._image.is_forced(position)]

    def look(self, dt: float) -> None:
        is_enabled = not self._enabling or all(holds() for holds in self._enabling)
        votes = [vote.look(dt, is_enabled) for vote in self._groups]
        self._is_wanted = any(votes)
        if self.is_tripped:
            self._may_go_back = self._healthy.step(dt, not self._is_wanted and all(holds() for holds in self._until))
            self.tripped_for_s += dt
            if self.interlock.reset is Reset.AUTOMATIC and self._may_go_back:
                self.is_tripped = False
        elif self._is_wanted:
            self.is_tripped, self.tripped_for_s, self._may_go_back = True, 0.0, False
            self._healthy.reset()
            self.trips += 1
            first = [vote.oldest() for vote, is_met in zip(self._groups, votes, strict=True) if is_met]
            self.first_out = max(first, key=lambda one: one[0])[1]

    def act(self) -> None:
        """Puts the effects over what the image holds."""
        for effect, position in self._effects:
            if not self._acts(effect.delay_s, effect.for_s):
                continue
            if effect.action is Action.SET or self._image.terminals[position] == effect.value:
                self._image.override(position, effect.value)

    def reset(self, key: bool = False) -> ResetAnswer:
        if not self.is_tripped:
            return ResetAnswer.NOT_TRIPPED
        if self.interlock.reset is Reset.KEY and not key:
            return ResetAnswer.KEY_NEEDED
        if self._is_wanted:
            return ResetAnswer.CAUSE_PRESENT
        if not self._may_go_back:
            return ResetAnswer.NOT_HEALTHY
        self.is_tripped = False
        return ResetAnswer.DONE

    def _acts(self, delay_s: float, for_s: float | None) -> bool:
        since = self.tripped_for_s - delay_s
        return self.is_tripped and since >= 0.0 and (for_s is None or since < for_s)


class _Vote:
    def __init__(self, group: Group, image: SignalImage) -> None:
        self._needed = group.needed
        self._enabling = [condition.bind(image, when_bad=True) for condition in group.enabling]
        self._causes: list[tuple[str, Callable[[], bool], OnDelay]] = [
            (str(cause.condition), cause.condition.bind(image, when_bad=True), OnDelay(cause.delay_s)) for cause in group.causes
        ]
        self._ages: list[float] = [-1.0] * len(group.causes)
        """s since the cause was met; negative while it is not."""

    @property
    def present(self) -> list[str]:
        return [name for (name, _, _), age in zip(self._causes, self._ages, strict=True) if age >= 0.0]

    def look(self, dt: float, is_enabled: bool) -> bool:
        is_enabled = is_enabled and (not self._enabling or all(holds() for holds in self._enabling))
        met = 0
        for number, (_, holds, timer) in enumerate(self._causes):
            if not (is_enabled and holds()):
                timer.reset()
                self._ages[number] = -1.0
            elif timer.step(dt, is_true=True):
                self._ages[number] = 0.0 if self._ages[number] < 0.0 else self._ages[number] + dt
                met += 1
        return met >= self._needed

    def oldest(self) -> tuple[float, str]:
        """(s since it was met, name) of the cause that was met first."""
        number = max(range(len(self._ages)), key=self._ages.__getitem__)
        return self._ages[number], self._causes[number][0]
