"""Devices whose samples are numbered, through the gateway's own outbox onto the bus: what is stored can be counted exactly.

Sample ``n`` of a device has the value ``n``, the time ``begin + n`` milliseconds and the tag ``n modulo 13`` of the device's own: each stored row proves
itself, and a row too many or too few is seen. One in five is late: it leaves some batches behind the others of its time. One batch in fifty is offered
again when the bus has it: under its own identity, which the bus notices, or under another, which is for the historian to notice.
"""

import asyncio
import random
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import Final

import numpy as np
import numpy.typing as npt
from nats.aio.client import Client
from prometheus_client import CollectorRegistry

from plant import times
from plant.batch import SampleBatch
from plant.device import Expression
from plant.errors import BusUnavailable
from plant.ledger import Position
from plant.site_loader import reference_site
from plant.tag import DataType
from services.bus import Bus
from services.gateway.metrics import GatewayMetrics
from services.gateway.outbox import Outbox
from tests.nats_server import NatsServer

AREA: Final = "SEP"
DEVICES: Final = 20
TAGS_A_DEVICE: Final = 13
SAMPLES_A_BATCH: Final = 1_000
SAMPLES_A_SECOND: Final = DEVICES * SAMPLES_A_BATCH
_LATE: Final = 5
_OFFERED_AGAIN: Final = 0.02
_SPACING: Final = 1_000


class RepeatingBus(Bus):
    """Remembers what the bus acknowledged, and offers some of it a second time."""

    def __init__(self, client: Client) -> None:
        super().__init__(client)
        self.acknowledged: set[str] = set()
        self.refused = 0
        self.repeated = {"under its own identity": 0, "under another": 0}
        self._chance = random.Random(20_261_124)

    async def publish_durably(self, stream: str, subject: str, data: bytes, identity: str, headers: dict[str, str] | None = None) -> None:
        try:
            await super().publish_durably(stream, subject, data, identity, headers)
        except BusUnavailable:
            self.refused += 1
            raise
        self.acknowledged.add(identity)
        if self._chance.random() < _OFFERED_AGAIN:
            how = self._chance.choice(list(self.repeated))
            try:
                await super().publish_durably(stream, subject, data, identity if how == "under its own identity" else f"{identity} again", headers)
            except BusUnavailable:
                return
            self.repeated[how] += 1


class NumberedDevice:
    """Batches number ``0 … made - 1`` of a device are on their way or on the bus."""

    def __init__(self, number: int, begin: int, bus: RepeatingBus, metrics: GatewayMetrics) -> None:
        self.name = f"PLC-LOAD-{number:02d}"
        tags = [
            tag.id for tag in reference_site().tags if tag.data_type is DataType.FLOAT and not isinstance(tag.source, Expression)
        ]  # those the historian computes
        self.tags = np.array(tags[number * TAGS_A_DEVICE : (number + 1) * TAGS_A_DEVICE], np.int32)
        self.made = 0
        self.outbox = Outbox(bus, AREA, self.name, begin, metrics)
        self._begin = begin
        self._bus = bus
        self._late_by = 1 + number

    async def put_next(self) -> None:
        fresh = np.arange(self.made * SAMPLES_A_BATCH, (self.made + 1) * SAMPLES_A_BATCH)
        late = fresh - self._late_by * SAMPLES_A_BATCH
        numbers = np.concatenate([fresh[fresh % _LATE != 0], late[(late % _LATE == 0) & (late >= 0)]])
        batch = SampleBatch(self.tags[numbers % TAGS_A_DEVICE], self._begin + numbers * _SPACING, numbers.astype(np.float64), np.zeros(len(numbers), np.int16))
        self.made += 1
        await self.outbox.put(batch, times.now())

    @property
    def acknowledged(self) -> int:
        """Batches, counted from the first, that the bus has."""
        return sum(f"{self.name}:{self._begin}:{sequence}" in self._bus.acknowledged for sequence in range(self.made))

    def expected(self, tag: int, since: int) -> npt.NDArray[np.int64]:
        """Numbers of the samples of the ``tag``-th tag, from number ``since``, that all batches made carry."""
        numbers: npt.NDArray[np.int64] = np.arange(since + (tag - since) % TAGS_A_DEVICE, self.made * SAMPLES_A_BATCH, TAGS_A_DEVICE)
        has_come: npt.NDArray[np.bool_] = (numbers % _LATE != 0) | (numbers < (self.made - self._late_by) * SAMPLES_A_BATCH)
        return np.compress(has_come, numbers)

    def time_of(self, number: int) -> int:
        return self._begin + number * _SPACING

    @property
    def position(self) -> Position:
        """Where the store stands when it has all batches made."""
        return Position(self.name, self._begin, self.made - 1, self.time_of(self.made * SAMPLES_A_BATCH - 1))


class NumberedLoad:
    """All devices, each a batch a second while it ``flows``."""

    def __init__(self, devices: Sequence[NumberedDevice]) -> None:
        self.devices = devices
        self.flows = asyncio.Event()
        self.flows.set()

    async def run(self) -> None:
        async with asyncio.TaskGroup() as group:
            for number, device in enumerate(self.devices):
                group.create_task(device.outbox.run())
                group.create_task(self._feed(device, number / DEVICES))

    async def _feed(self, device: NumberedDevice, begin_after: float) -> None:
        await asyncio.sleep(begin_after)
        while True:
            due = asyncio.get_running_loop().time() + 1.0
            await self.flows.wait()
            await device.put_next()
            await asyncio.sleep(due - asyncio.get_running_loop().time())

    async def pause(self) -> None:
        """Nothing more is made, and the bus has acknowledged all that was."""
        self.flows.clear()
        for device in self.devices:
            await device.outbox.drained()
        assert [device.name for device in self.devices if device.acknowledged != device.made] == []

    @property
    def samples(self) -> int:
        """Rows that belong in the store when everything made is."""
        return sum(len(device.expected(tag, 0)) for device in self.devices for tag in range(TAGS_A_DEVICE))


@asynccontextmanager
async def numbered_load(server: NatsServer) -> AsyncIterator[tuple[NumberedLoad, RepeatingBus]]:
    """At work until the end of the context. The streams must have been made."""
    user, password = (server.environment[f"MONAZITE_NATS_{name}"] for name in ("USER", "PASSWORD"))
    async with await RepeatingBus.connect(server.url, name="load", user=user, password=password) as bus:
        metrics, begin = GatewayMetrics(CollectorRegistry()), times.now()
        load = NumberedLoad([NumberedDevice(number, begin, bus, metrics) for number in range(DEVICES)])
        running = asyncio.create_task(load.run())
        try:
            yield load, bus
        finally:
            running.cancel()
            await asyncio.gather(running, return_exceptions=True)
