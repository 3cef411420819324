"""Host names of devices to addresses: the one place where a name is looked up.

Rules:

1. An address needs no look-up.
2. The system's look-up cannot be given up: it holds a thread for as long as a name server is silent, half a minute and more. Each name has a thread of its own
   and one at a time, so that no number of dead names takes one from another: there are as many at most as devices of the site have names.
3. Whoever waits does so no longer than it says. A look-up goes on without it, and what it finds is for the next who asks within some seconds: a name that takes
   longer than a connection may is found nevertheless.
"""

import asyncio
import contextlib
import ipaddress
import socket
import ssl
import time
from collections.abc import Awaitable, Callable, Sequence
from concurrent.futures import Future
from threading import Thread
from typing import Final, TypeVar

from plant.errors import DeviceUnreachable

_KEPT: Final = 10.0
"""Seconds for which an answer that nobody waited for is one. No longer: the address behind a name may change."""

Connected = TypeVar("Connected")


class _LookUp:
    """One question to the system. A thread that is left over does not hold up the end of the process."""

    def __init__(self, name: str) -> None:
        self._answer: Future[Sequence[str] | Exception] = Future()
        self._answered_at = 0.0
        Thread(target=self._run, args=(name,), name=f"look-up of {name}", daemon=True).start()

    def _run(self, name: str) -> None:
        answer: Sequence[str] | Exception
        try:
            found = socket.getaddrinfo(name, None, type=socket.SOCK_STREAM)
            answer = list(dict.fromkeys(str(address[0]) for _, _, _, _, address in found))
        except (OSError, ValueError) as error:  # a ValueError for what cannot be a name
            answer = error
        self._answered_at = time.monotonic()
        self._answer.set_result(answer)

    @property
    def is_of_use(self) -> bool:
        return not self._answer.done() or time.monotonic() - self._answered_at < _KEPT

    async def answer(self) -> Sequence[str] | Exception:
        loop, answered = asyncio.get_running_loop(), asyncio.Event()

        def wake(_: object) -> None:
            with contextlib.suppress(RuntimeError):  # the loop is closed: nobody waits there any more
                loop.call_soon_threadsafe(answered.set)

        self._answer.add_done_callback(wake)
        await answered.wait()
        return self._answer.result()


_under_way: Final[dict[str, _LookUp]] = {}


async def addresses_of(host: str, within: float) -> Sequence[str]:
    """The addresses of a host, in the order in which the system wants them tried; ``host`` itself where it is one.

    Raises:
        DeviceUnreachable: there is none, or nothing is known ``within`` seconds.
    """
    if _is_address(host):
        return (host,)
    look_up = _under_way.get(host)
    if look_up is None or not look_up.is_of_use:
        look_up = _under_way[host] = _LookUp(host)
    try:
        async with asyncio.timeout(within):
            answer = await look_up.answer()
    except TimeoutError:
        mend = "give its address in the site instead of its name, or see to the name server"
        raise DeviceUnreachable(f"no connection: no name server told the address of {host} within {within:g} s; {mend}") from None
    if _under_way.get(host) is look_up:
        del _under_way[host]
    if isinstance(answer, OSError):
        raise DeviceUnreachable(f"no connection: {host} has no address: {answer.strerror or answer}") from answer
    if isinstance(answer, Exception):
        raise DeviceUnreachable(f"no connection: {host!r} is no host: {answer}") from answer
    return answer


async def first_of(addresses: Sequence[str], connect: Callable[[str], Awaitable[Connected]]) -> Connected:
    """What ``connect`` makes of the first of ``addresses`` (one at least) that takes a connection. Raises what it raises for the last, or for a server that
    answers and cannot be trusted."""
    for address in addresses[:-1]:
        try:
            return await connect(address)
        except ssl.SSLError:
            raise
        except OSError:
            continue
    return await connect(addresses[-1])


def _is_address(host: str) -> bool:
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return False
    return True
