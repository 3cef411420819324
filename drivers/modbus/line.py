"""One connection, TCP or serial, and the units that share it.

Rules:

1. Units take turns. ``window`` requests are under way at once: one, or more where the framing numbers them and the configuration says so.
2. The connection is made when a request needs it, once for all who wait, and closed with the last session. Nothing is ever sent twice by the line.
3. A unit that shares its line and is silent ends its own session alone, where answers are numbered: a late one is known by its number, counted, and
   thrown away. Two silences in a row may be the connection's own end, and it is made anew; so is one on which half an answer stands, which the next answer
   would be taken for the rest of. ``silences`` has more of these rules.
4. A wrong answer ends the connection and the session it met. Other units' requests under way are reset (``LineReset``), those that wait go out on the next.
5. Where answers are not numbered (RTU) every disorder - a time-out, a request given up, a wrong answer, a lost connection - changes the ``standing``: what is
   read next may be the answer to an earlier request, and a unit must prove itself first (``session``). A time-out does so for its own unit alone, whose late
   answer bears its number; anything else for every unit. A socket is reset then. A serial port, which cannot be, is left alone for the time-out at least, and
   until nothing comes any more.
6. A window in which an answer stays out, though the unit answered what was asked later or at the same time, or whose answers bear wrong numbers or no header,
   is one from then on. ``window`` has how long, and what of the answers before can be relied on. A unit that is silent costs its neighbours' scans nothing but
   its first silence.
7. A device may close a connection on which it has answered and on which nothing is under way: it is made anew with the next request, and a loss only if that
   fails. One that twice running cut the second request of a connection off, without a byte, gives one answer a connection: we close it ourselves after each,
   for an hour.
8. A read that nobody waits for any more is left under way: its answer, or its own deadline, ends it. A write is not: what is still ours of it is taken back.
"""

import asyncio
import logging
import time
from collections.abc import Sequence
from typing import Final

from drivers.modbus.dial import dial
from drivers.modbus.exchange import ConnectionDropped, Exchange, LineReset, Seat, Standing
from drivers.modbus.frames import BadFrame, ModbusException, WriteRequest
from drivers.modbus.quiet import PATIENCE, Quiet
from drivers.modbus.rtu import answer_length
from drivers.modbus.serial_port import character_time, silence
from drivers.modbus.silences import Silences
from drivers.modbus.turns import Turns
from drivers.modbus.window import Window
from drivers.modbus.wire import RtuWire, TcpWire, Wire
from drivers.session import SilentUnit
from plant import times
from plant.device import Framing, ModbusLine, SerialLine
from plant.errors import DeviceUnreachable

_log = logging.getLogger(__name__)

_CLOSE_DEADLINE: Final = 1.0
_IDLE_FOR: Final = 1.0
"""Seconds without a request after which a device may close the connection and mean nothing by it."""
_CUT_OFF_ENOUGH: Final = 2
_ONE_ANSWER_FOR: Final = 3600.0
_FADING: Final = 2.0
"""Seconds in which half of the slowest round trip is forgotten."""
_LOOK_AGAIN: Final = 0.005
_RTU_OVERHEAD: Final = 3
"""Unit and checksum."""


