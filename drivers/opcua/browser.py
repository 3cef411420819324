"""Walks a server's address space and tells of its variables. Source: OPC UA Part 4, 5.8.2 and 5.8.3; Part 8, 5.3.2 for units and ranges.

Rules:

1. A node is visited once, whatever the number of ways to it: address spaces have circles.
2. Everything is asked in calls that the server takes, and to its end (``drivers.opcua.branches``).
3. What no tag can be made of is told too, with the reason, and so is a branch that the server refuses to show: nothing is left out without a word.
"""

import math
from collections import deque
from collections.abc import AsyncGenerator, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from asyncua import ua

from drivers.opcua.branches import Branch, Branches, NodeKey
from drivers.opcua.connection import Connection
from drivers.opcua.node_directory import NodeDirectory
from drivers.opcua.node_id import text_of
from drivers.opcua.node_types import NodeTypes
from drivers.opcua.operation_limits import OperationLimits
from plant.errors import DeviceUnreachable
from plant.quality import Quality
from plant.tag import DataType

_AT_ONCE: Final = 500
"""Nodes whose children are asked for together."""
_SERVER: Final = ua.NodeId(ua.Int32(ua.ObjectIds.Server))
_OBJECTS: Final = ua.NodeId(ua.Int32(ua.ObjectIds.ObjectsFolder))
_CURRENT_READ, _CURRENT_WRITE = 1, 2
_SCALAR: Final = -1
_ATTRIBUTES: Final = (ua.AttributeIds.DataType, ua.AttributeIds.ValueRank, ua.AttributeIds.UserAccessLevel, ua.AttributeIds.Description)
_PROPERTIES: Final = ("EngineeringUnits", "EURange")
_NO_PROPERTIES: Final[Mapping[str, ua.NodeId]] = {}
_TAG_TYPE: Final = {
    ua.ObjectIds.Boolean: DataType.BOOLEAN,
    ua.ObjectIds.SByte: DataType.INT16,
    ua.ObjectIds.Byte: DataType.UINT16,
    ua.ObjectIds.Int16: DataType.INT16,
    ua.ObjectIds.UInt16: DataType.UINT16,
    ua.ObjectIds.Int32: DataType.INT32,
    ua.ObjectIds.UInt32: DataType.UINT32,
    ua.ObjectIds.Int64: DataType.DOUBLE,
    ua.ObjectIds.UInt64: DataType.DOUBLE,
    ua.ObjectIds.Float: DataType.FLOAT,
    ua.ObjectIds.Double: DataType.DOUBLE,
    ua.ObjectIds.String: DataType.STRING,
    ua.ObjectIds.LocalizedText: DataType.STRING,
    ua.ObjectIds.Enumeration: DataType.INT32,
    ua.ObjectIds.Number: DataType.DOUBLE,
    ua.ObjectIds.Integer: DataType.DOUBLE,
    ua.ObjectIds.UInteger: DataType.DOUBLE,
}


@dataclass(frozen=True, slots=True)
class Variable:
    """A variable of a server.

    ``path`` are the browse names from where the walk began; ``node`` is as in a site's opcua.csv, ``None`` where its namespace has no URI. ``data_type`` is
    ``None``, and ``reason`` says why, where no tag can be made of it. ``eu_range`` in ``engineering_unit``, as the server has them. ``is_branch``: no variable
    but a node below which there may be some that the server did not tell of.
    """

    path: tuple[str, ...]
    node: str | None
    data_type: DataType | None
    reason: str
    description: str = ""
    engineering_unit: str = ""
    eu_range: tuple[float, float] | None = None
    is_writable: bool = False
    is_branch: bool = False


@dataclass(slots=True)
class _Found:
    """A node to look at. ``properties`` are those of its children that are properties, by browse name."""

    node: ua.NodeId
    path: tuple[str, ...]
    is_variable: bool
    properties: Mapping[str, ua.NodeId] = field(default_factory=lambda: _NO_PROPERTIES)


