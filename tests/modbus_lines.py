"""Modbus lines in the tests: a rogue server, the devices on it, and links with everything they said."""

import asyncio
import ssl
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path

from prometheus_client import CollectorRegistry

from drivers import DeviceLink, DriverMetricFamilies
from drivers.backoff import Backoff
from drivers.modbus import ModbusDriver, ModbusSession
from plant.batch import Batch
from plant.device import Encoding, Framing, Identity, ModbusAddress, ModbusDevice, ModbusLine, ModbusTable, TcpLine
from plant.quality import Quality
from plant.tag import Tag
from tests.rogue_modbus_server import RogueModbusServer
from tests.samples import make_tag
from tests.supervised import supervised

TIMEOUT = 0.6
"""Seconds, for the tests in which a unit does not answer in time: far more than a busy machine takes from one that does."""
SHORT_TIMEOUT = 0.25
"""Seconds, for the tests to which one time-out more or less is all the same."""
ADDRESSES = (0, 40, 80, 120)
"""A block each, all of one length: the answer to one could be taken for that to another. Register ``n`` holds ``1000 + n``."""
BIT_OF_WORD = ModbusAddress(ModbusTable.HOLDING, 40, Encoding.BIT, bit=0)
IDENTITY = Identity(ModbusTable.HOLDING, 190, (1190, 1191))


def tags_of(device: str, scan_ms: int = 50, first_id: int = 1) -> tuple[Tag, ...]:
    return tuple(
        make_tag(
            first_id + row,
            f"SEP.COL101.FT{address}",
            device=device,
            writable=True,
            scan_ms=scan_ms,
            source=ModbusAddress(ModbusTable.HOLDING, address, Encoding.UINT16),
        )
        for row, address in enumerate(ADDRESSES)
    )


def device_on(line: ModbusLine, unit: int = 7, timeout: float = TIMEOUT, identity: Identity | None = None) -> ModbusDevice:
    return ModbusDevice(f"MB-{unit}", "SEP", line, unit, timeout=timeout, identity=identity)


class Link:
    """A device link on a driver that others may use too, with everything it said."""

    def __init__(self, driver: ModbusDriver, device: ModbusDevice, scan_ms: int = 50) -> None:
        self.tags = tags_of(device.name, scan_ms, 1000 * device.unit_id)
        self.said: list[tuple[int, float, int]] = []
        """(address, value, quality)"""
        self.registry = CollectorRegistry()
        self.device = device
        metrics = DriverMetricFamilies(self.registry).of("modbus", device.name)
        backoff = Backoff(first=0.05, cap=0.1, floor=0.02)
        self.link = DeviceLink(device, self.tags, driver.open, self._publish, lambda status: None, metrics, backoff=backoff)

    async def _publish(self, batch: Batch) -> None:
        for tag_id, value, quality in zip(batch.tag_id.tolist(), batch.value.tolist(), batch.quality.tolist(), strict=True):
            self.said.append((ADDRESSES[tag_id - self.tags[0].id], value, quality))

    @property
    def wrong(self) -> list[tuple[int, float, int]]:
        """Samples with a value that is not that of their address, whatever their quality."""
        return [row for row in self.said if row[1] == row[1] and row[1] != 1000 + row[0]]

    def count(self, quality: Quality) -> int:
        return sum(row[2] == quality for row in self.said)

    def metric(self, name: str, **labels: str) -> float:
        return self.registry.get_sample_value(f"monazite_driver_{name}_total", {"driver": "modbus", "device": self.device.name, **labels}) or 0.0

    async def good(self, more: int = 8) -> None:
        """Until ``more`` Good samples came from now on."""
        wanted = self.count(Quality.GOOD) + more
        await until(lambda: self.count(Quality.GOOD) >= wanted)


async def until(condition: Callable[[], bool]) -> None:
    async with asyncio.timeout(20):
        while not condition():
            await asyncio.sleep(0.01)


@asynccontextmanager
async def linked(*devices: ModbusDevice) -> AsyncIterator[list[Link]]:
    """Links on one driver."""
    driver = ModbusDriver()
    links = [Link(driver, device) for device in devices]
    async with supervised(*(link.link for link in links)):
        yield links


@asynccontextmanager
async def opened(driver: ModbusDriver, device: ModbusDevice, scan_ms: int = 50) -> AsyncIterator[ModbusSession]:
    metrics = DriverMetricFamilies(CollectorRegistry()).of("modbus", device.name)
    session = await driver.open(device, tags_of(device.name, scan_ms), metrics)
    try:
        yield session
    finally:
        await session.close()


@asynccontextmanager
async def serving(framing: Framing = Framing.TCP, tls: ssl.SSLContext | None = None) -> AsyncIterator[RogueModbusServer]:
    async with RogueModbusServer(framing, tls) as server:
        server.registers = [1000 + address for address in range(len(server.registers))]
        yield server


@asynccontextmanager
async def serving_terminal(path: Path) -> AsyncIterator[RogueModbusServer]:
    server = RogueModbusServer(Framing.RTU)
    server.registers = [1000 + address for address in range(len(server.registers))]
    await server.start_on_terminal(path)
    try:
        yield server
    finally:
        await server.stop()


def tcp(server: RogueModbusServer, window: int = 1, pause: float = 0.0) -> TcpLine:
    return TcpLine("127.0.0.1", server.port, server.framing, window=window, pause=pause)
