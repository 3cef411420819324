"""Events: what happened, once, for ever. The audit trail is made of them."""

from collections.abc import Mapping
from dataclasses import dataclass, field

Scalar = str | int | float | bool | None


@dataclass(frozen=True, slots=True)
class Event:
    """One thing that happened.

    ``id`` is unique, so that an event told twice is kept once; ``kind`` is dotted, as in ``command.done``; ``subject`` is what it happened to (a tag
    or a device); ``user`` who wanted it, empty for the system; ``time`` UTC microseconds;
    ``detail`` is flat, so that it can be shown and searched as it stands.
    """

    id: str
    time: int
    kind: str
    subject: str
    user: str = ""
    detail: Mapping[str, Scalar] = field(default_factory=dict)
