"""A device that plays a recording, row by row, to whoever reads it.

Rules:

- nothing is played to nobody: the first row goes when a reader is there;
- a false value exists at no time: before the first row an OPC UA node is ``BadWaitingForInitialData``; a Modbus register cannot say so, and holds the first
  row from the start;
- rows keep the pace of the recording, its gaps included, divided by ``speed``. Over Modbus a row stays until it was read whole as well: a register shows
  what is, not what was, and a recording has no rows that a slow reader may miss. Over OPC UA every row becomes one notification a tag, and rows that are
  played while nobody subscribes are lost, as with any live device;
- the last row stays.
"""

import asyncio
from typing import Final

import numpy as np

from plant.device import ModbusAddress, ModbusDevice, ModbusTable
from plant.quality import Quality
from plant.site import Site
from plant.times import MICROSECONDS
from simulators.image import TagImage
from simulators.modbus_server import ModbusServer
from simulators.opcua_server import OpcuaServer
from simulators.replay.recording import Recording
from simulators.replay.replay_site import ROW_INTERVAL_MS

_LOOK_SECONDS: Final = 0.02


class ReplayDevice:
    """Plays ``recording`` as the device ``device_name`` of a site that ``replay_site`` made of it.

    ``hold_until_read`` is the rule of Modbus above; without it rows go by the clock alone. ``row`` is the row on the wire, -1 before the first. ``finished``
    is set when the last row has stood for its time and, where rows are held, was read.
    """

    def __init__(
        self, site: Site, device_name: str, recording: Recording, speed: float = 1.0, host: str = "127.0.0.1", *, hold_until_read: bool = True
    ) -> None:
        device = site.devices[device_name]
        tags = site.tags_on_wire(device_name)
        self._recording = recording
        self._speed = speed
        self._is_modbus = isinstance(device, ModbusDevice)
        self._holds = hold_until_read and self._is_modbus
        self._shortest = 0.0 if self._is_modbus else ROW_INTERVAL_MS / 1000.0
        self._image = TagImage(tags, int(recording.times[0]), Quality.BAD_WAITING_FOR_INITIAL_DATA)
        self._positions = np.arange(len(tags), dtype=np.intp)
        self._unread = np.zeros(max((tag.source.end for tag in tags if isinstance(tag.source, ModbusAddress)), default=0), np.bool_)
        self._has_reader = asyncio.Event()
        self._was_read = asyncio.Event()
        self._server: ModbusServer | OpcuaServer
        if isinstance(device, ModbusDevice):
            self._server = ModbusServer(self._image, device.unit_id, host, self._note_read)
        else:
            self._server = OpcuaServer(device_name, self._image, host)
        self.row = -1
        self.finished = asyncio.Event()

    async def start(self, port: int = 0) -> str:
        """Listens; 0 takes a free port. Returns ``host:port`` or the URL, as ``Site.at_endpoints`` takes it.

        Raises:
            OSError: the port cannot be had.
        """
        if self._is_modbus:
            await self._show(0)
        return await self._server.start(port)

    async def run(self) -> None:
        """Plays the recording once, from the first reader to the last row, and returns; the last row stays on the wire until ``stop``.

        Waits for readers as long as it takes: whoever runs it ends it by cancelling.
        """
        await self._reader()
        loop = asyncio.get_running_loop()
        due = loop.time()
        for row, seconds in enumerate(self._seconds()):
            if row > self.row:
                await self._show(row)
            due = max(due + seconds, loop.time() + self._shortest)
            await asyncio.sleep(due - loop.time())
            if self._holds:
                await self._was_read.wait()
                due = max(due, loop.time())
        self.finished.set()

    async def stop(self) -> None:
        """Closes the listener and every connection."""
        await self._server.stop()

    def _seconds(self) -> list[float]:
        """How long each row stands; the last one for the usual time."""
        recorded = np.diff(self._recording.times) / MICROSECONDS
        seconds: list[float] = (np.append(recorded, self._recording.interval) / self._speed).tolist()
        return seconds

    async def _reader(self) -> None:
        """Until somebody reads a register, or monitors all nodes."""
        if isinstance(self._server, ModbusServer):
            await self._has_reader.wait()
            return
        while not self._server.is_monitored():  # noqa: ASYNC110  # asyncua tells nobody of a new monitored item
            await asyncio.sleep(_LOOK_SECONDS)

    async def _show(self, row: int) -> None:
        """Puts a row on the wire, at its recorded time. A cell without a number is ``BadNoData``, over Modbus NaN."""
        values = np.concatenate(([float(row)], self._recording.values[row]))
        time = int(self._recording.times[row])
        self._image.assign(self._positions, values, time)
        self._image.set_quality(np.flatnonzero(np.isnan(values)), Quality.BAD_NO_DATA, time)
        self.row = row
        self._unread[:] = True
        self._was_read.clear()
        if isinstance(self._server, OpcuaServer):
            await self._server.publish()

    def _note_read(self, table: ModbusTable, address: int, count: int) -> None:
        if table is not ModbusTable.INPUT:
            return
        self._has_reader.set()
        self._unread[address : address + count] = False
        if not self._unread.any():
            self._was_read.set()
