"""A full disk, and one that may only be read, under the store and under the bus: the historian stays, nothing acknowledged is lost."""

import asyncio
import contextlib
import os
import pwd
import tempfile
import time
from collections.abc import Awaitable, Callable, Iterator
from pathlib import Path

import pytest
from prometheus_client import CollectorRegistry

from monazite.assembly import Assembly
from monazite.data_folder import DataFolder
from monazite.settings import load_settings
from monazite.supervisor import Supervisor
from plant.batch import TextBatch
from plant.errors import BusUnavailable, StoreUnavailable
from services.bus import Bus, provision, subjects
from services.store import Commit, open_store
from tests.faults.figures import report
from tests.faults.historian_rig import Auditor, rig_on, store_away
from tests.faults.small_disk import needs_root, small_disk
from tests.samples import batch_of

pytestmark = [needs_root, pytest.mark.timeout(180)]


async def until(is_so: Callable[[], Awaitable[bool]], deadline: float = 60.0) -> None:
    async with asyncio.timeout(deadline):
        while not await is_so():
            await asyncio.sleep(0.1)


@pytest.mark.parametrize(("kind", "mebibytes"), [("sqlite", 64), ("postgres", 512)])
async def test_a_full_disk_under_the_store_holds_the_historian_up_until_there_is_room(kind: str, mebibytes: int, tmp_path: Path) -> None:
    with small_disk(mebibytes) as disk:
        async with rig_on(kind, tmp_path, store_folder=disk.folder) as rig:
            auditor = Auditor(rig)
            await auditor.check()
            disk.leave(2**20)
            await until(lambda: _is_refused(rig.store_is_up))
            unread = await rig.unread()
            await asyncio.sleep(3.0)
            kept = await rig.unread() - unread
            assert kept > 20, "the stream keeps what the store does not take"
            disk.clear()
            if rig.database is not None and not rig.database.runs:
                await asyncio.to_thread(rig.database.start)
            took = await rig.drained(rig.live)
            assert await rig.store_is_up()
            assert rig.historian.ended_by_itself == 0
            await auditor.check(everything=True)
            report(f"{kind}: {kept} batches came in 3 s on a full disk; drained {took:.1f} s after there was room again")


async def _is_refused(store_is_up: Callable[[], Awaitable[bool]]) -> bool:
    return not await store_is_up()


async def test_a_full_disk_under_the_bus_leaves_batches_at_the_gateway_and_nothing_acknowledged_is_lost(tmp_path: Path) -> None:
    """nats-server 2.15 does not write to a stream again after a failed write, room or not, until it is started again."""
    with small_disk(64) as disk:
        async with rig_on("sqlite", tmp_path, nats_folder=disk.folder / "nats") as rig:
            auditor = Auditor(rig)
            await auditor.check()
            async with store_away(rig):
                disk.leave(3 * 2**20)
                async with asyncio.timeout(60):
                    while rig.bus.refused < len(rig.load.devices):
                        await asyncio.sleep(0.1)
                refused = sum(device.made for device in rig.load.devices) - len(rig.bus.acknowledged)
                assert refused > 0, "the outboxes hold what the bus does not take"
                disk.clear()
                await rig.nats.kill()
                await rig.nats.start()
            await auditor.check(everything=True)
            report(f"{refused} batches waited at the gateway for a bus without room, {rig.bus.refused} offers were refused")
            assert rig.historian.ended_by_itself == 0


async def test_monazite_up_starts_nats_server_again_when_there_is_room_and_what_was_acknowledged_is_there(tmp_path: Path) -> None:
    with small_disk(96) as disk:
        folder = DataFolder.open(disk.folder / "data")
        settings = load_settings(data=folder.path)
        (nats,) = Assembly(settings, folder, simulators=False).stages()[0]
        supervisor = Supervisor([[nats]], tmp_path, CollectorRegistry(), lambda name, details: addresses.update(details))
        addresses: dict[str, object] = {}
        await supervisor.start()
        try:
            async with await Bus.connect(str(addresses["url"]), name="test", user=settings.nats_user, password=folder.password_of_nats()) as bus:
                await provision(bus)
                taken = 0

                async def is_taken() -> bool:
                    nonlocal taken
                    try:
                        await bus.publish_durably(subjects.SAMPLES_STREAM, subjects.samples("SEP", "PLC-SEP-01"), bytes(100_000), f"number {taken}")
                    except BusUnavailable:
                        return False
                    taken += 1
                    return True

                assert await is_taken()
                disk.leave(2**20)
                await until(lambda: _is_refused(is_taken))
                (keeper,) = supervisor.keepers
                await asyncio.sleep(2.0)
                assert keeper.restarts == 0, "it could not write either"
                before = taken
                disk.clear()
                begun = time.monotonic()
                await until(is_taken)
                report(f"nats-server takes batches again {time.monotonic() - begun:.1f} s after there was room")
                assert keeper.restarts == 1
                assert (await bus.streams.stream_info(subjects.SAMPLES_STREAM)).state.messages == before + 1 == taken
        finally:
            supervisor.hurry()
            await supervisor.stop()


async def test_a_store_that_may_only_be_read_leaves_everything_in_the_stream(tmp_path: Path) -> None:
    with small_disk(64) as disk:
        with contextlib.closing(open_store(f"sqlite:///{disk.folder}/history.sqlite")) as store:
            store.prepare([])
        disk.remount("ro")
        async with rig_on("sqlite", tmp_path, store_folder=disk.folder) as rig:
            await asyncio.sleep(4.0)
            assert await rig.unread() >= 0.9 * len(rig.bus.acknowledged) > 0
            assert not await rig.store_is_up()
            log = (tmp_path / "stack" / "historian.log").read_text()
            assert f"the store takes no commits, the stream keeps everything: {disk.folder}/history.sqlite" in log
            disk.remount("rw")
            await Auditor(rig).check(everything=True)
            assert rig.historian.ended_by_itself == 0


@contextlib.contextmanager
def as_nobody() -> Iterator[None]:
    """Root may write to what is read-only."""
    nobody = pwd.getpwnam("nobody")
    os.setegid(nobody.pw_gid)
    os.seteuid(nobody.pw_uid)
    try:
        yield
    finally:
        os.seteuid(0)
        os.setegid(0)


def test_a_file_that_was_read_only_is_written_to_when_that_is_mended() -> None:
    with tempfile.TemporaryDirectory(prefix="monazite-read-only-") as name:
        folder, file = Path(name), Path(name) / "history.sqlite"
        folder.chmod(0o777)
        with contextlib.closing(open_store(f"sqlite:///{file}")) as store:
            store.prepare([])
        file.chmod(0o444)
        commit = Commit(batch_of([(1, 10, 1.0, 0)]), TextBatch.empty())
        with contextlib.closing(open_store(f"sqlite:///{file}")) as store:
            with as_nobody(), pytest.raises(StoreUnavailable, match=r"history\.sqlite: attempt to write a readonly database"):
                store.commit(commit)
            for part in folder.iterdir():
                part.chmod(0o666)
            with as_nobody():
                assert store.commit(commit).inserted == 1
