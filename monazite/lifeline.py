"""A socket pair between the supervisor and each of its services, by which each learns of the other.

- The child's end reads end-of-file when the supervisor is gone, however it went: the service stops as at SIGTERM, and is gone after
  ``STOP_WITHIN`` seconds in any case, even when its event loop is stuck, since a thread of its own watches.
- The child's event loop writes one byte a second: a process that is alive and does nothing (stopped, or stuck in a loop) falls silent.
"""

import asyncio
import contextlib
import os
import socket
import threading
from collections.abc import Callable
from typing import Final

BEAT_PERIOD: Final = 1.0
STOP_WITHIN: Final = 4.0
_EXIT_ORPHANED: Final = 70


class ChildLifeline:
    """The service's end. ``fd`` is an inherited descriptor."""

    def __init__(self, fd: int) -> None:
        self._socket = socket.socket(fileno=fd)
        self._socket.setblocking(True)

    def watch(self, orphaned: Callable[[], None]) -> None:
        """Calls ``orphaned`` once, in another thread, when the supervisor is gone."""
        threading.Thread(target=self._watch, args=(orphaned,), name="lifeline", daemon=True).start()

    def _watch(self, orphaned: Callable[[], None]) -> None:
        with contextlib.suppress(OSError):
            while self._socket.recv(64):
                pass
        orphaned()
        threading.Event().wait(STOP_WITHIN)
        os._exit(_EXIT_ORPHANED)

    def beat(self) -> None:
        """Never blocks: a supervisor that does not read has a buffer of beats, which is as good as more of them."""
        with contextlib.suppress(OSError):
            self._socket.send(b".", socket.MSG_DONTWAIT)


class ParentLifeline:
    """The supervisor's end, and the child's until ``handed_over``."""

    def __init__(self) -> None:
        self._ours, self._theirs = socket.socketpair()
        self._ours.setblocking(False)
        self._loop = asyncio.get_running_loop()
        self._last_beat: float | None = None
        self._loop.add_reader(self._ours, self._read)

    @property
    def child_fd(self) -> int:
        return self._theirs.fileno()

    def handed_over(self) -> None:
        """The child has its copy: from here on its end closes with it."""
        self._theirs.close()

    @property
    def silent_for(self) -> float:
        """Seconds since the last beat; 0 for a child that never beats."""
        return 0.0 if self._last_beat is None else self._loop.time() - self._last_beat

    def _read(self) -> None:
        try:
            beats = self._ours.recv(4096)
        except BlockingIOError:
            return
        except OSError:
            beats = b""
        if beats:
            self._last_beat = self._loop.time()
        else:
            self._loop.remove_reader(self._ours)

    def close(self) -> None:
        """Safe to repeat."""
        if self._ours.fileno() < 0:
            return
        self._loop.remove_reader(self._ours)
        self._ours.close()
        self._theirs.close()
