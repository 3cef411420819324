"""``python -m monazite.guard SUPERVISOR_PID PROGRAM ARGUMENT…`` becomes PROGRAM, which ends when its supervisor does.

For programs that are not ours and watch no lifeline. The wish to be told of the parent's death is a property of the process and outlives exec, so no
process is left in between (prctl(2), PR_SET_PDEATHSIG); asking before exec, here, needs no code between fork and exec in the supervisor. The kernel
offers this on Linux only: elsewhere the program is run as it is, and outlives a supervisor that was killed.
"""

import ctypes
import os
import signal
import sys
from typing import Final

_PR_SET_PDEATHSIG: Final = 1


def main(arguments: list[str]) -> None:
    """Does not return."""
    supervisor, program = int(arguments[0]), arguments[1:]
    if sys.platform == "linux":
        libc = ctypes.CDLL(None, use_errno=True)
        if libc.prctl(_PR_SET_PDEATHSIG, int(signal.SIGTERM), 0, 0, 0) != 0:
            raise OSError(ctypes.get_errno(), "prctl(PR_SET_PDEATHSIG)")
        if os.getppid() != supervisor:  # it died before the line above took effect
            sys.exit("the supervisor is gone")
    os.execv(program[0], program)  # noqa: S606  # to become another program is the purpose


if __name__ == "__main__":
    main(sys.argv[1:])
