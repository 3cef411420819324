"""The Modbus driver against libmodbus and modbus-serial, and a libmodbus client against the simulated PLC: stacks that nobody here wrote."""

import asyncio
import os
import pty
import re
import socket
import tty
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path

import pytest
from prometheus_client import CollectorRegistry

from drivers import DeviceLink, DriverMetricFamilies
from drivers.backoff import Backoff
from drivers.modbus import ModbusDriver
from drivers.session import WriteStatus
from plant.batch import Batch
from plant.command import CommandValue
from plant.device import BitWrites, ByteOrder, Encoding, ModbusAddress, ModbusDevice, ModbusLine, ModbusTable, SerialLine, TcpLine
from plant.quality import Quality
from plant.tag import DataType, Tag
from plant.times import now
from simulators.image import TagImage
from simulators.modbus_server import ModbusServer
from tests.peer import FOLDER, LIBMODBUS_SERVER, require, running
from tests.samples import make_tag
from tests.supervised import supervised

DEVICE = "MB-PEER-01"
UNIT = 7
TCP = ("libmodbus", "modbus-serial")


def tag_of(tag_id: int, address: ModbusAddress, data_type: DataType = DataType.FLOAT) -> Tag:
    return make_tag(tag_id, f"SEP.COL101.T{tag_id}", device=DEVICE, data_type=data_type, writable=address.table.is_writable, scan_ms=50, source=address)


def bit(tag_id: int, table: ModbusTable, address: int) -> Tag:
    return tag_of(tag_id, ModbusAddress(table, address, Encoding.BIT), DataType.BOOLEAN)


READ: list[tuple[Tag, float]] = [
    (bit(1, ModbusTable.COIL, 10), 0.0),
    (bit(2, ModbusTable.COIL, 11), 1.0),
    (bit(3, ModbusTable.DISCRETE, 198), 1.0),
    (bit(4, ModbusTable.DISCRETE, 199), 0.0),
    (tag_of(5, ModbusAddress(ModbusTable.INPUT, 0, Encoding.UINT16)), 2000.0),
    (tag_of(6, ModbusAddress(ModbusTable.INPUT, 199, Encoding.INT16, scale=0.1)), 219.9),
    (tag_of(7, ModbusAddress(ModbusTable.HOLDING, 40, Encoding.UINT32, length=2)), 1040 * 65_536 + 1041),
    (tag_of(8, ModbusAddress(ModbusTable.HOLDING, 42, Encoding.UINT32, ByteOrder.CDAB, 2)), 1043 * 65_536 + 1042),
    (tag_of(9, ModbusAddress(ModbusTable.HOLDING, 44, Encoding.BIT, bit=4), DataType.BOOLEAN), 1.0),
    (tag_of(10, ModbusAddress(ModbusTable.HOLDING, 125, Encoding.UINT16)), 1125.0),
]
"""All four tables, over several requests, with what every server holds at first; 1044 is 0x414."""
WRITES: list[tuple[Tag, CommandValue]] = [
    (tag_of(20, ModbusAddress(ModbusTable.HOLDING, 60, Encoding.INT16)), -300),
    (tag_of(21, ModbusAddress(ModbusTable.HOLDING, 62, Encoding.FLOAT32, length=2)), 12.75),
    (tag_of(22, ModbusAddress(ModbusTable.HOLDING, 64, Encoding.FLOAT64, ByteOrder.DCBA, 4)), 0.1),
    (tag_of(23, ModbusAddress(ModbusTable.HOLDING, 70, Encoding.STRING, length=4), DataType.STRING), "LOT-0042"),
    (bit(24, ModbusTable.COIL, 20), 1),
    (tag_of(25, ModbusAddress(ModbusTable.HOLDING, 80, Encoding.BIT, bit=7), DataType.BOOLEAN), 1),
]
MISSING = tag_of(30, ModbusAddress(ModbusTable.HOLDING, 200, Encoding.UINT16))
"""Behind the last register of every server."""


async def until(condition: Callable[[], bool]) -> None:
    async with asyncio.timeout(20):
        while not condition():
            await asyncio.sleep(0.01)


