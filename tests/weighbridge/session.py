"""A session with the indicator: one line asked for each period, one line written and read back."""

import asyncio
import time
from collections.abc import AsyncGenerator, Awaitable, Callable, Sequence

from drivers import DriverMetrics, WriteAttempt, WriteOutcome, WriteStatus
from plant import times
from plant.batch import Batch
from plant.command import CommandValue
from plant.errors import DeviceProtocolError, DeviceUnreachable
from plant.quality import Quality
from plant.tag import Tag
from tests.weighbridge.device import WeighbridgeDevice
from tests.weighbridge.readings import decode


async def open_weighbridge(device: WeighbridgeDevice, tags: Sequence[Tag], metrics: DriverMetrics) -> "WeighbridgeSession":
    """Satisfies ``drivers.OpenSession``."""
    try:
        async with asyncio.timeout(device.timeout):
            reader, writer = await asyncio.open_connection(device.host, device.port)
    except (OSError, TimeoutError) as error:
        raise DeviceUnreachable(f"no connection: {error}") from error
    return WeighbridgeSession(device, {_channel(tag): tag.id for tag in tags}, reader, writer, metrics)


class WeighbridgeSession:
    """Satisfies ``drivers.Session``."""

    lag = 0.0
    overflows = 0
    trouble: str | None = None
    clock_offset: float | None = None

    def __init__(
        self, device: WeighbridgeDevice, ids: dict[str, int], reader: asyncio.StreamReader, writer: asyncio.StreamWriter, metrics: DriverMetrics
    ) -> None:
        self._device = device
        self._ids = ids
        self._reader = reader
        self._writer = writer
        self._metrics = metrics
        self._one_at_a_time = asyncio.Lock()
        self.latency: float | None = None
        self.last_heard = times.now()

    async def batches(self) -> AsyncGenerator[Batch, None]:
        while True:
            yield decode(await self._ask("R"), self._ids, times.now())
            await asyncio.sleep(self._device.period)

    async def _ask(self, request: str) -> bytes:
        """A request that is given up ends the conversation: its answer would be taken for that to the next."""
        begun = time.perf_counter()
        async with self._one_at_a_time:
            try:
                async with asyncio.timeout(self._device.timeout):
                    self._writer.write(f"{request}\r\n".encode())
                    line = await self._reader.readline()
            except asyncio.CancelledError:
                self._writer.transport.abort()
                raise
            except TimeoutError:
                self._writer.transport.abort()
                self._metrics.polled("timeout", time.perf_counter() - begun)
                raise DeviceUnreachable(f"no answer within {self._device.timeout:g} s") from None
            except (OSError, ValueError) as error:
                raise DeviceUnreachable(f"the connection ended: {error}") from error
        self.last_heard = times.now()
        if not line.endswith(b"\n"):
            raise DeviceUnreachable("the indicator closed the connection")
        self.latency = time.perf_counter() - begun
        self._metrics.polled("answered", self.latency)
        return line

    async def write(self, tag: Tag, value: CommandValue, attempt: WriteAttempt | None = None) -> WriteOutcome:
        channel = _channel(tag)
        if attempt is not None:
            attempt.leaves()
        try:
            answer = await self._ask(f"W {channel}={value}")
            if not answer.startswith(b"OK"):
                return WriteOutcome(WriteStatus.REJECTED, f"the indicator answered {answer.strip()!r}", Quality.BAD_OUT_OF_RANGE)
            if attempt is not None:
                attempt.is_taken()
            read = decode(await self._ask("R"), {channel: tag.id}, times.now())
        except (DeviceUnreachable, DeviceProtocolError) as error:
            return WriteOutcome(WriteStatus.UNKNOWN, f"it may have been written: {error}", Quality.BAD_COMMUNICATION_ERROR)
        status = WriteStatus.CONFIRMED if read.value[0] == value else WriteStatus.ACCEPTED
        return WriteOutcome(status, f"the indicator shows {read.value[0]:g}", int(read.quality[0]), float(read.value[0]))

    async def recover(self, start: int, end: int, take: Callable[[Batch], Awaitable[None]]) -> bool:
        return False

    async def close(self) -> None:
        self._writer.transport.abort()


def _channel(tag: Tag) -> str:
    """The last part of the tag's name; a protocol of the product has an address of its own in ``plant``."""
    return tag.name.rpartition(".")[2]
