"""Whether a device is read as often as its tags ask. Pure."""

from collections import deque
from typing import Final

_LOOKED_AT: Final = 10
_OVERLOADED_ABOVE: Final = 5
_RELIEVED_BELOW: Final = 3


class Lateness:
    """Of one scan class: while most of its last ten scans were late the device is overloaded, until few are."""

    def __init__(self) -> None:
        self._was_late: deque[bool] = deque(maxlen=_LOOKED_AT)
        self.is_overloaded = False

    def note(self, is_late: bool) -> None:
        self._was_late.append(is_late)
        late = sum(self._was_late)
        self.is_overloaded = late > _OVERLOADED_ABOVE or (self.is_overloaded and late >= _RELIEVED_BELOW)
