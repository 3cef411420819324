"""Modbus units on a serial line, which is a pseudo-terminal here."""

import asyncio
import time
from pathlib import Path

import pytest

from drivers.modbus import ModbusDriver
from drivers.session import WriteStatus
from plant.device import Parity, SerialLine
from plant.errors import DeviceUnreachable
from plant.quality import Quality
from tests import rogue_modbus_server
from tests.modbus_lines import ADDRESSES, TIMEOUT, device_on, linked, opened, serving_terminal, until
from tests.rogue_modbus_server import Behaviour, late


@pytest.fixture
def port(tmp_path: Path) -> Path:
    return tmp_path / "ttyMODBUS"


def serial(port: Path, baud_rate: int = 115200) -> SerialLine:
    return SerialLine(str(port), baud_rate, Parity.NONE)


async def test_units_on_a_serial_line_share_it_and_are_read_and_written(port: Path) -> None:
    async with serving_terminal(port) as server, linked(*(device_on(serial(port), unit) for unit in (1, 2))) as links:
        for link in links:
            await link.good()
            assert (await link.link.write(link.tags[0], 1000.0, 5.0)).status is WriteStatus.CONFIRMED
        assert (server.connections, server.pipelined) == (1, 0)
        assert [link.wrong for link in links] == [[], []]


async def test_a_silent_unit_on_a_serial_line_and_its_late_answer_harm_no_other(port: Path) -> None:
    async with serving_terminal(port) as server, linked(*(device_on(serial(port), unit) for unit in (1, 2))) as [first, second]:
        await first.good()
        await second.good()
        server.next_read.append(late(1.6 * TIMEOUT))
        await until(lambda: first.metric("polls", result="timeout") + second.metric("polls", result="timeout") == 1)
        lively = first if second.metric("polls", result="timeout") else second
        await lively.good(20)
        assert lively.metric("reconnects") == 0
        assert (first.wrong, second.wrong) == ([], [])


async def test_noise_between_frames_on_a_serial_line_is_waited_out(port: Path) -> None:
    async with serving_terminal(port) as server, linked(device_on(serial(port))) as [link]:
        await link.good()
        for _ in range(40):
            server.babble(b"\xff\x00\x55")
            await asyncio.sleep(0.02)
        await link.good()
        assert link.wrong == []
        assert link.metric("frames_rejected", reason="unasked") >= 1


@pytest.mark.parametrize(
    "behaviour", [rogue_modbus_server.RTU_NOISE_BEFORE, rogue_modbus_server.RTU_WRONG_CHECKSUM, rogue_modbus_server.RTU_TRUNCATED], ids=str
)
async def test_a_spoilt_answer_on_a_serial_line_is_bad_once_and_then_good_again(port: Path, behaviour: Behaviour) -> None:
    async with serving_terminal(port) as server, linked(device_on(serial(port))) as [link]:
        await link.good()
        server.next_read.append(behaviour)
        await until(lambda: any(quality < 0 for _, _, quality in link.said))
        await link.good()
        assert link.wrong == []
        assert sum(quality < 0 for _, _, quality in link.said) == len(ADDRESSES)


async def test_after_an_error_a_serial_line_is_left_alone_for_the_time_out(port: Path) -> None:
    async with serving_terminal(port) as server, linked(*(device_on(serial(port), unit) for unit in (1, 2))) as links:
        for link in links:
            await link.good()
        arrivals: list[float] = []
        spoilt = rogue_modbus_server.RTU_WRONG_CHECKSUM
        server.next_read.append(spoilt)
        await until(lambda: any(request.behaviour is spoilt for request in server.requests))
        arrivals.append(time.monotonic())
        asked = len(server.requests)
        await until(lambda: len(server.requests) > asked)
        assert time.monotonic() - arrivals[0] >= TIMEOUT - 0.05


async def test_a_serial_adapter_that_is_pulled_out_and_put_back_is_bad_once_and_then_good(port: Path) -> None:
    async with serving_terminal(port) as server, linked(device_on(serial(port))) as [link]:
        await link.good()
        await server.stop()
        port.unlink()
        await until(lambda: link.count(Quality.BAD_NO_COMMUNICATION) == len(ADDRESSES))
        await until(lambda: "no serial port" in (link.link.status.last_error or ""))
        await server.start_on_terminal(port)
        await link.good()
        assert link.count(Quality.BAD_NO_COMMUNICATION) == len(ADDRESSES)
        assert link.wrong == []


async def test_a_serial_port_is_held_by_one_program_and_what_is_no_port_is_refused(port: Path, tmp_path: Path) -> None:
    async with serving_terminal(port):
        async with opened(ModbusDriver(), device_on(serial(port))):
            with pytest.raises(DeviceUnreachable, match="another program has the serial port"):
                async with opened(ModbusDriver(), device_on(serial(port))):
                    pass
        with pytest.raises(DeviceUnreachable, match="no such speed"):
            async with opened(ModbusDriver(), device_on(serial(port, 12345))):
                pass
    plain = tmp_path / "plain"
    plain.write_text("")
    with pytest.raises(DeviceUnreachable, match="cannot be set"):
        async with opened(ModbusDriver(), device_on(serial(plain))):
            pass
