"""What a device link makes of a device that stops, freezes, lies or brings a fault of a driver to light; over a protocol that only this test speaks."""

import asyncio
import math
import threading
import time
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import replace
from functools import partial

import numpy as np
import pytest
from prometheus_client import CollectorRegistry

from drivers import Backoff, DeviceLink, DriverMetricFamilies, DriverMetrics, OpenSession, Session, SilentUnit, WriteAttempt, WriteOutcome, WriteStatus
from plant import times
from plant.batch import Batch, SampleBatch
from plant.errors import DeviceUnreachable
from plant.heartbeat import Heartbeat
from plant.ledger import GapCause
from plant.link import LinkState
from plant.quality import Quality
from plant.tag import Tag
from tests.samples import make_tag
from tests.supervised import supervised
from tests.weighbridge import Indicator, WeighbridgeDevice, open_weighbridge
from tests.weighbridge.session import WeighbridgeSession

GROSS = make_tag(1, "RCV.WB101.GROSS", device="WB-1")
TARE = make_tag(2, "RCV.WB101.TARE", device="WB-1", writable=True)
BEAT = make_tag(3, "RCV.WB101.BEAT", device="WB-1")
TAGS = (GROSS, TARE, BEAT)


class Account:
    """Everything that a link published and told of its losses."""

    def __init__(self) -> None:
        self.batches: list[Batch] = []
        self.lost_at: dict[GapCause, list[int]] = {}
        self.regained_at: dict[GapCause, list[int]] = {}
        self.recovered_from: dict[GapCause, int] = {}
        self.history: list[Batch] = []
        self.takes = asyncio.Event()
        self.takes.set()

    def lost(self, cause: GapCause, start: int) -> None:
        self.lost_at.setdefault(cause, []).append(start)

    def regained(self, cause: GapCause, end: int) -> None:
        self.regained_at.setdefault(cause, []).append(end)

    def recovered(self, cause: GapCause, start: int) -> None:
        self.recovered_from[cause] = start

    async def take_history(self, batch: Batch) -> None:
        self.history.append(batch)

    async def publish(self, batch: Batch) -> None:
        await self.takes.wait()
        self.batches.append(batch)

    def of(self, tag: Tag) -> list[tuple[int, float, int]]:
        """(time, value, quality), in order of arrival."""
        return [
            (int(at), float(value), int(quality))
            for batch in self.batches
            if isinstance(batch, SampleBatch)
            for tag_id, at, value, quality in zip(batch.tag_id, batch.time, batch.value, batch.quality, strict=True)
            if tag_id == tag.id
        ]

    def newest(self, tag: Tag) -> int | None:
        """Quality of the newest sample."""
        samples = sorted(self.of(tag))
        return samples[-1][2] if samples else None


class Linked:
    """A link that runs, and what is known of it."""

    def __init__(self, link: DeviceLink[WeighbridgeDevice], account: Account, registry: CollectorRegistry) -> None:
        self.link = link
        self.account = account
        self._registry = registry

    def state(self) -> LinkState:
        return self.link.status.state

    def figure(self, name: str, device: str = "WB-1") -> float:
        return self._registry.get_sample_value(name, {"driver": "weighbridge", "device": device}) or 0.0

    async def until(self, is_so: Callable[[], bool], deadline: float = 20.0) -> None:
        async with asyncio.timeout(deadline):
            while not is_so():
                await asyncio.sleep(0.01)


@asynccontextmanager
async def linked(
    indicator: Indicator,
    *,
    heartbeat: Heartbeat | None = None,
    open_session: OpenSession[WeighbridgeDevice] = open_weighbridge,
    backoff: Backoff | None = None,
    device_timeout: float = 0.5,
) -> AsyncIterator[Linked]:
    device = WeighbridgeDevice("WB-1", "RCV", "127.0.0.1", indicator.port, device_timeout, heartbeat=heartbeat)
    account, registry = Account(), CollectorRegistry()
    metrics = DriverMetricFamilies(registry).of("weighbridge", device.name)
    link = DeviceLink(
        device, TAGS, open_session, account.publish, lambda status: None, metrics, account=account, backoff=backoff or Backoff(first=0.1, cap=0.2)
    )
    async with supervised(link):
        yield Linked(link, account, registry)


