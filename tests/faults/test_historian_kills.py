"""Historian, bus and database killed at random moments under 20 000 numbered samples a second: what the bus acknowledged is stored, and once.

``MONAZITE_FULL_FAULTS=1`` has 200 kills on each store and a store that is away for half a minute; else a few of them, and some seconds.
"""

import asyncio
import contextlib
import random
import sqlite3
import statistics
import time
from collections import Counter
from collections.abc import AsyncIterator, Iterator
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path

import numpy as np
import pytest

import plant
from plant import times
from plant.envelope import unseal
from services.bus import BUS_ERRORS, provision, subjects
from services.store import Store, open_store
from tests.faults.figures import report, resident_bytes, scaled
from tests.faults.killed_parts import BusPart, DatabasePart, HistorianPart, Part, is_committing
from tests.faults.numbered_load import SAMPLES_A_BATCH, SAMPLES_A_SECOND, NumberedDevice, NumberedLoad, RepeatingBus, numbered_load
from tests.postgres import PostgresServer
from tests.stack import Stack, running_stack

SEED = 20_261_124
ROUNDS = scaled(200, 4)
ROUNDS_A_CHECK = 20
LONGEST_PAUSE = scaled(4, 2)
"""Seconds between two kills, and that a part is away, at most."""
AWAY = scaled(30, 6)
DRAINED_WITHIN = 120.0
LIVE_RATES = scaled(5, 2)
"""The backlog drains at least so many times as fast as it grew."""
GROWTH = 48 * 2**20
EVER = (0, 10**17)

pytestmark = pytest.mark.timeout(scaled(3_600, 120))


class Rig:
    """Load, bus, historian and store, each to be killed."""

    def __init__(self, stack: Stack, store_url: str, database: PostgresServer | None, load: NumberedLoad, bus: RepeatingBus) -> None:
        self.chance = random.Random(SEED)
        self.store_url = store_url
        self.load = load
        self.bus = bus
        self.historian = HistorianPart(stack)
        self.parts: list[Part] = [self.historian, BusPart(stack.nats)]
        if database is not None:
            self.parts.append(DatabasePart(database, self.chance))

    async def unread(self) -> int:
        return (await self.bus.streams.stream_info(subjects.SAMPLES_STREAM)).state.messages

    async def drained(self, unread: int = 0) -> float:
        """Seconds until no more than ``unread`` batches are in the stream."""
        begun = time.monotonic()
        async with asyncio.timeout(DRAINED_WITHIN):
            while True:
                try:
                    if await self.unread() <= unread:
                        return time.monotonic() - begun
                except BUS_ERRORS:
                    pass
                await asyncio.sleep(0.05)


@asynccontextmanager
async def rig_on(kind: str, folder: Path) -> AsyncIterator[Rig]:
    async with AsyncExitStack() as exits:
        database = None
        store_url = f"sqlite:///{folder}/history.sqlite"
        if kind == "postgres":
            database = PostgresServer()
            exits.callback(database.close)
            await asyncio.to_thread(database.start)
            store_url = database.dsn
        site = Path(plant.__file__).parent / "reference"
        stack = await exits.enter_async_context(running_stack(folder / "stack", site, store_url))
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


async def kill_one(rig: Rig, victims: list[Part]) -> tuple[Part, bool]:
    """One of ``victims`` that is up, sometime, every second time in the middle of a commit if there is one. Whether there was one, too."""
    await asyncio.sleep(rig.chance.uniform(0.0, LONGEST_PAUSE))
    while not any(part.is_up for part in victims):
        await asyncio.sleep(0.01)
    committing = await asyncio.to_thread(is_committing, rig.store_url)
    if rig.chance.random() < 0.5:
        patient_until = time.monotonic() + 2.0
        while not committing and time.monotonic() < patient_until:
            committing = await asyncio.to_thread(is_committing, rig.store_url)
    part = rig.chance.choice([part for part in victims if part.is_up])
    part.is_up = False
    await part.kill()
    return part, committing


async def bring_back(part: Part, after: float) -> None:
    await asyncio.sleep(after)
    await part.start()
    part.is_up = True


