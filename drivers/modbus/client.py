"""Asking one unit: reads and writes over the line that it may share."""

import asyncio
from typing import Final

from drivers.metrics import DriverMetrics
from drivers.modbus.exchange import Exchange, LineReset, Seat, Standing
from drivers.modbus.frames import Answer, BadFrame, ReadRequest, WriteRequest
from drivers.modbus.line import Line
from plant.device import ModbusDevice
from plant.errors import DeviceUnreachable

_AHEAD_OF_THE_WINDOW: Final = 2
_RESETS: Final = 3
"""Of a line by other units, that one read outlives."""
_SETTLING: Final = 0.005
"""Seconds at least; copies come with the next segment or the next turn of a converter."""


class ModbusClient:
    """One session's requests. After any error but a device's own refusal it asks nothing any more: it is never reused."""

    def __init__(self, device: ModbusDevice, line: Line, metrics: DriverMetrics) -> None:
        self._line = line
        self._has_identity = device.identity is not None
        self._seat = Seat(device.name, device.unit_id, device.timeout, metrics)

    async def connect(self) -> None:
        """Raises ``DeviceUnreachable`` when nothing listens within the device's time-out. To be closed even so."""
        await self._line.join(self._seat)

    @property
    def latency(self) -> float | None:
        return self._seat.latency

    @property
    def last_heard(self) -> int:
        """The unit's last sign of life, or that of its line's end; UTC microseconds, 0 before the first."""
        return self._seat.heard

    @property
    def is_shared(self) -> bool:
        return self._line.is_shared

    @property
    def has_answered(self) -> bool:
        """The unit itself has, in this session."""
        return self._seat.answered > 0.0

    @property
    def standing(self) -> Standing:
        standing = self._line.standing(self._seat.unit)
        return standing if self._has_identity else standing._replace(connection=0)

    @property
    def writes_masks(self) -> bool:
        """The unit did not say yet, on this connection, that it does not know function 22."""
        return self._seat.unit not in self._line.without_mask

    def forgo_masks(self) -> None:
        self._line.without_mask.add(self._seat.unit)

    @property
    def lost_window(self) -> int | None:
        """How many requests at once the line should take and does not."""
        window = self._line.window
        return window.widest if window.is_narrowed else None

    @property
    def tears(self) -> int:
        """If it is another after ``settle`` than it was, what was read meanwhile may be anything: see ``window``."""
        return self._line.window.tears

    async def settle(self, probe: ReadRequest | None = None) -> None:
        """Where answers bear no number: until what else is on its way would have come. If answers came twice, or one request later than it seemed, there is
        one more, and it changes the ``standing``. With a ``probe`` it is asked instead, and data of its shape are what tells (``probe``); a refusal tells
        nothing, since it has no shape, and is waited behind. Where several requests are under way: until all have ended but the tries of other units that are
        silent, or ``tears`` is another.

        Raises:
            DeviceUnreachable, DeviceProtocolError: of the probe, as ``read``.
        """
        await self._line.settled(self._seat)
        if not self.standing.disorder:
            return
        is_told = probe is not None and isinstance((await self.read(probe, first=True))[0], bytes)
        await asyncio.sleep(_SETTLING if is_told else max(_SETTLING, 2 * self._seat.slowest))

    @property
    def ahead(self) -> int:
        """How many reads to ask at once, so that the line's window is always full."""
        return _AHEAD_OF_THE_WINDOW * self._line.window.width

    def ask(self, request: ReadRequest | WriteRequest, *, first: bool = False, connection: int | None = None) -> Exchange:
        """Sends the request in its turn, ``first`` before the scans of every unit on the line, and on that ``connection`` alone if one is named. To be
        followed by ``answer`` or ``withdraw``.

        Raises:
            ConnectionDropped, SilentUnit: an earlier error ended this session; nothing was sent.
        """
        exchange = Exchange(self._seat, request, asyncio.get_running_loop().create_future(), connection)
        self._line.submit(exchange, first=first)
        return exchange

    async def answer(self, exchange: Exchange) -> tuple[Answer, int]:
        """Data bytes as on the wire, or the device's refusal; and the middle of request and answer by our clock, UTC microseconds.

        Raises:
            ConnectionDropped: nothing was sent.
            LineReset: another unit's error ended the connection; this session goes on.
            DeviceUnreachable: no answer in time, or the connection ended.
            BadFrame: the answer was not the request's.
        """
        try:
            return await exchange.future
        except asyncio.CancelledError:
            self._line.give_up(exchange)
            raise

    def withdraw(self, exchange: Exchange) -> None:
        """Nobody will wait for its answer."""
        if not exchange.future.done():
            self._line.give_up(exchange)
        elif not exchange.future.cancelled():
            exchange.future.exception()  # else asyncio reports an error that nobody looked at

    async def read(self, request: ReadRequest, *, first: bool = False) -> tuple[Answer, int]:
        """One read, asked again where another unit's error cut it short, a few times. Raises as ``ask`` and ``answer``."""
        for _ in range(_RESETS):
            try:
                return await self.answer(self.ask(request, first=first))
            except LineReset:
                continue
        return await self.answer(self.ask(request, first=first))

    def distrust(self, error: BadFrame) -> None:
        """Ends this session and the line's connection: what was read is not this unit's."""
        self._line.distrust(self._seat, error)

    def unreached(self, text: str) -> DeviceUnreachable:
        """The error for a unit that its gateway does not reach: ``SilentUnit`` where its tries hold up others."""
        return self._line.silent(self._seat, text)

    async def wait(self, seconds: float) -> None:
        """Sleeps. Raises as ``ask`` as soon as the session is over, so that it is not kept until the next scan."""
        try:
            async with asyncio.timeout(seconds):
                await self._seat.dropped.wait()
        except TimeoutError:
            return
        raise self._seat.refusal()

    async def close(self) -> None:
        """Ends the session, and the connection with the last one on it; never raises."""
        await self._line.leave(self._seat)
