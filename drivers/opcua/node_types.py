"""Whether a node can give what its tag holds: what the server declares of it, before it is watched.

Rule: a node that can never give its tag a value is a mistake of the configuration, and is said as one, with its mend. What a server does not declare is
believed to fit; each value is looked at again when it comes.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from asyncua import ua

from drivers.opcua.connection import Connection
from drivers.opcua.operation_limits import OperationLimits
from plant.device import OpcuaAddress
from plant.tag import Tag

_SCALAR: Final = -1
_NUMBERS: Final = range(ua.ObjectIds.Boolean, ua.ObjectIds.Double + 1)
_ABSTRACT_NUMBERS: Final = {ua.ObjectIds.Number, ua.ObjectIds.Integer, ua.ObjectIds.UInteger, ua.ObjectIds.Enumeration}
_TEXTS: Final = {ua.ObjectIds.String, ua.ObjectIds.LocalizedText}
_DEEPEST: Final = 16
"""Levels of derived types that are followed: the standard's own are no deeper than 5."""


@dataclass(frozen=True, slots=True)
class Declared:
    """DataType and ValueRank of a node (OPC UA Part 3, 5.6.2); ``None`` where the server does not tell."""

    data_type: ua.NodeId | None
    value_rank: int | None


class NodeTypes:
    """Reads what a server declares of its nodes, and remembers the types that others are derived from."""

    def __init__(self, connection: Connection, limits: OperationLimits) -> None:
        self._connection = connection
        self._limits = limits
        self._base: dict[ua.NodeId, ua.NodeId | None] = {}

    async def built_in(self, types: Sequence[ua.NodeId]) -> Mapping[ua.NodeId, int | None]:
        """Identifier, in the standard's namespace, of the built-in or abstract type that each of ``types`` is or is derived from; ``None`` where anything
        may come.

        Raises:
            DeviceUnreachable, DeviceProtocolError
        """
        await self._learn_bases(types)
        return {node: self._built_in(node) for node in types}

    async def mistakes(self, nodes: Sequence[tuple[Tag, OpcuaAddress, ua.NodeId]]) -> Mapping[int, str]:
        """Tag id -> what is wrong with its node, and the mend, for those with which something is.

        Raises:
            DeviceUnreachable, DeviceProtocolError
        """
        asked = [
            ua.ReadValueId(NodeId=node, AttributeId=attribute) for _, _, node in nodes for attribute in (ua.AttributeIds.DataType, ua.AttributeIds.ValueRank)
        ]
        answers = await self._limits.read.run("a read of the types of its nodes", asked, self._read)
        declared = [Declared(_node_id(answers[at]), _whole_number(answers[at + 1])) for at in range(0, len(answers), 2)]
        await self._learn_bases([one.data_type for one in declared if one.data_type is not None])
        found: dict[int, str] = {}
        for (tag, address, _), one in zip(nodes, declared, strict=True):
            if (mistake := self._mistake(tag, address, one)) is not None:
                found[tag.id] = mistake
        return found

    def _mistake(self, tag: Tag, address: OpcuaAddress, declared: Declared) -> str | None:
        rank = declared.value_rank
        if rank is not None and rank >= 0 and address.index is None:
            return "the node holds an array: write which element in the column index of opcua.csv"
        if rank is not None and rank > 1:
            return f"the node holds an array of {rank} dimensions, of which no element can be picked: choose another node"
        if rank == _SCALAR and address.index is not None:
            return "the node holds one value and no array: leave the column index of opcua.csv blank"
        base = None if declared.data_type is None else self._built_in(declared.data_type)
        if base is None:
            return None
        if base in _TEXTS:
            return None if tag.data_type.is_text else "the node holds a text: make the datatype of the tag String"
        if base in _NUMBERS or base in _ABSTRACT_NUMBERS:
            return f"the node holds a number: make the datatype of the tag one, it is {tag.data_type}" if tag.data_type.is_text else None
        return f"the node holds a {ua.ObjectIdNames.get(base, 'type')}, of which no tag can be made: choose a node that holds a number or a text"

    def _built_in(self, data_type: ua.NodeId) -> int | None:
        """Identifier, in the standard's namespace, of the type that ``data_type`` is or is derived from; ``None`` where anything may come."""
        node: ua.NodeId | None = data_type
        for _ in range(_DEEPEST):
            if node is None:
                return None
            number = _standard(node)
            if number is not None and (number in _NUMBERS or number in _ABSTRACT_NUMBERS or ua.ObjectIds.String <= number <= ua.ObjectIds.DiagnosticInfo):
                return number if number != ua.ObjectIds.BaseDataType else None
            node = self._base.get(node)
        return None

    async def _learn_bases(self, types: Sequence[ua.NodeId]) -> None:
        """Follows the types that are not built in to those that they are derived from."""
        unknown = {node for node in types if node not in self._base and self._built_in(node) is None and _standard(node) != ua.ObjectIds.BaseDataType}
        for _ in range(_DEEPEST):
            if not unknown:
                return
            asked = list(unknown)
            results = await self._limits.browse.run("a browse of its data types", [_supertype_of(node) for node in asked], self._browse)
            for node, result in zip(asked, results, strict=True):
                references = result.References or []
                self._base[node] = _local(references[0].NodeId) if references else None
            unknown = {base for node in asked if (base := self._base[node]) is not None and base not in self._base and self._built_in(base) is None}

    async def _read(self, asked: list[ua.ReadValueId]) -> list[ua.DataValue]:
        return await self._connection.services.read(ua.ReadParameters(NodesToRead=asked, TimestampsToReturn=ua.TimestampsToReturn.Neither))

    async def _browse(self, asked: list[ua.BrowseDescription]) -> list[ua.BrowseResult]:
        return await self._connection.services.browse(ua.BrowseParameters(NodesToBrowse=asked))


def _supertype_of(node: ua.NodeId) -> ua.BrowseDescription:
    return ua.BrowseDescription(
        NodeId=node,
        BrowseDirection=ua.BrowseDirection.Inverse,
        ReferenceTypeId=ua.NodeId(ua.Int32(ua.ObjectIds.HasSubtype)),
        IncludeSubtypes=True,
        NodeClassMask=0,
        ResultMask=0,
    )


def _local(node: ua.ExpandedNodeId) -> ua.NodeId:
    return ua.NodeId(node.Identifier, node.NamespaceIndex)


def _standard(node: ua.NodeId) -> int | None:
    return int(node.Identifier) if node.NamespaceIndex == 0 and isinstance(node.Identifier, int) else None


def _value(answer: ua.DataValue) -> Any:
    return None if answer.Value is None else answer.Value.Value


def _node_id(answer: ua.DataValue) -> ua.NodeId | None:
    value = _value(answer)
    return value if isinstance(value, ua.NodeId) and not value.is_null() else None


def _whole_number(answer: ua.DataValue) -> int | None:
    value = _value(answer)
    return value if isinstance(value, int) else None
