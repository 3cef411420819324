"""Recorded runs of a real test bed as the field: devices that play them over Modbus and OPC UA, and what the history must hold afterwards."""

import asyncio
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Final, NamedTuple

import httpx
import numpy as np
import numpy.typing as npt
import pytest

from plant import Device, Site, Tag
from plant.site_writer import write_site
from simulators.replay import Protocol, Recording, ReplayDevice, device_name, replay_site
from tests.stack import history

SKAB: Final = Path(__file__).parents[3] / "shared" / "recorded" / "skab"
RUNS: Final = ("valve1-0", "valve1-1", "valve1-2")
SPEED: Final = 20.0

needs_recordings = pytest.mark.skipif(not SKAB.is_dir(), reason=f"the recorded runs of the test bed are not at {SKAB}")


class Played(NamedTuple):
    """A recording and the tags that read it: the counter of rows, then one a column in the order of the file."""

    recording: Recording
    protocol: Protocol
    row: Tag
    columns: Sequence[Tag]


class ReplayedPlant:
    """A site of recordings, each played once by a device of its own. Names of devices and tags bear the protocol, so that one site can hold both."""

    def __init__(self, protocols: Sequence[Protocol], runs: Sequence[str] = RUNS, speed: float = SPEED) -> None:
        devices: dict[str, Device] = {}
        tags: tuple[Tag, ...] = ()
        self.played: dict[str, Played] = {}
        for protocol in protocols:
            recordings = {f"{protocol}-{run}": Recording.read(SKAB / f"{run}.csv") for run in runs}
            part = replay_site(recordings, protocol, first_id=len(tags) + 1, speed=speed)
            devices |= part.devices
            tags += tuple(part.tags)
            for stem, recording in recordings.items():
                row, *columns = part.tags_on_wire(device_name(stem))
                self.played[device_name(stem)] = Played(recording, protocol, row, columns)
        self.site = Site("Replay", devices, tags)
        self._speed = speed
        self.devices: Mapping[str, ReplayDevice] = {}

    @asynccontextmanager
    async def listening(self, folder: Path) -> AsyncIterator[asyncio.Task[None]]:
        """Devices that wait for their reader, and the site folder that finds them. Yields the task that ends when all was played."""
        self.devices = {name: ReplayDevice(self.site, name, played.recording, self._speed) for name, played in self.played.items()}
        playing: asyncio.Task[None] | None = None
        try:
            endpoints = {name: await device.start() for name, device in self.devices.items()}
            write_site(self.site.at_endpoints(endpoints), folder)
            playing = asyncio.create_task(self._play())
            yield playing
        finally:
            if playing is not None:
                playing.cancel()
            await asyncio.gather(*(device.stop() for device in self.devices.values()))

    async def _play(self) -> None:
        async with asyncio.TaskGroup() as group:
            for device in self.devices.values():
                group.create_task(device.run())

    async def row_reached(self, row: int, deadline: float) -> None:
        """Waits until every device is at ``row`` or past it."""
        async with asyncio.timeout(deadline):
            while any(device.row < row for device in self.devices.values()):
                await asyncio.sleep(0.05)

    async def stored(self, client: httpx.AsyncClient, deadline: float) -> None:
        """Waits until the last row of every recording is in the history."""
        async with asyncio.timeout(deadline):
            for played in self.played.values():
                while (await column(client, played.row)).last != len(played.recording.times) - 1:
                    await asyncio.sleep(0.5)


class Column(NamedTuple):
    """The stored samples of a tag, in order: time as datetime64[us], value as float64, NaN where there is none, quality by name."""

    time: npt.NDArray[np.datetime64]
    value: npt.NDArray[np.float64]
    quality: npt.NDArray[np.str_]

    @property
    def last(self) -> float | None:
        return float(self.value[-1]) if len(self.value) else None

    @property
    def good(self) -> "Column":
        kept = self.quality == "Good"
        return Column(self.time[kept], self.value[kept], self.quality[kept])


async def column(client: httpx.AsyncClient, tag: Tag) -> Column:
    times, values, qualities = await history(client, tag.name)
    return Column(
        np.array([time.removesuffix("Z") for time in times], dtype="datetime64[us]"),
        np.array([np.nan if value is None else value for value in values], dtype=np.float64),
        np.array(qualities, dtype=np.str_),
    )


def recorded_times(recording: Recording) -> npt.NDArray[np.datetime64]:
    return recording.times.astype("datetime64[us]")


async def assert_equals_file_with_times(client: httpx.AsyncClient, played: Played) -> None:
    """One sample a row and column: same value, bit for bit, same time."""
    row = (await column(client, played.row)).good
    np.testing.assert_array_equal(row.value, np.arange(len(played.recording.times)))
    for number, tag in enumerate(played.columns):
        stored = (await column(client, tag)).good
        np.testing.assert_array_equal(stored.time, recorded_times(played.recording), err_msg=tag.name)
        np.testing.assert_array_equal(stored.value, played.recording.values[:, number], err_msg=tag.name)


async def rows_missing(client: httpx.AsyncClient, played: Played) -> npt.NDArray[np.datetime64]:
    """Times of the rows that are not in the history at all; what is there of any row is whole, equals the file, and is there once."""
    row = (await column(client, played.row)).good
    there = row.value.astype(np.intp)
    assert (np.diff(there) > 0).all(), "a row is doubled, or out of order"
    times = recorded_times(played.recording)
    np.testing.assert_array_equal(row.time, times[there])
    for number, tag in enumerate(played.columns):
        stored = (await column(client, tag)).good
        np.testing.assert_array_equal(stored.time, row.time, err_msg=tag.name)
        np.testing.assert_array_equal(stored.value, played.recording.values[there, number], err_msg=tag.name)
    return np.delete(times, there)


async def assert_equals_file_row_by_row(client: httpx.AsyncClient, played: Played) -> None:
    """Every row was read, once, and while it stood every column had its value, rounded to float32. Registers bear no time: the counter tells rows apart."""
    row = (await column(client, played.row)).good
    assert (np.diff(row.time) > np.timedelta64(0)).all(), "two samples of one time"
    first = np.concatenate(([True], np.diff(row.value) != 0))
    starts = row.time[first]
    np.testing.assert_array_equal(row.value[first], np.arange(len(played.recording.times)))
    for number, tag in enumerate(played.columns):
        stored = (await column(client, tag)).good
        assert (np.diff(stored.time) > np.timedelta64(0)).all(), f"{tag.name}: two samples of one time"
        expected = played.recording.values[:, number].astype(np.float32).astype(np.float64)
        at_start = np.searchsorted(stored.time, starts, side="right") - 1
        np.testing.assert_array_equal(stored.value[at_start], expected, err_msg=f"{tag.name}, when a row began")
        standing = np.searchsorted(starts, stored.time, side="right") - 1
        np.testing.assert_array_equal(stored.value, expected[standing], err_msg=f"{tag.name}, while a row stood")
