"""Reading a Modbus device block by block: our client and decoder against a bare pymodbus loop that decodes the same tags."""

import asyncio
import statistics
import sys
import time
from collections import deque
from collections.abc import Awaitable, Callable, Iterator
from typing import Final

from prometheus_client import CollectorRegistry
from pymodbus.client import AsyncModbusTcpClient

from benchmarks.comparison import ROUNDS, Comparison
from drivers import DriverMetricFamilies
from drivers.modbus.client import ModbusClient
from drivers.modbus.decode import BlockDecoder
from drivers.modbus.exchange import Exchange
from drivers.modbus.frames import ReadRequest
from drivers.modbus.line import Line
from drivers.modbus.plan import plan, points_of
from plant.device import Encoding, ModbusAddress, ModbusDevice, ModbusTable, TcpLine
from plant.tag import Tag
from tests.samples import make_tag

TAGS: Final = 60
PASSES: Final = 300
_UNIT: Final = 1
_WINDOW: Final = 16


def tags() -> list[Tag]:
    """One full block of 120 input registers, a float32 a tag."""
    return [
        make_tag(number + 1, f"SEP.COL101.PT{100 + number}", device="FIELD", source=ModbusAddress(ModbusTable.INPUT, 2 * number, Encoding.FLOAT32, length=2))
        for number in range(TAGS)
    ]


def comparisons() -> Iterator[Comparison]:
    yield asyncio.run(_measure("Modbus reads of 60 float32", "benchmarks.modbus_field", 1, 1.8))
    yield asyncio.run(_measure(f"Modbus reads of 60 float32, window {_WINDOW}", "benchmarks.modbus_responder", _WINDOW, 5.0))


async def _measure(name: str, field_module: str, window: int, goal: float) -> Comparison:
    """The device is another process: what is counted is the CPU time of this one."""
    field = await asyncio.create_subprocess_exec(sys.executable, "-m", field_module, stdout=asyncio.subprocess.PIPE)
    assert field.stdout is not None
    try:
        port = int(await asyncio.wait_for(field.stdout.readline(), 30))
        device = ModbusDevice("FIELD", "SEP", TcpLine("127.0.0.1", port, window=window), _UNIT, timeout=5.0)
        client = ModbusClient(device, Line(device.line), DriverMetricFamilies(CollectorRegistry()).of("modbus", device.name))
        await client.connect()
        [block] = plan(device, points_of(tags()))[0].blocks
        decoder = BlockDecoder(block)
        request = ReadRequest(block.table, block.address, block.count)

        async def ours() -> None:
            """As a scan does it: with a window, more is asked than fits into it."""
            asked: deque[Exchange] = deque()
            for _ in range(PASSES + client.ahead - 1):
                if len(asked) < client.ahead:
                    asked.append(client.ask(request))
                if len(asked) == client.ahead:
                    answer, at = await client.answer(asked.popleft())
                    assert isinstance(answer, bytes)
                    assert len(decoder.numbers(answer, at)) == TAGS
            for exchange in asked:
                await client.answer(exchange)

        theirs = AsyncModbusTcpClient("127.0.0.1", port=port)
        assert await theirs.connect()

        async def baseline() -> None:
            for _ in range(PASSES):
                answer = await theirs.read_input_registers(0, count=2 * TAGS, device_id=_UNIT)
                values = [theirs.convert_from_registers(answer.registers[2 * number : 2 * number + 2], theirs.DATATYPE.FLOAT32) for number in range(TAGS)]
                assert len(values) == TAGS

        try:
            rate = await _rates(ours, baseline)
        finally:
            theirs.close()
            await client.close()
    finally:
        field.terminate()
        await field.wait()
    return Comparison(name, "bare pymodbus loop", "reads/s of CPU", rate["ours"], rate["baseline"], goal)


async def _rates(ours: Callable[[], Awaitable[None]], baseline: Callable[[], Awaitable[None]]) -> dict[str, float]:
    took: dict[str, list[float]] = {"ours": [], "baseline": []}
    for _ in range(ROUNDS):
        for side, work in (("baseline", baseline), ("ours", ours)):
            begun = time.process_time()
            await work()
            took[side].append(time.process_time() - begun)
    return {side: PASSES / statistics.median(seconds) for side, seconds in took.items()}
