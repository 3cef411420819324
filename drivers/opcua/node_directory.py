"""Where the tags of a device are in the server's address space as it is now."""

from collections.abc import Sequence
from typing import Final

from asyncua import ua

from drivers.opcua.connection import Connection
from drivers.opcua.link_errors import speaking_of
from drivers.opcua.node_id import resolve
from plant.device import OpcuaAddress
from plant.errors import DeviceProtocolError
from plant.quality import Quality
from plant.tag import Tag

_NAMESPACE_ARRAY: Final = ua.NodeId(ua.Int32(ua.ObjectIds.Server_NamespaceArray))


class NodeDirectory:
    """Reads the namespace array when it is told to, never on its own: an index holds for one session at most."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self.namespaces: Sequence[str] = ()

    async def refresh(self) -> None:
        """Reads the namespaces anew.

        Raises:
            DeviceUnreachable, DeviceProtocolError
        """
        with speaking_of("a read of its namespaces"):
            (answer,) = await self._connection.read([_NAMESPACE_ARRAY])
        namespaces = answer.Value.Value if answer.Value is not None else None
        if not isinstance(namespaces, list):
            raise DeviceProtocolError("the server has no namespace array (i=2255), which every server must have")
        self.namespaces = [str(uri) for uri in namespaces]

    @staticmethod
    def address(tag: Tag) -> OpcuaAddress:
        if not isinstance(tag.source, OpcuaAddress):
            raise TypeError(f"{tag.name} has no address in an OPC UA server but {tag.source!r}")
        return tag.source

    @classmethod
    def value_of(cls, tag: Tag, node: ua.NodeId) -> ua.ReadValueId:
        """What to read of a tag's node: its value, or the one element that the tag is."""
        index = cls.address(tag).index
        return ua.ReadValueId(NodeId=node, AttributeId=ua.AttributeIds.Value, IndexRange=None if index is None else str(index))

    def find(self, tag: Tag) -> ua.NodeId | Quality:
        """The tag's node, or why there is none: ``BAD_NODE_ID_UNKNOWN`` or ``BAD_NODE_ID_INVALID``."""
        return self.node(self.address(tag).node)

    def node(self, text: str) -> ua.NodeId | Quality:
        """As ``find``, of a node as opcua.csv has it."""
        return resolve(text, self.namespaces)

    def find_object(self, tag: Tag) -> ua.NodeId | Quality | None:
        """The object whose method the tag's node is; ``None`` for a tag that is no method. Otherwise as ``find``."""
        owner = self.address(tag).method_of
        return None if owner is None else self.node(owner)
