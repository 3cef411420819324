"""``monazite replay``: recordings as live devices, and the site folder by which ``monazite up`` reads them."""

import asyncio
import logging
import shlex
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Literal

import typer

from monazite.service import Body, ServiceContext
from plant import ConfigurationError, Problem, Site
from plant.site_writer import write_site
from simulators import Recording, ReplayDevice, replay_site

_log = logging.getLogger(__name__)


def body(files: Sequence[Path], protocol: Literal["modbus", "opcua"], folder: Path) -> Body:
    """A service that plays ``files`` and writes the site to ``folder``."""

    async def run(context: ServiceContext) -> None:
        recordings = read_recordings(files)
        site = replay_site(recordings, protocol, speed=context.settings.speed)
        devices = {
            name: ReplayDevice(site, name, recording, context.settings.speed, context.settings.host)
            for name, recording in zip(site.devices, recordings.values(), strict=True)
        }
        try:
            endpoints = {name: await device.start() for name, device in devices.items()}
            _write(site.at_endpoints(endpoints), folder)
            context.ready({"devices": endpoints})
            typer.echo(f"to read it: monazite up --plant {shlex.quote(str(folder))} --no-simulators")
            await _play(devices, list(recordings.values()), context.stop)
        finally:
            await asyncio.gather(*(device.stop() for device in devices.values()))

    return run


def read_recordings(files: Sequence[Path]) -> Mapping[str, Recording]:
    """By the stem of the file's name, which names the device.

    Raises:
        ConfigurationError: with the problems of all files.
    """
    recordings: dict[str, Recording] = {}
    problems: list[Problem] = []
    for file in files:
        if file.stem in recordings:
            problems.append(Problem(str(file), None, None, f"is the second file named {file.stem}", "rename it: the name becomes the device's"))
            continue
        try:
            recordings[file.stem] = Recording.read(file)
        except ConfigurationError as error:
            problems += error.problems
    if problems:
        raise ConfigurationError(problems)
    return recordings


def _write(site: Site, folder: Path) -> None:
    try:
        write_site(site, folder)
    except OSError as error:
        problem = Problem(str(folder), None, None, f"the site cannot be written: {error.strerror or error}", "give a folder that can be made, with --site DIR")
        raise ConfigurationError([problem]) from None


async def _play(devices: Mapping[str, ReplayDevice], recordings: Sequence[Recording], stop: asyncio.Event) -> None:
    async with asyncio.TaskGroup() as group:
        tasks = [group.create_task(_play_one(name, device, recording)) for (name, device), recording in zip(devices.items(), recordings, strict=True)]
        await stop.wait()
        for task in tasks:
            task.cancel()


async def _play_one(name: str, device: ReplayDevice, recording: Recording) -> None:
    await device.run()
    _log.info("%s: all %d rows were played; the last one stays", name, len(recording))
