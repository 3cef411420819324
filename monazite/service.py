"""What every single service has around it: log, metrics, signals, lifeline, ready file. The services themselves know none of it.

``monazite gateway`` under systemd, in a container and under ``monazite up`` is the same code.
"""

import asyncio
import contextlib
import gc
import importlib
import json
import logging
import os
import platform
import signal
from collections.abc import Awaitable, Callable, Iterator, Mapping
from dataclasses import dataclass
from importlib.metadata import version
from typing import Final, cast

from prometheus_client import CollectorRegistry, Gauge, ProcessCollector, start_http_server

from monazite.atomic_file import write_atomically
from monazite.lifeline import BEAT_PERIOD, ChildLifeline
from monazite.logs import configure_logging
from monazite.settings import Settings
from plant import ConfigurationError, MonaziteError, Problem

_log = logging.getLogger(__name__)

EXIT_FAILED: Final = 1
EXIT_CONFIGURATION: Final = 2


@dataclass(frozen=True)
class ServiceContext:
    """What a service is given. ``stop`` ends it. It calls ``ready`` once it is of use, with its addresses."""

    name: str
    settings: Settings
    registry: CollectorRegistry
    stop: asyncio.Event
    ready: Callable[[Mapping[str, object]], None]


Body = Callable[[ServiceContext], Awaitable[None]]


def body_of(name: str) -> Body:
    """``run`` of ``monazite.processes.<name>``, imported only now: a gateway does not pay for what the API imports."""
    return cast("Body", importlib.import_module(f"monazite.processes.{name}").run)


def run_service(name: str, settings: Settings, body: Callable[[], Body], *, serves_metrics: bool = True) -> int:
    """Runs a service until SIGTERM, SIGINT or the end of its supervisor. Returns the exit code. ``body`` imports it."""
    configure_logging(settings.log_level)
    try:
        asyncio.run(_run(name, settings, body, serves_metrics))
    except* ConfigurationError as group:
        for error in _leaves(group):
            _log.error("%s", error)
        return_code = EXIT_CONFIGURATION
    except* MonaziteError as group:
        for error in _leaves(group):
            _log.error("%s stops: %s", name, error)
        return_code = EXIT_FAILED
    else:
        return_code = 0
    return return_code


async def _run(name: str, settings: Settings, body: Callable[[], Body], serves_metrics: bool) -> None:
    loop = asyncio.get_running_loop()
    stop = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    lifeline = None
    if settings.lifeline_fd is not None:
        lifeline = ChildLifeline(settings.lifeline_fd)
        lifeline.watch(lambda: _set_from_thread(loop, stop))
    registry = new_registry()
    pulse = asyncio.create_task(_pulse(registry, lifeline))
    try:
        with _metrics(settings, registry) if serves_metrics else contextlib.nullcontext() as metrics:
            context = ServiceContext(name, settings, registry, stop, lambda details: _tell_ready(name, settings, metrics, details))
            run = body()
            gc.freeze()  # what was imported stays for good: without this the collector walks through it now and then, a tenth of a second at a time
            await run(context)
    finally:
        pulse.cancel()
        if settings.ready_file is not None:
            settings.ready_file.unlink(missing_ok=True)
    if not stop.is_set():
        raise MonaziteError("it ended without being told to")
    _log.info("%s stopped", name)


def new_registry() -> CollectorRegistry:
    """A registry with the metrics of the process itself."""
    registry = CollectorRegistry()
    ProcessCollector(registry=registry)
    info = Gauge("monazite_build_info", "1; the labels say what runs.", ("version", "python"), registry=registry)
    info.labels(version("monazite"), platform.python_version()).set(1)
    return registry


@contextlib.contextmanager
def _metrics(settings: Settings, registry: CollectorRegistry) -> Iterator[str]:
    """Serves ``registry`` in a thread; gives the URL."""
    try:
        server, thread = start_http_server(settings.metrics_port, settings.metrics_host, registry)
    except OSError as error:
        place = f"{settings.metrics_host}:{settings.metrics_port}"
        problem = Problem("MONAZITE_METRICS_PORT", None, None, f"metrics cannot be served on {place}: {error.strerror}", "give a free port, or 0")
        raise ConfigurationError([problem]) from None
    try:
        host = settings.metrics_host
        yield f"http://{f'[{host}]' if ':' in host else host}:{server.server_port}/metrics"
    finally:
        server.shutdown()
        server.server_close()
        thread.join(1.0)


async def _pulse(registry: CollectorRegistry, lifeline: ChildLifeline | None) -> None:
    lag = Gauge("monazite_event_loop_lag_seconds", "How late the event loop woke up last, measured once a second.", registry=registry)
    loop = asyncio.get_running_loop()
    while True:
        if lifeline is not None:
            lifeline.beat()
        due = loop.time() + BEAT_PERIOD
        await asyncio.sleep(BEAT_PERIOD)
        lag.set(max(0.0, loop.time() - due))


def _tell_ready(name: str, settings: Settings, metrics: str | None, details: Mapping[str, object]) -> None:
    _log.info("%s is ready", name)
    if settings.ready_file is not None:
        own = {} if metrics is None else {"metrics": metrics}
        write_atomically(settings.ready_file, json.dumps({"service": name, "pid": os.getpid(), **own, **details}))


def _set_from_thread(loop: asyncio.AbstractEventLoop, stop: asyncio.Event) -> None:
    with contextlib.suppress(RuntimeError):  # the loop is closed: the process is ending already
        loop.call_soon_threadsafe(stop.set)


def _leaves(group: BaseExceptionGroup[MonaziteError]) -> Iterator[MonaziteError]:
    for error in group.exceptions:
        if isinstance(error, BaseExceptionGroup):
            yield from _leaves(error)
        else:
            yield error
