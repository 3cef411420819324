"""One OPC UA session: values in, by subscription or by reading, writes out, watched all the time."""

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Callable, Sequence

from drivers.metrics import DriverMetrics
from drivers.opcua.connection import Connection
from drivers.opcua.decode import Decoded, HandleTable, refusals
from drivers.opcua.device_history import DeviceHistory
from drivers.opcua.left_behind import LeftBehind
from drivers.opcua.monitored_items import MonitoredItems
from drivers.opcua.node_directory import NodeDirectory
from drivers.opcua.node_types import NodeTypes
from drivers.opcua.operation_limits import OperationLimits
from drivers.opcua.poller import Poller
from drivers.opcua.security import Pki
from drivers.opcua.subscription import NoSubscription, Subscriptions
from drivers.opcua.watchdog import Watchdog
from drivers.opcua.writer import Writer
from drivers.session import Session, WriteAttempt, WriteOutcome
from plant import times
from plant.batch import Batch, SampleBatch
from plant.command import CommandValue
from plant.device import OpcuaDevice
from plant.errors import DeviceProtocolError, DeviceUnreachable
from plant.tag import Tag


class OpcuaDriver:
    """``pki`` holds the gateway's certificate and those it trusts; without it only devices with the security policy None can be reached."""

    def __init__(self, pki: Pki | None = None, clock: Callable[[], int] = times.now) -> None:
        self._pki = pki
        self._clock = clock
        self._left: dict[str, LeftBehind] = {}

    async def open(self, device: OpcuaDevice, tags: Sequence[Tag], metrics: DriverMetrics) -> Session:
        """Connects and looks at the server's clock once; ``drivers.session.OpenSession`` says the rest."""
        left = self._left.get(device.name)
        connection = await Connection.open(device, self._pki, metrics=metrics, resume=None if left is None else left.take)
        if left is not None and connection.is_resumed and not left.is_of_use:
            await connection.close()
            connection = await Connection.open(device, self._pki, metrics=metrics)
        self._left.pop(device.name, None)  # only now: a server that could not be reached has it still
        session = OpcuaSession(connection, device, tags, metrics, self._clock, left if connection.is_resumed else None, self._leave)
        try:
            await session.watchdog.look()
        except (DeviceUnreachable, DeviceProtocolError, asyncio.CancelledError):
            await session.close()
            raise
        return session

    def _leave(self, device: OpcuaDevice, left: LeftBehind) -> None:
        self._left[device.name] = left


