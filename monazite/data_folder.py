"""The data folder: where everything that outlives a run lies, and the lock by which one run at a time has it.

=========================== ============================================================
history.sqlite              the default store
nats/                       streams, and the server's configuration (0600: it holds the password)
pki/                        the gateway's OPC UA certificate, and those it trusts and rejected
secrets/                    passwords and keys made at the first start (0700)
initial-admin-password      of the user admin (0600)
log/                        one bounded log a process
run/                        what processes tell each other while they run
endpoints.json              every address in use
lock                        held while anything runs
=========================== ============================================================
"""

import contextlib
import fcntl
import os
import secrets
from pathlib import Path
from typing import Self

from monazite.atomic_file import PRIVATE, write_atomically
from plant import ConfigurationError, Problem


class DataFolder:
    """Paths in the folder. Made by ``open``, which also makes the folder."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.nats = path / "nats"
        self.log = path / "log"
        self.run = path / "run"
        self.endpoints = path / "endpoints.json"
        self.device_endpoints = self.run / "device-endpoints.json"
        self.initial_admin_password = path / "initial-admin-password"
        self.nats_password = path / "secrets" / "nats-password"

    @classmethod
    def open(cls, path: Path) -> Self:
        """Makes what is missing; what a run left in ``run/`` goes.

        Raises:
            ConfigurationError: the folder cannot be made or written.
        """
        folder = cls(path.absolute())
        for part in (folder.path, folder.nats, folder.log, folder.run):
            ensure_folder(part)
        ensure_folder(folder.nats_password.parent, 0o700)
        return folder

    def clear_run(self) -> None:
        """What the run before left there means nothing any more. Call with the lock held."""
        for file in self.run.iterdir():
            file.unlink()

    def password_of_nats(self) -> str:
        """Made once, then kept."""
        if not self.nats_password.exists():
            write_atomically(self.nats_password, secrets.token_urlsafe(32), PRIVATE)
        return self.nats_password.read_text(encoding="utf-8")


class FolderLock:
    """One run at a time on a data folder.

    The lock belongs to the open file, which every child inherits: it is free again when the last of them is gone, so that a run that was killed and
    the next one never talk to the same devices at the same time.
    """

    def __init__(self, fd: int) -> None:
        self.fd = fd

    @classmethod
    def take(cls, folder: DataFolder) -> Self:
        """Held until ``release``, or the end of this process and all its children.

        Raises:
            ConfigurationError: something still runs on the folder.
        """
        try:
            fd = os.open(folder.path / "lock", os.O_RDWR | os.O_CREAT, PRIVATE)
        except OSError as error:
            message = f"cannot be opened: {error.strerror}"
            raise ConfigurationError([Problem(str(folder.path / "lock"), None, None, message, "run as the user whose folder it is")]) from None
        try:
            fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(fd)
            holder = cls._holder(folder)
            if holder is None or _is_alive(holder):
                message, mend = f"process {holder or 'unknown'} already runs on this data folder", "stop it, or give another folder with --data DIR"
            else:
                message, mend = f"services of process {holder}, which is gone, still run on this data folder", "try again in some seconds"
            raise ConfigurationError([Problem(str(folder.path), None, None, message, mend)]) from None
        os.ftruncate(fd, 0)
        os.pwrite(fd, f"{os.getpid()}\n".encode(), 0)
        return cls(fd)

    @classmethod
    def holder_lives(cls, folder: DataFolder) -> bool:
        """Whether the process that took the lock last is still there."""
        holder = cls._holder(folder)
        return holder is not None and _is_alive(holder)

    @staticmethod
    def _holder(folder: DataFolder) -> int | None:
        text = (folder.path / "lock").read_text(encoding="ascii", errors="replace").strip()
        return int(text) if text.isascii() and text.isdigit() else None

    def release(self) -> None:
        """For this process; children that still live keep it."""
        with contextlib.suppress(OSError):
            os.close(self.fd)


def ensure_folder(path: Path, mode: int = 0o755) -> None:
    """Makes the folder if it is missing.

    Raises:
        ConfigurationError: it cannot be made or written.
    """
    try:
        path.mkdir(mode=mode, parents=True, exist_ok=True)
        probe = path / f".probe.{os.getpid()}"
        probe.write_bytes(b"")
        probe.unlink()
    except OSError as error:
        message = f"the data folder cannot be used: {error.strerror or error}"
        raise ConfigurationError([Problem(str(path), None, None, message, "give a folder that this user may write, with --data DIR")]) from None


def _is_alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True
