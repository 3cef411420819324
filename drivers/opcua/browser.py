"""Walks a server's address space and tells of its variables. Source: OPC UA Part 4, 5.8.2 and 5.8.3; Part 8, 5.3.2 for units and ranges.

Rules:

1. A node is visited once, whatever the number of ways to it: address spaces have circles.
2. Everything is asked in calls that the server takes; a Browse that was not answered whole is gone on with until it is.
3. What no tag can be made of is told too, with the reason.
"""

import math
from collections.abc import AsyncGenerator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from asyncua import ua

from drivers.opcua.connection import Connection
from drivers.opcua.link_errors import speaking_of
from drivers.opcua.node_directory import NodeDirectory
from drivers.opcua.node_id import text_of
from drivers.opcua.node_types import NodeTypes
from drivers.opcua.operation_limits import OperationLimits
from plant.errors import DeviceUnreachable
from plant.quality import Quality
from plant.tag import DataType

_AT_ONCE: Final = 500
"""Nodes whose children are asked for together."""
_HAS_PROPERTY: Final = ua.ObjectIds.HasProperty
_SERVER: Final = ua.NodeId(ua.Int32(ua.ObjectIds.Server))
_OBJECTS: Final = ua.NodeId(ua.Int32(ua.ObjectIds.ObjectsFolder))
_CURRENT_READ, _CURRENT_WRITE = 1, 2
_SCALAR: Final = -1
_ATTRIBUTES: Final = (ua.AttributeIds.DataType, ua.AttributeIds.ValueRank, ua.AttributeIds.UserAccessLevel, ua.AttributeIds.Description)
_PROPERTIES: Final = ("EngineeringUnits", "EURange")
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
    ``None``, and ``reason`` says why, where no tag can be made of it. ``eu_range`` in ``engineering_unit``, as the server has them.
    """

    path: tuple[str, ...]
    node: str | None
    data_type: DataType | None
    reason: str
    description: str = ""
    engineering_unit: str = ""
    eu_range: tuple[float, float] | None = None
    is_writable: bool = False


@dataclass(slots=True)
class _Found:
    """A node to look at. ``properties`` are those of its children that are properties, by browse name."""

    node: ua.NodeId
    path: tuple[str, ...]
    is_variable: bool
    properties: dict[str, ua.NodeId]


class Browser:
    """One walk. ``seen`` counts the nodes so far."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self._limits = OperationLimits()
        self._directory = NodeDirectory(connection)
        self._types = NodeTypes(connection, self._limits)
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
        known = {first} if start is not None else {first, _SERVER}
        waiting = [_Found(first, (), is_variable=False, properties={})]
        while waiting:
            part, waiting = waiting[:_AT_ONCE], waiting[_AT_ONCE:]
            for found, references in zip(part, await self._children([found.node for found in part]), strict=True):
                for reference in references:
                    child = ua.NodeId(reference.NodeId.Identifier, reference.NodeId.NamespaceIndex)
                    name = reference.BrowseName.Name or ""
                    if reference.ReferenceTypeId.Identifier == _HAS_PROPERTY and reference.ReferenceTypeId.NamespaceIndex == 0:
                        found.properties[name] = child
                    elif child not in known and not getattr(reference.NodeId, "ServerIndex", 0):
                        known.add(child)
                        waiting.append(_Found(child, (*found.path, name), reference.NodeClass == ua.NodeClass.Variable, {}))
            self.seen += len(part)
            variables = [found for found in part if found.is_variable]
            if variables:
                yield await self._described(variables)

    async def _children(self, nodes: Sequence[ua.NodeId]) -> Sequence[Sequence[ua.ReferenceDescription]]:
        results = await self._limits.browse.run("a browse", [_children_of(node) for node in nodes], self._browse)
        children = [list(result.References or []) for result in results]
        rest = {place: result.ContinuationPoint for place, result in enumerate(results) if result.ContinuationPoint}
        while rest:
            with speaking_of("the rest of a browse"):
                parameters = ua.BrowseNextParameters(ReleaseContinuationPoints=False, ContinuationPoints=list(rest.values()))
                results = await self._connection.services.browse_next(parameters)
            following: dict[int, bytes] = {}
            for place, result in zip(rest, results, strict=True):
                children[place] += result.References or []
                if result.ContinuationPoint and result.References:
                    following[place] = result.ContinuationPoint
            rest = following
        return children

    async def _browse(self, asked: list[ua.BrowseDescription]) -> list[ua.BrowseResult]:
        return await self._connection.services.browse(ua.BrowseParameters(NodesToBrowse=asked))

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


def _children_of(node: ua.NodeId) -> ua.BrowseDescription:
    return ua.BrowseDescription(
        NodeId=node,
        BrowseDirection=ua.BrowseDirection.Forward,
        ReferenceTypeId=ua.NodeId(ua.Int32(ua.ObjectIds.HierarchicalReferences)),
        IncludeSubtypes=True,
        NodeClassMask=ua.NodeClass.Object | ua.NodeClass.Variable,
        ResultMask=ua.BrowseResultMask.ReferenceTypeInfo | ua.BrowseResultMask.NodeClass | ua.BrowseResultMask.BrowseName,
    )


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
