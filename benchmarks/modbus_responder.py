"""A Modbus device that answers every request of a segment, as a process of its own. Prints its port, and serves until it is ended.

pymodbus's server, which the simulators use, answers only the first request of a segment, so that several under way cannot be measured against it.
"""

import asyncio
import struct
from typing import Final

import numpy as np

from benchmarks.modbus_reads import BLOCK

_MBAP: Final = struct.Struct(">HHHB")
_REQUEST: Final = 12
"""Bytes of a read on the wire."""


class Responder(asyncio.Protocol):
    """Answers reads, whatever their address, with the same registers."""

    def __init__(self) -> None:
        self._received = b""
        self._transport: asyncio.WriteTransport | None = None
        data = np.linspace(0.0, 99.0, BLOCK).astype(">f4").tobytes()
        self._pdu = bytes([4, len(data)]) + data

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.WriteTransport)
        self._transport = transport

    def data_received(self, data: bytes) -> None:
        assert self._transport is not None
        received = self._received + data
        answers = []
        whole = len(received) - len(received) % _REQUEST
        for at in range(0, whole, _REQUEST):
            transaction, _, _, unit = _MBAP.unpack_from(received, at)
            answers.append(_MBAP.pack(transaction, 0, len(self._pdu) + 1, unit) + self._pdu)
        self._received = received[whole:]
        self._transport.write(b"".join(answers))


async def serve() -> None:
    server = await asyncio.get_running_loop().create_server(Responder, "127.0.0.1", 0)
    print(server.sockets[0].getsockname()[1], flush=True)  # noqa: T201  # the answer that the parent process waits for
    await server.serve_forever()


if __name__ == "__main__":
    asyncio.run(serve())
