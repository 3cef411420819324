"""Memory that is given back: what an answer of fifty million rows took is not kept for the next one."""

import ctypes
from typing import Final

_M_MMAP_THRESHOLD: Final = -3
_GIVEN_BACK_FROM: Final = 256 * 1024


def give_memory_back() -> None:
    """For the process: blocks of 256 kB and more go back to the system when they are freed.

    Source: mallopt(3). glibc raises that size by itself to that of the largest block freed so far, and the hash of a password takes 64 MB. Other systems have
    no ``mallopt`` and keep their own rule.
    """
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)
    if mallopt is not None:
        mallopt(_M_MMAP_THRESHOLD, _GIVEN_BACK_FROM)
