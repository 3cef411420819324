"""How much a server takes in one call, and calls that keep to it.

Rule: a server says its limits (OPC UA Part 5, 6.3.11), or says nothing, or says more than it can do. So a call that is refused for its size is made again
in halves, and the size that went through is kept for the session.
"""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any, Final, TypeVar

from asyncua import ua

from drivers.opcua.connection import Connection
from drivers.opcua.link_errors import speaking_of
from plant.errors import DeviceProtocolError

_LARGEST_CALL: Final = 500
_TOO_LARGE: Final = {
    ua.StatusCodes.BadTooManyOperations,
    ua.StatusCodes.BadTcpMessageTooLarge,
    ua.StatusCodes.BadEncodingLimitsExceeded,
    ua.StatusCodes.BadRequestTooLarge,
    ua.StatusCodes.BadResponseTooLarge,
}

Request = TypeVar("Request")
Result = TypeVar("Result")


class CallSize:
    """Operations in one call of a service, at most."""

    def __init__(self, largest: int = _LARGEST_CALL) -> None:
        self._largest = largest

    @property
    def largest(self) -> int:
        return self._largest

    def at_most(self, limit: Any) -> None:
        """``limit`` as a server tells it; 0 or nothing is no limit."""
        if isinstance(limit, int) and limit > 0:
            self._largest = min(limit, self._largest)

    async def run(self, exchange: str, requests: Sequence[Request], call: Callable[[list[Request]], Awaitable[Sequence[Result]]]) -> list[Result]:
        """The results of all ``requests``, in their order, by as many calls as it takes.

        Raises:
            DeviceUnreachable, DeviceProtocolError: ``exchange`` is what they name.
        """
        results: list[Result] = []
        while len(results) < len(requests):
            part = list(requests[len(results) : len(results) + self._largest])
            try:
                with speaking_of(exchange):
                    answered = await self._call(part, call)
            except _CallTooLarge:
                self._largest = max(1, len(part) // 2)
                continue
            if len(answered) != len(part):
                raise DeviceProtocolError(f"the server answered {len(answered)} of {len(part)} operations in {exchange}")
            results += answered
        return results

    @staticmethod
    async def _call(part: list[Request], call: Callable[[list[Request]], Awaitable[Sequence[Result]]]) -> Sequence[Result]:
        try:
            return await call(part)
        except ua.UaStatusCodeError as error:
            if error.code in _TOO_LARGE and len(part) > 1:
                raise _CallTooLarge from error
            raise


class _CallTooLarge(Exception):
    """The server takes fewer operations in one call."""


class OperationLimits:
    """The sizes of one session's calls."""

    def __init__(self) -> None:
        self.read = CallSize()
        self.monitored_items = CallSize()
        self.browse = CallSize()
        self.browse_points = CallSize()
        """Nodes whose browse may be answered in part at a time."""
        self.history = CallSize(10)
        """Nodes of one call, each of which may be answered in part."""

    async def learn(self, connection: Connection) -> None:
        """Reads what the server says of its limits.

        Raises:
            DeviceUnreachable, DeviceProtocolError
        """
        await self._learn(
            connection,
            {
                ua.ObjectIds.Server_ServerCapabilities_OperationLimits_MaxNodesPerRead: self.read,
                ua.ObjectIds.Server_ServerCapabilities_OperationLimits_MaxMonitoredItemsPerCall: self.monitored_items,
                ua.ObjectIds.Server_ServerCapabilities_OperationLimits_MaxNodesPerBrowse: self.browse,
                ua.ObjectIds.Server_ServerCapabilities_OperationLimits_MaxNodesPerHistoryReadData: self.history,
            },
        )
        # In a second call, and that no larger than the first allows: one that is refused would make every read of the session smaller.
        await self._learn(
            connection,
            {
                ua.ObjectIds.Server_ServerCapabilities_MaxHistoryContinuationPoints: self.history,
                ua.ObjectIds.Server_ServerCapabilities_MaxBrowseContinuationPoints: self.browse_points,
            },
        )

    async def _learn(self, connection: Connection, sizes: Mapping[int, CallSize]) -> None:
        places = [ua.ReadValueId(NodeId=ua.NodeId(ua.Int32(node)), AttributeId=ua.AttributeIds.Value) for node in sizes]
        answers = await self.read.run("a read of its limits", places, connection.read_places)
        for size, answer in zip(sizes.values(), answers, strict=True):
            size.at_most(answer.Value.Value if answer.Value is not None else None)
