"""Serving the application over HTTP."""

import asyncio
import socket
from collections.abc import Callable
from typing import Final

import uvicorn
from fastapi import FastAPI

from plant.errors import ConfigurationError, Problem

_SHUTDOWN_WITHIN: Final = 5


async def serve(app: FastAPI, host: str, port: int, stop: asyncio.Event, on_started: Callable[[str], None]) -> None:
    """Until ``stop`` is set. ``on_started`` is told the address, ``http://HOST:PORT``, once requests are answered; port 0 picks a free one.

    Raises:
        ConfigurationError: the address is taken or not ours.
    """
    listener = listen_on(host, port)
    config = uvicorn.Config(
        app,
        access_log=False,
        log_config=None,
        server_header=False,
        proxy_headers=False,
        timeout_keep_alive=30,
        timeout_graceful_shutdown=_SHUTDOWN_WITHIN,
        limit_concurrency=500,
        ws_max_size=1_000_000,
        ws_ping_interval=10,
        ws_ping_timeout=10,
    )
    server = _Server(config)
    serving = asyncio.create_task(server.serve(sockets=[listener]))
    stopping = asyncio.create_task(stop.wait())
    try:
        while not server.started and not serving.done():
            await asyncio.sleep(0.02)
        if not serving.done():
            on_started(f"http://{f'[{host}]' if ':' in host else host}:{listener.getsockname()[1]}")
        await asyncio.wait({serving, stopping}, return_when=asyncio.FIRST_COMPLETED)
    finally:
        stopping.cancel()
        server.should_exit = True
        await serving
        listener.close()


class _Server(uvicorn.Server):
    def install_signal_handlers(self) -> None:
        """Signals are the process's affair."""


def listen_on(host: str, port: int) -> socket.socket:
    """A bound socket. Raises ``ConfigurationError`` where the address is taken or is not ours."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    listener = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)  # named: else asyncio leaves Nagle's algorithm on, 40 ms an answer
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind((host, port))
    except OSError as error:
        listener.close()
        mend = "free the port or choose another with --port or MONAZITE_PORT"
        raise ConfigurationError([Problem("MONAZITE_PORT", None, None, f"cannot listen on {host}:{port}: {error.strerror}", mend)]) from None
    return listener
