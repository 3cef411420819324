"""Ending a connection for good."""

import asyncio
import contextlib
import socket
import struct
from typing import Final

_RESET: Final = struct.pack("ii", 1, 0)
"""SO_LINGER on, for zero seconds: what is not delivered is thrown away. Source: socket(7)."""


def abort(transport: asyncio.BaseTransport) -> None:
    """Closes the socket so that nothing leaves it any more.

    Closed otherwise, the kernel goes on sending what it holds for minutes: behind a cable that was pulled and put back, a set-point would arrive long after
    its outcome was told to be unknown.
    """
    connection = transport.get_extra_info("socket")
    if connection is not None:
        with contextlib.suppress(OSError):  # closed already
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET)
    if isinstance(transport, asyncio.WriteTransport):
        transport.abort()
