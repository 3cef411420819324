"""How long until a device that was killed or stands still is noticed, and until it has values again once it is back.

Our link and the library's own client have a device each, alike and killed at the same moments: at one server, they would delete each other's subscriptions,
whose numbers begin anew with it.
"""

import asyncio
import contextlib
import logging
import random
import signal
import socket
import statistics
import sys
from collections import defaultdict
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from typing import Any, Final

from asyncua import Client, ua
from prometheus_client import CollectorRegistry
from pymodbus import ModbusException
from pymodbus.client import AsyncModbusTcpClient

from benchmarks.comparison import Comparison
from benchmarks.restarted_field import NODE, URI
from drivers import DeviceLink, DriverMetricFamilies, OpenSession
from drivers.modbus import ModbusDriver
from drivers.opcua import OpcuaDriver
from plant.batch import Batch
from plant.device import ModbusDevice, OpcuaAddress, OpcuaDevice, OpcuaSecurity, TcpLine
from plant.quality import is_good
from plant.tag import Tag
from tests.modbus_device import PRESSURE, UNIT
from tests.samples import make_tag

_RESTARTS: Final = 7
_AWAY: Final = (0.5, 6.0)
"""Seconds that a killed device is away, at random."""
_FROZEN: Final = 3
_PERIOD: Final = 0.1
_LONGEST: Final = 30.0
_GOALS: Final = {"a killed device is noticed": 0.5, "a restarted device has values": 0.3, "a frozen device is noticed": 0.3}
"""Times as fast as the stock clients. asyncua's gives a server one second to answer, ours a PLC that is busy the four of its time-out; pymodbus's waits a tenth
of a second before its first try and up to five minutes before a later one, ours four seconds at most."""
_SEED: Final = 20261123


@dataclass(slots=True)
class Seen:
    """What one client sees of the device."""

    lost: asyncio.Event = field(default_factory=asyncio.Event)
    good: asyncio.Event = field(default_factory=asyncio.Event)

    def see(self, is_good: bool) -> None:
        (self.good if is_good else self.lost).set()


def comparisons() -> Iterator[Comparison]:
    logging.getLogger("asyncua").setLevel(logging.CRITICAL)
    logging.getLogger("pymodbus").setLevel(logging.CRITICAL)
    yield from asyncio.run(_measure("OPC UA", "opcua", _opcua_link, _stock_opcua, "asyncua's auto_reconnect"))
    yield from asyncio.run(_measure("Modbus", "modbus", _modbus_link, _stock_modbus, "bare pymodbus loop"))


Client_ = Callable[[int, Seen], contextlib.AbstractAsyncContextManager[None]]


async def _measure(name: str, protocol: str, ours: Client_, baseline: Client_, baseline_name: str) -> list[Comparison]:
    seen = {"ours": Seen(), "baseline": Seen()}
    took: dict[str, dict[str, list[float]]] = defaultdict(lambda: {"ours": [], "baseline": []})
    away = random.Random(_SEED)  # noqa: S311 - the same outages in every run
    async with AsyncExitStack() as stack:
        devices = [await stack.enter_async_context(_device(protocol)) for _ in seen]
        for device, client, side in zip(devices, (ours, baseline), seen.values(), strict=True):
            await stack.enter_async_context(client(device.port, side))
        await _all(seen, "good")
        for _ in range(_RESTARTS):
            _signal(devices, signal.SIGKILL)
            _add(took["a killed device is noticed"], await _all(seen, "lost"))
            await asyncio.sleep(away.uniform(*_AWAY))
            await asyncio.gather(*(device.start() for device in devices))
            _add(took["a restarted device has values"], await _all(seen, "good"))
        for _ in range(_FROZEN):
            _signal(devices, signal.SIGSTOP)
            _add(took["a frozen device is noticed"], await _all(seen, "lost"))
            _signal(devices, signal.SIGCONT)
            await _all(seen, "good")
    medians = {what: {side: statistics.median(seconds) for side, seconds in times.items()} for what, times in took.items()}
    return [
        Comparison(f"{name}: {what}", baseline_name, "s", median["ours"], median["baseline"], _GOALS[what], is_time=True) for what, median in medians.items()
    ]