@pytest.mark.parametrize("kind", ["sqlite", "postgres"])
async def test_what_the_bus_acknowledged_is_stored_once_whatever_is_killed(kind: str, tmp_path: Path) -> None:
    kills, in_commit, drains, memory = Counter[str](), Counter[str](), list[float](), list[int]()
    async with rig_on(kind, tmp_path) as rig, asyncio.TaskGroup() as group:
        supervising = group.create_task(rig.historian.supervise())
        auditor, returning, begun = Auditor(rig), list[asyncio.Task[None]](), time.monotonic()
        for number in range(ROUNDS):
            victims = [part for part in rig.parts if not kills[part.name]] or rig.parts
            part, committing = await kill_one(rig, victims)
            kills[part.name] += 1
            in_commit[part.name] += committing
            returning.append(group.create_task(bring_back(part, rig.chance.uniform(0.0, LONGEST_PAUSE))))
            if (number + 1) % ROUNDS_A_CHECK == 0 or number + 1 == ROUNDS:
                await asyncio.gather(*returning)
                drains.append(await rig.drained(len(rig.load.devices)))
                await auditor.check(everything=number + 1 == ROUNDS)
                memory.append(resident_bytes(rig.historian.ready["pid"]))
        took = time.monotonic() - begun
        supervising.cancel()
        report(f"{kind}: {ROUNDS} kills in {took:.0f} s: {dict(kills)}, in the middle of a commit {dict(in_commit)}")
        report(f"{rig.load.samples} samples acknowledged and stored; batches offered again {rig.bus.repeated}")
        report(f"historian ended by itself at a start without a bus: {rig.historian.ended_by_itself}; resident MiB: {[figure >> 20 for figure in memory]}")
        report(f"from the last restart to drained under load: {statistics.median(drains):.1f} s, at most {max(drains):.1f} s")
        assert min(kills[part.name] for part in rig.parts) > 0
        assert in_commit.total() > 0
        assert min(rig.bus.repeated.values()) > 0 or ROUNDS < 10


@contextlib.contextmanager
def locked_out(file: Path) -> Iterator[None]:
    """Somebody else writes to the database, and does not end."""
    with contextlib.closing(sqlite3.connect(file, isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        yield
        other.execute("ROLLBACK")


@asynccontextmanager
async def store_away(rig: Rig) -> AsyncIterator[None]:
    if isinstance(rig.parts[-1], DatabasePart):
        await asyncio.to_thread(rig.parts[-1].server.kill)
        yield
        await asyncio.to_thread(rig.parts[-1].server.start)
    else:
        with locked_out(Path(rig.store_url.removeprefix("sqlite:///"))):
            yield


@asynccontextmanager
async def ages_of_live_values(rig: Rig) -> AsyncIterator[list[float]]:
    """Seconds from the arrival of each batch at the gateway to that at a listener on the bus."""
    ages: list[float] = []

    async def heard(subject: str, data: bytes) -> None:
        ages.append((times.now() - unseal(data)[1].received) / times.MICROSECONDS)

    subscription = await rig.bus.subscribe(subjects.ALL_SAMPLES, heard)
    yield ages
    await subscription.unsubscribe()


@pytest.mark.parametrize("kind", ["sqlite", "postgres"])
async def test_after_an_outage_of_the_store_the_backlog_drains_while_live_values_go_on(kind: str, tmp_path: Path) -> None:
    rates, memory = list[float](), list[int]()
    async with rig_on(kind, tmp_path) as rig:
        auditor, live = Auditor(rig), len(rig.load.devices)
        for _ in range(scaled(5, 2)):
            await auditor.check()
            memory.append(resident_bytes(rig.historian.ready["pid"]))
            async with store_away(rig):
                await asyncio.sleep(AWAY)
                backlog, made = await rig.unread(), sum(device.made for device in rig.load.devices)
            assert backlog >= 0.9 * AWAY * live - live, "the store was away"
            async with ages_of_live_values(rig) as ages:
                took = await rig.drained(live)
                made = sum(device.made for device in rig.load.devices) - made
                await asyncio.sleep(1.0)
            rates.append((backlog - live + made) / took / live)
            report(f"{kind}: {backlog * SAMPLES_A_BATCH} samples and {made * SAMPLES_A_BATCH} that came meanwhile: {took:.1f} s, {rates[-1]:.1f} live rates")
            report(f"live values at most {max(ages) * 1000:.0f} ms old, {len(ages)} batches")
            assert max(ages) < 1.0
        await auditor.check(everything=True)
        memory.append(resident_bytes(rig.historian.ready["pid"]))
    report(f"resident MiB of the historian: {[figure >> 20 for figure in memory]}; live rate {SAMPLES_A_SECOND} samples/s")
    assert statistics.median(rates) >= LIVE_RATES
    assert memory[-1] - memory[1] < GROWTH