async def test_a_stopped_plc_behind_a_live_link_is_bad_and_its_frozen_image_is_held_back() -> None:
    async with Indicator() as indicator, linked(indicator, heartbeat=Heartbeat(BEAT.name, 0.5)) as linkage:
        account = linkage.account
        await linkage.until(lambda: len(account.of(BEAT)) > 3)
        indicator.runs = False
        await linkage.until(lambda: account.newest(GROSS) == Quality.BAD_OUT_OF_SERVICE)
        assert linkage.state() is LinkState.DEGRADED
        assert "RCV.WB101.BEAT has not moved for 0.5 s" in str(linkage.link.status.last_error)
        assert linkage.figure("monazite_driver_stopped") == 1
        frozen = len(account.batches)
        await asyncio.sleep(0.4)
        assert len(account.batches) == frozen, "the link goes on reading, and tells nothing of a frozen image"
        assert account.lost_at.keys() == {GapCause.DEVICE_STOPPED}
        indicator.values["GROSS"] = 19_000.0
        indicator.runs = True
        await linkage.until(lambda: account.newest(GROSS) == Quality.GOOD)
        assert linkage.state() is LinkState.UP
        assert linkage.figure("monazite_driver_stopped") == 0
        assert linkage.figure("monazite_driver_up") == 1
        (bad,) = [sample for sample in account.of(GROSS) if sample[2] < 0]
        assert math.isnan(bad[1])
        assert min(sample for sample in account.of(GROSS) if sample > bad)[1] == 19_000.0, "never the value of before again"
        assert account.regained_at[GapCause.DEVICE_STOPPED][0] >= account.lost_at[GapCause.DEVICE_STOPPED][0]
        assert indicator.connections == 1


class Telling(WeighbridgeSession):
    """A device that tells of changes only, as a subscription does."""

    async def batches(self) -> AsyncGenerator[Batch, None]:
        told: dict[int, float] = {}
        async for batch in super().batches():
            assert isinstance(batch, SampleBatch)
            is_news = np.array([told.get(int(tag_id)) != value for tag_id, value in zip(batch.tag_id, batch.value, strict=True)])
            told.update(zip(batch.tag_id.tolist(), batch.value.tolist(), strict=True))
            if is_news.any():
                yield batch.select(is_news)


async def open_telling(device: WeighbridgeDevice, tags: Sequence[Tag], metrics: DriverMetrics) -> Session:
    session = await open_weighbridge(device, tags, metrics)
    session.__class__ = Telling
    return session


async def test_when_a_plc_runs_again_every_tag_has_its_value_and_those_too_that_did_not_change() -> None:
    async with Indicator() as indicator, linked(indicator, heartbeat=Heartbeat(BEAT.name, 0.5), open_session=open_telling) as linkage:
        account = linkage.account
        await linkage.until(lambda: len(account.of(BEAT)) > 3)
        indicator.runs = False
        await linkage.until(lambda: account.newest(TARE) == Quality.BAD_OUT_OF_SERVICE)
        indicator.values["GROSS"] = 19_000.0
        indicator.runs = True
        await linkage.until(lambda: account.newest(GROSS) == account.newest(TARE) == Quality.GOOD)
        assert [max(account.of(tag))[1] for tag in (GROSS, TARE)] == [19_000.0, 7_200.0]
        assert max(account.of(TARE))[0] > max(sample for sample in account.of(TARE) if sample[2] < 0)[0]


async def test_a_bus_that_takes_nothing_is_no_plc_that_stands_still() -> None:
    async with Indicator() as indicator, linked(indicator, heartbeat=Heartbeat(BEAT.name, 0.6)) as linkage:
        await linkage.until(lambda: len(linkage.account.of(BEAT)) > 3)
        linkage.account.takes.clear()
        await asyncio.sleep(2.0)
        linkage.account.takes.set()
        beats = len(linkage.account.of(BEAT))
        await linkage.until(lambda: len(linkage.account.of(BEAT)) > beats + 10)
        assert linkage.account.lost_at == {}
        assert linkage.state() is LinkState.UP


