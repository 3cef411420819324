"""A session with one Modbus device: scans by schedule, writes with read-back, over a line that it may share.

Rules:

1. A scan that is due goes between the blocks of one with a longer period, which reads a block at least between two of them: neither waits for the whole of
   the other. ``scan`` has what becomes of a block that the device refuses. A scan in which a gateway says of every block that it does not reach the unit ends
   the session: nobody is there.
2. A source time is the middle of request and answer; Modbus carries none.
3. A device with ``identity`` is asked for it first, and again on each new connection, behind which there may be another device, and after each disorder,
   after which an answer may be to an earlier request (``Standing``). Another answer ends session and connection. While it is not told, what is read is
   Uncertain (``Uncertain``, OPC UA Part 8: nothing more is known), and nothing is written.
4. Without an identity there is nothing to ask. Where answers are numbered they are believed. Where they are not, the values after a disorder are Uncertain
   until one scan was read whole and quiet followed it, with no disorder since it began; the next is Good, and a short question at its end (``probe``) shows
   that its answers were in their places.
5. Where several requests are under way a scan stands or falls as a whole, when everything that was under way with its last answer has ended (``window``). Of
   one that fell nothing is told; it is read again at once if the session goes on.
"""

import math
import struct
import time
from collections.abc import AsyncGenerator, Awaitable, Callable, Iterator, Sequence

from drivers.metrics import DriverMetrics
from drivers.modbus.client import ModbusClient
from drivers.modbus.exchange import Standing
from drivers.modbus.frames import BadFrame, ModbusException, ReadRequest
from drivers.modbus.plan import ScanClass
from drivers.modbus.probe import probe_of
from drivers.modbus.refusals import Refusals
from drivers.modbus.scan import Scan
from drivers.modbus.scanned_class import ScannedClass
from drivers.modbus.writer import ModbusWriter
from drivers.session import WriteAttempt, WriteOutcome
from plant.batch import Batch
from plant.command import CommandValue
from plant.device import ModbusDevice
from plant.errors import DeviceProtocolError, DeviceUnreachable
from plant.tag import Tag


