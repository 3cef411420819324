"""One OPC UA session: subscription in, writes out, watched all the time."""

import asyncio
from collections.abc import AsyncGenerator, Callable, Sequence

from drivers.metrics import DriverMetrics
from drivers.opcua.connection import Connection
from drivers.opcua.decode import HandleTable, decode, refusals
from drivers.opcua.monitored_items import MonitoredItems
from drivers.opcua.node_directory import NodeDirectory
from drivers.opcua.subscription import Subscription
from drivers.opcua.watchdog import Watchdog
from drivers.opcua.writer import Writer
from drivers.session import Session, WriteOutcome
from plant import times
from plant.batch import Batch
from plant.command import CommandValue
from plant.device import OpcuaDevice
from plant.errors import DeviceProtocolError, DeviceUnreachable
from plant.tag import Tag


async def open_opcua(device: OpcuaDevice, tags: Sequence[Tag], metrics: DriverMetrics) -> Session:
    """Connects and looks at the server's clock once; ``drivers.session.OpenSession`` says the rest."""
    connection = await Connection.open(device)
    session = OpcuaSession(connection, device, tags, metrics, times.now)
    try:
        await session.watchdog.look()
    except (DeviceUnreachable, DeviceProtocolError, asyncio.CancelledError):
        await connection.close()
        raise
    return session


class OpcuaSession:
    """A ``drivers.session.Session``. ``clock`` gives UTC microseconds."""

    def __init__(self, connection: Connection, device: OpcuaDevice, tags: Sequence[Tag], metrics: DriverMetrics, clock: Callable[[], int]) -> None:
        self.watchdog = Watchdog(connection, metrics, clock)
        self._connection = connection
        self._device = device
        self._tags = tags
        self._metrics = metrics
        self._clock = clock
        self._table = HandleTable.of(tags)
        self._directory = NodeDirectory(connection)
        self._writer = Writer(connection, self._directory, metrics)

    @property
    def latency(self) -> float | None:
        return self.watchdog.latency

    @property
    def clock_offset(self) -> float | None:
        return self.watchdog.clock_offset

    async def batches(self) -> AsyncGenerator[Batch, None]:
        """The server sends the current value of an item by itself when the item is made."""
        guard: asyncio.Task[None] = asyncio.create_task(self.watchdog.run())
        subscription: Subscription | None = None
        try:
            subscription = await Subscription.create(self._connection, self._device.publishing_interval)
            items = MonitoredItems(self._connection, self._directory, self._tags, subscription.granted)
            await items.learn_limits()
            now = asyncio.get_running_loop().time
            items.next_try = now()
            while True:
                if now() >= items.next_try:
                    for batch in refusals(await items.create_missing(), self._table, self._clock()):
                        yield batch
                notifications = await subscription.notifications(guard, items.next_try)
                decoded = decode(notifications or (), self._table, self._clock())
                if decoded.overflows:
                    self._metrics.overflowed(decoded.overflows)
                if decoded.strangers:
                    self._metrics.rejected("unknown handle")
                for batch in decoded.batches:
                    yield batch
        finally:
            if subscription is not None:
                await subscription.stop()
            guard.cancel()
            await asyncio.gather(guard, return_exceptions=True)

    async def write(self, tag: Tag, value: CommandValue) -> WriteOutcome:
        return await self._writer.write(tag, value)

    async def close(self) -> None:
        await self._connection.close()
