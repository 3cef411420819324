"""Host names of devices to addresses: the one place where a name is looked up.

Rules:

1. An address needs no look-up.
2. The system's look-up cannot be given up: it holds a thread for as long as a name server is silent, half a minute and more. Each name has a thread of its own
   and one at a time, so that no number of dead names takes one from another. One that is not back after ten minutes is given up, and the name asked for anew.
3. Whoever waits does so no longer than it says. A look-up goes on without it, and what it finds is for the next who asks within some seconds: a name that takes
   longer than a connection may is found nevertheless.
4. Of several addresses each has its share of the time for a connection: one that is silent leaves some to the next.
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
_GIVEN_UP_AFTER: Final = 600.0
"""Seconds. The longest that a resolver is silent is some minutes: several name servers, each asked several times for several domains."""

Connected = TypeVar("Connected")


class _LookUp:
    """One question to the system. A thread that is left over does not hold up the end of the process."""

    def __init__(self, name: str) -> None:
        self._answer: Future[Sequence[str] | Exception] = Future()
        self._asked_at = time.monotonic()
        self._answered_at = 0.0
        Thread(target=self._run, args=(name,), name=f"look-up of {name}", daemon=True).start()

    def _run(self, name: str) -> None:
        answer: Sequence[str] | Exception = DeviceUnreachable(f"no connection: the look-up of {name} failed in this program; its standard error has where")
        try:
            found = socket.getaddrinfo(name, None, type=socket.SOCK_STREAM)
            answer = list(dict.fromkeys(str(address[0]) for _, _, _, _, address in found))
        except (OSError, ValueError) as error:  # a ValueError for what cannot be a name
            answer = error
        finally:  # whatever happens: else nobody could ask for the name any more
            self._answered_at = time.monotonic()
            self._answer.set_result(answer)

    @property
    def is_of_use(self) -> bool:
        now = time.monotonic()
        return now - self._answered_at < _KEPT if self._answer.done() else now - self._asked_at < _GIVEN_UP_AFTER

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
    if isinstance(answer, DeviceUnreachable):
        raise DeviceUnreachable(str(answer)) from answer  # several may wait: each has its own
    if isinstance(answer, OSError):
        raise DeviceUnreachable(f"no connection: {host} has no address: {answer.strerror or answer}") from answer
    if isinstance(answer, Exception):
        raise DeviceUnreachable(f"no connection: {host!r} is no host: {answer}") from answer
    return answer


async def first_of(addresses: Sequence[str], connect: Callable[[str], Awaitable[Connected]], deadline: float) -> Connected:
    """What ``connect`` makes of the first of ``addresses`` (one at least) that takes a connection before ``deadline``, by the event loop's clock; each has its
    share of the time that is left. Raises what it raises for the last, or for a server that answers and cannot be trusted; TimeoutError after the deadline."""
    loop = asyncio.get_running_loop()
    for tried, address in enumerate(addresses[:-1]):
        now = loop.time()
        try:
            async with asyncio.timeout_at(now + (deadline - now) / (len(addresses) - tried)):
                return await connect(address)
        except ssl.SSLError:
            raise
        except OSError:  # TimeoutError is one
            continue
    async with asyncio.timeout_at(deadline):
        return await connect(addresses[-1])


def _is_address(host: str) -> bool:
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return False
    return True
