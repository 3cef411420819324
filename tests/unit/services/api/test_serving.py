import asyncio
import socket

import pytest

from plant.errors import ConfigurationError
from services.api.serving import listen_on


async def test_answers_are_not_held_back_until_the_client_acknowledged_half_of_them() -> None:
    held_back: asyncio.Queue[int] = asyncio.Queue()

    def accepted(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        held_back.put_nowait(not writer.get_extra_info("socket").getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY))
        writer.close()

    with listen_on("127.0.0.1", 0) as listener:
        async with await asyncio.start_server(accepted, sock=listener):
            _, writer = await asyncio.open_connection(*listener.getsockname())
            assert not await asyncio.wait_for(held_back.get(), 10), "Nagle's algorithm is on: 40 ms an answer"
            writer.close()


def test_a_port_that_is_taken_is_the_engineers_to_free() -> None:
    with listen_on("127.0.0.1", 0) as listener:
        listener.listen()
        with pytest.raises(ConfigurationError, match="MONAZITE_PORT"):
            listen_on("127.0.0.1", listener.getsockname()[1])
