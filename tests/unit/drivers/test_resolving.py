import asyncio
import socket
import threading
import time
from collections.abc import Iterator

import pytest

from drivers import resolving
from drivers.resolving import addresses_of, first_of
from plant.errors import DeviceUnreachable


class NameServer:
    """What ``socket.getaddrinfo`` asks: it knows ``plc.plant``, refuses ``unknown.plant``, and is silent about every other name until it is ``released``."""

    def __init__(self) -> None:
        self.asked: list[str] = []
        self.released = threading.Event()

    def look_up(self, host: str, port: object, **hints: object) -> list[tuple[int, int, int, str, tuple[str, int]]]:
        self.asked.append(host)
        if host == "unknown.plant":
            raise socket.gaierror(-2, "Name or service not known")
        if host != "plc.plant":
            self.released.wait(30)
        return [(2, 1, 6, "", (address, 0)) for address in ("10.0.0.7", "10.0.0.8", "10.0.0.7")]


@pytest.fixture
def name_server(monkeypatch: pytest.MonkeyPatch) -> Iterator[NameServer]:
    server = NameServer()
    monkeypatch.setattr(socket, "getaddrinfo", server.look_up)
    yield server
    server.released.set()


@pytest.mark.parametrize("host", ["10.20.3.21", "::1", "fe80::1%eth0"])
async def test_an_address_is_not_looked_up(name_server: NameServer, host: str) -> None:
    assert await addresses_of(host, 1.0) == (host,)
    assert name_server.asked == []


async def test_each_address_of_a_name_is_told_once_and_looked_up_each_time(name_server: NameServer) -> None:
    for _ in range(2):
        assert await addresses_of("plc.plant", 1.0) == ["10.0.0.7", "10.0.0.8"]
    assert name_server.asked == ["plc.plant"] * 2


async def test_a_hundred_names_that_nobody_answers_for_keep_no_other_waiting(name_server: NameServer) -> None:
    dead = [asyncio.create_task(addresses_of(f"dead-{number}.plant", 0.5)) for number in range(100)]
    await asyncio.sleep(0)
    begun = time.monotonic()
    assert await addresses_of("plc.plant", 5.0) == ["10.0.0.7", "10.0.0.8"]
    assert time.monotonic() - begun < 0.4
    for error in await asyncio.gather(*dead, return_exceptions=True):
        assert isinstance(error, DeviceUnreachable)
        assert "within 0.5 s; give its address in the site instead of its name" in str(error)


async def test_a_name_is_asked_for_once_at_a_time_and_what_comes_late_is_for_the_next(name_server: NameServer) -> None:
    for _ in range(3):
        with pytest.raises(DeviceUnreachable, match=r"no name server told the address of slow\.plant"):
            await addresses_of("slow.plant", 0.05)
    name_server.released.set()
    await asyncio.sleep(0.1)
    assert await addresses_of("slow.plant", 0.05) == ["10.0.0.7", "10.0.0.8"]
    assert name_server.asked == ["slow.plant"]


async def test_a_name_without_an_address_says_so(name_server: NameServer) -> None:
    with pytest.raises(DeviceUnreachable, match=r"unknown\.plant has no address: Name or service not known"):
        await addresses_of("unknown.plant", 1.0)


@pytest.mark.parametrize("host", ["x" * 64 + ".example", "a\0b", ""])
async def test_what_cannot_be_a_name_says_so(host: str) -> None:
    with pytest.raises(DeviceUnreachable, match="no connection"):
        await addresses_of(host, 1.0)


async def test_a_name_whose_look_up_breaks_is_asked_for_again(name_server: NameServer, monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[type[BaseException]] = []
    monkeypatch.setattr(threading, "excepthook", lambda hook: seen.append(hook.exc_type))

    def broken(host: str, port: object, **hints: object) -> None:
        raise MemoryError

    monkeypatch.setattr(socket, "getaddrinfo", broken)
    for _ in range(2):
        with pytest.raises(DeviceUnreachable, match=r"the look-up of plc\.plant failed in this program"):
            await addresses_of("plc.plant", 1.0)
    monkeypatch.setattr(socket, "getaddrinfo", name_server.look_up)
    assert await addresses_of("plc.plant", 1.0) == ["10.0.0.7", "10.0.0.8"]
    assert set(seen) == {MemoryError}, "nor is it hidden"


async def test_a_look_up_that_never_comes_back_is_given_up(name_server: NameServer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(resolving, "_GIVEN_UP_AFTER", 0.2)
    for wait in (0.05, 0.3, 0.05):
        with pytest.raises(DeviceUnreachable, match=r"no name server told the address of lost\.plant"):
            await addresses_of("lost.plant", wait)
    assert name_server.asked == ["lost.plant"] * 2


async def test_an_address_that_is_silent_leaves_time_for_the_next() -> None:
    loop = asyncio.get_running_loop()
    tried: list[str] = []

    async def connect(address: str) -> str:
        tried.append(address)
        if address == "refuses":
            raise ConnectionRefusedError
        if address == "silent":
            await asyncio.Event().wait()
        return address

    assert await first_of(["silent", "refuses", "silent", "takes"], connect, loop.time() + 0.4) == "takes"
    begun = loop.time()
    with pytest.raises(TimeoutError):
        await first_of(["silent", "silent"], connect, begun + 0.2)
    assert loop.time() - begun < 0.4
    assert tried == ["silent", "refuses", "silent", "takes", "silent", "silent"]
