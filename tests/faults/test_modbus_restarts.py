"""A Modbus server that is killed and started again, over and over: each time every tag is Bad, and then Good again, by itself and soon.

``MONAZITE_FULL_FAULTS=1`` kills it a hundred times, and the link is as the gateway makes it; else three times, and it tries again at least every second.
"""

import asyncio
import logging
import random
import statistics
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from prometheus_client import CollectorRegistry

from drivers import Backoff, DeviceLink, DriverMetricFamilies
from drivers.modbus import ModbusDriver
from plant.batch import Batch
from plant.quality import is_bad, is_good
from tests.faults.figures import is_full, report, resident_bytes, scaled
from tests.modbus_device import TAGS, ModbusTestDevice

ROOT = Path(__file__).parents[2]
RESTARTS = scaled(100, 3)
SEED = 20_261_126
RECOVERED_WITHIN = 10.0
MEDIAN_WITHIN = 5.0
NOTICED_WITHIN = 10.0
GROWTH = 16 * 2**20
_ESTABLISHED = "01"

pytestmark = pytest.mark.timeout(scaled(3_600, 120))

_SERVER = """
import asyncio, sys
from tests.modbus_device import ModbusTestDevice

async def serve():
    async with ModbusTestDevice(int(sys.argv[1])) as device:
        print(device.port, flush=True)
        await asyncio.Event().wait()

asyncio.run(serve())
"""


async def test_a_server_that_is_killed_again_and_again_is_gone_on_with_each_time(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.ERROR)
    chance = random.Random(SEED)
    newest: dict[int, int] = {}
    recoveries: list[float] = []
    memory: list[int] = []
    connections: list[int] = []

    async def publish(batch: Batch) -> None:
        newest.update(zip(batch.tag_id.tolist(), batch.quality.tolist(), strict=True))

    server, port = await _started(0)
    device = ModbusTestDevice(port).device
    metrics = DriverMetricFamilies(CollectorRegistry()).of("modbus", device.name)
    backoff = Backoff() if is_full() else Backoff(cap=1.0)
    running = asyncio.create_task(DeviceLink(device, TAGS, ModbusDriver().open, publish, lambda status: None, metrics, backoff=backoff).run())
    try:
        await _until(lambda: _all(newest, is_good), 30.0)
        for _ in range(RESTARTS):
            server.kill()
            await server.wait()
            await _until(lambda: _all(newest, is_bad), NOTICED_WITHIN)
            await asyncio.sleep(chance.uniform(0.0, 2.0))
            server, _ = await _started(port)
            back_at = time.monotonic()
            await _until(lambda: _all(newest, is_good), 3 * RECOVERED_WITHIN)
            recoveries.append(time.monotonic() - back_at)
            connections.append(_connections_to(port))
            memory.append(resident_bytes())
            await asyncio.sleep(chance.uniform(0.0, 0.5))
    finally:
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)
        server.kill()
        await server.wait()
    median = statistics.median(recoveries)
    report(f"{RESTARTS} restarts; recovered after {min(recoveries):.2f}, {median:.2f}, {max(recoveries):.2f} s (least, median, most)")
    report(f"most connections at once: {max(connections)}; resident MiB: {[figure >> 20 for figure in memory[:: max(1, RESTARTS // 20)]]}")
    assert caplog.text == "", "a fault of the driver"
    assert max(recoveries) <= RECOVERED_WITHIN
    assert median <= MEDIAN_WITHIN
    assert connections == [1] * RESTARTS
    assert memory[-1] - memory[len(memory) // 5] < GROWTH


async def _started(port: int) -> tuple[asyncio.subprocess.Process, int]:
    """Its process and port, once it listens."""
    process = await asyncio.create_subprocess_exec(sys.executable, "-c", _SERVER, str(port), cwd=ROOT, stdout=asyncio.subprocess.PIPE)
    assert process.stdout is not None
    async with asyncio.timeout(30):
        return process, int(await process.stdout.readline())


def _all(newest: dict[int, int], is_so: Callable[[int], bool]) -> bool:
    return len(newest) == len(TAGS) and all(is_so(quality) for quality in newest.values())


def _connections_to(port: int) -> int:
    """That the server's end holds. Source: proc(5), ``/proc/net/tcp``: local address and state in hexadecimal."""
    rows = [line.split() for line in Path("/proc/net/tcp").read_text("ascii").splitlines()[1:]]
    return sum(int(row[1].split(":")[1], 16) == port and row[3] == _ESTABLISHED for row in rows)


async def _until(is_so: Callable[[], bool], deadline: float) -> None:
    async with asyncio.timeout(deadline):
        while not is_so():
            await asyncio.sleep(0.01)
