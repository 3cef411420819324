"""The children of nodes, however the server portions them. Source: OPC UA Part 4, 5.8.2 and 5.8.3; continuation points: 7.9.

Rules:

1. Each answer of a call has a status of its own, and so has each part of one: what the server refuses is told as refused, and is not a node without children.
2. A server keeps few answers that it gave in part. Those are gone on with to their end before anything else is asked; nodes for which it had no place are asked
   again, fewer at a time.
"""

from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Final

from asyncua import ua

from drivers.opcua.connection import Connection
from drivers.opcua.operation_limits import OperationLimits
from plant.quality import is_bad, stored_form

_HAS_PROPERTY: Final = ua.ObjectIds.HasProperty
_AGAIN: Final = {stored_form(ua.StatusCodes.BadNoContinuationPoints), stored_form(ua.StatusCodes.BadContinuationPointInvalid)}
"""It had no place for the rest of the answer, or has it no more."""
_MOST_TRIES: Final = 3
"""Of a node that is asked for alone."""
_MOST_IDLE: Final = 10
"""Answers in a row that bring nothing new and say that there is more: the server goes in a circle."""
_CIRCLE: Final = "its answer goes in a circle"

NodeKey = tuple[int, object]
"""Namespace index and identifier: of a node id what tells nodes apart, and a fraction of its size."""


@dataclass(frozen=True, slots=True)
class Child:
    """A node below another. ``name`` is its browse name without the namespace."""

    node: ua.NodeId
    name: str
    is_variable: bool
    is_property: bool

    @property
    def key(self) -> NodeKey:
        return self.node.NamespaceIndex, self.node.Identifier


@dataclass(slots=True)
class Branch:
    """``refusal`` says why the server did not tell of all the children; ``None`` where it did."""

    node: ua.NodeId
    children: list[Child] = field(default_factory=list)
    refusal: str | None = None
    tries: int = 0


@dataclass(slots=True)
class _Part:
    """A branch of which there is more at ``point``. ``keys`` are those of its children so far."""

    branch: Branch
    point: bytes = b""
    keys: set[NodeKey] = field(default_factory=set)
    idle: int = 0


class Branches:
    """Of one session."""

    def __init__(self, connection: Connection, limits: OperationLimits) -> None:
        self._connection = connection
        self._limits = limits

    async def below(self, nodes: Sequence[ua.NodeId]) -> Sequence[Branch]:
        """The children of each of ``nodes`` that are objects or variables of this server.

        Raises:
            DeviceUnreachable, DeviceProtocolError
        """
        branches = [Branch(node) for node in nodes]
        row = deque(branches)
        while row:
            put_off = deque(await self._ask(_first(row, self._limits.browse.largest)))
            while put_off:
                asked = _first(put_off, self._limits.browse_points.largest)
                again = await self._ask(asked)
                if again:
                    self._limits.browse_points.at_most(max(1, len(asked) // 2))
                for branch in again:
                    branch.tries += len(asked) == 1
                    if branch.tries < _MOST_TRIES:
                        put_off.append(branch)
        return branches

    async def _ask(self, branches: Sequence[Branch]) -> list[Branch]:
        """What the server has of the branches, to the end of each. Those that it may answer when fewer are asked for."""
        for branch in branches:
            branch.children.clear()
            branch.refusal = None
        parts = [_Part(branch) for branch in branches]
        results = await self._limits.browse.run("a browse", [_children_of(branch.node) for branch in branches], self._browse)
        again: list[Branch] = []
        while parts:
            further: list[_Part] = []
            for part, result in zip(parts, results, strict=True):
                status = stored_form(result.StatusCode.value)
                if is_bad(status):
                    part.branch.refusal = result.StatusCode.name
                    if status in _AGAIN:
                        again.append(part.branch)
                elif _take(part, result):
                    further.append(part)
            parts = further
            if parts:
                results = await self._limits.browse.run("the rest of a browse", [part.point for part in parts], self._browse_next)
        return again

    async def _browse(self, asked: list[ua.BrowseDescription]) -> list[ua.BrowseResult]:
        return await self._connection.services.browse(ua.BrowseParameters(NodesToBrowse=asked))

    async def _browse_next(self, points: list[bytes]) -> list[ua.BrowseResult]:
        return await self._connection.services.browse_next(ua.BrowseNextParameters(ReleaseContinuationPoints=False, ContinuationPoints=points))


def _take(part: _Part, result: ua.BrowseResult) -> bool:
    """Whether there is more to ask for."""
    new = [child for reference in result.References or [] if (child := _child(reference)) is not None and child.key not in part.keys]
    part.branch.children += new
    if not result.ContinuationPoint:
        return False
    part.keys.update(child.key for child in new)
    part.point = result.ContinuationPoint
    part.idle = 0 if new else part.idle + 1
    if part.idle >= _MOST_IDLE:
        part.branch.refusal = _CIRCLE
        return False
    return True


def _first(row: deque[Branch], most: int) -> list[Branch]:
    return [row.popleft() for _ in range(min(most, len(row)))]


def _children_of(node: ua.NodeId) -> ua.BrowseDescription:
    return ua.BrowseDescription(
        NodeId=node,
        BrowseDirection=ua.BrowseDirection.Forward,
        ReferenceTypeId=ua.NodeId(ua.Int32(ua.ObjectIds.HierarchicalReferences)),
        IncludeSubtypes=True,
        NodeClassMask=ua.NodeClass.Object | ua.NodeClass.Variable,
        ResultMask=ua.BrowseResultMask.ReferenceTypeInfo | ua.BrowseResultMask.NodeClass | ua.BrowseResultMask.BrowseName,
    )


def _child(reference: ua.ReferenceDescription) -> Child | None:
    """``None`` for a node of another server."""
    if getattr(reference.NodeId, "ServerIndex", 0):
        return None
    kind = reference.ReferenceTypeId
    return Child(
        ua.NodeId(reference.NodeId.Identifier, reference.NodeId.NamespaceIndex),
        reference.BrowseName.Name or "",
        is_variable=reference.NodeClass == ua.NodeClass.Variable,
        is_property=kind.Identifier == _HAS_PROPERTY and kind.NamespaceIndex == 0,
    )
