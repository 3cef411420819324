"""Keeps a set of processes running: starts them in order of dependence, starts again what dies, stops them in reverse order.

Rules:

1. A process is started again with the addresses it had before: others have learned them.
2. The first start of each must succeed, or nothing runs; later deaths are mended for ever, with a growing delay.
3. No process outlives its supervisor, however that ends: ``lifeline`` for ours, ``guard`` for others.
4. A process that gives no sign of life is reported after ``SILENT_AFTER`` seconds and replaced after ``REPLACED_AFTER``.
5. A process that says that it does its work no more (``Ailment``) is replaced when that may help, and goes on saying so.
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Final

from prometheus_client import CollectorRegistry, Counter, Gauge

from monazite.backoff import Backoff
from monazite.child import Child, Launch
from monazite.rotating_log import RotatingLog
from plant import MonaziteError

_log = logging.getLogger(__name__)

SILENT_AFTER: Final = 5.0
REPLACED_AFTER: Final = 60.0
_LINES_SHOWN: Final = 15

Details = Mapping[str, object]
"""What a process says of itself when it is ready, its addresses above all."""


class StartFailed(MonaziteError):
    """A process died or was not ready in time. Carries its last lines."""

    def __init__(self, name: str, reason: str, log: RotatingLog) -> None:
        self.name = name
        self.lines = log.last_lines(_LINES_SHOWN)
        super().__init__("\n  ".join([f"{name} did not start: {reason}; its log is {log.file}", *self.lines]))


@dataclass(frozen=True, slots=True)
class Ailment:
    """What a new start cures. ``words`` stand in the process's output each time that it fails; ``is_curable``: whether it would not fail again at once.
    ``name`` says it to people."""

    name: str
    words: bytes
    is_curable: Callable[[], bool]


@dataclass(frozen=True, slots=True)
class ProcessSpec:
    """How to run one process.

    ``launch`` is called before each start with what the process said of itself when it last ran, ``None`` the first time. ``ready`` gets its process
    id and returns when it is of use. Deadlines are seconds.
    """

    name: str
    launch: Callable[[Details | None], Launch]
    ready: Callable[[int], Awaitable[Details]]
    ready_deadline: float = 30.0
    stop_deadline: float = 15.0
    ailment: Ailment | None = None


class State(StrEnum):
    STARTING = "starting"
    UP = "up"
    SILENT = "silent"
    WAITING = "waiting"
    STOPPED = "stopped"


class Supervisor:
    """``stages`` are started one after another, the processes of one together. ``became_ready`` is told of every start and restart.

    ``kept_fds`` stay open in every child, such as that of a lock that must hold until the last of them is gone.
    """

    def __init__(
        self,
        stages: Sequence[Sequence[ProcessSpec]],
        log_folder: Path,
        registry: CollectorRegistry,
        became_ready: Callable[[str, Details], None],
        kept_fds: Sequence[int] = (),
    ) -> None:
        metrics = SupervisorMetrics(registry)
        self._stages = [[Keeper(spec, log_folder, metrics, became_ready, kept_fds) for spec in stage] for stage in stages]
        self._hurry = asyncio.Event()

    @property
    def keepers(self) -> list["Keeper"]:
        """One a process, in order of start."""
        return [keeper for stage in self._stages for keeper in stage]

    async def start(self) -> None:
        """Returns when every process is ready.

        Raises:
            StartFailed: one was not; those before it still run, ``stop`` ends them.
        """
        for stage in self._stages:
            try:
                async with asyncio.TaskGroup() as group:
                    for keeper in stage:
                        group.create_task(keeper.start())
            except ExceptionGroup as failures:
                raise failures.exceptions[0] from None
        for keeper in self.keepers:
            keeper.keep()

    async def watch(self) -> None:
        """Call after ``start``. Does not return; raises what a keeper died of, which is a defect of ours."""
        await asyncio.gather(*(keeper.kept() for keeper in self.keepers))

    async def stop(self) -> None:
        """Stops everything, last started first. Safe to call at any time, once."""
        for keeper in self.keepers:
            keeper.let_go()
        for stage in reversed(self._stages):
            await asyncio.gather(*(keeper.stop(self._hurry) for keeper in stage))

    def hurry(self) -> None:
        """From now on stopping means killing."""
        self._hurry.set()


class SupervisorMetrics:
    """Labels are bounded by the processes of the supervisor."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self.restarts = Counter("monazite_process_restarts", "Starts after a death.", ("process",), registry=registry)
        self.up = Gauge("monazite_process_up", "1 while the process is ready and gives signs of life.", ("process",), registry=registry)


