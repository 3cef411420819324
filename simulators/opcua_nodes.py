"""The standard OPC UA address space, made once and shared by all servers of a process.

Why: asyncua fills its 6 000 standard nodes anew for every server, which takes 2 seconds and 25 MB each; its own cache on disk (a shelf) is slower still with
the ``dbm`` that many Python builds have. Eleven servers would need half a minute on one core.

Rule: a node that a server so much as looks at becomes its own copy, so that no server sees what another one changed. asyncua keeps its nodes in
``AddressSpace._nodes`` and its own shelf puts another mapping there in the same way; the version is pinned, and a test holds the two apart.
"""

import copy
from functools import cache
from pathlib import Path

from asyncua import ua
from asyncua.server.address_space import AddressSpace, NodeData, NodeManagementService
from asyncua.server.internal_server import InternalServer
from asyncua.server.standard_address_space import standard_address_space

StandardNodes = dict[ua.NodeId, NodeData]


@cache
def standard_nodes() -> StandardNodes:
    """All standard nodes, not to be changed. The first call takes seconds of computing: make it off the event loop."""
    space = AddressSpace()
    standard_address_space.fill_address_space(NodeManagementService(space))  # type: ignore[no-untyped-call]  # generated, without types
    return space._nodes


class SharingServer(InternalServer):
    """An internal server that starts from nodes made before."""

    def __init__(self, nodes: StandardNodes) -> None:
        super().__init__()
        self._standard_nodes = nodes

    async def load_standard_address_space(self, shelf_file: Path | None = None) -> None:
        self.aspace._nodes = _CopyOnSight(self._standard_nodes)


class _CopyOnSight(dict[ua.NodeId, NodeData]):
    """The server's own nodes over the shared ones."""

    def __init__(self, shared: StandardNodes) -> None:
        super().__init__()
        self._shared = shared
        self._deleted: set[ua.NodeId] = set()

    def __missing__(self, key: ua.NodeId) -> NodeData:
        if key in self._deleted:
            raise KeyError(key)
        node = self[key] = copy.deepcopy(self._shared[key])
        return node

    def __contains__(self, key: object) -> bool:
        return super().__contains__(key) or (key in self._shared and key not in self._deleted)

    def get(self, key: ua.NodeId, default: NodeData | None = None) -> NodeData | None:  # type: ignore[override]  # the overloads of dict, in one
        try:
            return self[key]
        except KeyError:
            return default

    def __delitem__(self, key: ua.NodeId) -> None:
        self._deleted.add(key)
        self.pop(key, None)
