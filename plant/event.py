"""Events: what happened, once, for ever. The audit trail is made of them."""

from collections.abc import Mapping
from dataclasses import dataclass, field

Json = str | int | float | bool | None | Mapping[str, "Json"] | list["Json"]


@dataclass(frozen=True, slots=True)
class Event:
    """One thing that happened.

    ``id`` is unique, so that an event told twice is kept once; ``kind`` is dotted, as in ``command.done``; ``subject`` is what it happened to (a tag
    or a device); ``user`` who wanted it, empty for the system; ``time`` UTC microseconds.
    """

    id: str
    time: int
    kind: str
    subject: str
    user: str = ""
    detail: Mapping[str, Json] = field(default_factory=dict)
