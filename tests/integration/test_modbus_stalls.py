"""Modbus over TCP stacks that wait for each other: a device that joins small answers, and acknowledgements that come late."""

import asyncio
import socket

import pytest

from drivers.modbus import wire
from tests.modbus_lines import device_on, linked, tcp
from tests.rogue_modbus_server import RogueModbusServer

_LABELS = {"driver": "modbus", "device": "MB-7"}


class JoiningServer(RogueModbusServer):
    """Its TCP holds a small answer until the one before it was acknowledged. Source: RFC 896."""

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.get_extra_info("socket").setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 0)
        await super()._serve(reader, writer)


@pytest.mark.skipif(wire._QUICK_ACK is None, reason="this system cannot be told to acknowledge at once")
async def test_the_answers_of_a_window_do_not_wait_for_late_acknowledgements() -> None:
    """A delayed acknowledgement takes 40 ms; without the hurry one answer in twenty waited for one, whenever it was tried. A busy machine may keep some waiting
    too, but not each time."""
    async with JoiningServer() as server:
        server.registers = [1000 + address for address in range(len(server.registers))]
        assert max([await _quick_share(server) for _ in range(3)]) > 0.98


async def _quick_share(server: JoiningServer) -> float:
    """Of some hundred answers, those that came within 25 ms."""
    async with linked(device_on(tcp(server, window=4), timeout=5.0)) as [link]:
        await link.good(400)
        assert server.pipelined > 100
        assert link.wrong == []
    below = link.registry.get_sample_value("monazite_driver_poll_duration_seconds_bucket", {**_LABELS, "le": "0.025"})
    polls = link.registry.get_sample_value("monazite_driver_poll_duration_seconds_count", _LABELS)
    assert below is not None
    assert polls is not None
    return below / polls
