"""An OPC UA server that is killed and started again, over and over: each time every tag is Bad, and then Good again, by itself and soon.

``MONAZITE_FULL_FAULTS=1`` kills it a hundred times, and the link is as the gateway makes it; else three times, and it tries again at least every second.
"""

import asyncio
import gc
import logging
import random
import statistics
import time
from collections.abc import Callable

import pytest
from prometheus_client import CollectorRegistry

from drivers import Backoff, DeviceLink, DriverMetricFamilies
from drivers.opcua import OpcuaDriver
from plant import times
from plant.batch import Batch, SampleBatch, TextBatch
from plant.device import OpcuaDevice, OpcuaSecurity
from tests.faults.coded_plant import TAGS, Newest, coded_server, wrong_rows
from tests.faults.figures import is_full, report, resident_bytes, scaled

RESTARTS = scaled(100, 3)
SEED = 20_261_124
AWAY = 2.0 if is_full() else 0.3
RECOVERED_WITHIN = 10.0
MEDIAN_WITHIN = 5.0
NOTICED_WITHIN = 10.0
GROWTH = 16 * 2**20

pytestmark = pytest.mark.timeout(scaled(3_600, 120))


async def test_a_server_that_is_killed_again_and_again_is_gone_on_with_each_time(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.CRITICAL + 1, "asyncua")
    caplog.set_level(logging.ERROR, "drivers")
    strays: list[dict[str, object]] = []
    asyncio.get_running_loop().set_exception_handler(lambda loop, context: strays.append(context))
    chance, newest, earliest = random.Random(SEED), Newest(), times.now()
    wrong: list[object] = []
    recoveries: list[float] = []
    memory: list[int] = []
    most_sessions = 0

    async def publish(batch: Batch) -> None:
        assert isinstance(batch, (SampleBatch, TextBatch))
        newest.see(batch)
        wrong.extend(wrong_rows(batch, earliest, times.now() + times.MICROSECONDS))

    async with coded_server() as server:
        device = OpcuaDevice("PLC-SEP-01", "SEP", f"opc.tcp://127.0.0.1:{server.port}/", security=OpcuaSecurity.none())
        metrics = DriverMetricFamilies(CollectorRegistry()).of("opcua", device.name)
        backoff = Backoff() if is_full() else Backoff(cap=1.0)
        running = asyncio.create_task(DeviceLink(device, TAGS, OpcuaDriver().open, publish, lambda status: None, metrics, backoff=backoff).run())
        try:
            await _until(lambda: newest.are_good, 30.0)
            begun = time.monotonic()
            for _ in range(RESTARTS):
                await server.kill()
                await _until(lambda: newest.are_bad, NOTICED_WITHIN)
                await asyncio.sleep(chance.uniform(0.0, AWAY))
                await server.start()
                back_at = time.monotonic()
                await _until(lambda: newest.are_good, 3 * RECOVERED_WITHIN)
                recoveries.append(time.monotonic() - back_at)
                most_sessions = max(most_sessions, (await server.sessions())[1])
                memory.append(resident_bytes())
                await asyncio.sleep(chance.uniform(0.0, 0.5))
            took = time.monotonic() - begun
        finally:
            running.cancel()
            await asyncio.gather(running, return_exceptions=True)
    gc.collect()
    median = statistics.median(recoveries)
    report(f"{RESTARTS} restarts in {took:.0f} s; recovered after {min(recoveries):.2f}, {median:.2f}, {max(recoveries):.2f} s (least, median, most)")
    report(f"most sessions at once: {most_sessions}; resident MiB: {[figure >> 20 for figure in memory[:: max(1, RESTARTS // 20)]]}")
    assert wrong == []
    assert strays == []
    assert caplog.text == "", "a fault of the driver"
    assert max(recoveries) <= RECOVERED_WITHIN
    assert median <= MEDIAN_WITHIN
    assert most_sessions == 1
    assert memory[-1] - memory[len(memory) // 5] < GROWTH


async def _until(is_so: Callable[[], bool], deadline: float) -> None:
    async with asyncio.timeout(deadline):
        while not is_so():
            await asyncio.sleep(0.01)
