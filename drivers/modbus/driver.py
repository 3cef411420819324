"""The entry point of the Modbus driver: the lines of a process, and sessions on them."""

from collections.abc import Sequence

from drivers.metrics import DriverMetrics
from drivers.modbus.client import ModbusClient
from drivers.modbus.line import Line
from drivers.modbus.plan import plan, points_of
from drivers.modbus.session import ModbusSession
from plant.device import ModbusDevice, ModbusLine
from plant.tag import Tag


class ModbusDriver:
    """Keeps the lines of a process: devices whose ``line`` is equal share one connection. One event loop. A line is kept when its last session ends, without a
    connection, because it knows what was learnt of it."""

    def __init__(self) -> None:
        self._lines: dict[ModbusLine, Line] = {}

    async def open(self, device: ModbusDevice, tags: Sequence[Tag], metrics: DriverMetrics) -> ModbusSession:
        """Satisfies ``drivers.session.OpenSession``."""
        classes = plan(device, points_of(tags))
        line = self._lines.setdefault(device.line, Line(device.line))
        client = ModbusClient(device, line, metrics)
        is_open = False
        try:
            await client.connect()
            session = ModbusSession(device, client, classes, metrics)
            is_open = True
        finally:
            if not is_open:
                await client.close()
        return session
