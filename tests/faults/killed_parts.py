"""The parts behind the gateway, each to be killed and brought back: historian, bus, PostgreSQL."""

import asyncio
import random
import sqlite3
from abc import ABC, abstractmethod
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import psycopg

from tests.nats_server import NatsServer
from tests.postgres import PostgresServer
from tests.stack import DidNotStart, Stack


class Part(ABC):
    """``is_up`` from the end of ``start`` to the begin of ``kill``."""

    name: str

    def __init__(self) -> None:
        self.is_up = True

    @abstractmethod
    async def kill(self) -> None: ...

    @abstractmethod
    async def start(self) -> None: ...


class HistorianPart(Part):
    """A service that ends when the bus is away at its start: started again until it stays, as a supervisor would."""

    name = "historian"

    def __init__(self, stack: Stack) -> None:
        super().__init__()
        self._stack = stack
        self.ready: Mapping[str, Any] = {}
        self.ended_by_itself = 0

    async def kill(self) -> None:
        await self._stack.kill(self.name)

    async def start(self) -> None:
        while True:
            try:
                self.ready = await self._stack.start(self.name)
            except DidNotStart:
                self.ended_by_itself += 1
            else:
                return

    def log(self) -> str:
        return self._stack.log(self.name)

    async def supervise(self) -> None:
        while True:
            if self.is_up and not self._stack.runs(self.name):
                self.is_up = False
                self.ended_by_itself += 1
                await self.start()
                self.is_up = True
            await asyncio.sleep(0.05)


class BusPart(Part):
    name = "bus"

    def __init__(self, server: NatsServer) -> None:
        super().__init__()
        self._server = server

    async def kill(self) -> None:
        await self._server.kill()

    async def start(self) -> None:
        await self._server.start()


class DatabasePart(Part):
    """Crashes whole, or loses one server process, after which it recovers by itself."""

    name = "database"

    def __init__(self, server: PostgresServer, chance: random.Random) -> None:
        super().__init__()
        self.server = server
        self._chance = chance
        self._crashed = False
        self.lost_backends = 0

    async def kill(self) -> None:
        if self._chance.random() < 0.3 and await asyncio.to_thread(self.server.kill_backend, "postgres"):
            self.lost_backends += 1
        else:
            self._crashed = True
            await asyncio.to_thread(self.server.kill)

    async def start(self) -> None:
        if self._crashed:
            await asyncio.to_thread(self.server.start)
        self._crashed = False


def is_committing(store_url: str) -> bool:
    """Whether somebody is in the middle of a transaction that writes history."""
    if store_url.startswith("sqlite:///"):
        connection = sqlite3.connect(Path(store_url.removeprefix("sqlite:///")), isolation_level=None, timeout=0)
        try:
            connection.execute("BEGIN IMMEDIATE")
            connection.execute("ROLLBACK")
        except sqlite3.OperationalError:
            return True
        finally:
            connection.close()
        return False
    try:
        with psycopg.connect(store_url, connect_timeout=2) as postgres:
            found = postgres.execute("SELECT count(*) FROM pg_stat_activity WHERE application_name = 'monazite' AND xact_start IS NOT NULL").fetchone()
    except psycopg.OperationalError:
        return False
    return found is not None and found[0] > 0
