"""The Modbus driver against late answers and against malformed ones, tens of thousands of each, on real sockets and a pseudo-terminal.

``MONAZITE_FULL_FAULTS=1`` has 10 000 reads a line with every fifth answer late, and 200 000 malformed replies; else a part of each.
"""

import asyncio
import logging
import random
import struct
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import Final

import pytest
from prometheus_client import CollectorRegistry
from pymodbus import FramerType
from pymodbus.client import AsyncModbusTcpClient
from pymodbus.exceptions import ModbusIOException

from drivers import Backoff, DeviceLink, DriverMetricFamilies
from drivers.modbus import ModbusDriver
from plant.batch import Batch
from plant.device import Encoding, Framing, ModbusAddress, ModbusDevice, ModbusLine, ModbusTable, Parity, SerialLine, TcpLine
from plant.quality import is_good
from tests.faults.figures import report, resident_bytes, scaled
from tests.faults.scripted_modbus import ADDRESSES, IDENTITY, POISON, Asked, Reply, ScriptedModbusServer, tags_of
from tests.rogue_modbus_server import checksum
from tests.samples import make_tag
from tests.supervised import supervised

READS = scaled(10_000, 400)
LATE_READS = scaled(10_000, 150)
MALFORMED = {Framing.TCP: scaled(100_000, 2_000), Framing.RTU: scaled(100_000, 800)}
DEVICES = 4
SEED = 20_261_125
TRUNCATED = scaled(5_000, 100)
TRUNCATED_SHARE = 0.05
BLOCKS, LONG = 12, 20
"""Blocks of a scan, registers of each."""
LATE_SHARE = 0.2
DOUBLED_SHARE = 0.2
TIMEOUT = 0.04
LATE_TIMEOUT = 0.1
"""What comes later than twice the time-out cannot always be told over RTU (docs/decisions/0011-modbus-lines.md). So a late answer here comes well before, and a
time-out is long beside the time for which a busy machine lets a process wait."""
SCAN_MS = 10
GROWTH = 16 * 2**20

pytestmark = pytest.mark.timeout(scaled(3_600, 120))


class Link:
    """A device link, and what was wrong in what it published: Good values that no timely and well-formed answer bore."""

    def __init__(
        self,
        driver: ModbusDriver,
        line: ModbusLine,
        unit: int,
        refused: Callable[[int, int], bool] = lambda address, number: False,
        *,
        is_known: bool = True,
        timeout: float = TIMEOUT,
    ) -> None:
        self.good = 0
        self.bad = 0
        self.wrong: list[tuple[int, float]] = []
        self._refused = refused
        self._first_id = 100 * unit
        self.registry = CollectorRegistry()
        device = ModbusDevice(f"MB-SEP-{unit:02}", "SEP", line, unit, timeout=timeout, identity=IDENTITY if is_known else None)
        self._labels = {"driver": "modbus", "device": device.name}
        backoff = Backoff(first=0.001, cap=0.001, floor=0.0)
        metrics = DriverMetricFamilies(self.registry).of("modbus", device.name)
        tags = tags_of(device.name, self._first_id, SCAN_MS)
        self.link = DeviceLink(device, tags, driver.open, self._publish, lambda status: None, metrics, backoff=backoff)

    async def _publish(self, batch: Batch) -> None:
        for tag_id, value, quality in zip(batch.tag_id.tolist(), batch.value.tolist(), batch.quality.tolist(), strict=True):
            self.bad += quality < 0
            if not is_good(quality):
                continue
            self.good += 1
            address, number = divmod(int(value), 1 << 16)
            if address != 1000 + ADDRESSES[tag_id - self._first_id] or self._refused(address, number):
                self.wrong.append((tag_id, value))

    def rejected(self, reason: str | None = None) -> float:
        family = next(family for family in self.registry.collect() if family.name == "monazite_driver_frames_rejected")
        return sum(sample.value for sample in family.samples if sample.name.endswith("_total") and reason in {None, sample.labels["reason"]})

    def timeouts(self) -> float:
        return self.registry.get_sample_value("monazite_driver_polls_total", {**self._labels, "result": "timeout"}) or 0.0


@asynccontextmanager
async def kept_open(driver: ModbusDriver, line: ModbusLine) -> AsyncIterator[None]:
    """Another unit has a seat on the line, and asks nothing: a line that nobody shares is made anew at once when an answer stays out."""
    device = ModbusDevice("MB-SEP-09", "SEP", line, 9, timeout=LATE_TIMEOUT)
    session = await driver.open(device, [], DriverMetricFamilies(CollectorRegistry()).of("modbus", device.name))
    try:
        yield
    finally:
        await session.close()


