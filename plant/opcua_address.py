"""Where a tag lies in an OPC UA server."""

from dataclasses import dataclass
from enum import StrEnum


class DeadbandKind(StrEnum):
    """OPC UA Part 4, 7.22.2: ``ABSOLUTE`` in the units of the node, ``PERCENT`` of the node's EURange."""

    ABSOLUTE = "absolute"
    PERCENT = "percent"


@dataclass(frozen=True, slots=True)
class Deadband:
    """Changes up to ``value`` stay in the server: they are never seen, and no held value leads a change that is. For values nobody needs exactly."""

    kind: DeadbandKind
    value: float


@dataclass(frozen=True, slots=True)
class OpcuaAddress:
    """Node of a tag: ``nsu=URI;s=NAME`` (or ``i=``, ``g=``, ``b=``). Namespace URIs, never indices: indices move when a server restarts.

    ``index`` picks one element of an array, from 0. ``sampling_interval`` is in milliseconds, the tag's ``scan_ms`` where it is ``None``; ``queue_size``
    counts samples, and is derived where it is ``None``. With ``method_of`` the node is a method of that object: writing the tag calls it.
    """

    node: str
    index: int | None = None
    sampling_interval: float | None = None
    queue_size: int | None = None
    deadband: Deadband | None = None
    method_of: str | None = None
