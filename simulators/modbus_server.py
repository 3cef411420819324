"""Modbus TCP server of one device over its tag image: pymodbus speaks the protocol, the tables are ours.

Rule: pymodbus keeps the wire (frames, function codes, counts, exceptions), and its own datastore is replaced whole. That datastore rounds bit tables up to
16 and would need every tag copied into it ten times a second; here a request encodes the image as it stands at that moment, so that nothing runs while
nobody reads. Only this module knows of pymodbus, whose version is pinned.
"""

from collections.abc import Callable
from typing import Final

import numpy as np
from pymodbus.constants import ExcCodes
from pymodbus.exceptions import NoSuchIdException
from pymodbus.server import ModbusTcpServer
from pymodbus.simulator import DataType, SimData, SimDevice
from pymodbus.simulator.simcore import SimCore

from plant.device import ModbusTable
from plant.times import now
from simulators.image import TagImage
from simulators.registers import RegisterTable, Words

ReadHook = Callable[[ModbusTable, int, int], None]
"""Told of each read that was answered: table, address, count."""

_TABLE_OF_FUNCTION: Final = {
    1: ModbusTable.COIL,
    5: ModbusTable.COIL,
    15: ModbusTable.COIL,
    2: ModbusTable.DISCRETE,
    3: ModbusTable.HOLDING,
    6: ModbusTable.HOLDING,
    16: ModbusTable.HOLDING,
    22: ModbusTable.HOLDING,
    23: ModbusTable.HOLDING,
    4: ModbusTable.INPUT,
}


class ModbusServer:
    """Serves ``image`` at one unit id.

    What a client may meet: exception 2 for an address that does not exist or is read-only, 3 for a value out of the tag's range, 11 for another unit id.
    """

    def __init__(self, image: TagImage, unit_id: int, host: str = "127.0.0.1", on_read: ReadHook | None = None) -> None:
        self._store = _ImageStore(image, unit_id, on_read)
        self._host = host
        self._server: ModbusTcpServer | None = None
        self.port = 0

    async def start(self, port: int = 0) -> str:
        """Listens; 0 takes a free port. Returns ``host:port``.

        Raises:
            OSError: the port cannot be had.
        """
        unused = SimDevice(self._store.unit_id, [SimData(0, datatype=DataType.REGISTERS)])
        server = ModbusTcpServer(unused, address=(self._host, port))
        server.context = self._store
        if not await server.listen():
            raise OSError(f"Modbus cannot listen on {self._host}:{port}")
        self._server = server
        listener = server.transport
        self.port = int(listener.sockets[0].getsockname()[1])  # type: ignore[attr-defined]  # a listener is an asyncio.Server, typed as a transport
        return f"{self._host}:{self.port}"

    async def stop(self) -> None:
        """Closes the listener and every connection."""
        if self._server is not None:
            self._server.close()
            self._server = None


class _ImageStore(SimCore):
    """What pymodbus asks and tells. A call runs to its end without giving up the event loop: one request, one moment of the image."""

    def __init__(self, image: TagImage, unit_id: int, on_read: ReadHook | None) -> None:
        super().__init__([])
        self._image = image
        self.unit_id = unit_id
        self._on_read = on_read
        self._tables = {table: RegisterTable(image, table) for table in ModbusTable}
        self._words: dict[ModbusTable, tuple[int, Words]] = {table: (-1, np.zeros(0, np.uint16)) for table in ModbusTable}

    def device_ids(self) -> list[int]:
        return [self.unit_id]

    async def async_getValues(self, device_id: int, func_code: int, address: int, count: int = 1) -> list[int] | list[bool] | ExcCodes:  # noqa: N802  # pymodbus' name
        table = self._table(device_id, func_code)
        if not table.exists(address, count):
            return ExcCodes.ILLEGAL_ADDRESS
        first = address - table.start
        words = self._current(table)[first : first + count]
        if self._on_read is not None:
            self._on_read(table.table, address, count)
        held: list[int] = words.tolist()
        return [bool(bit) for bit in held] if table.table.is_bit else held

    async def async_setValues(self, device_id: int, func_code: int, address: int, values: list[int] | list[bool]) -> ExcCodes | None:  # noqa: N802  # pymodbus' name
        refused = self._table(device_id, func_code).write(address, values, now())
        if refused is None:
            return None
        return ExcCodes.ILLEGAL_ADDRESS if refused.is_address else ExcCodes.ILLEGAL_VALUE

    def _table(self, device_id: int, func_code: int) -> RegisterTable:
        if device_id != self.unit_id:
            raise NoSuchIdException(f"unit {device_id} is not here, {self.unit_id} is")
        return self._tables[_TABLE_OF_FUNCTION[func_code]]

    def _current(self, table: RegisterTable) -> Words:
        """The table, encoded once for each version of the image: a device read in several blocks costs one encoding."""
        version, words = self._words[table.table]
        if version != self._image.version:
            version, words = self._image.version, table.read()
            self._words[table.table] = version, words
        return words
