"""A disk of some megabytes for a test: a tmpfs, which only root may mount."""

import os
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

needs_root = pytest.mark.skipif(os.geteuid() != 0, reason="mounts a small file system, which takes root")

_BALLAST = "ballast"


class SmallDisk:
    def __init__(self, folder: Path) -> None:
        self.folder = folder

    @property
    def free_bytes(self) -> int:
        found = os.statvfs(self.folder)
        return found.f_bavail * found.f_frsize

    def leave(self, free_bytes: int) -> None:
        """Somebody else fills it up to so many bytes."""
        with (self.folder / _BALLAST).open("ab") as file:
            os.posix_fallocate(file.fileno(), file.tell(), self.free_bytes - free_bytes)

    def clear(self) -> None:
        """Somebody takes away what does not belong here."""
        (self.folder / _BALLAST).unlink()

    def remount(self, option: str) -> None:
        subprocess.run(["mount", "-o", f"remount,{option}", self.folder], check=True, timeout=10)


@contextmanager
def small_disk(mebibytes: int) -> Iterator[SmallDisk]:
    """Where every user can reach it: PostgreSQL does not run as root."""
    folder = Path(tempfile.mkdtemp(prefix="monazite-disk-"))
    subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={mebibytes}m,mode=755", "tmpfs", folder], check=True, timeout=10)
    try:
        yield SmallDisk(folder)
    finally:
        subprocess.run(["umount", "--lazy", folder], check=True, timeout=10)
        folder.rmdir()
