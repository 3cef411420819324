"""Scans of a Modbus device, from the session's plan to its batches, against a bare pymodbus loop that reads and decodes the same blocks."""

import asyncio
import statistics
import sys
import time
from collections.abc import Awaitable, Callable, Iterator
from typing import Final

from prometheus_client import CollectorRegistry
from pymodbus.client import AsyncModbusTcpClient

from benchmarks.comparison import ROUNDS, Comparison
from drivers import DriverMetricFamilies
from drivers.modbus import ModbusDriver
from drivers.modbus.plan import plan, points_of
from plant.device import Encoding, ModbusAddress, ModbusDevice, ModbusTable, TcpLine
from plant.tag import Tag
from tests.samples import make_tag

BLOCK: Final = 60
"""Tags of one request: 120 registers."""
BLOCKS: Final = 16
TAGS: Final = BLOCKS * BLOCK
SCANS: Final = 20
_SCAN_MS: Final = 1
_UNIT: Final = 1
_WINDOW: Final = 16


def tags() -> list[Tag]:
    """Input registers, a float32 a tag."""
    return [
        make_tag(
            number + 1,
            f"SEP.COL101.PT{100 + number}",
            device="FIELD",
            scan_ms=_SCAN_MS,
            source=ModbusAddress(ModbusTable.INPUT, 2 * number, Encoding.FLOAT32, length=2),
        )
        for number in range(TAGS)
    ]


def comparisons() -> Iterator[Comparison]:
    yield from asyncio.run(_measure(f"Modbus scans of {TAGS} float32", "benchmarks.modbus_field", 1, 1.5, 1.0))
    yield from asyncio.run(_measure(f"Modbus scans of {TAGS} float32, window {_WINDOW}", "benchmarks.modbus_responder", _WINDOW, 5.0, 2.0))


async def _measure(name: str, field_module: str, window: int, goal_of_cpu: float, goal_by_clock: float) -> list[Comparison]:
    """The device is another process: counted are the CPU time of this one, and the time by the clock, in which the device's own is contained."""
    field = await asyncio.create_subprocess_exec(sys.executable, "-m", field_module, stdout=asyncio.subprocess.PIPE)
    assert field.stdout is not None
    try:
        port = int(await asyncio.wait_for(field.stdout.readline(), 30))
        device = ModbusDevice("FIELD", "SEP", TcpLine("127.0.0.1", port, window=window), _UNIT, max_registers=2 * BLOCK, timeout=5.0)
        blocks = [block for scan_class in plan(device, points_of(tags())) for block in scan_class.blocks]
        assert len(blocks) == BLOCKS
        session = await ModbusDriver().open(device, tags(), DriverMetricFamilies(CollectorRegistry()).of("modbus", device.name))
        batches = session.batches()

        async def ours() -> None:
            for _ in range(SCANS):
                assert len(await anext(batches)) == TAGS

        theirs = AsyncModbusTcpClient("127.0.0.1", port=port)
        assert await theirs.connect()

        async def baseline() -> None:
            for _ in range(SCANS):
                values: list[object] = []
                for block in blocks:
                    answer = await theirs.read_input_registers(block.address, count=block.count, device_id=_UNIT)
                    places = range(0, block.count, 2)
                    values += [theirs.convert_from_registers(answer.registers[place : place + 2], theirs.DATATYPE.FLOAT32) for place in places]
                assert len(values) == TAGS

        try:
            of_cpu, by_clock = await _rates(ours, baseline)
        finally:
            theirs.close()
            await batches.aclose()
            await session.close()
    finally:
        field.terminate()
        await field.wait()
    return [
        Comparison(name, "bare pymodbus loop", "tags/s of CPU", of_cpu["ours"], of_cpu["baseline"], goal_of_cpu),
        Comparison(name, "bare pymodbus loop", "tags/s by the clock", by_clock["ours"], by_clock["baseline"], goal_by_clock),
    ]


async def _rates(ours: Callable[[], Awaitable[None]], baseline: Callable[[], Awaitable[None]]) -> tuple[dict[str, float], dict[str, float]]:
    """Tags a second of CPU, and by the clock."""
    of_cpu: dict[str, list[float]] = {"ours": [], "baseline": []}
    by_clock: dict[str, list[float]] = {"ours": [], "baseline": []}
    for _ in range(ROUNDS):
        for side, work in (("baseline", baseline), ("ours", ours)):
            begun, begun_by_clock = time.process_time(), time.perf_counter()
            await work()
            of_cpu[side].append(time.process_time() - begun)
            by_clock[side].append(time.perf_counter() - begun_by_clock)
    return _median_rates(of_cpu), _median_rates(by_clock)


def _median_rates(took: dict[str, list[float]]) -> dict[str, float]:
    return {side: SCANS * TAGS / statistics.median(seconds) for side, seconds in took.items()}
