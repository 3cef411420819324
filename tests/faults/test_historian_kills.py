"""Historian, bus and database killed at random moments under 20 000 numbered samples a second: what the bus acknowledged is stored, and once.

``MONAZITE_FULL_FAULTS=1`` has 200 kills on each store and a store that is away for half a minute; else a few of them, and some seconds.
"""

import asyncio
import statistics
import time
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from plant import times
from plant.envelope import unseal
from services.bus import subjects
from tests.faults.figures import report, resident_bytes, scaled
from tests.faults.historian_rig import Auditor, Rig, rig_on, store_away
from tests.faults.killed_parts import Part, is_committing
from tests.faults.numbered_load import SAMPLES_A_BATCH, SAMPLES_A_SECOND

ROUNDS = scaled(200, 3)
ROUNDS_A_CHECK = 20
LONGEST_PAUSE = scaled(4, 2)
"""Seconds between two kills, and that a part is away, at most."""
AWAY = scaled(30, 8)
LIVE_RATES = scaled(5, 2)
"""The backlog drains at least so many times as fast as it grew."""
GROWTH = 64 * 2**20

pytestmark = pytest.mark.timeout(scaled(5_400, 240))


async def kill_one(rig: Rig, victims: list[Part], *, waits_for_commit: bool) -> tuple[Part, bool]:
    """One of ``victims`` that is up, sometime, or in the middle of a commit if one comes soon. Whether there was one, too."""
    await asyncio.sleep(rig.chance.uniform(0.0, LONGEST_PAUSE))
    while not any(part.is_up for part in victims):
        await asyncio.sleep(0.01)
    committing = await asyncio.to_thread(is_committing, rig.store_url)
    if waits_for_commit:
        patient_until = time.monotonic() + 5.0
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
            part, committing = await kill_one(rig, victims, waits_for_commit=number % 2 == 0)
            kills[part.name] += 1
            in_commit[part.name] += committing
            returning.append(group.create_task(bring_back(part, rig.chance.uniform(0.0, LONGEST_PAUSE))))
            if (number + 1) % ROUNDS_A_CHECK == 0 or number + 1 == ROUNDS:
                await asyncio.gather(*returning)
                drains.append(await rig.drained(rig.live))
                await auditor.check(everything=number + 1 == ROUNDS)
                memory.append(resident_bytes(rig.historian.ready["pid"]))
                report(f"{kind}: nothing lost after {number + 1} kills in {time.monotonic() - begun:.0f} s, {rig.load.samples} samples, {dict(kills)}")
        took = time.monotonic() - begun
        supervising.cancel()
        report(f"{kind}: {ROUNDS} kills in {took:.0f} s: {dict(kills)}, in the middle of a commit {dict(in_commit)}")
        report(f"{rig.load.samples} samples acknowledged and stored; batches offered again {rig.bus.repeated}")
        report(f"historian ended by itself at a start without a bus: {rig.historian.ended_by_itself}; resident MiB: {[figure >> 20 for figure in memory]}")
        report(f"from the last restart to drained under load: {statistics.median(drains):.1f} s, at most {max(drains):.1f} s")
        assert min(kills[part.name] for part in rig.parts) > 0
        assert in_commit.total() > 0
        assert min(rig.bus.repeated.values()) > 0 or ROUNDS < 10


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
        for _ in range(scaled(5, 1)):
            await auditor.check()
            memory.append(resident_bytes(rig.historian.ready["pid"]))
            async with store_away(rig):
                await asyncio.sleep(AWAY)
                backlog, made = await rig.unread(), sum(device.made for device in rig.load.devices)
            assert backlog >= 0.9 * AWAY * live - live, "the store was away"
            async with ages_of_live_values(rig) as ages:
                took = await rig.drained(rig.live)
                made = sum(device.made for device in rig.load.devices) - made
                await asyncio.sleep(1.0)
            rates.append((backlog - rig.live + made) / took / live)
            report(f"{kind}: {backlog * SAMPLES_A_BATCH} samples and {made * SAMPLES_A_BATCH} that came meanwhile: {took:.1f} s, {rates[-1]:.1f} live rates")
            report(f"live values at most {max(ages) * 1000:.0f} ms old, {len(ages)} batches")
            assert max(ages) < 1.0
        await auditor.check(everything=True)
        memory.append(resident_bytes(rig.historian.ready["pid"]))
    report(f"resident MiB of the historian: {[figure >> 20 for figure in memory]}; live rate {SAMPLES_A_SECOND} samples/s")
    assert statistics.median(rates) >= LIVE_RATES
    assert memory[-1] - memory[len(memory) // 4] < GROWTH