async def test_a_machine_that_stands_still_is_no_plc_that_does() -> None:
    async with Indicator() as indicator, linked(indicator, heartbeat=Heartbeat(BEAT.name, 0.6)) as linkage:
        await linkage.until(lambda: len(linkage.account.of(BEAT)) > 3)
        for _ in range(3):
            threading.Event().wait(1.5)  # the event loop, and with it all of the process
            beats = len(linkage.account.of(BEAT))
            await linkage.until(lambda: len(linkage.account.of(BEAT)) > beats + 5)  # noqa: B023  # used within the round
        assert linkage.account.lost_at == {}
        indicator.runs = False
        await linkage.until(lambda: linkage.account.newest(GROSS) == Quality.BAD_OUT_OF_SERVICE)


async def test_a_device_that_is_not_heard_is_a_lost_link_and_no_plc_that_stands_still() -> None:
    async with Indicator() as indicator, linked(indicator, heartbeat=Heartbeat(BEAT.name, 0.3), device_timeout=2.0) as linkage:
        await linkage.until(lambda: len(linkage.account.of(BEAT)) > 3)
        indicator.is_frozen = True
        await linkage.until(lambda: linkage.state() is LinkState.DOWN)
        assert linkage.account.lost_at.keys() == {GapCause.LINK_LOST}


async def test_a_plc_that_stands_still_is_not_written_to() -> None:
    async with Indicator() as indicator, linked(indicator, heartbeat=Heartbeat(BEAT.name, 0.3)) as linkage:
        await linkage.until(lambda: len(linkage.account.of(BEAT)) > 3)
        indicator.runs = False
        await linkage.until(lambda: linkage.state() is LinkState.DEGRADED)
        before = dict(indicator.values)
        outcome = await linkage.link.write(TARE, 7_300.0, 2.0)
        assert (outcome.status, outcome.quality) == (WriteStatus.NOT_SENT, Quality.BAD_OUT_OF_SERVICE)
        assert outcome.detail == "nothing was written: its heartbeat RCV.WB101.BEAT has not moved for 0.3 s: the PLC does not run"
        assert indicator.values["TARE"] == before["TARE"]
        indicator.runs = True
        await linkage.until(lambda: linkage.state() is LinkState.UP)
        assert (await linkage.link.write(TARE, 7_300.0, 2.0)).status is WriteStatus.CONFIRMED


async def test_a_link_that_is_lost_while_the_plc_stands_still_is_one_more_loss() -> None:
    async with Indicator() as indicator, linked(indicator, heartbeat=Heartbeat(BEAT.name, 0.3)) as linkage:
        account = linkage.account
        await linkage.until(lambda: len(account.of(BEAT)) > 3)
        indicator.runs = False
        await linkage.until(lambda: GapCause.DEVICE_STOPPED in account.lost_at)
        await indicator.stop()
        await linkage.until(lambda: account.newest(GROSS) == Quality.BAD_NO_COMMUNICATION)
        assert linkage.state() is LinkState.DOWN
        assert GapCause.DEVICE_STOPPED in account.regained_at
        known = len(account.of(GROSS))
        await indicator.start()
        await linkage.until(lambda: linkage.state() is LinkState.DEGRADED)
        await asyncio.sleep(0.2)
        assert len(account.of(GROSS)) == known, "the link is back, and the image still that of a stopped PLC"
        indicator.runs = True
        await linkage.until(lambda: account.newest(GROSS) == Quality.GOOD)
        assert len(account.regained_at[GapCause.LINK_LOST]) == len(account.lost_at[GapCause.LINK_LOST]) == 1


async def test_the_loss_of_a_link_is_dated_by_the_last_sign_of_life() -> None:
    async with Indicator() as indicator, linked(indicator, device_timeout=2.0) as linkage:
        account = linkage.account
        await linkage.until(lambda: len(account.of(GROSS)) > 3)
        indicator.is_frozen = True
        frozen_at = times.now()
        await linkage.until(lambda: account.newest(GROSS) == Quality.BAD_NO_COMMUNICATION)
        (bad,) = [sample for sample in account.of(GROSS) if sample[2] < 0]
        good = [sample for sample in account.of(GROSS) if sample[2] >= 0]
        assert max(good)[0] < bad[0] < frozen_at + times.MICROSECONDS, "known to be lost two seconds later, and lost since then"
        assert account.lost_at[GapCause.LINK_LOST][0] <= bad[0]
        assert linkage.link.status.last_heard is not None
        assert linkage.link.status.last_heard < frozen_at + times.MICROSECONDS