class OpcuaSession:
    """A ``drivers.session.Session``. ``clock`` gives UTC microseconds."""

    def __init__(
        self,
        connection: Connection,
        device: OpcuaDevice,
        tags: Sequence[Tag],
        metrics: DriverMetrics,
        clock: Callable[[], int],
        left: LeftBehind | None,
        leave: Callable[[OpcuaDevice, LeftBehind], None],
    ) -> None:
        self.watchdog = Watchdog(connection, metrics, clock)
        self._connection = connection
        self._device = device
        self._metrics = metrics
        self._clock = clock
        self._table = HandleTable.of(tags)
        self._limits = OperationLimits()
        self._directory = NodeDirectory(connection)
        self._writer = Writer(connection, self._directory)
        self._subscriptions = Subscriptions(connection, device, self._table, metrics, clock)
        types = NodeTypes(connection, self._limits)
        watched = None if left is None else left.watched
        self._items = MonitoredItems(connection, self._limits, self._directory, types, tags, self._subscriptions, watched)
        self._goes_on = left is not None
        if left is not None:
            self._subscriptions.go_on_from(left.subscriptions)
        self._leave = leave
        self._has_delivered = False
        self._has_values = any(tag.has_value for tag in tags)
        self._poller = Poller(connection, self._limits, self._directory, tags, self._table, metrics, clock)
        self._history = DeviceHistory(connection, self._limits, self._directory, tags, self._table, clock)
        self._overflows = 0

    @property
    def latency(self) -> float | None:
        return self.watchdog.latency

    @property
    def clock_offset(self) -> float | None:
        return self.watchdog.clock_offset

    @property
    def overflows(self) -> int:
        return self._overflows + self._subscriptions.lost

    @property
    def lag(self) -> float:
        return self._subscriptions.publishing_interval

    @property
    def last_heard(self) -> int:
        return self._clock() if self._connection.was_closed_by_server else self.watchdog.last_heard

    @property
    def trouble(self) -> str | None:
        slow = self._poller.overloaded
        if slow:
            periods = " and ".join(f"{period:g} s" for period in slow)
            return f"overloaded: most of the last scans every {periods} were late; ask for fewer tags, or less often"
        refused = self._items.refused + self._poller.refused
        return None if refused == 0 else f"the server refuses {refused} of its {len(self._table.tag_id)} tags: their quality says why"

    async def batches(self) -> AsyncGenerator[Batch, None]:
        """The server sends the current value of an item by itself when the item is made; what it cannot watch is read."""
        guard: asyncio.Task[None] = asyncio.create_task(self.watchdog.run())
        clock = asyncio.get_running_loop().time
        try:
            await self._limits.learn(self._connection)
            if self._goes_on:
                await self._directory.refresh()
            while self._goes_on:
                for batch in self._counted(await self._catch_up()):
                    yield batch
            self._items.next_try = clock()
            if not self._has_values:
                await self._directory.refresh()  # so that a command finds its node
                yield SampleBatch.empty()  # the server answers, though no tag will ever say so
            while True:
                if clock() >= self._items.next_try:
                    for batch in await self._look_for_items():
                        yield batch
                if clock() >= self._poller.next_scan:
                    for batch in self._counted(await self._poller.scan(clock())):
                        yield batch
                for decoded in await self._subscriptions.next(guard, min(self._items.next_try, self._poller.next_scan)):
                    for batch in self._counted(decoded):
                        yield batch
        finally:
            guard.cancel()
            await asyncio.gather(guard, return_exceptions=True)

    async def _catch_up(self) -> Decoded:
        """The next notification that the server sent while nobody listened; when there is none, the value of every tag, since it sends none by itself of
        what did not change. Each is handed on before the next is asked for: the connection may be lost again."""
        for subscription in self._subscriptions.all:
            missed = await self._subscriptions.next_missed(subscription)
            if missed is not None:
                return missed
        values = await self._poller.read_all(but=self._items.watched.refused)
        self._goes_on = False
        return values

    async def _look_for_items(self) -> Sequence[Batch]:
        """Asks for what is not watched yet. The refusals that are new, as samples."""
        if self._device.polling:
            return await self._read_all_tags()
        try:
            news = await self._items.create_missing()
        except NoSubscription:
            return await self._read_all_tags()
        self._poller.take_over(self._items.watched.unwatched, asyncio.get_running_loop().time())
        return refusals(news, self._table, self._clock())

    async def _read_all_tags(self) -> Sequence[Batch]:
        """The server has no subscriptions, or is not to be asked for one: the state of a refused tag is the status that it is read with."""
        news = await self._items.look_only()
        self._poller.take_over(self._items.watched.unwatched, asyncio.get_running_loop().time())
        return refusals(news, self._table, self._clock())

    def _counted(self, decoded: Decoded) -> Sequence[Batch]:
        if decoded.overflows:
            self._overflows += decoded.overflows
            self._metrics.overflowed(decoded.overflows)
        if decoded.strangers:
            self._metrics.rejected("unknown handle")
        self._has_delivered |= bool(decoded.batches)
        return decoded.batches

    async def recover(self, start: int, end: int, take: Callable[[Batch], Awaitable[None]]) -> bool:
        return self._device.history and await self._history.read(start, end, take)

    async def write(self, tag: Tag, value: CommandValue, attempt: WriteAttempt | None = None) -> WriteOutcome:
        return await self._writer.write(tag, value, attempt or WriteAttempt())

    async def close(self) -> None:
        """A connection that cannot be closed politely leaves its session behind."""
        identity = self._connection.identity
        try:
            was_closed = await self._connection.close()
        finally:
            await self._subscriptions.stop()
        if not was_closed and identity is not None:
            is_of_use = (self._has_delivered or self._goes_on) and bool(self._subscriptions.all) and not self._items.are_being_made
            until = asyncio.get_running_loop().time() + self._connection.session_timeout
            self._leave(self._device, LeftBehind(identity, self._subscriptions.all, self._items.watched, until, is_of_use))
