"""OPC UA server of one device over its tag image. Only this module and ``opcua_nodes`` know of asyncua.

Rules:

- a value goes into its node when the image has a new one, with the image's source time and quality: nothing is written twice, so that a node at rest costs
  nothing and a subscription without a filter reports exactly what changed;
- a client's write goes to the image and only from there to the node: the device stamps it with its own time, and refuses what it does not take;
- what strangers can make the server hold is bounded (messages, chunks, connections).
"""

import asyncio
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Final, cast

from asyncua import Server, ua
from asyncua.common.connection import TransportLimits
from asyncua.crypto.permission_rules import User, UserRole
from asyncua.server.address_space import AttributeService

from plant.device import OpcuaAddress
from plant.quality import Quality
from plant.tag import DataType, Tag
from plant.times import now, to_datetime
from simulators.image import TagImage
from simulators.opcua_nodes import SharingServer, standard_nodes

VARIANT_TYPES: Final = {
    DataType.FLOAT: ua.VariantType.Float,
    DataType.DOUBLE: ua.VariantType.Double,
    DataType.BOOLEAN: ua.VariantType.Boolean,
    DataType.INT16: ua.VariantType.Int16,
    DataType.UINT16: ua.VariantType.UInt16,
    DataType.INT32: ua.VariantType.Int32,
    DataType.UINT32: ua.VariantType.UInt32,
    DataType.STRING: ua.VariantType.String,
}

_MAX_CHUNKS: Final = 64
_MAX_MESSAGE_BYTES: Final = 4 * 1024 * 1024
_MAX_CONNECTIONS: Final = 20
_FLOAT32_MAX: Final = 3.4028234663852886e38
_INSIDER: Final = User(role=UserRole.Admin)


class OpcuaServer:
    """Serves ``image``: a variable for each tag with an ``OpcuaAddress``, by folders of its unit.

    ``path`` is the path of the endpoint's URL.
    """

    def __init__(self, name: str, image: TagImage, host: str = "127.0.0.1", path: str = "") -> None:
        self._name = name
        self._image = image
        self._changes = image.listen()
        self._host = host
        self._path = path
        self._node_ids: list[ua.NodeId] = []
        self._server: Server | None = None
        self.port = 0

    async def start(self, port: int = 0) -> str:
        """Listens; 0 takes a free port. Returns the endpoint's URL.

        Raises:
            OSError: the port cannot be had.
        """
        server = Server(iserver=SharingServer(await asyncio.to_thread(standard_nodes)))
        server.limits = TransportLimits(max_chunk_count=_MAX_CHUNKS, max_message_size=_MAX_MESSAGE_BYTES)
        server.iserver.max_connections = _MAX_CONNECTIONS
        server.iserver.allow_remote_admin = False
        await server.init()
        server.set_server_name(self._name)
        await server.set_application_uri(f"urn:monazite:simulator:{self._name.lower()}")
        server.set_security_policy([ua.SecurityPolicyType.NoSecurity])
        server.set_identity_tokens([ua.AnonymousIdentityToken])
        server.set_endpoint(f"opc.tcp://{self._host}:{port}{self._path}")
        self._node_ids = await self._make_nodes(server)
        server.iserver.attribute_service = _DeviceAttributes(server, self, self._image, self._node_ids)
        self._server = server
        self._changes.mask[:] = True
        await self.publish()
        await server.start()
        server.iserver.set_attribute_value_callback(_CLOCK, _clock_of)
        if server.bserver is None:
            raise OSError(f"OPC UA cannot listen on {self._host}:{port}")
        self.port = server.bserver.port
        return f"opc.tcp://{self._host}:{self.port}{self._path}"

    async def stop(self) -> None:
        """Closes the listener and every connection."""
        if self._server is not None:
            server, self._server = self._server, None
            await server.stop()

    async def publish(self) -> None:
        """Puts what is new in the image into the nodes, and so into every subscription."""
        for position in self._changes.take().tolist():
            await self.publish_one(position)

    async def publish_one(self, position: int) -> None:
        """Puts one tag of the image into its node."""
        if self._server is not None:
            self._changes.mask[position] = False
            await self._server.write_attribute_value(self._node_ids[position], data_value_of(self._image, position))

    def is_monitored(self) -> bool:
        """Whether somebody monitors every tag of the device."""
        if self._server is None:
            return False
        space = self._server.iserver.aspace
        return all(space[node_id].attributes[ua.AttributeIds.Value].datachange_callbacks for node_id in self._node_ids)

    async def _make_nodes(self, server: Server) -> list[ua.NodeId]:
        """A folder for each unit under Objects, and a variable for each tag in it; node ids in the order of the image."""
        folders = {}
        node_ids = []
        for tag in self._image.tags:
            node_id = await _node_id(server, tag)
            if tag.unit not in folders:
                index = node_id.NamespaceIndex
                folders[tag.unit] = await server.nodes.objects.add_folder(
                    ua.NodeId(ua.String(f"{tag.area}.{tag.unit}"), index), ua.QualifiedName(tag.unit, index)
                )
            variant = VARIANT_TYPES[tag.data_type]
            initial: float | str = "" if tag.data_type.is_text else 0
            browse_name = ua.QualifiedName(tag.name, node_id.NamespaceIndex)
            variable = await folders[tag.unit].add_variable(node_id, browse_name, _python_value(tag.data_type, initial), variant)
            if tag.writable:
                await variable.set_writable()
            node_ids.append(node_id)
        return node_ids


