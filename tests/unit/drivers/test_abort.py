"""An aborted connection sends nothing more."""

import asyncio

from drivers.abort import abort


async def test_what_the_other_end_has_not_taken_never_arrives() -> None:
    begun, go_on = asyncio.Event(), asyncio.Event()
    taken = bytearray()
    ended: list[BaseException | None] = []

    async def reads_late(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.transport.pause_reading()  # type: ignore[attr-defined]  # the transport of a stream reads
        begun.set()
        await go_on.wait()
        writer.transport.resume_reading()  # type: ignore[attr-defined]
        try:
            while piece := await reader.read(65536):
                taken.extend(piece)
            ended.append(None)
        except ConnectionResetError as error:
            ended.append(error)
        writer.close()

    async with await asyncio.start_server(reads_late, "127.0.0.1", 0) as server:
        _, writer = await asyncio.open_connection("127.0.0.1", server.sockets[0].getsockname()[1])
        await begun.wait()
        sent = 0
        while True:
            writer.write(bytes(65536))
            sent += 65536
            try:
                await asyncio.wait_for(writer.drain(), 0.5)
            except TimeoutError:
                break
        abort(writer.transport)
        go_on.set()
        async with asyncio.timeout(10):
            while not ended:
                await asyncio.sleep(0.01)
    assert isinstance(ended[0], ConnectionResetError), "a reset, and no polite end behind everything that was sent"
    assert len(taken) < sent


async def test_a_connection_that_has_ended_already_is_left_alone() -> None:
    async with await asyncio.start_server(lambda reader, writer: writer.close(), "127.0.0.1", 0) as server:
        _, writer = await asyncio.open_connection("127.0.0.1", server.sockets[0].getsockname()[1])
        writer.close()
        await writer.wait_closed()
        abort(writer.transport)
