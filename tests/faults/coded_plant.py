"""An OPC UA server in a process of its own whose every value says of itself to which tag it belongs, so that a wrong one is known by looking at it."""

import asyncio
import contextlib
import logging
import socket
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC
from pathlib import Path
from typing import Final

import numpy as np
import numpy.typing as npt
from asyncua import Server, ua

from plant.batch import SampleBatch, TextBatch
from plant.device import OpcuaAddress
from plant.quality import Quality, good_mask
from plant.tag import DataType, Tag
from tests.samples import make_tag

URI: Final = "urn:test:coded"
_ROOT: Final = Path(__file__).parents[2]
_STEPS: Final = 97
_RANGE: Final = 1000
_STRIDE: Final = 7
_TYPES: Final = (DataType.DOUBLE, DataType.FLOAT, DataType.INT32, DataType.STRING, DataType.DOUBLE, DataType.DOUBLE)
_VARIANTS: Final = {
    DataType.DOUBLE: ua.VariantType.Double,
    DataType.FLOAT: ua.VariantType.Float,
    DataType.INT32: ua.VariantType.Int32,
    DataType.STRING: ua.VariantType.String,
}
_BOOT: Final = 60.0

TAGS: Final = tuple(
    make_tag(number, f"SEP.COL101.T{number}", data_type=_TYPES[number % len(_TYPES)], source=OpcuaAddress(f"nsu={URI};s=T{number}"), scan_ms=10)
    for number in range(1, 25)
)


def number_of(tag_id: int, step: int) -> float:
    """The ranges of tags have nothing in common, and one number in seven of a range is a value. Exact in float32."""
    return float(tag_id * _RANGE + _STRIDE * (step % _STEPS))


def text_of(tag_id: int, step: int) -> str:
    """Tag, step, and a check over both."""
    step %= _STEPS
    return f"LOT-{tag_id:02d}-{step:02d}-{(31 * tag_id + 17 * step) % _STEPS:02d}"


_TEXTS: Final = {tag.id: {text_of(tag.id, step) for step in range(_STEPS)} for tag in TAGS if tag.data_type.is_text}


def wrong_rows(batch: SampleBatch | TextBatch, earliest: int, latest: int) -> list[tuple[int, int, object, int]]:
    """The Good samples that no tag of the plant ever had: the value of another tag or of none, or a time before ``earliest`` or after ``latest``."""
    wrong: npt.NDArray[np.bool_] = (batch.time < earliest) | (batch.time > latest)
    if isinstance(batch, SampleBatch):
        offset = batch.value - batch.tag_id.astype(np.float64) * _RANGE
        with np.errstate(invalid="ignore"):
            wrong = wrong | ~((offset >= 0) & (offset < _STRIDE * _STEPS) & (offset % _STRIDE == 0))
    else:
        stray = [text not in _TEXTS.get(tag, ()) for tag, text in zip(batch.tag_id.tolist(), batch.value, strict=True)]
        wrong = wrong | np.array(stray, np.bool_)
    rows = np.flatnonzero(good_mask(batch.quality) & wrong).tolist()
    return [(int(batch.tag_id[row]), int(batch.time[row]), batch.value[row], int(batch.quality[row])) for row in rows]


class Newest:
    """The newest quality of each tag, by arrival."""

    def __init__(self) -> None:
        self.quality = {tag.id: int(Quality.BAD_WAITING_FOR_INITIAL_DATA) for tag in TAGS}

    def see(self, batch: SampleBatch | TextBatch) -> None:
        self.quality.update(zip(batch.tag_id.tolist(), batch.quality.tolist(), strict=True))

    @property
    def are_good(self) -> bool:
        return all(quality == Quality.GOOD for quality in self.quality.values())

    @property
    def are_bad(self) -> bool:
        return all(quality < 0 for quality in self.quality.values())


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


class CodedServer:
    """The server process. It can be killed and started again, on the same port."""

    def __init__(self) -> None:
        self.port = free_port()
        self._process: asyncio.subprocess.Process | None = None

    async def start(self) -> None:
        """Returns when it accepts connections."""
        program = "import asyncio; from tests.faults.coded_plant import serve_for_ever; asyncio.run(serve_for_ever())"
        pipe = asyncio.subprocess.PIPE
        self._process = await asyncio.create_subprocess_exec(sys.executable, "-c", program, str(self.port), cwd=_ROOT, stdin=pipe, stdout=pipe)
        assert await self._line(_BOOT) == "ready"

    async def sessions(self) -> tuple[int, int]:
        """As the server counts them: those open now, and the most that were open at once since it started."""
        assert self._process is not None
        assert self._process.stdin is not None
        self._process.stdin.write(b"?\n")
        now, most = (await self._line(20.0)).split()
        return int(now), int(most)

    async def kill(self) -> None:
        """SIGKILL."""
        if self._process is not None:
            with contextlib.suppress(ProcessLookupError):
                self._process.kill()
            await self._process.communicate()
            self._process = None

    async def _line(self, deadline: float) -> str:
        assert self._process is not None
        assert self._process.stdout is not None
        async with asyncio.timeout(deadline):
            return (await self._process.stdout.readline()).decode().strip()


@asynccontextmanager
async def coded_server() -> AsyncIterator[CodedServer]:
    server = CodedServer()
    try:
        await server.start()
        yield server
    finally:
        await server.kill()


class _Census:
    """Counts the sessions of a server."""

    def __init__(self, server: Server) -> None:
        self._server = server
        self._most = 0

    def count(self) -> int:
        now = len(self._server.iserver._external_sessions)
        self._most = max(self._most, now)
        return now

    async def answer(self) -> None:
        """Each line that is sent is a question."""
        reader = asyncio.StreamReader()
        await asyncio.get_running_loop().connect_read_pipe(lambda: asyncio.StreamReaderProtocol(reader), sys.stdin)
        while await reader.readline():
            sys.stdout.write(f"{self.count()} {self._most}\n")
            sys.stdout.flush()


async def serve_for_ever() -> None:
    """A new value of a few tags every fiftieth of a second. What the library says of connections that end is not told: they are meant to."""
    logging.disable(logging.CRITICAL)
    server = Server()
    await server.init()
    server.set_endpoint(f"opc.tcp://127.0.0.1:{sys.argv[1]}/")
    server.set_security_policy([ua.SecurityPolicyType.NoSecurity])
    assert await server.register_namespace(URI) == 2
    for tag in TAGS:
        await server.nodes.objects.add_variable(_node_of(tag), tag.name, variant_of(tag, 0))
    async with server:
        census = _Census(server)
        answering = asyncio.create_task(census.answer())
        sys.stdout.write("ready\n")
        sys.stdout.flush()
        step = 0
        while not answering.done():
            step += 1
            for tag in TAGS[step % 4 :: 4]:
                await server.write_attribute_value(_node_of(tag), _value_of(tag, step))
            census.count()
            await asyncio.sleep(0.02)


def _node_of(tag: Tag) -> ua.NodeId:
    return ua.NodeId(ua.String(f"T{tag.id}"), ua.Int16(2))


def variant_of(tag: Tag, step: int) -> ua.Variant:
    """The value of a tag at a step, of the tag's type."""
    number = number_of(tag.id, step)
    value = text_of(tag.id, step) if tag.data_type.is_text else int(number) if tag.data_type is DataType.INT32 else number
    return ua.Variant(value, _VARIANTS[tag.data_type])


def _value_of(tag: Tag, step: int) -> ua.DataValue:
    return ua.DataValue(variant_of(tag, step), SourceTimestamp=ua.DateTime.now(UTC))