class Link:
    """A device link, with everything it said."""

    def __init__(self, device: ModbusDevice, tags: list[Tag]) -> None:
        self.newest: dict[int, tuple[float | str, int]] = {}
        """Tag id -> (value, quality)."""
        self.registry = CollectorRegistry()
        metrics = DriverMetricFamilies(self.registry).of("modbus", device.name)
        backoff = Backoff(first=0.05, cap=0.1, floor=0.02)
        self.link = DeviceLink(device, tags, ModbusDriver().open, self._publish, lambda status: None, metrics, backoff=backoff)

    async def _publish(self, batch: Batch) -> None:
        for tag_id, value, quality in zip(batch.tag_id.tolist(), batch.value.tolist(), batch.quality.tolist(), strict=True):
            self.newest[tag_id] = value, quality

    async def good(self, tags: list[Tag]) -> None:
        """Until all of these are Good. On a line without transaction numbers values are Uncertain until a scan went well."""
        await until(lambda: {self.newest[tag.id][1] for tag in tags} == {Quality.GOOD})

    async def shows(self, tag: Tag, value: CommandValue) -> None:
        """Until a scan brought this value."""
        await until(lambda: self.newest[tag.id] == (value, Quality.GOOD))

    def rejected(self) -> float:
        """Answers that were no answers to what was asked."""
        counted = [sample for family in self.registry.collect() for sample in family.samples if sample.name == "monazite_driver_frames_rejected_total"]
        return sum(sample.value for sample in counted)


def device_on(line: ModbusLine) -> ModbusDevice:
    return ModbusDevice(DEVICE, "SEP", line, UNIT, timeout=2.0)


@asynccontextmanager
async def linked(device: ModbusDevice, tags: list[Tag]) -> AsyncIterator[Link]:
    link = Link(device, tags)
    async with supervised(link.link):
        await until(lambda: len(link.newest) == len(tags))
        yield link
        assert link.rejected() == 0


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


@asynccontextmanager
async def tcp_server(name: str) -> AsyncIterator[TcpLine]:
    command: list[str | Path] = [LIBMODBUS_SERVER, "tcp"] if name == "libmodbus" else ["node", FOLDER / "modbus_server.mjs", str(free_port())]
    async with running(name, *command) as peer:
        yield TcpLine("127.0.0.1", peer.port)


def pass_on(source: int, target: int) -> None:
    os.write(target, os.read(source, 4096))


@asynccontextmanager
async def serial_cable() -> AsyncIterator[tuple[Path, Path]]:
    """Two serial ports, joined."""
    pairs = [pty.openpty() for _ in range(2)]
    loop = asyncio.get_running_loop()
    for (source, port), (target, _) in zip(pairs, reversed(pairs), strict=True):
        tty.setraw(port)
        loop.add_reader(source, pass_on, source, target)
    try:
        yield Path(os.ttyname(pairs[0][1])), Path(os.ttyname(pairs[1][1]))
    finally:
        for source, port in pairs:
            loop.remove_reader(source)
            os.close(source)
            os.close(port)


@asynccontextmanager
async def any_server(name: str) -> AsyncIterator[ModbusLine]:
    if name in TCP:
        async with tcp_server(name) as line:
            yield line
        return
    async with serial_cable() as (theirs, ours), running("libmodbus", LIBMODBUS_SERVER, "rtu", theirs):
        yield SerialLine(str(ours))


EVERY_SERVER = pytest.mark.parametrize("name", [*TCP, "libmodbus over a serial line"])


@EVERY_SERVER
async def test_all_four_tables_are_read(name: str) -> None:
    async with any_server(name) as line, linked(device_on(line), [tag for tag, _ in READ]) as link:
        await link.good([tag for tag, _ in READ])
        for tag, value in READ:
            assert link.newest[tag.id][0] == pytest.approx(value), tag.source


@EVERY_SERVER
async def test_writes_are_confirmed_by_their_read_back_and_seen_by_the_scans(name: str) -> None:
    tags = [tag for tag, _ in WRITES]
    async with any_server(name) as line:
        knows_masks = name != "modbus-serial"
        device = replace(device_on(line), bit_writes=BitWrites.MASK if knows_masks else BitWrites.READ_MODIFY_WRITE)
        async with linked(device, tags) as link:
            for tag, value in WRITES:
                outcome = await link.link.write(tag, value, 5.0)
                assert outcome.status is WriteStatus.CONFIRMED, (tag.source, outcome)
                await link.shows(tag, value)


@EVERY_SERVER
async def test_an_address_that_does_not_exist_costs_its_own_tag_only(name: str) -> None:
    good = [tag for tag, _ in READ]
    async with any_server(name) as line, linked(device_on(line), [*good, MISSING]) as link:
        await link.good(good)
        assert link.newest[MISSING.id][1] < 0
        refused = await link.link.write(MISSING, 5, 5.0)
        assert refused.status is WriteStatus.REJECTED
        assert "exception 02" in refused.detail