async def _node_id(server: Server, tag: Tag) -> ua.NodeId:
    """The tag's node id with this server's index of its namespace.

    Raises:
        ValueError: the tag's source is no node, or does not name its namespace by URI.
    """
    node = tag.source.node if isinstance(tag.source, OpcuaAddress) else ""
    uri, separator, identifier = node.removeprefix("nsu=").partition(";")
    if not node.startswith("nsu=") or not separator:
        raise ValueError(f"{tag.name}: {node!r} is no node of an OPC UA device; write nsu=URI;s=NAME")
    return ua.NodeId.from_string(f"ns={await server.register_namespace(uri)};{identifier}")


def data_value_of(image: TagImage, position: int) -> ua.DataValue:
    """Value, status and source time of one tag as the wire has them; the server time is now."""
    tag = image.tags[position]
    status = ua.StatusCode(ua.UInt32(Quality(int(image.quality[position])).status_code))
    variant = ua.Variant(_python_value(tag.data_type, image.value(position)), VARIANT_TYPES[tag.data_type])
    return ua.DataValue(Value=variant, StatusCode=status, SourceTimestamp=_date_time(int(image.times[position])), ServerTimestamp=_date_time(now()))


def _date_time(microseconds: int) -> ua.DateTime:
    """asyncua encodes any ``datetime``, and has a type of its own for it only in annotations."""
    return cast("ua.DateTime", to_datetime(microseconds))


def _python_value(data_type: DataType, value: float | str) -> float | int | bool | str:
    if isinstance(value, str):
        return value
    if data_type is DataType.BOOLEAN:
        return bool(value)
    if data_type is DataType.FLOAT:
        return min(max(value, -_FLOAT32_MAX), _FLOAT32_MAX)
    return value if data_type.is_continuous else round(value)


def _clock_of(node_id: ua.NodeId, attribute: ua.AttributeIds) -> ua.DataValue:
    """The server's clock as it is now: asyncua's own node is a second behind at worst, which would look like a wrong clock."""
    return ua.DataValue(ua.Variant(datetime.now(UTC).replace(tzinfo=None), ua.VariantType.DateTime))


_CLOCK: Final = ua.NodeId(ua.Int32(ua.ObjectIds.Server_ServerStatus_CurrentTime))


class _DeviceAttributes(AttributeService):
    """The attribute service of a device: writes of clients reach the image, or are refused with the status that says why."""

    def __init__(self, server: Server, device: OpcuaServer, image: TagImage, node_ids: Sequence[ua.NodeId]) -> None:
        super().__init__(server.iserver.aspace)
        self._device = device
        self._image = image
        self._positions = {node_id: position for position, node_id in enumerate(node_ids)}

    async def write(self, params: ua.WriteParameters, user: User = _INSIDER) -> list[ua.StatusCode]:
        results: list[ua.StatusCode] = []
        for item in params.NodesToWrite:
            position = self._positions.get(item.NodeId) if item.AttributeId == ua.AttributeIds.Value else None
            if position is None:
                results += await super().write(ua.WriteParameters(NodesToWrite=[item]), user)
            else:
                results.append(ua.StatusCode(ua.UInt32(await self._write(position, item.Value))))
        return results

    async def _write(self, position: int, wanted: ua.DataValue) -> int:
        """Writes one tag. Returns the status code; the node shows the value before the client has its answer."""
        data_type = self._image.tags[position].data_type
        variant = wanted.Value
        if variant is None or variant.VariantType != VARIANT_TYPES[data_type] or variant.is_array or variant.Value is None:
            return Quality.BAD_TYPE_MISMATCH.status_code
        value = str(variant.Value) if data_type.is_text else float(variant.Value)
        refusal = self._image.refusal(position, value)
        if refusal is not None:
            return refusal.status_code
        self._image.write(position, value, now())
        await self._device.publish_one(position)
        return Quality.GOOD.status_code