class Keeper:
    """Keeps one process running."""

    def __init__(
        self, spec: ProcessSpec, log_folder: Path, metrics: SupervisorMetrics, became_ready: Callable[[str, Details], None], kept_fds: Sequence[int]
    ) -> None:
        self._spec = spec
        self._log = RotatingLog(log_folder / f"{spec.name}.log")
        self._restarts = metrics.restarts.labels(spec.name)
        self._up = metrics.up.labels(spec.name)
        self._became_ready = became_ready
        self._kept_fds = kept_fds
        self._details: Details | None = None
        self._child: Child | None = None
        self._task: asyncio.Task[None] | None = None
        self._backoff = Backoff()
        self.state = State.STARTING
        self.restarts = 0

    @property
    def name(self) -> str:
        return self._spec.name

    @property
    def pid(self) -> int | None:
        return self._child.pid if self._child is not None and self._child.is_running else None

    async def start(self) -> None:
        """Starts it once; on failure nothing of it is left.

        Raises:
            StartFailed: it died or was not ready in time.
        """
        self._enter(State.STARTING)
        self._log.forget_lines()
        try:
            words = b"" if self._spec.ailment is None else self._spec.ailment.words
            child = await Child.spawn(self._spec.launch(self._details), self._log, self._kept_fds, words)
        except OSError as error:
            raise StartFailed(self.name, str(error), self._log) from None
        self._child = child
        ready = asyncio.ensure_future(self._spec.ready(child.pid))
        died = asyncio.create_task(child.wait())
        try:
            await asyncio.wait({ready, died}, timeout=self._spec.ready_deadline, return_when=asyncio.FIRST_COMPLETED)
            if not ready.done() or isinstance(ready.exception(), TimeoutError):
                reason = f"it {_ended(died.result())}" if died.done() else f"it was not ready within {self._spec.ready_deadline:g} s"
                await child.kill()
                raise StartFailed(self.name, reason, self._log)
        finally:
            ready.cancel()
            died.cancel()
        self._details = ready.result()
        self._enter(State.UP)
        _log.info("%s is up, process %d", self.name, child.pid)
        self._became_ready(self.name, self._details)

    def keep(self) -> None:
        """From now on it is started again whenever it dies."""
        self._task = asyncio.create_task(self._keep())

    async def kept(self) -> None:
        """Raises what ended the keeping, if anything but ``let_go`` did."""
        assert self._task is not None  # keep() comes first
        await asyncio.shield(self._task)

    def let_go(self) -> None:
        """From now on it is not started again."""
        if self._task is not None:
            self._task.cancel()

    async def stop(self, hurry: asyncio.Event) -> None:
        """Ends it; not to be started again."""
        if self._task is not None:
            await asyncio.wait([self._task])
        if self._child is not None:
            await self._child.stop(self._spec.stop_deadline, hurry)
        self._enter(State.STOPPED)
        self._log.close()

    async def _keep(self) -> None:
        while True:
            assert self._child is not None  # keep() comes after start()
            reason = await self._until_dead(self._child)
            delay = self._backoff.after(self._child.age)
            await self._child.kill()
            self._enter(State.WAITING)
            _log.error("%s %s after %.0f s; it is started again in %.1f s", self.name, reason, self._child.age, delay)
            await asyncio.sleep(delay)
            self.restarts += 1
            self._restarts.inc()
            try:
                await self.start()
            except MonaziteError as failure:
                _log.error("%s", failure)

    async def _until_dead(self, child: Child) -> str:
        died = asyncio.create_task(child.wait())
        ailment, heard = self._spec.ailment, 0
        try:
            while not died.done():
                await asyncio.wait({died}, timeout=0.5)
                if ailment is not None and child.said > heard:
                    if ailment.is_curable():
                        return f"{ailment.name} and is replaced"
                    heard = child.said  # what it said before there is a cure does not say that it is still ill
                silent = child.silent_for
                if silent > REPLACED_AFTER:
                    return f"gave no sign of life for {silent:.0f} s and is replaced"
                if silent > SILENT_AFTER and self.state is State.UP:
                    self._enter(State.SILENT)
                    _log.error("%s (process %d) gives no sign of life; it is replaced after %g s", self.name, child.pid, REPLACED_AFTER)
                elif silent <= SILENT_AFTER and self.state is State.SILENT:
                    self._enter(State.UP)
                    _log.info("%s (process %d) gives signs of life again", self.name, child.pid)
            return _ended(died.result())
        finally:
            died.cancel()

    def _enter(self, state: State) -> None:
        self.state = state
        self._up.set(state is State.UP)


def _ended(code: int) -> str:
    return f"was ended by signal {-code}" if code < 0 else f"exited with code {code}"