class Line:
    """Satisfies ``wire.Listener``. One event loop; made once a line, joined and left by sessions.

    ``window`` is how many requests may be under way; ``without_mask`` are units that said on this connection that they do not know
    function 22; behind the next one may be others.
    """

    def __init__(self, line: ModbusLine) -> None:
        self._line = line
        self._is_serial = isinstance(line, SerialLine)
        is_rtu = isinstance(line, SerialLine) or line.framing is Framing.RTU
        self._is_rtu = is_rtu
        self.window = Window(1 if isinstance(line, SerialLine) or is_rtu else max(1, line.window))
        self.without_mask: set[int] = set()
        self._connections = 0
        self._disorder = int(is_rtu)
        self._disorder_of: dict[int, int] = {}
        self._rest = line.pause + (silence(line) if isinstance(line, SerialLine) else 0.0)
        self._character = character_time(line) if isinstance(line, SerialLine) else 0.0
        self._devices: set[str] = set()
        self._seats: list[Seat] = []
        self._turns = Turns()
        self._wire: Wire | None = None
        self._dialling: asyncio.Task[None] | None = None
        self._deadline: asyncio.TimerHandle | None = None
        self._pumping: asyncio.TimerHandle | None = None
        self._quiet = Quiet()
        self._is_reset_for_one = False
        self._active = 0.0
        self._answers = 0
        self._cut_off = 0
        self._one_answer_until = 0.0
        self._silences = Silences()
        self._someone_is_back = asyncio.Event()

    @property
    def is_shared(self) -> bool:
        """More than one device has been at this line; one whose session is down still is."""
        return len(self._devices) > 1

    def standing(self, unit: int) -> Standing:
        return Standing(self._connections, self._disorder + self._disorder_of.get(unit, 0))

    def _note_disorder(self, unit: int | None = None) -> None:
        if self._is_rtu and unit is not None:
            self._disorder_of[unit] = self._disorder_of.get(unit, 0) + 1
        elif self._is_rtu:
            self._disorder += 1

    async def join(self, seat: Seat) -> None:
        """Takes a place, and connects where there is no connection. Leave with ``leave`` whatever happens.

        Raises:
            DeviceUnreachable: no connection within the longest time-out of those who are at the line.
        """
        self._devices.add(seat.device)
        self._seats.append(seat)
        if self._wire is None:
            await asyncio.wait({self._dial()})
            if seat.error is not None:
                raise DeviceUnreachable(str(seat.error))

    async def leave(self, seat: Seat) -> None:
        """Gives the place up; the last one closes the connection, within a second. Never raises."""
        if seat not in self._seats:
            return
        self._seats.remove(seat)
        self._drop(seat, DeviceUnreachable("the session was closed"))
        for exchange in self._under_way_of(seat):
            self.give_up(exchange)
        if not self._seats:
            await self._close()

    async def _close(self) -> None:
        wire, self._wire = self._wire, None
        dialling, self._dialling = self._dialling, None
        for timer in (self._deadline, self._pumping):
            if timer is not None:
                timer.cancel()
        self._deadline = self._pumping = None
        self._quiet.sent()
        if dialling is not None:
            dialling.cancel()
            await asyncio.wait({dialling})
        if wire is None:
            return
        self._note_disorder()
        wire.close()
        try:
            async with asyncio.timeout(_CLOSE_DEADLINE):
                await wire.closed.wait()
        except TimeoutError:
            wire.abort()

    def submit(self, exchange: Exchange, *, first: bool = False) -> None:
        """Sends the request when its turn comes. ``first``: before the scans of every seat.

        Raises:
            ConnectionDropped, SilentUnit: the session ended before; nothing was sent.
        """
        if exchange.seat.error is not None:
            raise exchange.seat.refusal()
        self._turns.put(exchange, first=first)
        self._pump()

    def give_up(self, exchange: Exchange) -> None:
        """Nobody waits for the answer any more; what was not sent yet is not."""
        exchange.future.cancel()
        wire = self._wire
        if wire is None or wire.under_way.get(exchange.transaction) is not exchange:
            return
        if exchange.seat in self._seats and not isinstance(exchange.request, WriteRequest):
            return
        self._silence(wire, [exchange], DeviceUnreachable("a request was given up"), ends_session=self._is_rtu or not self.is_shared)

    def distrust(self, seat: Seat, error: BadFrame) -> None:
        """The session found by itself that answers are not what they should be: as after a wrong answer."""
        seat.metrics.rejected(error.reason)
        if self._wire is not None:
            self._reset(self._wire, error, seat.timeout)
        self._drop(seat, error)
        self._pump()

    async def settled(self, seat: Seat) -> None:
        """Where several requests are under way: until all that are now have ended. If each has its answer, ``window.tears`` is what it was. The tries of other
        units that are silent are not waited for, but while half a frame stands on the connection, which may be the rest of their answer."""
        wire = self._wire
        if wire is None or self.window.width == 1:
            return
        asked = list(wire.under_way.values())
        while self._wire is wire and (left := [exchange for exchange in asked if wire.under_way.get(exchange.transaction) is exchange]):
            expected = [exchange for exchange in left if not exchange.is_try or exchange.seat is seat]
            if not expected and not wire.is_midway:
                return
            awaited = [exchange.future for exchange in expected if not exchange.future.done()]
            await (asyncio.wait(awaited) if awaited else asyncio.sleep(_LOOK_AGAIN))  # nobody is told of the end of a read that was given up

    def _pump(self) -> None:
        """Sends what may be sent now."""
        wire = self._wire
        if wire is None:
            if self._turns and self._seats:
                self._dial()
            return
        if not self._turns or len(wire.under_way) >= self.window.width:
            return
        now = time.monotonic()
        if not wire.under_way and self.window.widen(now):
            _log.info("%s: %d requests under way at once are tried again", self._line.endpoint, self.window.width)
        if now < self._quiet.until:
            self._pump_when_quiet()
            return
        while len(wire.under_way) < self.window.width and (exchange := self._turns.next()) is not None:
            if exchange.connection not in {None, self._connections}:
                exchange.fail(ConnectionDropped("the connection was made anew before it could be sent"))
                continue
            exchange.begun, exchange.begun_at = now, times.now()
            exchange.is_try = self._silences.is_silent(exchange.seat.unit)
            exchange.deadline = now + self._silences.within(exchange.seat.unit, exchange.seat.timeout) + self._on_the_wire(exchange)
            self._active = now
            self._quiet.sent()
            wire.send(exchange)
            if self._deadline is None or self._deadline.when() > exchange.deadline:
                self._watch(exchange.deadline)

    def _pump_when_quiet(self) -> None:
        if self._quiet.is_hopeless:
            self._give_up_all(DeviceUnreachable(f"the line has not been silent for {PATIENCE:g} s: what else sends on it, and are speed and parity right?"))
        elif self._pumping is None:
            self._pumping = asyncio.get_running_loop().call_at(self._quiet.until, self._pump_again)

    def _pump_again(self) -> None:
        self._pumping = None
        self._pump()

    def _on_the_wire(self, exchange: Exchange) -> float:
        """Seconds that request and answer themselves take; they count only on a serial port, where they may be more than the device's time."""
        if not self._character:
            return 0.0
        pdu = exchange.request.pdu
        return (len(pdu) + _RTU_OVERHEAD + answer_length(pdu)) * self._character

    def _dial(self) -> asyncio.Task[None]:
        if self._dialling is None:
            within = max(seat.timeout for seat in self._seats)
            self._dialling = asyncio.create_task(self._connect(within), name=f"dial {self._line.endpoint}")
            self._dialling.add_done_callback(self._dialled)
        return self._dialling

    def _dialled(self, dialling: asyncio.Task[None]) -> None:
        """Nobody waits for a connection that will not come, whatever ended the attempt."""
        if self._dialling is dialling:
            self._dialling = None
        if not dialling.cancelled() and (fault := dialling.exception()) is not None:
            _log.error("%s: a fault of the driver in connecting", self._line.endpoint, exc_info=fault)
            self._give_up_all(DeviceUnreachable(f"no connection, by a fault of the driver which the log describes: {fault}"))

    def _make_wire(self) -> Wire:
        return RtuWire(self) if self._is_rtu else TcpWire(self, is_hurried=self.window.widest > 1)

    async def _connect(self, within: float) -> None:
        was_reset_for_one, self._is_reset_for_one = self._is_reset_for_one, False
        try:
            wire = await dial(self._line, self._make_wire, within)
        except DeviceUnreachable as error:
            self._dialling = None
            self._give_up_all(error)
            return
        self._dialling = None
        if wire.is_over:
            self._give_up_all(DeviceUnreachable("the connection ended as soon as it was made"))
            return
        self._wire = wire
        self._connections += 1
        self.without_mask.clear()
        self._answers = 0
        self._active = time.monotonic()
        self._silences.connected(self._active, was_reset_for_one=was_reset_for_one)
        self._pump()

    def answered(self, exchange: Exchange, pdu: bytes) -> None:
        seat = exchange.seat
        now = time.monotonic()
        latency = now - exchange.begun
        try:
            answer = exchange.request.accept(pdu)
        except BadFrame as error:
            self.broken(error, exchange, seat.unit)
            return
        took = round(latency * times.MICROSECONDS)
        seat.latency, seat.heard = latency, exchange.begun_at + took
        if isinstance(answer, ModbusException) and answer.is_from_gateway:
            self._silences.line_answered()
        else:
            self._unit_answered(seat, now)
        seat.slowest = max(latency, seat.slowest * 0.5 ** ((now - seat.round_trip_at) / _FADING))
        seat.round_trip_at = now
        seat.metrics.polled(f"exception_{answer.code:02X}" if isinstance(answer, ModbusException) else "answered", latency)
        if not exchange.future.done():
            exchange.future.set_result((answer, exchange.begun_at + took // 2))
        if self._rest:
            self._quiet.keep_until(now + self._rest)
        self._answers += 1
        if now < self._one_answer_until and self._wire is not None and not self._wire.under_way:
            wire, self._wire = self._wire, None
            wire.close()
        if self._turns:
            self._pump()

    def broken(self, error: BadFrame, exchange: Exchange | None, unit: int | None) -> None:
        wire = self._wire
        if wire is None:
            return
        if exchange is not None:
            exchange.seat.metrics.polled("rejected", exchange.took)
            exchange.seat.heard = times.now()
        seats = [exchange.seat] if exchange is not None else [seat for seat in self._seats if seat.unit == unit] or self._seats
        if seats:
            seats[0].metrics.rejected(error.reason)
        if error.reason in {"transaction", "header"}:
            self._narrow()
        was_idle = not wire.under_way
        self._reset(wire, error, seats[0].timeout if seats else 0.0)
        if exchange is not None:
            exchange.fail(error)
            self._drop(exchange.seat, error)
        elif was_idle and not self.is_shared:
            for seat in list(self._seats):
                self._drop(seat, error)
        self._pump()

    def _unit_answered(self, seat: Seat, now: float) -> None:
        seat.answered = now
        if self._silences.is_silent(seat.unit):
            self._expect_answers_of(seat.unit)
        if self._silences.unit_answered(seat.unit):
            self._someone_is_back.set()
            self._someone_is_back = asyncio.Event()

    def _expect_answers_of(self, unit: int) -> None:
        """It is there: what it does not answer is missing from now on."""
        for exchange in self._wire.under_way.values() if self._wire is not None else ():
            exchange.is_try = exchange.is_try and exchange.seat.unit != unit

    def late(self, seat: Seat) -> None:
        seat.heard = times.now()
        self._expect_answers_of(seat.unit)
        seat.metrics.rejected("late")
        self._silences.line_answered()

    def unasked(self) -> None:
        """On a serial port this is noise, or the end of an answer that came too late: it is waited out. A socket that says it is made anew."""
        now = time.monotonic()
        if self._quiet.heard_noise(now) and self._seats:
            self._seats[0].metrics.rejected("unasked")
        if self._is_serial:
            self._note_disorder()
            self._quiet.keep_until(now + self._rest)
        elif self._wire is not None:
            self._reset(self._wire, DeviceUnreachable("bytes came that nobody asked for"), max((seat.timeout for seat in self._seats), default=0.0))
            self._pump()

    def ended(self, wire: Wire, error: Exception | None) -> None:
        if wire is not self._wire:
            return
        self._wire = None
        self._note_disorder()
        failure = DeviceUnreachable(f"the connection ended: {error or 'the other end closed it'}")
        if error is None or isinstance(error, ConnectionResetError):  # the other end said it; a network that gave up is no sign of life
            for seat in self._seats:
                seat.heard = times.now()
        under_way = list(wire.under_way.values())
        if under_way:
            self.window.tear()
        for exchange in under_way:
            exchange.seat.metrics.polled("disconnected", exchange.took)
            exchange.fail(failure)
            self._drop(exchange.seat, failure)
        is_ended_by_it = error is None or isinstance(error, ConnectionResetError)
        self._note_cut_off(is_cut_off=bool(under_way) and self._answers == 1 and is_ended_by_it and not wire.is_midway)
        is_said = error is None and not under_way
        if is_said and time.monotonic() - self._active >= _IDLE_FOR and self._seats:
            self._dial()  # some close what is idle; whether it is more than that, the next connection tells
        elif not under_way and not self.is_shared and not (is_said and self._answers):
            for seat in list(self._seats):
                self._drop(seat, failure)
        self._pump()

    def _note_cut_off(self, *, is_cut_off: bool) -> None:
        self._cut_off = self._cut_off + 1 if is_cut_off else 0
        if self._cut_off >= _CUT_OFF_ENOUGH:
            self._cut_off, self._one_answer_until = 0, time.monotonic() + _ONE_ANSWER_FOR
            _log.warning("%s: its connections end after one answer each; one is made for each request from now on", self._line.endpoint)

    def _watch(self, when: float) -> None:
        """One timer for all: it looks at the earliest deadline, and is not touched by a request that is answered in time."""
        if self._deadline is not None:
            self._deadline.cancel()
        self._deadline = asyncio.get_running_loop().call_at(when, self._look_at_deadlines)

    def _look_at_deadlines(self) -> None:
        self._deadline = None
        wire = self._wire
        if wire is None:
            return
        now = time.monotonic()
        expired = [exchange for exchange in wire.under_way.values() if exchange.deadline <= now]
        for exchange in expired:
            exchange.seat.metrics.polled("timeout", exchange.took)
            if exchange.seat.answered > exchange.begun:
                self._narrow()
        for seat in {exchange.seat for exchange in expired}:
            self._silences.fell()
            of_seat = [exchange for exchange in expired if exchange.seat is seat]
            waited = round(of_seat[0].deadline - of_seat[0].begun, 3)
            self._silence(wire, of_seat, self.silent(seat, f"no answer within {waited:g} s to {of_seat[0].request}"), ends_session=True)
        if self._wire is not None and self._wire.under_way and self._deadline is None:
            self._watch(min(exchange.deadline for exchange in self._wire.under_way.values()))

    def silent(self, seat: Seat, text: str) -> DeviceUnreachable:
        """The error for a unit that does not answer: see ``silences``."""
        others = (other.answered for other in self._seats if other is not seat)
        costs = 2 * seat.timeout if self._is_rtu else seat.timeout  # the time-out, and as long again of quiet
        wait = self._silences.next_try(seat.unit, costs, others, time.monotonic())
        return DeviceUnreachable(text) if wait is None else SilentUnit(text, wait, self._someone_is_back)

    def _silence(self, wire: Wire, exchanges: Sequence[Exchange], error: DeviceUnreachable, *, ends_session: bool) -> None:
        """Requests of one seat that are not waited for any more, sent and unanswered."""
        seat = exchanges[0].seat
        if not all(exchange.is_try for exchange in [*exchanges, *self._under_way_of(seat)]):
            self.window.tear()
        # What the kernel still holds of a write must never leave: only the end of the connection takes it back.
        bears_write = any(isinstance(exchange.request, WriteRequest) for exchange in [*exchanges, *self._under_way_of(seat)])
        is_numbered_for_others = not self._is_rtu and self.is_shared and not self._silences.are_the_line_s and not bears_write and not wire.is_midway
        for exchange in exchanges:
            wire.forget(exchange)
        if is_numbered_for_others:
            self._silences.gave_up(seat.unit)
        if ends_session:
            for exchange in [*exchanges, *self._under_way_of(seat)]:
                wire.forget(exchange)
                exchange.fail(error)
            self._drop(seat, error)
        if not is_numbered_for_others and self._wire is wire:
            self._is_reset_for_one = not self._is_serial and not self._silences.are_the_line_s
            self._reset(wire, error, seat.timeout, seat.unit)
        self._pump()

    def _reset(self, wire: Wire, error: Exception, quiet: float, unit: int | None = None) -> None:
        """After this nothing of before can be taken for an answer, but one to ``unit``, if it is that unit's silence alone. Other requests under way are
        reset."""
        others = list(wire.under_way.values())
        self.window.tear()
        self._note_disorder(unit)
        wire.clear()
        if self._is_rtu:  # a converter hands what comes late to whoever is connected by then
            self._quiet.keep_until(time.monotonic() + max(quiet, self._rest))
        if self._is_serial:
            wire.discard()
        else:
            self._wire = None
            wire.abort()
        for exchange in others:
            exchange.fail(LineReset(f"the connection was made anew: {error}"))

    def _drop(self, seat: Seat, error: Exception) -> None:
        """Ends a session; what waits of it is not sent."""
        seat.drop(error)
        for exchange in self._turns.remove(seat):
            exchange.fail(seat.refusal())

    def _give_up_all(self, error: DeviceUnreachable) -> None:
        for seat in list(self._seats):
            self._drop(seat, error)

    def _under_way_of(self, seat: Seat) -> list[Exchange]:
        return [] if self._wire is None else [exchange for exchange in self._wire.under_way.values() if exchange.seat is seat]

    def _narrow(self) -> None:
        if self.window.narrow(time.monotonic()):
            _log.warning("%s: answers were lost or misnumbered with %d requests under way; one at a time from now on", self._line.endpoint, self.window.widest)
