"""Devices whose names nobody answers for, beside sound ones."""

import asyncio
import socket
import threading
import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from asyncua import ua
from prometheus_client import CollectorRegistry

from drivers import Backoff, DeviceLink, DriverMetricFamilies, OpenSession
from drivers.modbus import ModbusDriver
from drivers.opcua import OpcuaDriver
from plant.batch import Batch
from plant.device import ModbusDevice, OpcuaDevice, OpcuaSecurity, TcpLine
from plant.link import LinkState
from tests.cable import Cable
from tests.integration.test_opcua_driver import device_at, tag_of
from tests.modbus_device import PRESSURE
from tests.opcua_server import plc_server
from tests.supervised import supervised

pytestmark = pytest.mark.usefixtures("silent_name_server")
LEVEL = tag_of(1, "level")
DEAD = 12
"""More than the threads that all of a process shares, on a machine with few processors."""


@pytest.fixture
def silent_name_server(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Its silence lasts longer than the test."""
    look_up: Callable[..., Any] = socket.getaddrinfo
    is_over = threading.Event()

    def hang(host: Any, *rest: Any, **hints: Any) -> Any:
        if "dead" in str(host):
            is_over.wait(60)
            raise socket.gaierror(-3, "Temporary failure in name resolution")
        return look_up(host, *rest, **hints)

    monkeypatch.setattr(socket, "getaddrinfo", hang)
    yield
    is_over.set()


async def until(is_so: Callable[[], bool]) -> None:
    async with asyncio.timeout(15):
        while not is_so():
            await asyncio.sleep(0.02)


async def discard(batch: Batch) -> None:
    """Nobody looks at it."""


def link_of(device: Any, tag: Any, opener: OpenSession[Any], families: DriverMetricFamilies) -> DeviceLink[Any]:
    return DeviceLink(device, (tag,), opener, discard, lambda status: None, families.of(device.protocol, device.name), backoff=Backoff(first=0.05, cap=0.1))


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost"])
async def test_names_that_nobody_answers_for_keep_no_other_device_from_coming_back(host: str) -> None:
    opcua, modbus = OpcuaDriver(), ModbusDriver()
    families = DriverMetricFamilies(CollectorRegistry())
    dead = [
        link_of(OpcuaDevice(f"PLC-{number}", "SEP", f"opc.tcp://dead-{number}:4840/", 0.1, 0.5, OpcuaSecurity.none()), LEVEL, opcua.open, families)
        for number in range(DEAD)
    ] + [
        link_of(ModbusDevice(f"MB-{number}", "SEP", TcpLine(f"dead-modbus-{number}", 502), 1, timeout=0.5), PRESSURE, modbus.open, families)
        for number in range(DEAD)
    ]
    async with plc_server() as plc, Cable(plc.port) as cable:
        await plc.add("level", 1.0, ua.VariantType.Double)
        sound = link_of(device_at(f"opc.tcp://{host}:{cable.port}/"), LEVEL, opcua.open, families)
        async with supervised(sound, *dead):
            await until(lambda: sound.status.state is LinkState.UP)
            await until(lambda: all("no name server told the address of dead-" in (link.status.last_error or "") for link in dead))
            await cable.cut()
            await until(lambda: sound.status.state is LinkState.DOWN)
            await cable.mend()
            mended = time.monotonic()
            await until(lambda: sound.status.state is LinkState.UP)
            assert time.monotonic() - mended < 3.0
