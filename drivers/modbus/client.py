"""One Modbus TCP connection: a request, its answer, one at a time."""

import asyncio
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Final, Self, TypeVar

from drivers.abort import abort
from drivers.metrics import DriverMetrics
from drivers.modbus.frames import MBAP, BadFrame, ModbusException, adu, check_header, read_answer, read_request, write_answer, write_request
from plant import times
from plant.device import ModbusDevice, ModbusTable
from plant.errors import DeviceUnreachable

_CLOSE_DEADLINE: Final = 1.0

T = TypeVar("T")


class ConnectionDropped(DeviceUnreachable):
    """The connection was given up before: nothing of this request was sent."""


class ModbusClient:
    """Asks one unit. After any error but a device's own refusal the connection is of no use: a late answer might be under way. It is never reused."""

    def __init__(self, device: ModbusDevice, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, metrics: DriverMetrics) -> None:
        self._device = device
        self._reader = reader
        self._writer = writer
        self._metrics = metrics
        self._one_at_a_time = asyncio.Lock()
        self._transaction = 0
        self._dropped = asyncio.Event()
        self._why_dropped = ""
        self.latency: float | None = None

    @classmethod
    async def connect(cls, device: ModbusDevice, metrics: DriverMetrics) -> Self:
        """Raises ``DeviceUnreachable`` when nothing listens within the device's time-out."""
        try:
            async with asyncio.timeout(device.timeout):
                reader, writer = await asyncio.open_connection(device.host, device.port)
        except TimeoutError:
            raise DeviceUnreachable(f"no connection within {device.timeout:g} s") from None
        except OSError as error:
            raise DeviceUnreachable(f"no connection: {error.strerror or error}") from error
        except UnicodeError as error:  # raised by the name's encoding for one that cannot be a host's
            raise DeviceUnreachable(f"no connection: {device.host!r} is no host: {error}") from error
        return cls(device, reader, writer, metrics)

    async def read(self, table: ModbusTable, address: int, count: int) -> tuple[bytes | ModbusException, int]:
        """Data bytes as on the wire, or the device's refusal; and the middle of request and answer by our clock, UTC microseconds.

        Raises:
            ConnectionDropped: an earlier error ended the connection; nothing was sent.
            DeviceUnreachable: no answer in time, or the connection ended.
            BadFrame: the answer was not the request's.
        """
        async with self._one_at_a_time:
            with self._dropped_on_error():
                return await self._ask(read_request(table, address, count), lambda pdu: read_answer(pdu, table, count))

    async def write(self, table: ModbusTable, address: int, data: bytes) -> ModbusException | None:
        """Writes once; ``None`` when the device took it. Raises as ``read``."""
        request = write_request(table, address, data)
        async with self._one_at_a_time:
            with self._dropped_on_error():
                refused, _ = await self._ask(request, lambda pdu: write_answer(pdu, request))
                return refused

    async def wait(self, seconds: float) -> None:
        """Sleeps. Raises ``ConnectionDropped`` as soon as a request of somebody else ended the connection, so that it is not kept until the next scan."""
        try:
            async with asyncio.timeout(seconds):
                await self._dropped.wait()
        except TimeoutError:
            return
        raise ConnectionDropped(self._why_dropped)

    async def _ask(self, request: bytes, accept: Callable[[bytes], T]) -> tuple[T, int]:
        """What ``accept`` makes of the answer, which raises ``BadFrame`` for one that is not the request's; and the middle of request and answer."""
        self._transaction = (self._transaction + 1) & 0xFFFF
        begun_at, begun = times.now(), time.perf_counter()
        try:
            async with asyncio.timeout(self._device.timeout):
                self._writer.write(adu(self._transaction, self._device.unit_id, request))
                await self._writer.drain()
                header = await self._reader.readexactly(MBAP.size)
                answer = accept(await self._reader.readexactly(check_header(header, self._transaction, self._device.unit_id)))
        except TimeoutError:
            self._metrics.polled("timeout", time.perf_counter() - begun)
            raise DeviceUnreachable(f"no answer within {self._device.timeout:g} s") from None
        except (OSError, asyncio.IncompleteReadError) as error:
            self._metrics.polled("disconnected", time.perf_counter() - begun)
            raise DeviceUnreachable(f"the connection ended: {error}") from error
        except BadFrame:
            self._metrics.polled("rejected", time.perf_counter() - begun)
            raise
        self.latency = time.perf_counter() - begun
        self._metrics.polled("answered", self.latency)
        return answer, begun_at + round(self.latency * times.MICROSECONDS / 2)

    @contextmanager
    def _dropped_on_error(self) -> Iterator[None]:
        """Rule: after a time-out, a cancellation or a wrong answer the connection is dropped, or the next request might read the late answer."""
        if self._dropped.is_set() or self._writer.is_closing():
            raise ConnectionDropped(self._why_dropped or "the connection ended")
        try:
            yield
        except BaseException as error:
            if isinstance(error, BadFrame):
                self._metrics.rejected(error.reason)
            self._why_dropped = f"the connection was dropped: {str(error) or 'a request was given up'}"
            self._dropped.set()
            abort(self._writer.transport)
            raise

    async def close(self) -> None:
        """Ends the connection; never raises."""
        self._writer.close()
        try:
            async with asyncio.timeout(_CLOSE_DEADLINE):
                await self._writer.wait_closed()
        except (TimeoutError, OSError):
            abort(self._writer.transport)
