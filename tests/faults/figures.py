"""What a test of endurance measures of itself, and tells whoever runs it with ``-s``."""

import os
import sys
from pathlib import Path
from typing import Literal, TypeVar

Number = TypeVar("Number", int, float)


def resident_bytes(process: int | Literal["self"] = "self") -> int:
    """What a process, by its id, holds of the machine's memory. Source: proc(5), ``/proc/PID/statm``, second field: pages."""
    pages = int(Path(f"/proc/{process}/statm").read_text("ascii").split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE")


def report(line: str) -> None:
    sys.stdout.write(f"\n{line}")


def is_full() -> bool:
    """Whether the whole counts are asked for."""
    return os.environ.get("MONAZITE_FULL_FAULTS") == "1"


def scaled(whole: Number, part: Number) -> Number:
    """``whole`` with ``MONAZITE_FULL_FAULTS=1``, else the ``part`` that every run of the tests can afford."""
    return whole if is_full() else part
