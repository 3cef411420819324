"""The log file of a child process: bounded on disk, with its last lines at hand."""

from pathlib import Path


class RotatingLog:
    """Appends to ``file``; at ``limit`` bytes it becomes ``file.1``, and so on up to ``file.<kept>``. Lines are split only at their ends."""

    def __init__(self, file: Path, limit: int = 2_000_000, kept: int = 2) -> None:
        self._file = file
        self._limit = limit
        self._kept = kept
        self._stream = file.open("ab", buffering=0)
        self._size = self._stream.tell()
        self._tail = b""

    @property
    def file(self) -> Path:
        return self._file

    def write(self, data: bytes) -> None:
        """Raises ``OSError`` when the disk does not take it."""
        self._tail = (self._tail + data)[-8192:]
        if self._size and self._size + len(data) > self._limit:
            self._rotate()
        self._stream.write(data)
        self._size += len(data)

    def last_lines(self, count: int) -> list[str]:
        """Of what was written through this object."""
        return self._tail.decode("utf-8", "replace").splitlines()[-count:]

    def forget_lines(self) -> None:
        """From here on ``last_lines`` gives what is written next."""
        self._tail = b""

    def close(self) -> None:
        self._stream.close()

    def _rotate(self) -> None:
        """Leaves the stream as it was where the disk refuses."""
        for number in range(self._kept, 0, -1):
            older = self._numbered(number - 1) if number > 1 else self._file
            if older.exists():
                older.replace(self._numbered(number))
        full, self._stream = self._stream, self._file.open("ab", buffering=0)
        full.close()
        self._size = 0

    def _numbered(self, number: int) -> Path:
        return self._file.with_name(f"{self._file.name}.{number}")
