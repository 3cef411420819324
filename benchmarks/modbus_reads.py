"""Reading a Modbus device block by block: our client and decoder against a bare pymodbus loop that decodes the same tags."""

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
from drivers.modbus.client import ModbusClient
from drivers.modbus.decode import BlockDecoder
from drivers.modbus.plan import plan, points_of
from plant.device import Encoding, ModbusAddress, ModbusDevice, ModbusTable
from plant.tag import Tag
from tests.samples import make_tag

TAGS: Final = 60
PASSES: Final = 300
_UNIT: Final = 1


def tags() -> list[Tag]:
    """One full block of 120 input registers, a float32 a tag."""
    return [
        make_tag(number + 1, f"SEP.COL101.PT{100 + number}", device="FIELD", source=ModbusAddress(ModbusTable.INPUT, 2 * number, Encoding.FLOAT32, length=2))
        for number in range(TAGS)
    ]


def comparisons() -> Iterator[Comparison]:
    yield asyncio.run(_measure())


async def _measure() -> Comparison:
    """The device is another process: what is counted is the CPU time of this one."""
    field = await asyncio.create_subprocess_exec(sys.executable, "-m", "benchmarks.modbus_field", stdout=asyncio.subprocess.PIPE)
    assert field.stdout is not None
    try:
        port = int(await asyncio.wait_for(field.stdout.readline(), 30))
        device = ModbusDevice("FIELD", "SEP", "127.0.0.1", port, _UNIT, timeout=5.0)
        metrics = DriverMetricFamilies(CollectorRegistry()).of("modbus", device.name)
        client = await ModbusClient.connect(device, metrics)
        [block] = plan(device, points_of(tags()))[0].blocks
        decoder = BlockDecoder(block)

        async def ours() -> None:
            for _ in range(PASSES):
                answer, at = await client.read(block.table, block.address, block.count)
                assert isinstance(answer, bytes)
                assert len(decoder.numbers(answer, at)) == TAGS

        theirs = AsyncModbusTcpClient("127.0.0.1", port=port)
        assert await theirs.connect()

        async def baseline() -> None:
            for _ in range(PASSES):
                answer = await theirs.read_input_registers(0, count=2 * TAGS, device_id=_UNIT)
                values = [theirs.convert_from_registers(answer.registers[2 * number : 2 * number + 2], theirs.DATATYPE.FLOAT32) for number in range(TAGS)]
                assert len(values) == TAGS

        try:
            return await _compare(ours, baseline)
        finally:
            theirs.close()
            await client.close()
    finally:
        field.terminate()
        await field.wait()


async def _compare(ours: Callable[[], Awaitable[None]], baseline: Callable[[], Awaitable[None]]) -> Comparison:
    took: dict[str, list[float]] = {"ours": [], "baseline": []}
    for _ in range(ROUNDS):
        for side, work in (("baseline", baseline), ("ours", ours)):
            begun = time.process_time()
            await work()
            took[side].append(time.process_time() - begun)
    rate = {side: PASSES / statistics.median(seconds) for side, seconds in took.items()}
    return Comparison("Modbus reads of 60 float32", "bare pymodbus loop", "reads/s of CPU", rate["ours"], rate["baseline"], 1.5)
