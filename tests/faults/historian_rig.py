"""A historian under 20 000 numbered samples a second, between a bus and a store that a test may take away; and what holds the store against the load."""

import asyncio
import contextlib
import random
import sqlite3
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import Final

import httpx
import numpy as np

import plant
from services.bus import BUS_ERRORS, provision, subjects
from services.store import Store, open_store
from tests.faults.figures import scaled
from tests.faults.killed_parts import BusPart, DatabasePart, HistorianPart, Part
from tests.faults.numbered_load import SAMPLES_A_BATCH, NumberedDevice, NumberedLoad, RepeatingBus, numbered_load
from tests.postgres import PostgresServer
from tests.stack import Stack, running_stack

DRAINED_WITHIN: Final = scaled(600.0, 120.0)
EVER: Final = (0, 10**17)


class Rig:
    """Load, bus, historian and store, each to be killed."""

    def __init__(self, stack: Stack, store_url: str, database: PostgresServer | None, load: NumberedLoad, bus: RepeatingBus) -> None:
        self.chance = random.Random(20_261_124)
        self.store_url = store_url
        self.load = load
        self.bus = bus
        self.historian = HistorianPart(stack)
        self.nats = stack.nats
        self.database = database
        self.parts: list[Part] = [self.historian, BusPart(stack.nats)]
        if database is not None:
            self.parts.append(DatabasePart(database, self.chance))

    @property
    def live(self) -> int:
        """So many batches may be on their way through a historian that keeps up: those of three seconds."""
        return 3 * len(self.load.devices)

    @property
    def sqlite_file(self) -> Path:
        return Path(self.store_url.removeprefix("sqlite:///"))

    async def store_is_up(self) -> bool:
        """What the historian says of it."""
        async with httpx.AsyncClient() as client:
            text = (await client.get(str(self.historian.ready["metrics"]), timeout=10)).raise_for_status().text
        return "\nmonazite_storage_up 1.0" in text

    async def unread(self) -> int:
        return (await self.bus.streams.stream_info(subjects.SAMPLES_STREAM)).state.messages

    async def drained(self, unread: int = 0) -> float:
        """Seconds until no more than ``unread`` batches are in the stream."""
        begun, seen = time.monotonic(), list[int]()
        while not seen or seen[-1] > unread:
            assert time.monotonic() - begun < DRAINED_WITHIN, f"batches in the stream, each 5 s: {seen[::100]}; of the historian: {await self.log()}"
            with contextlib.suppress(*BUS_ERRORS):
                seen.append(await self.unread())
            await asyncio.sleep(0.05)
        return time.monotonic() - begun

    async def log(self) -> str:
        return await asyncio.to_thread(self.historian.log)


@asynccontextmanager
async def rig_on(kind: str, folder: Path, *, store_folder: Path | None = None, nats_folder: Path | None = None) -> AsyncIterator[Rig]:
    """Under load, with the store of that kind; what is not named lies in ``folder``, PostgreSQL where the system has its temporary files."""
    async with AsyncExitStack() as exits:
        database = None
        store_url = f"sqlite:///{store_folder or folder}/history.sqlite"
        if kind == "postgres":
            database = PostgresServer(store_folder)
            exits.callback(database.close)
            await asyncio.to_thread(database.start)
            store_url = database.dsn
        site = Path(plant.__file__).parent / "reference"
        stack = await exits.enter_async_context(running_stack(folder / "stack", site, store_url, nats_folder))
        async with await stack.nats.connect() as bus:
            await provision(bus)
        load, repeating = await exits.enter_async_context(numbered_load(stack.nats))
        rig = Rig(stack, store_url, database, load, repeating)
        await rig.historian.start()
        yield rig


def wrong_tags(store: Store, device: NumberedDevice, since: int) -> list[int]:
    """Tags of which the store does not hold, from sample number ``since`` on, exactly what was made."""
    found = []
    for number, tag in enumerate(device.tags.tolist()):
        stored = store.samples(tag, device.time_of(since), EVER[1], 10**8)
        numbers = device.expected(number, since)
        if not (np.array_equal(stored.value, numbers) and np.array_equal(stored.time, device.time_of(0) + (numbers * 1_000)) and not stored.quality.any()):
            found.append(tag)
    return found


class Auditor:
    """Holds the store against what the bus acknowledged."""

    def __init__(self, rig: Rig) -> None:
        self._rig = rig
        self._since = 0

    async def check(self, *, everything: bool = False) -> None:
        """The load pauses, all parts are up and the stream is drained when the store is looked at."""
        await self._rig.load.pause()
        await self._rig.drained()
        await asyncio.to_thread(self._check, 0 if everything else self._since)
        made = self._rig.load.devices[0].made
        self._since = max(0, made - 2 * len(self._rig.load.devices)) * SAMPLES_A_BATCH  # the latest samples are still to come
        self._rig.load.flows.set()

    def _check(self, since: int) -> None:
        with contextlib.closing(open_store(self._rig.store_url)) as store:
            wrong = {device.name: tags for device in self._rig.load.devices if (tags := wrong_tags(store, device, since))}
            assert wrong == {}, "what is stored is not what was acknowledged"
            assert store.positions() == {device.name: device.position for device in self._rig.load.devices}
            assert [gap for gap in store.gaps(*EVER) if not gap.recovered] == [], "nothing was lost"


@contextlib.contextmanager
def locked_out(file: Path) -> Iterator[None]:
    """Somebody else writes to the database, and does not end."""
    with contextlib.closing(sqlite3.connect(file, isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        yield
        other.execute("ROLLBACK")


@asynccontextmanager
async def store_away(rig: Rig) -> AsyncIterator[None]:
    """PostgreSQL crashes; SQLite belongs to somebody else."""
    if rig.database is not None:
        await asyncio.to_thread(rig.database.kill)
        yield
        await asyncio.to_thread(rig.database.start)
    else:
        with locked_out(rig.sqlite_file):
            yield