class ModbusSession:
    """Satisfies ``drivers.session.Session``."""

    def __init__(self, device: ModbusDevice, client: ModbusClient, classes: Sequence[ScanClass], metrics: DriverMetrics) -> None:
        self._device = device
        self._client = client
        self._metrics = metrics
        self._writer = ModbusWriter(client, device, self._is_in_order, self._is_known)
        self._proven_in: Standing | None = None
        self._is_untold = False
        self._refusals = Refusals()
        self._probe = probe_of(device, [block for scan_class in classes for block in scan_class.blocks])
        now = time.monotonic()
        self._classes = [ScannedClass(device, scan_class, now) for scan_class in classes]
        self._faster = {one: [other for other in self._classes if other.schedule.period < one.schedule.period] for one in self._classes}

    @property
    def latency(self) -> float | None:
        return self._client.latency

    @property
    def clock_offset(self) -> float | None:
        return None

    @property
    def last_heard(self) -> int:
        return self._client.last_heard

    @property
    def lag(self) -> float:
        return 0.0

    @property
    def overflows(self) -> int:
        return 0

    @property
    def trouble(self) -> str | None:
        """See ``drivers.session``: a device, or a line, that cannot be read as often as its tags ask (``schedule``), does not take as many requests at once as
        it should (``window``), or refuses addresses."""
        return "; ".join(self._troubles()) or None

    def _troubles(self) -> Iterator[str]:
        slow = [f"{scanned.schedule.period:g} s" for scanned in self._classes if scanned.schedule.is_overloaded]
        if slow:
            yield f"overloaded: most of the last scans every {' and '.join(slow)} were late; ask for fewer tags, or less often"
        identity = self._device.identity
        if self._is_untold and identity is not None:
            yield f"it does not tell its identity: {identity.table} {identity.address} could not be read; its values are Uncertain and nothing is written"
        if told := str(self._refusals):
            yield told
        if (window := self._client.lost_window) is not None:
            yield f"answers were lost, misnumbered or cut short with {window} requests under way: one at a time now, all again later; write window = 1"

    async def recover(self, start: int, end: int, take: Callable[[Batch], Awaitable[None]]) -> bool:
        """Modbus devices keep no history that can be asked for."""
        return False

    async def batches(self) -> AsyncGenerator[Batch, None]:
        """The scans, one ``SampleBatch`` and one ``TextBatch`` each at the most. See ``drivers.session``."""
        running: list[Scan] = []
        try:
            while True:
                try:
                    scan = await self._next(running)
                    await scan.read_on()
                    ended = await self._ended(scan) if scan.is_read else None
                except (DeviceUnreachable, DeviceProtocolError):
                    for scan in running:
                        for batch in self._brought(scan):
                            yield batch
                    raise
                if ended is not None:
                    running.pop()
                    if not scan.is_torn:
                        self._note_end(scan.scanned, running)
                    begun = time.monotonic()
                    for batch in ended:
                        yield batch
                    for scanned in self._classes:
                        scanned.schedule.excuse(time.monotonic() - begun)
        finally:
            for scan in running:
                scan.withdraw()

    async def _next(self, running: list[Scan]) -> Scan:
        """The scan whose turn it is, at the end of ``running``, which is in the order of their beginning."""
        while True:
            due = self._due(running)
            if due is not None:
                is_proven = self._proven_in == self._client.standing or await self._has_proved_itself()
                running.append(Scan(due, self._client, self._refusals, is_proven=is_proven))
            if running:
                return running[-1]
            first = min((scanned.schedule.due for scanned in self._classes), default=math.inf)
            await self._client.wait(max(0.0, first - time.monotonic()))

    def _due(self, running: Sequence[Scan]) -> ScannedClass | None:
        """The class that begins a scan now."""
        if running and not running[-1].has_moved:
            return None
        candidates = self._faster[running[-1].scanned] if running else self._classes
        now = time.monotonic()
        due = [scanned for scanned in candidates if scanned.schedule.due <= now]
        return min(due, key=lambda scanned: scanned.schedule.due, default=None)

    async def _ended(self, scan: Scan) -> Sequence[Batch]:
        """What a scan brought that was read whole.

        Raises:
            DeviceUnreachable: a gateway says that nobody is there.
        """
        await self._client.settle(self._probe_for(scan))
        if scan.is_torn:
            return ()
        scan.scanned.is_mute = scan.is_nobody_there
        if scan.away is not None and scan.is_nobody_there:
            scan.is_over = scan.away.is_from_gateway or all(scanned.is_mute for scanned in self._classes)
            if scan.is_over:
                told = "a gateway does not reach the unit" if scan.away.is_from_gateway else "the unit says nothing else, or its gateway does"
                raise self._client.unreached(f"{told}: {scan.away}")
        if self._device.identity is None and self._client.standing == scan.standing:
            self._proven_in = scan.standing
        return self._brought(scan)

    def _probe_for(self, scan: Scan) -> ReadRequest | None:
        """What tells at once that the answers of a scan were in their places; not where the unit has to prove itself by a whole scan and the quiet after it,
        or has to be asked in blocks that the probe could be taken for."""
        probe = self._probe
        if probe is None or not self._client.standing.disorder or not scan.is_proven or scan.away is not None:
            return None
        return None if any(probe.shape in scanned.shapes for scanned in self._classes) else probe

    def _brought(self, scan: Scan) -> Sequence[Batch]:
        if scan.is_torn:
            return ()
        is_in_order = self._client.standing == scan.standing
        return scan.batches(is_uncertain=self._needs_proof and not (scan.is_proven and is_in_order))

    def _note_end(self, scanned: ScannedClass, running: Sequence[Scan]) -> None:
        if running:
            running[-1].has_moved = False
        missed = scanned.schedule.done(time.monotonic())
        if missed:
            self._metrics.overran(missed)
        self._metrics.overloaded(any(one.schedule.is_overloaded for one in self._classes))

    @property
    def _needs_proof(self) -> bool:
        return self._device.identity is not None or self._client.standing.disorder != 0

    def _is_in_order(self) -> bool:
        """What is read now is the answer to what was asked, as far as can be known."""
        return not self._needs_proof or self._client.standing == self._proven_in

    async def _is_known(self) -> bool:
        """Whether this is the device that it should be, for a command: it is asked now if need be. Raises as ``_has_proved_itself``."""
        return self._device.identity is None or self._proven_in == self._client.standing or await self._has_proved_itself()

    async def _has_proved_itself(self) -> bool:
        """Reads the registers by which the device is known. ``False``: it has none, or would not tell, or its standing changed again meanwhile.

        Raises:
            BadFrame: another device answers, or an answer to something else came.
        """
        identity = self._device.identity
        if identity is None:
            return False
        request = ReadRequest(identity.table, identity.address, len(identity.registers))
        standing = self._client.standing
        answer, _ = await self._client.read(request, first=True)
        if self._client.standing != standing:  # the request itself may have made the connection
            standing = self._client.standing
            answer, _ = await self._client.read(request, first=True)
        if isinstance(answer, ModbusException) and (answer.is_about_address or answer.is_unknown_function):
            error = BadFrame("identity", f"{identity.table} {identity.address} is refused ({answer}), {self._device.name} has its identity there")
            self._client.distrust(error)
            raise error
        self._is_untold = isinstance(answer, ModbusException)
        if isinstance(answer, ModbusException):
            return False
        registers = struct.unpack(f">{len(identity.registers)}H", answer)
        if registers != identity.registers:
            error = BadFrame("identity", f"{identity.table} {identity.address} reads {registers}, {self._device.name} has {identity.registers} there")
            self._client.distrust(error)
            raise error
        if self._client.standing != standing:
            return False
        self._proven_in = standing
        return True

    async def write(self, tag: Tag, value: CommandValue, attempt: WriteAttempt | None = None) -> WriteOutcome:
        """Writes once and reads back. See ``drivers.session``."""
        return await self._writer.write(tag, value, attempt or WriteAttempt())

    async def close(self) -> None:
        await self._client.close()