class Browser:
    """One walk. ``seen`` counts the nodes so far."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self._limits = OperationLimits()
        self._directory = NodeDirectory(connection)
        self._types = NodeTypes(connection, self._limits)
        self._branches = Branches(connection, self._limits)
        self._known: set[NodeKey] = set()
        self.seen = 0

    async def variables(self, start: str | None = None) -> AsyncGenerator[Sequence[Variable], None]:
        """The variables below ``start`` (a node as in opcua.csv; ``None``: the objects of the server without those that describe the server itself), some at a
        time, nearest first.

        Raises:
            DeviceUnreachable, DeviceProtocolError
        """
        await self._limits.learn(self._connection)
        await self._directory.refresh()
        first = _OBJECTS if start is None else self._directory.node(start)
        if isinstance(first, Quality):
            raise DeviceUnreachable(f"the server has no node {start} ({first.symbol})")
        self._known = {_key(first)} if start is not None else {_key(first), _key(_SERVER)}
        waiting = deque([_Found(first, (), is_variable=False)])
        while waiting:
            part = [waiting.popleft() for _ in range(min(_AT_ONCE, len(waiting)))]
            branches = await self._branches.below([found.node for found in part])
            refused: list[Variable] = []
            for found, branch in zip(part, branches, strict=True):
                waiting.extend(self._new(found, branch))
                if branch.refusal is not None and not found.path:
                    raise DeviceUnreachable(f"the server refuses to show what is below {start or 'Objects'}: {branch.refusal}")
                if branch.refusal is not None:
                    refused.append(self._refused(found, branch.refusal))
            self.seen += len(part)
            variables = [found for found in part if found.is_variable]
            if variables or refused:
                yield [*(await self._described(variables) if variables else ()), *refused]

    def _new(self, found: _Found, branch: Branch) -> Iterator[_Found]:
        """The children that were not met on another way, but for the properties, which ``found`` gets."""
        properties = {child.name: child.node for child in branch.children if child.is_property and child.name in _PROPERTIES}
        if properties:
            found.properties = properties
        for child in branch.children:
            if not child.is_property and child.key not in self._known:
                self._known.add(child.key)
                yield _Found(child.node, (*found.path, child.name), child.is_variable)

    def _refused(self, found: _Found, refusal: str) -> Variable:
        reason = f"the server refuses to show what is below it ({refusal}): variables may be missing"
        return Variable(found.path, text_of(found.node, self._directory.namespaces), None, reason, is_branch=True)

    async def _described(self, found: Sequence[_Found]) -> Sequence[Variable]:
        asked: list[ua.ReadValueId] = []
        for variable in found:
            asked += [ua.ReadValueId(NodeId=variable.node, AttributeId=attribute) for attribute in _ATTRIBUTES]
            asked += [ua.ReadValueId(NodeId=node, AttributeId=ua.AttributeIds.Value) for name in _PROPERTIES if (node := variable.properties.get(name))]
        answers = iter(await self._limits.read.run("a read of its variables", asked, self._connection.read_places))
        facts: list[dict[str, Any]] = []
        for variable in found:
            names = [*(attribute.name for attribute in _ATTRIBUTES), *(name for name in _PROPERTIES if name in variable.properties)]
            facts.append({name: _value(next(answers)) for name in names})
        types = [fact["DataType"] for fact in facts if isinstance(fact["DataType"], ua.NodeId)]
        built_in = await self._types.built_in(list(dict.fromkeys(types)))
        return [self._variable(variable, fact, built_in) for variable, fact in zip(found, facts, strict=True)]

    def _variable(self, found: _Found, fact: Mapping[str, Any], built_in: Mapping[ua.NodeId, int | None]) -> Variable:
        node = text_of(found.node, self._directory.namespaces)
        base = built_in.get(fact["DataType"]) if isinstance(fact["DataType"], ua.NodeId) else None
        data_type, reason = _tag_type(base, fact)
        if node is None:
            data_type, reason = None, "its namespace has no URI: indices move when a server restarts"
        access = fact["UserAccessLevel"]
        return Variable(
            found.path,
            node,
            data_type,
            reason,
            description=_text(fact["Description"]),
            engineering_unit=_text(getattr(fact.get("EngineeringUnits"), "DisplayName", None)),
            eu_range=_range(fact.get("EURange")),
            is_writable=isinstance(access, int) and bool(access & _CURRENT_WRITE),
        )


def _tag_type(base: int | None, fact: Mapping[str, Any]) -> tuple[DataType | None, str]:
    """The datatype of a tag of it, or why there is none."""
    access, rank = fact["UserAccessLevel"], fact["ValueRank"]
    if isinstance(access, int) and not access & _CURRENT_READ:
        return None, "it may not be read"
    if isinstance(rank, int) and rank > 1:
        return None, f"an array of {rank} dimensions"
    if isinstance(rank, int) and rank >= 0:
        return None, "an array: write a row with the column index for each element that is wanted"
    if base is None:
        return None, "its type is told by its values only: write the row by hand"
    if base not in _TAG_TYPE:
        return None, f"a {ua.ObjectIdNames.get(base, 'type')}, which is no number and no text"
    return _TAG_TYPE[base], ""


def _key(node: ua.NodeId) -> NodeKey:
    return node.NamespaceIndex, node.Identifier


def _value(answer: ua.DataValue) -> Any:
    return None if answer.Value is None else answer.Value.Value


def _text(value: object) -> str:
    text = value.Text if isinstance(value, ua.LocalizedText) else None
    return " ".join(text.split()) if text else ""


def _range(value: object) -> tuple[float, float] | None:
    """A range that a tag can have: servers fill the property with anything."""
    if not isinstance(value, ua.Range) or not math.isfinite(value.High - value.Low) or value.Low >= value.High:
        return None
    return value.Low, value.High
