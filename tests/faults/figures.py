"""What a test of endurance measures of itself, and tells whoever runs it with ``-s``."""

import os
import sys
from pathlib import Path


def resident_bytes() -> int:
    """What this process holds of the machine's memory. Source: proc(5), ``/proc/self/statm``, second field: pages."""
    pages = int(Path("/proc/self/statm").read_text("ascii").split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE")


def report(line: str) -> None:
    sys.stdout.write(f"\n{line}")