class Lateness:
    """Every fifth answer after its time. ``numbers`` are the reads that were answered late, by their place in a window too short to come round."""

    def __init__(self) -> None:
        self._chance = random.Random(SEED)
        self.is_over = False
        self.numbers: set[int] = set()

    def meet(self, server: ScriptedModbusServer, asked: Asked) -> Reply:
        frame = server.frame_of(asked)
        if self.is_over or self._chance.random() >= LATE_SHARE:
            return Reply(frame)
        self.numbers.add(asked.number)
        return Reply(frame, delay=self._chance.uniform(1.3, 1.6) * LATE_TIMEOUT)


@pytest.mark.parametrize("kind", ["tcp", "rtu over tcp", "rtu on a serial port"])
async def test_of_thousands_of_late_answers_none_becomes_a_value_and_each_is_counted(kind: str, tmp_path: Path) -> None:
    framing = Framing.TCP if kind == "tcp" else Framing.RTU
    lateness = Lateness()
    async with ScriptedModbusServer(framing, lateness.meet) as server:
        line: ModbusLine = TcpLine("127.0.0.1", server.port, framing)
        if kind == "rtu on a serial port":
            await server.start_on_terminal(tmp_path / "port")
            line = SerialLine(str(tmp_path / "port"), 115_200, Parity.NONE)
        driver = ModbusDriver()
        link = Link(driver, line, 1, lambda address, number: number in lateness.numbers, timeout=LATE_TIMEOUT)
        async with kept_open(driver, line), supervised(link.link):
            while server.reads < LATE_READS:
                await _progress(lambda: server.reads)
            lateness.is_over, reads = True, server.reads
            await _good_again([link])
    late, timeouts, refused = link.rejected("late"), link.timeouts(), link.rejected() - link.rejected("late")
    counted = f"{timeouts:.0f} time-outs and {refused:.0f} answers to another request counted"
    report(f"{kind}: {reads} reads, {len(lateness.numbers)} answered late, {counted}, {late:.0f} late answers seen, {link.good} Good values")
    assert link.wrong == []
    assert link.good > reads // 10, "values came in between"
    # A busy machine adds time-outs of its own. Over RTU some are met by the late answer to another, which bears no number: most are refused for their length
    # or by the identity, and the rest are values of a device that has not proved itself yet, and not Good.
    assert timeouts >= len(lateness.numbers) or framing is Framing.RTU
    assert timeouts + refused >= 0.99 * len(lateness.numbers)
    assert framing is Framing.RTU or late > 0, "late answers did arrive on a line that was open"


async def test_the_same_lateness_makes_the_library_return_values_of_other_registers() -> None:
    """The test above can fail: this is what its server does to a client that takes RTU answers as they come."""
    lateness = Lateness()
    wrong = 0
    async with ScriptedModbusServer(Framing.RTU, lateness.meet) as server:
        client = AsyncModbusTcpClient("127.0.0.1", port=server.port, framer=FramerType.RTU, timeout=LATE_TIMEOUT)
        logging.getLogger("pymodbus").setLevel(logging.CRITICAL)
        assert await client.connect()
        for number in range(60):
            address = ADDRESSES[number % len(ADDRESSES)]
            try:
                answer = await client.read_holding_registers(address, count=2, device_id=1)
            except ModbusIOException:
                continue
            wrong += not answer.isError() and answer.registers[0] != 1000 + address
        client.close()
    report(f"the library over RTU: {wrong} of 60 reads with the values of other registers")
    assert wrong > 0


class Doubling:
    """Every fifth answer comes once more, at once or some milliseconds later: as the answer to what is asked next, if it is taken for one."""

    def __init__(self) -> None:
        self._chance = random.Random(SEED)
        self.count = 0
        self.is_over = False

    def meet(self, server: ScriptedModbusServer, asked: Asked) -> Reply:
        if self.is_over or self._chance.random() >= DOUBLED_SHARE:
            return Reply(server.frame_of(asked))
        self.count += 1
        return Reply(server.frame_of(asked), again_after=self._chance.choice((0.0, 0.001, 0.003)))


@pytest.mark.parametrize("is_known", [True, False], ids=["known device", "unknown device"])
async def test_of_thousands_of_doubled_rtu_answers_none_becomes_the_value_of_another_register(is_known: bool) -> None:
    doubling, driver = Doubling(), ModbusDriver()
    async with ScriptedModbusServer(Framing.RTU, doubling.meet) as server:
        link = Link(driver, TcpLine("127.0.0.1", server.port, Framing.RTU), 1, is_known=is_known)
        async with supervised(link.link):
            while server.reads < READS:
                await _progress(lambda: server.reads)
            doubling.is_over = True
            await _good_again([link])
    report(f"{doubling.count} of {server.reads} answers came twice, {link.good} Good values")
    assert link.wrong == []
    assert doubling.count > READS * DOUBLED_SHARE / 2


