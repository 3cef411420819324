"""Node ids with namespace URIs, and their meaning in one session. Source: OPC UA Part 6, 5.3.1.10 and 5.3.1.11."""

import base64
import binascii
import uuid
from collections.abc import Sequence
from urllib.parse import unquote

from asyncua import ua

from plant.quality import Quality


def resolve(node: str, namespaces: Sequence[str]) -> ua.NodeId | Quality:
    """The node id of ``nsu=URI;s=NAME`` under a server's namespace array; without ``nsu=`` the node lies in the namespace of OPC UA itself.

    ``BAD_NODE_ID_UNKNOWN`` where the server has no such namespace, ``BAD_NODE_ID_INVALID`` where the text is no node id: ``ns=`` with an index is
    none, since indices move.
    """
    index: int | None = 0
    if node.startswith("nsu="):
        uri, separator, node = node.removeprefix("nsu=").partition(";")
        if not separator:
            return Quality.BAD_NODE_ID_INVALID
        index = _index(uri, namespaces)
    identifier = _identifier(node)
    if identifier is None:
        return Quality.BAD_NODE_ID_INVALID
    if index is None:
        return Quality.BAD_NODE_ID_UNKNOWN
    return ua.NodeId(identifier, ua.Int16(index))


def text_of(node: ua.NodeId, namespaces: Sequence[str]) -> str | None:
    """The text that ``resolve`` reads; ``None`` where the server has no URI for the namespace. ``;`` and ``%`` in the URI are escaped."""
    if not 0 <= node.NamespaceIndex < len(namespaces):
        return None
    uri = namespaces[node.NamespaceIndex].replace("%", "%25").replace(";", "%3B")
    match node.Identifier:
        case int(number):
            return f"nsu={uri};i={number}"
        case str(name):
            return f"nsu={uri};s={name}"
        case bytes(data):
            return f"nsu={uri};b={base64.b64encode(data).decode()}"
        case uuid.UUID() as guid:
            return f"nsu={uri};g={guid}"


def _index(uri: str, namespaces: Sequence[str]) -> int | None:
    # A URI is written with ';' and '%' escaped; many people write it as it is.
    for spelling in (uri, unquote(uri)):
        if spelling in namespaces:
            return namespaces.index(spelling)
    return None


def _identifier(text: str) -> ua.Int32 | ua.String | ua.Guid | ua.ByteString | None:
    kind, separator, value = text.partition("=")
    if not separator or not value:
        return None
    try:
        match kind:
            case "i" if value.isascii() and value.isdigit() and int(value) < 2**32:
                return ua.Int32(value)
            case "s":
                return ua.String(value)
            case "g":
                return ua.Guid(value)
            case "b":
                return ua.ByteString(base64.b64decode(value, validate=True))
    except (ValueError, binascii.Error):
        return None
    return None
