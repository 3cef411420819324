"""A serial port whose other end does not take what is sent: a pseudo-terminal that nobody reads stands in for an adapter that stalls."""

import asyncio
import os
import tty
from collections.abc import AsyncIterator

import pytest

from drivers.modbus.serial_port import SerialTransport, open_port
from plant.device import Parity, SerialLine

COMMAND = b"\x06"
FAR_TOO_MUCH = 1_000_000
"""Bytes; the kernel holds some thousands."""


@pytest.fixture
async def ends() -> AsyncIterator[tuple[int, SerialTransport]]:
    """The far end, which takes nothing until it is read, and ours."""
    far, near = os.openpty()
    for end in (far, near):
        tty.setraw(end)
    os.set_blocking(far, False)
    line = SerialLine(os.ttyname(near), 115_200, Parity.NONE)
    transport = SerialTransport(asyncio.get_running_loop(), open_port(line), asyncio.Protocol())
    yield far, transport
    transport.close()
    os.close(far)
    os.close(near)


async def drained(far: int, until: bytes) -> bytes:
    received = bytearray()
    async with asyncio.timeout(20):
        while until not in received:
            try:
                received += os.read(far, 65_536)
            except BlockingIOError:
                await asyncio.sleep(0.005)
    return bytes(received)


async def test_what_is_thrown_away_never_leaves_and_what_comes_after_it_does(ends: tuple[int, SerialTransport]) -> None:
    far, transport = ends
    transport.write(COMMAND * FAR_TOO_MUCH)
    transport.discard()
    transport.write(b"\x03")
    received = await drained(far, b"\x03")
    assert received.count(COMMAND) < FAR_TOO_MUCH // 10


async def test_a_port_is_closed_at_once_whatever_it_has_not_sent(ends: tuple[int, SerialTransport]) -> None:
    _, transport = ends
    transport.write(COMMAND * FAR_TOO_MUCH)
    loop = asyncio.get_running_loop()
    begun = loop.time()
    transport.close()
    assert loop.time() - begun < 5.0, "the kernel would wait half a minute for what it could not send"
    assert transport.is_closing()
