"""A Modbus device made with pymodbus, for tests that need one they can write to, cut off and bring back."""

import asyncio
from types import TracebackType
from typing import Self, cast

from pymodbus.constants import ExcCodes
from pymodbus.server import ModbusTcpServer
from pymodbus.simulator import DataType, SimData, SimDevice

from plant.device import Encoding, ModbusAddress, ModbusDevice, ModbusTable, TcpLine
from plant.site import Site
from plant.tag import DataType as TagType
from plant.tag import Tag
from tests.samples import make_tag

UNIT = 7

SET_POINT = make_tag(
    1, "SEP.COL101.FIC101.SP", device="MB-TST-01", writable=True, scan_ms=100, source=ModbusAddress(ModbusTable.HOLDING, 0, Encoding.FLOAT32, length=2)
)
PRESSURE = make_tag(2, "SEP.COL101.PT101", device="MB-TST-01", scan_ms=100, source=ModbusAddress(ModbusTable.INPUT, 0, Encoding.FLOAT32, length=2))
LOT = make_tag(
    3,
    "SEP.COL101.UY101",
    device="MB-TST-01",
    data_type=TagType.STRING,
    writable=True,
    eu_range=None,
    scan_ms=100,
    source=ModbusAddress(ModbusTable.HOLDING, 2, Encoding.STRING, length=4),
)
TAGS: tuple[Tag, ...] = (SET_POINT, PRESSURE, LOT)


class ModbusTestDevice:
    """Holding 0 to 1 a float32, 2 to 5 text; input 0 to 1 a float32. ``writes`` counts the write requests that arrived; each takes ``write_time`` seconds.
    One that ``keeps_values`` confirms writes and shows what it had before."""

    def __init__(self, port: int = 0, timeout: float = 1.0) -> None:
        self.port = port
        self.timeout = timeout
        self.writes = 0
        self.write_time = 0.0
        self.keeps_values = False
        self._server: ModbusTcpServer | None = None

    @property
    def device(self) -> ModbusDevice:
        return ModbusDevice("MB-TST-01", "SEP", TcpLine("127.0.0.1", self.port), UNIT, timeout=self.timeout)

    @property
    def site(self) -> Site:
        """A site with this device alone."""
        return Site("Test", {self.device.name: self.device}, TAGS)

    async def start(self) -> None:
        holding = [SimData(0, values=9.5, datatype=DataType.FLOAT32), SimData(2, values="LOT-0001", datatype=DataType.STRING)]
        inputs = [SimData(0, values=5.25, datatype=DataType.FLOAT32)]
        bits = [SimData(0, values=[False, False], datatype=DataType.BITS)]
        device = SimDevice(UNIT, simdata=(bits, bits, holding, inputs), action=self._count)
        self._server = ModbusTcpServer(device, address=("127.0.0.1", self.port))
        await self._server.serve_forever(background=True)
        listening = self._server.transport
        assert isinstance(listening, asyncio.Server)  # though pymodbus annotates it as a transport
        self.port = listening.sockets[0].getsockname()[1]

    async def _count(self, function: int, start: int, address: int, count: int, registers: list[int], values: list[int] | list[bool] | None) -> ExcCodes | None:
        if function in {5, 6, 15, 16}:
            self.writes += 1
            await asyncio.sleep(self.write_time)
            if self.keeps_values and function == 16:
                cast("list[int]", values)[:] = registers[address - start : address - start + count]
        return None

    async def stop(self) -> None:
        if self._server is not None:
            await self._server.shutdown()  # type: ignore[no-untyped-call]  # pymodbus leaves this one untyped
            self._server = None

    async def __aenter__(self) -> Self:
        await self.start()
        return self

    async def __aexit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        await self.stop()