async def test_a_value_that_the_device_refuses_is_told_with_its_exception() -> None:
    limited = tag_of(40, ModbusAddress(ModbusTable.HOLDING, 190, Encoding.UINT16))
    async with tcp_server("modbus-serial") as line, linked(device_on(line), [limited]) as link:
        refused = await link.link.write(limited, 101, 5.0)
        assert refused.status is WriteStatus.REJECTED
        assert "exception 03" in refused.detail
        assert link.newest[limited.id] == (1190.0, Quality.GOOD)
        assert (await link.link.write(limited, 99, 5.0)).status is WriteStatus.CONFIRMED


async def test_a_killed_server_is_bad_and_good_again_when_it_is_back(tmp_path: Path) -> None:
    tags = [tag for tag, _ in READ]
    port = free_port()
    command: list[str | Path] = ["node", FOLDER / "modbus_server.mjs", str(port)]
    async with running("modbus-serial", *command) as first, linked(device_on(TcpLine("127.0.0.1", port)), tags) as link:
        await first.kill()
        await until(lambda: {quality for _, quality in link.newest.values()} == {Quality.BAD_NO_COMMUNICATION})
        async with running("modbus-serial", *command):
            await link.good(tags)


# ---- The simulated PLC, asked by mbpoll

SIMULATED = (
    tag_of(1, ModbusAddress(ModbusTable.COIL, 3, Encoding.BIT), DataType.BOOLEAN),
    tag_of(2, ModbusAddress(ModbusTable.DISCRETE, 17, Encoding.BIT), DataType.BOOLEAN),
    tag_of(3, ModbusAddress(ModbusTable.INPUT, 0, Encoding.FLOAT32, length=2)),
    tag_of(4, ModbusAddress(ModbusTable.HOLDING, 100, Encoding.FLOAT32, ByteOrder.CDAB, 2)),
    tag_of(5, ModbusAddress(ModbusTable.HOLDING, 102, Encoding.INT16)),
)


async def mbpoll(port: int, *options: str, unit: int = UNIT) -> tuple[int, str]:
    """Exit code and output of one poll. Addresses are those of the protocol data unit (``-0``)."""
    require("mbpoll")
    command = ["mbpoll", "-m", "tcp", "-a", str(unit), "-p", str(port), "-0", "-1", "-o", "2", *options]
    pipe, joined = asyncio.subprocess.PIPE, asyncio.subprocess.STDOUT
    process = await asyncio.create_subprocess_exec(*command, stdout=pipe, stderr=joined)
    async with asyncio.timeout(15):
        said, _ = await process.communicate()
    assert process.returncode is not None
    return process.returncode, said.decode()


def values_in(said: str) -> dict[int, float]:
    """Address -> value, from lines as ``[100]: \t80.5``."""
    return {int(address): float(value) for address, value in re.findall(r"^\[(\d+)\]:\s+(\S+)", said, re.MULTILINE)}


async def test_mbpoll_reads_from_the_simulated_plc_what_its_image_holds_and_writes_to_it() -> None:
    require("mbpoll")
    image = TagImage(SIMULATED, now())
    server = ModbusServer(image, UNIT)
    port = int((await server.start()).rpartition(":")[2])
    try:
        for position, value in enumerate((1.0, 1.0, 12.5, 80.25, 42.0)):
            image.write(position, value, now())
        asked = {3: ["-t", "0", "-r", "3"], 17: ["-t", "1", "-r", "17"], 0: ["-t", "3:float", "-B", "-r", "0"], 100: ["-t", "4:float", "-r", "100"]}
        held = {3: 1.0, 17: 1.0, 0: 12.5, 100: 80.25}
        for address, options in asked.items():
            code, said = await mbpoll(port, *options, "127.0.0.1")
            assert (code, values_in(said)) == (0, {address: held[address]}), said
        code, said = await mbpoll(port, "-t", "4", "-r", "102", "127.0.0.1", "37")
        assert code == 0, said
        code, said = await mbpoll(port, "-t", "4", "-r", "102", "127.0.0.1")
        assert values_in(said) == {102: 37.0}
        code, said = await mbpoll(port, "-t", "4", "-r", "150", "127.0.0.1")
        assert "Illegal data address" in said
    finally:
        await server.stop()
