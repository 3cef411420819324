"""Node ids under the namespaces of a server."""

import uuid

import pytest
from asyncua import ua

from drivers.opcua.node_id import resolve
from plant.quality import Quality

NAMESPACES = ["http://opcfoundation.org/UA/", "urn:server", "urn:plant", "urn:odd;one%"]


@pytest.mark.parametrize(
    ("node", "index", "identifier"),
    [
        ("nsu=urn:plant;s=SEP.COL101.PT101", 2, "SEP.COL101.PT101"),
        ("nsu=urn:plant;s=a;b=c", 2, "a;b=c"),
        ("nsu=urn:plant;i=70000", 2, 70000),
        ("i=2258", 0, 2258),
        ("nsu=urn:server;g=09087e75-8e5e-499b-954f-f2a9603db28a", 1, uuid.UUID("09087e75-8e5e-499b-954f-f2a9603db28a")),
        ("nsu=urn:plant;b=AQID", 2, b"\x01\x02\x03"),
        ("nsu=urn:odd%3Bone%25;s=x", 3, "x"),
    ],
)
def test_a_uri_becomes_the_index_it_has_now(node: str, index: int, identifier: object) -> None:
    found = resolve(node, NAMESPACES)
    assert isinstance(found, ua.NodeId)
    assert (found.NamespaceIndex, found.Identifier) == (index, identifier)
    assert ua.NodeId.from_string(found.to_string()) == found


def test_the_index_follows_the_server() -> None:
    found = resolve("nsu=urn:plant;s=x", ["http://opcfoundation.org/UA/", "urn:other", "urn:more", "urn:plant"])
    assert isinstance(found, ua.NodeId)
    assert found.NamespaceIndex == 3


def test_an_unknown_namespace_is_an_unknown_node() -> None:
    assert resolve("nsu=urn:elsewhere;s=x", NAMESPACES) is Quality.BAD_NODE_ID_UNKNOWN


@pytest.mark.parametrize("node", ["", "x", "s=", "i=one", "i=-1", "i=4294967296", "i=²", "g=12", "b=?", "ns=2;s=x", "nsu=urn:plant", "nsu=urn:elsewhere;q=1"])
def test_what_is_no_node_id_is_invalid(node: str) -> None:
    assert resolve(node, NAMESPACES) is Quality.BAD_NODE_ID_INVALID
