"""How evenly scans come: the times of the batches of one Modbus device against their even grid, and those of a bare asyncio loop that reads it by pymodbus."""

import asyncio
import sys
import time
from collections.abc import Iterator
from typing import Final

import numpy as np
from prometheus_client import CollectorRegistry
from pymodbus.client import AsyncModbusTcpClient

from benchmarks.comparison import Comparison
from drivers import DriverMetricFamilies
from drivers.modbus import ModbusDriver
from plant.device import Encoding, ModbusAddress, ModbusDevice, ModbusTable, TcpLine
from tests.samples import make_tag

_PERIOD: Final = 0.02
_SCANS: Final = 500
_REGISTERS: Final = 120
"""What the device answers with, whatever it is asked."""
_LIMIT: Final = 5.0
_EVEN: Final = 0.5
"""Of the bare loop's: an even clock is the system's to give, and both have it."""


def comparisons() -> Iterator[Comparison]:
    yield asyncio.run(_measure())


async def _measure() -> Comparison:
    field = await asyncio.create_subprocess_exec(sys.executable, "-m", "benchmarks.modbus_responder", stdout=asyncio.subprocess.PIPE)
    assert field.stdout is not None
    try:
        port = int(await asyncio.wait_for(field.stdout.readline(), 30))
        theirs, ours = _jitter(await _bare(port)), _jitter(await _scanned(port))
    finally:
        field.terminate()
        await field.wait()
    name = f"jitter of scans every {1000 * _PERIOD:g} ms, 99th percentile"
    return Comparison(name, "bare asyncio loop with pymodbus", "ms", ours, theirs, _EVEN, is_time=True, limit=_LIMIT)


async def _scanned(port: int) -> list[float]:
    sources = [ModbusAddress(ModbusTable.INPUT, 2 * number, Encoding.FLOAT32, length=2) for number in range(_REGISTERS // 2)]
    tags = [
        make_tag(number + 1, f"SEP.COL101.PT{100 + number}", device="FIELD", scan_ms=round(1000 * _PERIOD), source=source)
        for number, source in enumerate(sources)
    ]
    device = ModbusDevice("FIELD", "SEP", TcpLine("127.0.0.1", port), 1, timeout=5.0)
    session = await ModbusDriver().open(device, tags, DriverMetricFamilies(CollectorRegistry()).of("modbus", device.name))
    batches = session.batches()
    try:
        await anext(batches)  # at once, and not on the grid
        at = []
        for _ in range(_SCANS):
            await anext(batches)
            at.append(time.monotonic())
        return at
    finally:
        await batches.aclose()
        await session.close()


async def _bare(port: int) -> list[float]:
    client = AsyncModbusTcpClient("127.0.0.1", port=port)
    assert await client.connect()
    try:
        at, due = [], time.monotonic()
        for _ in range(_SCANS):
            due += _PERIOD
            await asyncio.sleep(max(0.0, due - time.monotonic()))
            await client.read_input_registers(0, count=_REGISTERS, device_id=1)
            at.append(time.monotonic())
        return at
    finally:
        client.close()


def _jitter(at: list[float]) -> float:
    """Milliseconds from the middle of all places on the grid that 99 of 100 stay within."""
    times = np.asarray(at)
    place = (times - times[0] + _PERIOD / 2) % _PERIOD
    return 1000 * float(np.percentile(np.abs(place - np.median(place)), 99))
