"""``monazite up``: everything on one machine, from one command, under one supervisor."""

import asyncio
import contextlib
import logging
import os
import signal
import socket
import sys
from collections.abc import Iterator
from typing import Final

from prometheus_client import start_http_server

from monazite.assembly import API, GATEWAY, HISTORIAN, LOOPBACK, NATS, Assembly
from monazite.data_folder import DataFolder, FolderLock
from monazite.endpoints import write_endpoints
from monazite.http_get import http_get
from monazite.logs import configure_logging
from monazite.progress import progress
from monazite.service import EXIT_FAILED, new_registry
from monazite.settings import Settings
from monazite.site_of import read_endpoints, site_of
from monazite.supervisor import Details, StartFailed, Supervisor
from monazite.vital_signs import VitalSigns, read_vital_signs
from plant import ConfigurationError, Problem, Site

_log = logging.getLogger(__name__)

_LOCK_WAIT: Final = 10.0
_ASK_EVERY: Final = 0.25
_SAY_EVERY: Final = 15.0


def run_up(settings: Settings, simulators: bool) -> int:
    """Runs until Ctrl-C or SIGTERM, the second of which kills. Returns the exit code.

    Raises:
        ConfigurationError: settings, site, folder or port cannot be used; nothing was started.
    """
    configure_logging(settings.log_level)
    site = site_of(settings)
    settings.password_of_admin()
    folder = DataFolder.open(settings.data)
    return asyncio.run(_up(settings, simulators, site, folder))


async def _up(settings: Settings, simulators: bool, site: Site, folder: DataFolder) -> int:
    lock = await _take_lock(folder)
    try:
        _check_port(settings.host, settings.port)
        folder.clear_run()
        folder.endpoints.unlink(missing_ok=True)
        return await Up(settings, simulators, site, folder, lock).run()
    finally:
        lock.release()


class Up:
    """One run of everything on a data folder whose lock is held."""

    def __init__(self, settings: Settings, simulators: bool, site: Site, folder: DataFolder, lock: FolderLock) -> None:
        self._site = site
        self._folder = folder
        self._registry = new_registry()
        self._assembly = Assembly(settings, folder, simulators)
        self._supervisor = Supervisor(self._assembly.stages(), folder.log, self._registry, self._became_ready, [lock.fd])
        self._stop = asyncio.Event()
        self._admin_told = folder.initial_admin_password.exists()
        self._own_metrics: str | None = None

    async def run(self) -> int:
        """Starts, keeps and stops everything. Returns the exit code."""
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            asyncio.get_running_loop().add_signal_handler(number, self._told_to_stop)
        with self._metrics_server():
            try:
                async with progress(self._supervisor, self._vital_signs):
                    code = await self._until_stopped()
            finally:
                _log.info("stopping")
                await self._supervisor.stop()
        _log.info("stopped")
        return code

    async def _until_stopped(self) -> int:
        work = asyncio.create_task(self._work())
        stopped = asyncio.create_task(self._stop.wait())
        await asyncio.wait({work, stopped}, return_when=asyncio.FIRST_COMPLETED)
        stopped.cancel()
        if not work.done():
            work.cancel()
            await asyncio.gather(work, return_exceptions=True)
            return 0
        try:
            work.result()
        except StartFailed as failure:
            _log.error("%s", failure)
        return EXIT_FAILED

    async def _work(self) -> None:
        """Ends with an exception only."""
        await self._supervisor.start()
        self._tell_admin_password()
        async with asyncio.TaskGroup() as group:
            group.create_task(self._supervisor.watch())
            group.create_task(self._tell_when_ready())

    def _told_to_stop(self) -> None:
        if self._stop.is_set():
            self._supervisor.hurry()
        self._stop.set()

    def _became_ready(self, name: str, details: Details) -> None:
        self._assembly.learn(name, details)
        api, nats = self._assembly.address(API, "api"), self._assembly.address(NATS, "url")
        if api is not None and nats is not None:
            names = [keeper.name for keeper in self._supervisor.keepers]
            metrics = {name: url for name in names if (url := self._assembly.address(name, "metrics")) is not None}
            if self._own_metrics is not None:
                metrics["supervisor"] = self._own_metrics
            try:
                write_endpoints(self._folder.endpoints, api, nats, metrics, self._site_in_use())
            except OSError as error:
                _log.error("%s is out of date: %s", self._folder.endpoints, error)

    def _site_in_use(self) -> Site:
        file = self._assembly.device_endpoints
        return self._site if file is None or not file.exists() else self._site.at_endpoints(read_endpoints(file, self._site))

    async def _tell_when_ready(self) -> None:
        loop = asyncio.get_running_loop()
        say_at = loop.time() + _SAY_EVERY
        while True:
            api = self._assembly.address(API, "api")
            assert api is not None  # every process was ready once
            try:
                status, body = await http_get(f"{api}/readyz", 5.0)
            except OSError as error:
                status, body = 0, str(error) or type(error).__name__
            if status == 200:
                self._tell_admin_password()  # made only now, if the store was away
                _say(f"ready {api}")
                return
            if loop.time() > say_at:
                say_at += _SAY_EVERY
                _log.warning("not ready yet: %s", " ".join(body.split())[:500])
            await asyncio.sleep(_ASK_EVERY)

    def _tell_admin_password(self) -> None:
        file = self._folder.initial_admin_password
        if file.exists() and not self._admin_told:
            self._admin_told = True
            _say(f"user admin, password {file.read_text(encoding='utf-8').strip()} (also in {file}; shown this once)")

    async def _vital_signs(self) -> VitalSigns:
        return await read_vital_signs(self._assembly.address(GATEWAY, "metrics"), self._assembly.address(HISTORIAN, "metrics"))

    @contextlib.contextmanager
    def _metrics_server(self) -> Iterator[None]:
        server, thread = start_http_server(0, LOOPBACK, self._registry)
        self._own_metrics = f"http://{LOOPBACK}:{server.server_port}/metrics"
        try:
            yield
        finally:
            server.shutdown()
            server.server_close()
            thread.join(1.0)


async def _take_lock(folder: DataFolder) -> FolderLock:
    """Waits for what a killed run left behind, which stops by itself within seconds; never for a run that lives."""
    loop = asyncio.get_running_loop()
    end = loop.time() + _LOCK_WAIT
    while True:
        try:
            return FolderLock.take(folder)
        except ConfigurationError:
            if FolderLock.holder_lives(folder) or loop.time() > end:
                raise
        await asyncio.sleep(0.2)


def _check_port(host: str, port: int) -> None:
    """Finds out before anything is started."""
    if port == 0:
        return
    try:
        with socket.create_server((host, port), family=socket.AF_INET6 if ":" in host else socket.AF_INET):
            pass
    except OSError as error:
        reason = os.strerror(error.errno) if error.errno and error.errno > 0 else error
        message = f"{host}:{port} cannot be listened on: {reason}"
        raise ConfigurationError([Problem("--port", None, None, message, "give another port with --port N; --port 0 picks a free one")]) from None


def _say(line: str) -> None:
    """To standard output as it is at this moment, which the live line replaces; flushed, since a script may wait for it."""
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()