class DoublingBeforeRefusal:
    """The last block fails each time, and now and then the answer to the first comes twice, or that failure does."""

    def __init__(self) -> None:
        self.first = self.failed = self.count = 0

    def meet(self, server: ScriptedModbusServer, asked: Asked) -> Reply:
        if asked.count != 2:
            return Reply(server.frame_of(asked), delay=0.01)
        if asked.address == ADDRESSES[-1]:
            self.failed += 1
            body = bytes([asked.unit, 0x83, 4])
            return Reply(body + checksum(body), delay=0.01, again_after=0.005 if self.failed % 6 == 5 else None)
        self.first += asked.address == ADDRESSES[0]
        is_doubled = asked.address == ADDRESSES[0] and self.first % 3 == 0
        self.count += is_doubled
        return Reply(server.frame_of(asked), delay=0.01, again_after=0.005 if is_doubled else None)


async def test_a_failure_in_the_place_of_the_short_question_s_answer_does_not_make_a_moved_answer_good() -> None:
    """The failure of the last block has no length: it could be taken for the answer to the question that shows whether answers were in their places."""
    doubling, driver = DoublingBeforeRefusal(), ModbusDriver()
    async with ScriptedModbusServer(Framing.RTU, doubling.meet) as server:
        link = Link(driver, TcpLine("127.0.0.1", server.port, Framing.RTU), 1, is_known=False)
        async with supervised(link.link):
            while doubling.count < 12:
                await _progress(lambda: doubling.count)
    assert link.wrong == []
    assert link.good > 0, "values came in between"


class Truncation:
    """One of twenty answers lacks its end, and the device goes on with the next as if nothing had been."""

    def __init__(self) -> None:
        self._chance = random.Random(SEED)
        self.count = 0

    def meet(self, server: ScriptedModbusServer, asked: Asked) -> Reply:
        frame = server.frame_of(asked)
        if self._chance.random() >= TRUNCATED_SHARE:
            return Reply(frame)
        self.count += 1
        return Reply(frame[: -self._chance.randrange(1, len(frame))])


