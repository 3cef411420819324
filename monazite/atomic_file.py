"""Files that a reader sees whole or not at all, and secrets that only their owner sees at any moment."""

import os
from pathlib import Path
from typing import Final

PRIVATE: Final = 0o600
READABLE: Final = 0o644


def write_atomically(file: Path, text: str, mode: int = READABLE) -> None:
    """Replaces ``file``. ``mode`` holds from the first byte on.

    Raises:
        OSError: the folder cannot be written.
    """
    temporary = file.with_name(f".{file.name}.{os.getpid()}")
    temporary.unlink(missing_ok=True)
    descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode)
    with os.fdopen(descriptor, "w", encoding="utf-8") as stream:
        stream.write(text)
        stream.flush()
        os.fsync(stream.fileno())
    temporary.replace(file)
