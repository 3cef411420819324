"""Asks the server for its clock, again and again: whether it answers, how fast, and how far its clock is from ours."""

import asyncio
import time
from collections import deque
from collections.abc import Callable
from datetime import datetime
from typing import Final, NoReturn

from asyncua import ua

from drivers.metrics import DriverMetrics
from drivers.opcua.connection import Connection
from drivers.opcua.link_errors import speaking_of
from plant import times

_PERIOD: Final = 2.0
_LOOKS: Final = 5
"""The newest of the last looks at the clock counts: many servers set it once a second only, and none is ahead of itself."""
_CURRENT_TIME: Final = ua.NodeId(ua.Int32(ua.ObjectIds.Server_ServerStatus_CurrentTime))


class Watchdog:
    """Keeps the session and the secure channel alive as well: a server ends a session that asks for nothing."""

    def __init__(self, connection: Connection, metrics: DriverMetrics, clock: Callable[[], int]) -> None:
        self._connection = connection
        self._metrics = metrics
        self._clock = clock
        self.latency: float | None = None
        self._offsets: deque[float] = deque(maxlen=_LOOKS)
        self.clock_offset: float | None = None
        self.last_heard = clock()
        """When the server last answered, UTC microseconds by our clock."""

    async def run(self) -> NoReturn:
        """Looks every two seconds.

        Raises:
            DeviceUnreachable, DeviceProtocolError: the server did not answer, or not with a time.
        """
        while True:
            await asyncio.sleep(_PERIOD)
            await self.look()
            await self._connection.renew_channel()

    async def look(self) -> None:
        """One look. Raises as ``run``."""
        before, begun = self._clock(), time.perf_counter()
        with speaking_of("a read of its clock"):
            (answer,) = await self._connection.read([_CURRENT_TIME])
        self.latency = latency = time.perf_counter() - begun
        self.last_heard = self._clock()
        moment = answer.Value.Value if answer.Value is not None else None
        if isinstance(moment, datetime):
            self._offsets.append((times.from_datetime(moment) - before) / times.MICROSECONDS - latency / 2)
            self.clock_offset = max(self._offsets)
            self._metrics.skewed(self.clock_offset)