class Faulty(WeighbridgeSession):
    """A driver with a defect that some bytes bring to light."""

    async def batches(self) -> AsyncGenerator[Batch, None]:
        async for batch in super().batches():
            yield batch
            assert isinstance(batch, SampleBatch)
            if batch.value[1] == 666.0:
                raise ZeroDivisionError("a defect")

    async def write(self, tag: Tag, value: float | str, attempt: WriteAttempt | None = None) -> WriteOutcome:
        if attempt is not None:
            attempt.leaves()
        raise IndexError("another defect")


async def open_faulty(device: WeighbridgeDevice, tags: Sequence[Tag], metrics: DriverMetrics) -> Session:
    session = await open_weighbridge(device, tags, metrics)
    session.__class__ = Faulty
    return session


async def test_a_fault_of_the_driver_costs_one_device_its_session_and_is_in_the_log(caplog: pytest.LogCaptureFixture) -> None:
    async with Indicator() as faulty, Indicator() as sound, linked(faulty, open_session=open_faulty) as sick, linked(sound) as healthy:
        await sick.until(lambda: sick.account.newest(GROSS) == Quality.GOOD)
        faulty.values["TARE"] = 666.0
        await sick.until(lambda: sick.account.newest(GROSS) == Quality.BAD_COMMUNICATION_ERROR)
        assert sick.figure("monazite_driver_faults_total") >= 1
        (fault, *_) = [record for record in caplog.records if record.levelname == "ERROR"]
        assert fault.exc_info is not None
        assert fault.exc_info[0] is ZeroDivisionError
        assert "WB-1 at weighbridge://127.0.0.1" in fault.getMessage()
        faulty.values["TARE"] = 7_200.0
        await sick.until(lambda: sick.account.newest(GROSS) == Quality.GOOD)
        assert healthy.account.lost_at == {}
        outcome = await sick.link.write(TARE, 5.0, 2.0)
        assert outcome.status is WriteStatus.UNKNOWN
        assert "another defect" in outcome.detail


