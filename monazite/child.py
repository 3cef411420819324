"""One child process: its output in a bounded log, its lifeline, its end.

Children get a session of their own: a Ctrl-C at the terminal reaches the supervisor alone, which then stops them in order.
"""

import asyncio
import contextlib
import signal
from asyncio.subprocess import PIPE, STDOUT, Process
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from monazite.lifeline import ParentLifeline
from monazite.rotating_log import RotatingLog
from monazite.settings import variable_of
from monazite.word_count import WordCount

_KILL_DEADLINE: Final = 10.0
_CHUNK: Final = 65_536


@dataclass(frozen=True, slots=True)
class Launch:
    """What to run. ``argv[0]`` is a path; ``environment`` is the whole of it."""

    argv: Sequence[str]
    environment: Mapping[str, str]


class Child:
    """A running child. Made by ``spawn``."""

    def __init__(self, process: Process, lifeline: ParentLifeline, log: RotatingLog, words: bytes) -> None:
        self._process = process
        self._lifeline = lifeline
        self._log = log
        self._said = WordCount(words)
        self._output = asyncio.create_task(self._keep_output())
        self._begun = asyncio.get_running_loop().time()

    @property
    def said(self) -> int:
        """How often its output had the words that ``spawn`` was given."""
        return self._said.count

    @classmethod
    async def spawn(cls, launch: Launch, log: RotatingLog, kept_fds: Sequence[int] = (), words: bytes = b"") -> "Child":
        """``kept_fds`` are descriptors that the child holds open for as long as it lives.

        Raises:
            OSError: the program cannot be run.
        """
        lifeline = ParentLifeline()
        try:
            process = await asyncio.create_subprocess_exec(
                *launch.argv,
                env={**launch.environment, variable_of("lifeline_fd"): str(lifeline.child_fd)},
                stdin=asyncio.subprocess.DEVNULL,
                stdout=PIPE,
                stderr=STDOUT,
                start_new_session=True,
                pass_fds=(lifeline.child_fd, *kept_fds),
            )
        except BaseException:
            lifeline.close()
            raise
        lifeline.handed_over()
        return cls(process, lifeline, log, words)

    @property
    def pid(self) -> int:
        return self._process.pid

    @property
    def is_running(self) -> bool:
        return self._process.returncode is None

    @property
    def age(self) -> float:
        """Seconds since it was started."""
        return asyncio.get_running_loop().time() - self._begun

    @property
    def silent_for(self) -> float:
        """Seconds since the last sign of life of its event loop; 0 for a program that gives none."""
        return self._lifeline.silent_for

    async def wait(self) -> int:
        """Exit code (negative: the signal that ended it), once its output is in the log."""
        code = await self._process.wait()
        await asyncio.wait([self._output], timeout=1.0)  # a grandchild may hold the pipe open
        return code

    async def stop(self, deadline: float, hurry: asyncio.Event) -> None:
        """SIGTERM; after ``deadline`` seconds, or as soon as ``hurry`` is set, SIGKILL. Returns when it is gone."""
        if self.is_running:
            self._signal(signal.SIGTERM)
            ended = asyncio.create_task(self._process.wait())
            hurried = asyncio.create_task(hurry.wait())
            await asyncio.wait({ended, hurried}, timeout=deadline, return_when=asyncio.FIRST_COMPLETED)
            hurried.cancel()
            if not ended.done():
                self._signal(signal.SIGKILL)
                async with asyncio.timeout(_KILL_DEADLINE):
                    await ended
        await self._release()

    async def kill(self) -> None:
        """SIGKILL, and waits for the end."""
        if self.is_running:
            self._signal(signal.SIGKILL)
            async with asyncio.timeout(_KILL_DEADLINE):
                await self._process.wait()
        await self._release()

    def _signal(self, number: signal.Signals) -> None:
        with contextlib.suppress(ProcessLookupError):
            self._process.send_signal(number)

    async def _release(self) -> None:
        await asyncio.wait([self._output], timeout=1.0)
        self._output.cancel()
        self._lifeline.close()

    async def _keep_output(self) -> None:
        assert self._process.stdout is not None  # asked for in spawn
        while data := await self._process.stdout.read(_CHUNK):
            self._said.hear(data)
            with contextlib.suppress(OSError):  # a full disk must not block the child: its line is lost, the pipe stays empty
                self._log.write(data)