class _Device:
    """A process of its own on a port that stays."""

    def __init__(self, protocol: str) -> None:
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self.port: int = probe.getsockname()[1]
        self._command = (sys.executable, "-m", "benchmarks.restarted_field", protocol, str(self.port))
        self.process: asyncio.subprocess.Process | None = None

    async def start(self) -> None:
        if self.process is not None:
            await self.process.wait()
        self.process = await asyncio.create_subprocess_exec(*self._command, stdout=asyncio.subprocess.PIPE)
        assert self.process.stdout is not None
        assert await asyncio.wait_for(self.process.stdout.readline(), 30) == b"ready\n"


@asynccontextmanager
async def _device(protocol: str) -> AsyncIterator[_Device]:
    device = _Device(protocol)
    await device.start()
    try:
        yield device
    finally:
        _signal([device], signal.SIGKILL)
        if device.process is not None:
            await device.process.wait()


def _signal(devices: Sequence[_Device], number: signal.Signals) -> None:
    for device in devices:
        if device.process is not None:
            device.process.send_signal(number)


async def _all(seen: dict[str, Seen], what: str) -> dict[str, float]:
    """Seconds until each saw it; ``_LONGEST`` for one that did not in that time."""
    clock = asyncio.get_running_loop().time
    begun = clock()
    events: dict[str, asyncio.Event] = {side: getattr(client, what) for side, client in seen.items()}

    async def until(event: asyncio.Event) -> float:
        event.clear()
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(event.wait(), _LONGEST)
        return clock() - begun

    return dict(zip(events, await asyncio.gather(*(until(event) for event in events.values())), strict=True))


def _add(times: dict[str, list[float]], found: dict[str, float]) -> None:
    for side, seconds in found.items():
        times[side].append(seconds)


@asynccontextmanager
async def _running(work: asyncio.Task[None]) -> AsyncIterator[None]:
    try:
        yield
    finally:
        work.cancel()
        await asyncio.gather(work, return_exceptions=True)


@asynccontextmanager
async def _link(device: Any, tags: list[Tag], open_session: OpenSession[Any], seen: Seen) -> AsyncIterator[None]:
    async def publish(batch: Batch) -> None:
        for quality in batch.quality.tolist():
            seen.see(is_good(quality))

    metrics = DriverMetricFamilies(CollectorRegistry()).of(device.protocol, device.name)
    link = DeviceLink(device, tags, open_session, publish, lambda _: None, metrics)
    async with _running(asyncio.create_task(link.run())):
        yield


def _opcua_link(port: int, seen: Seen) -> contextlib.AbstractAsyncContextManager[None]:
    device = OpcuaDevice("FIELD", "SEP", f"opc.tcp://127.0.0.1:{port}/", _PERIOD, security=OpcuaSecurity.none())
    tag = make_tag(1, "SEP.COL101.LT101", device="FIELD", scan_ms=100, source=OpcuaAddress(f"nsu={URI};s={NODE}"))
    return _link(device, [tag], OpcuaDriver().open, seen)


def _modbus_link(port: int, seen: Seen) -> contextlib.AbstractAsyncContextManager[None]:
    return _link(ModbusDevice("FIELD", "SEP", TcpLine("127.0.0.1", port), UNIT), [PRESSURE], ModbusDriver().open, seen)


@asynccontextmanager
async def _stock_opcua(port: int, seen: Seen) -> AsyncIterator[None]:
    class Handler:
        def datachange_notification(self, node: object, value: object, data: object) -> None:
            seen.see(is_good=True)

    async def lost(error: Exception) -> None:
        seen.see(is_good=False)

    client = Client(f"opc.tcp://127.0.0.1:{port}/", auto_reconnect=True)
    client.connection_lost_callback = lost
    await client.connect()
    try:
        index = await client.get_namespace_index(URI)
        subscription = await client.create_subscription(_PERIOD * 1000, Handler())
        await subscription.subscribe_data_change(client.get_node(ua.NodeId(ua.String(NODE), ua.Int16(index))))
        yield
    finally:
        with contextlib.suppress(ua.UaError, ConnectionError, TimeoutError):
            await client.disconnect()


@asynccontextmanager
async def _stock_modbus(port: int, seen: Seen) -> AsyncIterator[None]:
    client = AsyncModbusTcpClient("127.0.0.1", port=port)
    await client.connect()

    async def read_for_ever() -> None:
        while True:
            try:
                answer = await client.read_input_registers(0, count=2, device_id=UNIT)
                seen.see(not answer.isError())
            except ModbusException:
                seen.see(is_good=False)
            await asyncio.sleep(_PERIOD)

    async with _running(asyncio.create_task(read_for_ever())):
        yield
    client.close()