@pytest.mark.parametrize("window", [1, 4, 16])
async def test_of_many_truncated_answers_within_a_window_none_lends_another_its_bytes(window: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """The first bytes of what follows stand where the last registers of the answer should: well-formed, and wrong. The window is tried again at once here."""
    monkeypatch.setattr("drivers.modbus.window.NARROW_FOR", 0.0)
    truncation, driver, registry = Truncation(), ModbusDriver(), CollectorRegistry()
    tags = tuple(
        make_tag(number, f"SEP.COL101.FT{number}", device="MB-SEP-01", scan_ms=SCAN_MS, eu_range=None, source=source)
        for number, source in enumerate(ModbusAddress(ModbusTable.HOLDING, address, Encoding.UINT16) for address in range(BLOCKS * LONG))
    )
    good, wrong = 0, list[tuple[int, float]]()

    async def publish(batch: Batch) -> None:
        nonlocal good
        for tag_id, value, quality in zip(batch.tag_id.tolist(), batch.value.tolist(), batch.quality.tolist(), strict=True):
            good += is_good(quality)
            if is_good(quality) and value != 1000 + tag_id:
                wrong.append((tag_id, value))

    async with ScriptedModbusServer(Framing.TCP, truncation.meet) as server:
        line = TcpLine("127.0.0.1", server.port, window=window)
        device = ModbusDevice("MB-SEP-01", "SEP", line, 1, timeout=TIMEOUT, max_registers=LONG)
        metrics = DriverMetricFamilies(registry).of("modbus", device.name)
        link = DeviceLink(device, tags, driver.open, publish, lambda status: None, metrics, backoff=Backoff(first=0.001, cap=0.001, floor=0.0))
        async with supervised(link):
            while truncation.count < TRUNCATED:
                await _progress(lambda: truncation.count)
    report(f"window {window}: {truncation.count} of {server.reads} answers truncated, {good} Good values")
    assert wrong == []
    assert good > 0, "values came in between"


class Malformation:
    """Nine of ten replies malformed. What could be taken for values in them is ``POISON``."""

    def __init__(self) -> None:
        self._chance = random.Random(SEED)
        self.count = 0
        self.is_over = False

    def meet(self, server: ScriptedModbusServer, asked: Asked) -> Reply:
        proper = server.frame_of(asked)
        if self.is_over or self._chance.random() < 0.1:
            return Reply(proper)
        self.count += 1
        poisoned = server.frame_of(asked, POISON)
        malform = self._chance.choice(_RTU_FAULTS if server.framing is Framing.RTU else _TCP_FAULTS)
        frame = malform(self._chance, poisoned)
        # A frame that is cut short costs a whole time-out unless the connection ends behind it; some do.
        return Reply(frame, closes=self._chance.random() < 0.9 and len(frame) < len(proper))


Fault = Callable[[random.Random, bytes], bytes]


def _cut(chance: random.Random, frame: bytes) -> bytes:
    return frame[: chance.randrange(1, len(frame))]


def _noise(chance: random.Random, frame: bytes) -> bytes:
    return chance.randbytes(chance.randrange(1, 600))


def _longer(chance: random.Random, frame: bytes) -> bytes:
    """As its header says where it has a length."""
    added = chance.randrange(1, 8)
    return frame[:4] + struct.pack(">H", 7 + added) + frame[6:] + chance.randbytes(added)


def _longer_body(chance: random.Random, frame: bytes) -> bytes:
    return frame[:-2] + chance.randbytes(chance.randrange(1, 8)) + frame[-2:]


def _shifted(chance: random.Random, frame: bytes) -> bytes:
    return chance.randbytes(chance.randrange(1, 4)) + frame


def _other_byte(first: int, end: int) -> Fault:
    """One byte of the places ``first`` to ``end`` is another."""

    def change(chance: random.Random, frame: bytes) -> bytes:
        place = chance.randrange(first, end)
        return frame[:place] + bytes([frame[place] ^ chance.randrange(1, 256)]) + frame[place + 1 :]

    return change


def _other_length(chance: random.Random, frame: bytes) -> bytes:
    """Of the header: nothing, a little, or more than there is."""
    length = chance.choice([0, 1, 2, 3, 6, 8, 250, 255, 300, 0x7FFF, 0xFFFF])
    return frame[:4] + struct.pack(">H", length) + frame[6:]


def _wrong_bits(chance: random.Random, frame: bytes) -> bytes:
    """Up to three, anywhere: what the checksum always finds."""
    bits = int.from_bytes(frame, "big")
    for place in chance.sample(range(8 * len(frame)), chance.randrange(1, 4)):
        bits ^= 1 << place
    return bits.to_bytes(len(frame), "big")


_TCP_FAULTS: Final[tuple[Fault, ...]] = (
    _cut,
    _noise,
    _longer,
    _shifted,
    _other_byte(0, 2),
    _other_byte(2, 4),
    _other_length,
    _other_byte(6, 7),
    _other_byte(7, 9),
)
"""Transaction, protocol, length, unit, function and byte count. Data have no checksum over TCP: what changes there, nobody can tell."""
_RTU_FAULTS: Final[tuple[Fault, ...]] = (_cut, _noise, _longer_body, _shifted, _wrong_bits, _wrong_bits, _other_byte(0, 9))


@pytest.mark.parametrize("framing", Framing, ids=str)
async def test_of_malformed_replies_none_becomes_a_value_and_the_links_stay(framing: Framing, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.ERROR)
    malformation, driver = Malformation(), ModbusDriver()
    memory: list[int] = []
    async with AsyncExitStack() as stack:
        servers = [await stack.enter_async_context(ScriptedModbusServer(framing, malformation.meet)) for _ in range(DEVICES)]
        links = [Link(driver, TcpLine("127.0.0.1", server.port, framing), unit) for unit, server in enumerate(servers, 1)]
        await stack.enter_async_context(supervised(*(link.link for link in links)))
        while malformation.count < MALFORMED[framing]:
            await _progress(lambda: malformation.count)
            if malformation.count > MALFORMED[framing] // 5:
                memory.append(resident_bytes())
        malformation.is_over, replies = True, sum(server.reads for server in servers)
        await _good_again(links)
    rejected, timeouts, good = (sum(counts) for counts in zip(*((link.rejected(), link.timeouts(), link.good) for link in links), strict=True))
    report(f"{framing}: {malformation.count} malformed of {replies} replies, {rejected:.0f} rejected, {timeouts:.0f} time-outs, {good} Good values")
    report(f"{memory[0] >> 20} MiB after a fifth, {memory[-1] >> 20} MiB at the end")
    assert [wrong for link in links for wrong in link.wrong] == []
    assert caplog.text == "", "a fault of the driver"
    assert memory[-1] - memory[0] < GROWTH


async def _progress(count: Callable[[], int]) -> None:
    """Until ``count`` is another; nothing hangs."""
    before = count()
    async with asyncio.timeout(20):
        while count() == before:
            await asyncio.sleep(0.05)


async def _good_again(links: Sequence[Link]) -> None:
    wanted = [link.good + 3 * len(ADDRESSES) for link in links]
    async with asyncio.timeout(60):
        while any(link.good < goal for link, goal in zip(links, wanted, strict=True)):
            await asyncio.sleep(0.05)