class Recording(WeighbridgeSession):
    """A device that keeps a history of its own, and overflows when it is told to."""

    async def recover(self, start: int, end: int, take: Callable[[Batch], Awaitable[None]]) -> bool:
        await take(SampleBatch.of_one_time([GROSS.id], (start + end) // 2, 1.0, Quality.GOOD))
        return True


async def open_recording(device: WeighbridgeDevice, tags: Sequence[Tag], metrics: DriverMetrics) -> Session:
    session = await open_weighbridge(device, tags, metrics)
    session.__class__ = Recording
    return session


async def test_what_the_device_kept_of_an_outage_is_fetched_and_the_loss_recovered() -> None:
    async with Indicator() as indicator, linked(indicator, open_session=open_recording) as linkage:
        account = linkage.account
        await linkage.until(lambda: account.newest(GROSS) == Quality.GOOD)
        await indicator.stop()
        await linkage.until(lambda: GapCause.LINK_LOST in account.lost_at)
        await indicator.start()
        await linkage.until(lambda: GapCause.LINK_LOST in account.recovered_from)
        (history,) = account.history
        start, end = account.lost_at[GapCause.LINK_LOST][0], account.regained_at[GapCause.LINK_LOST][0]
        assert start <= history.time[0] <= end
        assert account.recovered_from[GapCause.LINK_LOST] == start
        assert linkage.figure("monazite_driver_samples_recovered_total") == 1


@pytest.mark.parametrize("offsets", [(-3600.0, -3600.0), (3600.0, 0.0), (0.0, -3600.0)], ids=["always off", "set in the outage", "off since the outage"])
async def test_a_history_that_a_wrong_clock_dates_is_not_taken_for_that_of_the_outage(offsets: Sequence[float]) -> None:
    asked: list[int] = []
    left = [*offsets, 0.0]

    class Astray(Recording):
        async def recover(self, start: int, end: int, take: Callable[[Batch], Awaitable[None]]) -> bool:
            asked.append(start)
            return await super().recover(start, end, take)

    async def open_astray(device: WeighbridgeDevice, tags: Sequence[Tag], metrics: DriverMetrics) -> Session:
        session = await open_weighbridge(device, tags, metrics)
        session.__class__ = Astray
        assert isinstance(session, Astray)
        session.clock_offset = left.pop(0)
        return session

    async with Indicator() as indicator, linked(indicator, open_session=open_astray) as linkage:
        account = linkage.account
        for outage in (1, 2, 3):
            await linkage.until(lambda: account.newest(GROSS) == Quality.GOOD)
            if outage == 3:
                break
            await indicator.stop()
            await linkage.until(partial(lambda outage: len(account.lost_at.get(GapCause.LINK_LOST, ())) == outage, outage))
            assert not asked, "of the first outage"
            if outage == 2:
                left[:] = [0.0]
            await indicator.start()
            await linkage.until(partial(lambda outage: len(account.regained_at.get(GapCause.LINK_LOST, ())) == outage, outage))
        if offsets[1] == 0:
            await linkage.until(lambda: GapCause.LINK_LOST in account.recovered_from)
            assert account.recovered_from[GapCause.LINK_LOST] == account.lost_at[GapCause.LINK_LOST][1], "the second, and no more"
        else:
            assert not asked
            assert not account.recovered_from


async def test_an_outage_whose_history_could_not_be_read_before_the_next_loss_is_asked_for_again_with_that() -> None:
    asked: list[int] = []

    class Forgetful(Recording):
        async def recover(self, start: int, end: int, take: Callable[[Batch], Awaitable[None]]) -> bool:
            asked.append(start)
            if len(asked) == 1:
                await asyncio.Event().wait()
            return await super().recover(start, end, take)

    async def open_forgetful(device: WeighbridgeDevice, tags: Sequence[Tag], metrics: DriverMetrics) -> Session:
        session = await open_weighbridge(device, tags, metrics)
        session.__class__ = Forgetful
        return session

    async with Indicator() as indicator, linked(indicator, open_session=open_forgetful) as linkage:
        account = linkage.account
        for outage in (1, 2):
            await linkage.until(lambda: account.newest(GROSS) == Quality.GOOD)
            await indicator.stop()
            await linkage.until(partial(lambda outage: len(account.lost_at.get(GapCause.LINK_LOST, ())) == outage, outage))
            await indicator.start()
            await linkage.until(partial(lambda outage: len(asked) == outage, outage))
        await linkage.until(lambda: GapCause.LINK_LOST in account.recovered_from)
        assert asked[0] == asked[1], "both outages in one"
        assert account.recovered_from[GapCause.LINK_LOST] == account.lost_at[GapCause.LINK_LOST][0]


async def test_a_history_that_is_refused_is_asked_for_again_in_the_same_session(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("drivers.recovery._BACKOFF", Backoff(first=0.1, cap=0.2))
    asked: list[tuple[int, int]] = []

    class Busy(Recording):
        async def recover(self, start: int, end: int, take: Callable[[Batch], Awaitable[None]]) -> bool:
            asked.append((start, end))
            if len(asked) < 4:
                raise DeviceUnreachable("the server refused a read of its history: BadServerTooBusy")
            return await super().recover(start, end, take)

    async def open_busy(device: WeighbridgeDevice, tags: Sequence[Tag], metrics: DriverMetrics) -> Session:
        session = await open_weighbridge(device, tags, metrics)
        session.__class__ = Busy
        return session

    async with Indicator() as indicator, linked(indicator, open_session=open_busy) as linkage:
        account = linkage.account
        await linkage.until(lambda: account.newest(GROSS) == Quality.GOOD)
        await indicator.stop()
        await linkage.until(lambda: GapCause.LINK_LOST in account.lost_at)
        await indicator.start()
        await linkage.until(lambda: GapCause.LINK_LOST in account.recovered_from)
        assert asked == [asked[0]] * 4
        assert len(account.lost_at[GapCause.LINK_LOST]) == 1, "the session went on"
        assert len(account.history) == 1


async def test_an_overflow_in_the_device_is_a_row_of_the_ledger_for_as_long_as_it_goes_on(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("drivers.overflow_watch.OVER_AFTER", 200_000)
    opened: list[WeighbridgeSession] = []

    async def open_session(device: WeighbridgeDevice, tags: Sequence[Tag], metrics: DriverMetrics) -> Session:
        opened.append(await open_weighbridge(device, tags, metrics))
        return opened[-1]

    async with Indicator() as indicator, linked(indicator, open_session=open_session) as linkage:
        account = linkage.account
        await linkage.until(lambda: account.newest(GROSS) == Quality.GOOD)
        for _ in range(4):
            opened[0].overflows += 3
            await asyncio.sleep(0.06)
        await linkage.until(lambda: GapCause.QUEUE_OVERFLOW in account.regained_at)
        assert len(account.lost_at[GapCause.QUEUE_OVERFLOW]) == len(account.regained_at[GapCause.QUEUE_OVERFLOW]) == 1
        assert account.lost_at[GapCause.QUEUE_OVERFLOW][0] <= account.regained_at[GapCause.QUEUE_OVERFLOW][0]


async def test_an_overflow_before_anything_was_heard_is_a_loss_since_the_session_was_opened() -> None:
    async def open_overflown(device: WeighbridgeDevice, tags: Sequence[Tag], metrics: DriverMetrics) -> Session:
        session = await open_weighbridge(device, tags, metrics)
        session.overflows = 3
        return session

    begun = times.now()
    async with Indicator() as indicator, linked(indicator, open_session=open_overflown) as linkage:
        await linkage.until(lambda: GapCause.QUEUE_OVERFLOW in linkage.account.lost_at)
        (since,) = linkage.account.lost_at[GapCause.QUEUE_OVERFLOW]
        assert begun <= since <= times.now()


async def test_a_loss_is_over_when_the_device_is_watched_again_and_began_where_what_it_gathered_may_begin() -> None:
    """A server that takes long to watch what it is asked for: what changes meanwhile is never sent."""
    watched_from: list[int] = []

    class Gathering(WeighbridgeSession):
        lag = 0.5

        async def batches(self) -> AsyncGenerator[Batch, None]:
            await asyncio.sleep(0.3)
            watched_from.append(times.now())
            async for batch in super().batches():
                yield batch

    async def open_gathering(device: WeighbridgeDevice, tags: Sequence[Tag], metrics: DriverMetrics) -> Session:
        session = await open_weighbridge(device, tags, metrics)
        session.__class__ = Gathering
        return session

    async with Indicator() as indicator, linked(indicator, open_session=open_gathering) as linkage:
        account = linkage.account
        await linkage.until(lambda: account.newest(GROSS) == Quality.GOOD)
        await indicator.stop()
        await linkage.until(lambda: GapCause.LINK_LOST in account.lost_at)
        bad = next(at for at, _, quality in account.of(GROSS) if quality < 0)
        await indicator.start()
        await linkage.until(lambda: GapCause.LINK_LOST in account.regained_at)
        assert account.regained_at[GapCause.LINK_LOST][0] >= watched_from[-1]
        assert bad - account.lost_at[GapCause.LINK_LOST][0] >= 500_000


async def test_a_link_ends_when_it_is_told_to_though_a_library_kept_that_to_itself() -> None:
    async def open_deaf(device: WeighbridgeDevice, tags: Sequence[Tag], metrics: DriverMetrics) -> Session:
        try:
            await asyncio.sleep(3600.0)
        except asyncio.CancelledError:
            raise DeviceUnreachable("the connection came just as it was given up") from None
        raise AssertionError

    device = WeighbridgeDevice("WB-1", "RCV", "127.0.0.1", 1)
    metrics = DriverMetricFamilies(CollectorRegistry()).of("weighbridge", device.name)
    running = asyncio.create_task(DeviceLink(device, TAGS, open_deaf, Account().publish, lambda status: None, metrics).run())
    await asyncio.sleep(0.05)
    running.cancel()
    await asyncio.wait({running}, timeout=10.0)
    assert running.cancelled()


async def test_a_silent_unit_is_tried_when_its_line_says_or_sooner_when_another_is_back() -> None:
    tries: list[float] = []
    sooner = asyncio.Event()

    async def silent(device: WeighbridgeDevice, tags: Sequence[Tag], metrics: DriverMetrics) -> Session:
        tries.append(time.monotonic())
        raise SilentUnit("no answer", 0.5 if len(tries) == 1 else 3600.0, sooner)

    async with Indicator() as indicator, linked(indicator, open_session=silent) as linkage:
        await linkage.until(lambda: len(tries) == 2)
        assert tries[1] - tries[0] >= 0.5
        await asyncio.sleep(1.0)
        assert len(tries) == 2
        sooner.set()
        await linkage.until(lambda: len(tries) == 3)


async def test_a_device_that_accepts_and_never_answers_changes_nothing_for_the_others() -> None:
    """Scans of a sound device beside ten that hang, against the same device alone."""

    async def scans(linkage: Linked) -> int:
        before = len(linkage.account.of(GROSS))
        await asyncio.sleep(2.0)
        return len(linkage.account.of(GROSS)) - before

    async with Indicator() as sound, Indicator() as hanging:
        hanging.is_frozen = True
        async with linked(sound) as alone:
            await alone.until(lambda: alone.account.newest(GROSS) == Quality.GOOD)
            undisturbed = await scans(alone)
        async with linked(sound) as beside:
            device = WeighbridgeDevice("WB-2", "RCV", "127.0.0.1", hanging.port, 0.3)
            metrics = DriverMetricFamilies(CollectorRegistry())
            others = [
                DeviceLink(
                    replace(device, name=f"WB-{number}"),
                    TAGS,
                    open_weighbridge,
                    Account().publish,
                    lambda status: None,
                    metrics.of("weighbridge", f"WB-{number}"),
                )
                for number in range(10)
            ]
            async with supervised(*others):
                await beside.until(lambda: beside.account.newest(GROSS) == Quality.GOOD)
                assert await scans(beside) >= 0.9 * undisturbed
            assert all(other.status.state is LinkState.DOWN for other in others)
    assert hanging.connections >= 10


async def test_writes_of_a_third_protocol_end_as_every_other() -> None:
    async with Indicator() as indicator, linked(indicator) as linkage:
        await linkage.until(lambda: linkage.account.newest(GROSS) == Quality.GOOD)
        confirmed = await linkage.link.write(TARE, 7_300.0, 2.0)
        assert (confirmed.status, confirmed.read_back) == (WriteStatus.CONFIRMED, 7_300.0)
        assert (await linkage.link.write(GROSS, 1.0, 2.0)).status is WriteStatus.REJECTED
        assert (await linkage.link.write(TARE, 1.0, 0.0)).status is WriteStatus.NOT_SENT
        indicator.is_frozen = True
        assert (await linkage.link.write(TARE, 7_400.0, 0.2)).status is WriteStatus.UNKNOWN


async def test_a_write_whose_time_is_over_before_it_is_read_back_leaves_no_answer_to_the_next_request() -> None:
    async with Indicator() as indicator, linked(indicator, device_timeout=5.0) as linkage:
        await linkage.until(lambda: linkage.account.newest(GROSS) == Quality.GOOD)
        indicator.answers_late = 0.3
        assert (await linkage.link.write(TARE, 7_400.0, 0.8)).status in {WriteStatus.ACCEPTED, WriteStatus.UNKNOWN}
        indicator.answers_late = 0.0
        await linkage.until(lambda: linkage.account.newest(GROSS) == Quality.BAD_NO_COMMUNICATION)
        await linkage.until(lambda: linkage.account.newest(GROSS) == Quality.GOOD)
        assert (await linkage.link.write(TARE, 7_500.0, 2.0)).status is WriteStatus.CONFIRMED


async def test_nonsense_is_a_protocol_error_and_no_value() -> None:
    async with Indicator() as indicator, linked(indicator) as linkage:
        await linkage.until(lambda: linkage.account.newest(GROSS) == Quality.GOOD)
        indicator.nonsense = b"S GROSS=soon\r\n"
        await linkage.until(lambda: linkage.account.newest(GROSS) == Quality.BAD_COMMUNICATION_ERROR)
        assert {value for _, value, quality in linkage.account.of(GROSS) if quality >= 0} == {18_230.5}
