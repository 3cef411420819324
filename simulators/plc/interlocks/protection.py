"""All interlocks of a PLC at work."""

from collections.abc import Iterator, Sequence

from simulators.plc.interlocks.interlock import Interlock
from simulators.plc.interlocks.latch import Latch, ResetAnswer
from simulators.plc.signal_image import SignalImage


class Protection:
    """By id. Where two interlocks want one signal in two states, the one that stands first in the program has it."""

    def __init__(self, interlocks: Sequence[Interlock], image: SignalImage) -> None:
        self._latches = {interlock.id: Latch(interlock, image) for interlock in interlocks}
        if len(self._latches) < len(interlocks):
            ids = [interlock.id for interlock in interlocks]
            twice = sorted({one for one in ids if ids.count(one) > 1})
            raise ValueError(f"interlocks stand in the program twice: {', '.join(twice)}; give each its own id")

    def __getitem__(self, interlock_id: str) -> Latch:
        """``ValueError`` for an unknown id."""
        try:
            return self._latches[interlock_id]
        except KeyError:
            raise ValueError(f"there is no interlock {interlock_id!r}; the ids are {', '.join(self._latches)}") from None

    def __iter__(self) -> Iterator[Latch]:
        return iter(self._latches.values())

    def __len__(self) -> int:
        return len(self._latches)

    @property
    def tripped(self) -> list[str]:
        return [interlock_id for interlock_id, latch in self._latches.items() if latch.is_tripped]

    def reset(self, interlock_id: str, key: bool = False) -> ResetAnswer:
        """By an operator, or at the panel with the ``key``. ``ValueError`` for an unknown id."""
        return self[interlock_id].reset(key)

    def look(self, dt: float) -> None:
        for latch in self._latches.values():
            latch.look(dt)

    def act(self) -> None:
        for latch in reversed(self._latches.values()):
            if latch.is_tripped:
                latch.act()
