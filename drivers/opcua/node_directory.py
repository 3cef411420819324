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
        self._namespaces: Sequence[str] = ()

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
        self._namespaces = [str(uri) for uri in namespaces]

    def find(self, tag: Tag) -> ua.NodeId | Quality:
        """The tag's node, or why there is none: ``BAD_NODE_ID_UNKNOWN`` or ``BAD_NODE_ID_INVALID``."""
        if not isinstance(tag.source, OpcuaAddress):
            raise TypeError(f"{tag.name} has no address in an OPC UA server but {tag.source!r}")
        return resolve(tag.source.node, self._namespaces)
